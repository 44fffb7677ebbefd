"""Appending to strands, folding their heads, publishing them: the part of the protocol that never decides where things go."""

import asyncio
import random
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from unifier.folding import fold
from unifier.memory import Memory
from unifier.model import Entry, Head
from unifier.publishing import Publisher
from unifier.store.port import ConversationStore


class Strands:
    """Strands as one batch sees them: stored heads plus what was appended since they were read."""

    def __init__(self, store: ConversationStore, publisher: Publisher, memory: Memory | None = None) -> None:
        self._store = store
        self._memory = memory or Memory(0)
        self._publisher = publisher
        self._heads: dict[str, Head] = {}
        self._stored: dict[str, tuple[int, int]] = {}  # `through` and `published`
        self._recent: dict[str, list[Entry]] = {}
        self._guessed: set[str] = set()

    async def read(self, strands: Collection[str]) -> None:
        """Read heads and unfolded entries anew."""
        for strand, tail in (await self._store.tails(set(strands))).items():
            self._start(strand, tail.head, tail.entries)
            self._guessed.discard(strand)

    async def need(self, strands: Collection[str]) -> None:
        """Read those that are not known to their end yet."""
        missing = {strand for strand in strands if strand not in self._heads or strand in self._guessed}
        if missing:
            await self.read(missing)

    def begin(self, strands: Collection[str]) -> None:
        """These are new, for all we know."""
        for strand in set(strands) - self._heads.keys():
            self._start(strand, None, [])
            self._guessed.add(strand)

    async def _guess(self, strands: Collection[str]) -> None:
        """Take each head for its strand's end: an entry behind it is met when its number turns out to be taken."""
        missing = set(strands) - self._heads.keys()
        heads = {strand: head for strand in missing if (head := self._memory.heads.get(strand))}
        if asked := missing - heads.keys():
            heads |= await self._store.heads(asked)
        for strand in missing:
            self._start(strand, heads.get(strand), [])
        self._guessed |= missing

    def _start(self, strand: str, head: Head | None, entries: Sequence[Entry]) -> None:
        self._stored[strand] = (head.through, head.published) if head else (0, 0)
        self._heads[strand] = fold(head, strand, entries)
        self._recent[strand] = list(entries)

    def head(self, strand: str) -> Head:
        """The head, folded to the end that is known here."""
        return self._heads[strand]

    async def try_append(self, entries: Sequence[Entry]) -> None:
        """Insert what still follows the last entry seen here; who lost a race for its number is left out."""
        numbered = self._number(entries)
        outcomes = {outcome.id: outcome.result for outcome in await self._store.insert(numbered)}
        self._learn([entry for entry in numbered if outcomes[entry.id] == "inserted"])

    async def append(self, entries: Sequence[Entry]) -> dict[str, Entry]:
        """Insert, numbered after the last one seen stored; renumbers whoever lost a race for a number.

        Returns those whose id was stored already, by id, as they are stored: perhaps in another strand.
        """
        found: dict[str, Entry] = {}
        waiting, races = list(entries), 0
        while waiting:
            await self._guess({entry.strand for entry in waiting})
            numbered = self._number(waiting)
            outcomes = {outcome.id: outcome.result for outcome in await self._store.insert(numbered)}
            self._learn([entry for entry in numbered if outcomes[entry.id] == "inserted"])
            waiting = [entry for entry in waiting if outcomes[entry.id] != "inserted"]
            if "id_taken" in outcomes.values():
                # Where one was stored, those behind it were often stored with it.
                stored = await self._store.entries([entry.id for entry in waiting])
                found.update(stored)
                # Whoever stored them may have died before it folded and published them.
                await self.read({entry.strand for entry in stored.values()})
                waiting = [entry for entry in waiting if entry.id not in stored]
            if waiting:
                await asyncio.sleep(random.random() * 0.002 * races)  # noqa: S311 -- spreads writers, guards nothing
                await self.read({entry.strand for entry in waiting})
                races += 1
        return found

    def _number(self, entries: Iterable[Entry]) -> list[Entry]:
        last: dict[str, int] = {}
        numbered = []
        for entry in entries:
            seq = last.get(entry.strand, self._heads[entry.strand].through) + 1
            last[entry.strand] = seq
            numbered.append(msgspec.structs.replace(entry, seq=seq))
        return numbered

    def _learn(self, inserted: Iterable[Entry]) -> None:
        for entry in inserted:
            self._heads[entry.strand] = fold(self._heads[entry.strand], entry.strand, [entry])
            self._recent[entry.strand].append(entry)
            self._guessed.discard(entry.strand)

    async def fold(self, strands: Collection[str]) -> None:
        """Write the heads of these strands; where another worker folded meanwhile, fold what is left."""
        while behind := {strand for strand in strands if self._heads[strand].through > self._stored[strand][0]}:
            written = await self._store.fold(
                [(self._heads[strand], self._stored[strand][0]) for strand in sorted(behind)]
            )
            for strand in written:
                self._stored[strand] = (self._heads[strand].through, self._heads[strand].published)
            if behind - written:
                told = {strand: self._heads[strand].published for strand in behind - written}
                await self.read(told)
                self._told(told)

    async def publish(self, strands: Collection[str]) -> None:
        """Publish these strands to their end, and remember that it is done."""
        heads = self._sorted(strands)
        await self._publisher.publish(heads, self._recent)
        self._told({head.id: head.through for head in heads})

    async def publish_and_fold(self, strands: Collection[str], epoch: int | None = None) -> None:
        """Publish these strands to their end, then write their heads: one write tells both."""
        heads = self._sorted(strands)
        await self._publisher.tell(heads, self._recent, epoch)
        self._told({head.id: head.through for head in heads})
        await self.fold(strands)
        late = {head.id: head.published for head in self._sorted(strands) if head.published > self._stored[head.id][1]}
        if late:
            await self._store.published(late)
        for head in self._sorted(strands):
            self._memory.heads.put(head.id, head)

    def _sorted(self, strands: Collection[str]) -> list[Head]:
        return [self._heads[strand] for strand in sorted(set(strands))]

    def _told(self, through: Mapping[str, int]) -> None:
        for strand, seq in through.items():
            head = self._heads[strand]
            self._heads[strand] = msgspec.structs.replace(head, published=max(head.published, seq))
