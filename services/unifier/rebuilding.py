"""Making anew what follows from entries and links: numbers without gaps, heads, conversations, customers, the topic of changes.

For a store whose collections are of different times, or damaged, and on which no worker runs. It throws out what can never be right:
documents that cross tenants, a second copy of an event under another id. Whatever is missing comes from the log, by a replay.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import groupby
from typing import TypeVar

from onethread.log.port import EventLog
from unifier.folding import fold
from unifier.links import Identity, Link
from unifier.merging import Merging
from unifier.model import Entry, Head, scoped, tenant_of
from unifier.publishing import Publisher
from unifier.settlement import Settlement
from unifier.store.audit import Claim, Kind, Place
from unifier.store.port import ConversationStore
from unifier.strands import Strands
from unifier.threading import link_id
from unifier.verify.strands import is_of, named_by

T = TypeVar("T", Head, Identity, Link, Claim)

PAGE = 500


class Rebuild:
    """Of one store; the epoch was raised before. `told` hears of each step what was done, and how often.

    `damaged`: throw out entries that are not the event of their id, too. They come back only if the log still has them.
    """

    def __init__(
        self,
        store: ConversationStore,
        log: EventLog,
        now: Callable[[], int],
        told: Callable[[str, int], None] = lambda _what, _count: None,
        *,
        damaged: bool = False,
    ) -> None:
        self._store = store
        self._audit = store.audit
        self._publisher = Publisher(store, log)
        self._now = now
        self._told = told
        self._damaged = damaged

    async def run(self) -> None:
        """All of it. Interrupted, it is begun again."""
        await self._throw_out()
        await self._renumber()
        await self._store.create_indexes()
        await self._drop_heads()
        await self._fold()
        await self._settle_customers()
        await self._settle_conversations()

    # --- what can never be right ---

    async def _throw_out(self) -> None:
        async for entries in self._entries():
            strange = [entry for entry in entries if entry.event and not is_of(entry, entry.event)]
            rights = {entry.id: scoped(entry.event.tenant, entry.event.id) for entry in strange if entry.event}
            there = await self._store.entries(rights.values()) if rights else {}
            copies = [one for one, right in rights.items() if self._damaged or (right in there and right != one)]
            crossing = [
                entry.id for entry in entries if any(tenant_of(one) != tenant_of(entry.id) for one in named_by(entry))
            ]
            await self._drop("entries", [*copies, *crossing])
        async for links in self._pages(self._audit.links_after):
            await self._drop("links", [link.id for link in links if not _is_right(link)])
            # If this is interrupted, whoever meets one of them later settles it.
            await self._audit.unsettle([link.id for link in links if link.settled])
        async for claims in self._pages(self._audit.claims_after):
            crossed = [
                one.id for one in claims if any(tenant_of(strand) != tenant_of(one.owner) for strand in one.strands)
            ]
            await self._drop("claims", crossed)
        async for people in self._pages(self._audit.identities_after):
            lost = {one.id: one.id for one in people if tenant_of(one.customer) != tenant_of(one.id)}
            if lost:
                await self._store.set_customers(lost)

    async def _drop(self, kind: Kind, ids: list[str]) -> None:
        if ids:
            await self._audit.drop(kind, ids)
            self._told(f"{kind} thrown out", len(ids))

    # --- numbers ---

    async def _renumber(self) -> None:
        broken: list[str] = []
        strand, last = "", 0
        async for entries in self._entries():
            for entry in entries:
                strand, last = entry.strand, last if entry.strand == strand else 0
                if entry.seq != last + 1 and broken[-1:] != [strand]:
                    broken.append(strand)
                last = entry.seq
        for one in broken:
            numbers = await self._numbers(one)
            wrong = {entry_id: seq for entry_id, (seq, stored) in numbers.items() if seq != stored}
            await self._audit.renumber(wrong)
            self._told("entries renumbered", len(wrong))

    async def _numbers(self, strand: str) -> dict[str, tuple[int, int]]:
        """Entry id → its number without gaps, and the stored one. Two of one number may lie on two pages: so pages overlap."""
        found: dict[str, tuple[int, int]] = {}
        place = Place(strand, 0)
        while True:
            entries = await self._audit.entries_after(tenant_of(strand), place, PAGE)
            new = [entry for entry in entries if entry.strand == strand and entry.id not in found]
            if not new:
                return found
            for entry in new:
                found[entry.id] = (len(found) + 1, entry.seq)
            place = Place(strand, new[-1].seq - 1)

    # --- projections ---

    async def _drop_heads(self) -> None:
        async for heads in self._pages(self._audit.heads_after):
            await self._audit.drop("heads", [head.id for head in heads])

    async def _fold(self) -> None:
        """Fold every strand anew, a page at a time, and publish it from its first entry."""
        head: Head | None = None
        async for entries in self._entries():
            folded: list[tuple[Head, int]] = []
            known: dict[str, list[Entry]] = {}
            for strand, part in groupby(entries, key=lambda entry: entry.strand):
                if head is None or head.id != strand:
                    head = Head(id=strand, root=strand)
                known[strand] = list(part)
                after = fold(head, strand, known[strand])
                folded.append((after, head.through))
                head = after
            await self._store.fold(folded)
            before = {after.id: through for after, through in folded}
            await self._publisher.publish([_published(after, before[after.id]) for after, _ in folded], known)
            self._told("entries folded and published", len(entries))

    async def _settle_customers(self) -> None:
        async for people in self._pages(self._audit.identities_after):
            _, _, merging = self._parts()
            await merging.resettle({one.id for one in people})
            self._told("identities settled", len(people))

    async def _settle_conversations(self) -> None:
        async for heads in self._pages(self._audit.heads_after):
            seeds = {head.id for head in heads if head.root != head.id}
            seeds |= {
                link.ends[0]
                for link in await self._store.links_at([head.id for head in heads])
                if link.kind == "strand"
            }
            strands, settlement, merging = self._parts()
            if seeds:
                settled = await settlement.strands(seeds)
                await strands.fold(settled.nodes)
                await strands.publish(settled.nodes)
                await merging.mark(settled.links)
            self._told("strands settled", len(heads))

    def _parts(self) -> tuple[Strands, Settlement, Merging]:
        """As a batch has them: what they read lives as long as the page."""
        strands = Strands(self._store, self._publisher)
        settlement = Settlement(self._store, strands, self._now)
        return strands, settlement, Merging(self._store, strands, settlement)

    # --- pages ---

    async def _entries(self) -> AsyncIterator[list[Entry]]:
        place = Place()
        while page := await self._audit.entries_after("", place, PAGE):
            place = Place(page[-1].strand, page[-1].seq)
            yield page

    async def _pages(self, scan: Callable[[str, str, int], Awaitable[list[T]]]) -> AsyncIterator[list[T]]:
        after = ""
        while page := await scan("", after, PAGE):
            after = page[-1].id
            yield page


def _published(head: Head, seq: int) -> Head:
    return Head(id=head.id, root=head.root, through=head.through, published=seq)


def _is_right(link: Link) -> bool:
    ids = (*link.ends, *(who for reason in link.evidence for who in reason.needs))
    return link.id == link_id(link.kind, *link.ends) and all(tenant_of(one) == tenant_of(link.id) for one in ids)
