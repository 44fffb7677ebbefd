"""What a person commands: link, unlink, move.

Commands name messages and addresses, never conversations, so that they mean the same after a rebuild. Each may come twice.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping

from onethread.errors import Poison
from onethread.event import EntriesMove, LinkEnd, LinkSet
from onethread.identity import canonicalised, digest
from unifier.folding import talks
from unifier.links import Identity, Link, LinkKind, Opinion
from unifier.merging import Merging
from unifier.model import EntriesMoved, Entry, Moved, Placement, scoped, tenant_of
from unifier.policy import Policy
from unifier.reading import Reading, identity_of, milliseconds, own_keys, read
from unifier.store.port import ConversationStore
from unifier.strands import Strands
from unifier.threading import link_id, strand_named_after

PATIENCE = 5.0
"""Seconds a command waits for a message that is not stored yet; then it is a dead letter, to be replayed."""


class Commands:
    """Applies the commands of one batch, one after the other."""

    def __init__(
        self,
        store: ConversationStore,
        strands: Strands,
        merging: Merging,
        now: Callable[[], int],
        patience: float = PATIENCE,
    ) -> None:
        self._store = store
        self._strands = strands
        self._merging = merging
        self._now = now
        self._patience = patience

    async def apply(self, reading: Reading) -> None:
        """Apply one command. Raises Poison where it names what is not there, or what cannot be linked."""
        fact = reading.event.fact
        if isinstance(fact, LinkSet):
            await self._link(reading, fact)
        elif isinstance(fact, EntriesMove):
            await self._move(reading, fact)

    async def _link(self, reading: Reading, fact: LinkSet) -> None:
        claims = [end.claim for end in fact.ends]
        if all(claims):
            ends = [await self._identity(reading, end) for end in fact.ends]
            kind = "identity"
        elif not any(claims):
            entries = await self._entries(reading, tuple(end.entry_id for end in fact.ends))
            ends = [entry.home for entry in entries.values()]
            kind = "strand"
        else:
            raise Poison("a link has two ends of one kind: two addresses, or two messages")
        if len(set(ends)) < 2:
            return  # linked with itself already: nothing to do, and nothing to undo
        low, high = sorted(ends)
        opinion = Opinion(
            link_id(kind, low, high),  # type: ignore[arg-type]
            kind,  # type: ignore[arg-type]
            (low, high),
            fact.state,
            milliseconds(fact.at),
            fact.by,
        )
        await self._merging.opine([opinion])

    async def _identity(self, reading: Reading, end: LinkEnd) -> str:
        assert end.claim is not None
        claim = canonicalised(end.claim)
        if not claim.canonical:
            raise Poison(f"an address of type {claim.type} that says nothing: give it as people write it")
        who = identity_of(reading.tenant, claim)
        person = Identity(
            id=who, type=claim.type, scope=claim.scope, value=claim.canonical, since=reading.at, customer=who
        )
        await self._store.claim({}, [], [person])
        await self._store.reveal([person])
        return who

    async def _entries(self, reading: Reading, ids: tuple[str, ...]) -> Mapping[str, Entry]:
        """The entries named, waited for a while: a person may be quicker than the log."""
        wanted = [scoped(reading.tenant, one) for one in ids]
        waited = 0.0
        while True:
            found = await self._store.entries(wanted)
            if len(found) == len(set(wanted)):
                return {one: found[one] for one in wanted}
            if waited >= self._patience:
                missing = ", ".join(sorted(one.split("/", 1)[1] for one in set(wanted) - found.keys()))
                raise Poison(f"no such message: {missing}")
            await asyncio.sleep(0.1)
            waited += 0.1

    async def _move(self, reading: Reading, fact: EntriesMove) -> None:
        at = milliseconds(fact.at)
        entries = await self._entries(reading, fact.entry_ids)
        if fact.to:
            target = await self._entries(reading, (fact.to,))
            to = next(iter(target.values())).home
        else:
            to = strand_named_after(reading.id, reading.at)
        # The source is stored with the move: a repeat finds the entry in its new home, and must name the same source.
        await self._store.move(
            {
                entry.id: Moved(to=to, at=at, source=entry.home, by=fact.by)
                for entry in await self._elsewhere(entries.values(), to)
            }
        )
        ways: dict[tuple[str, str], list[Entry]] = {}
        for entry in (await self._store.entries(entries.keys())).values():
            if entry.moved and entry.moved.at == at:  # else a later move has it
                ways.setdefault((entry.moved.source, entry.moved.to), []).append(entry)
        for (source, to), together in ways.items():
            await self._mark(reading, fact, source, to, together)
            # Last: who is led to the new strand before the two are apart would join them.
            await self._store.move_keys({key: to for entry in together for key in _own_keys(entry)}, at)

    async def _elsewhere(self, entries: Collection[Entry], to: str) -> list[Entry]:
        """Those of another conversation than the strand `to`; to move the others would tear apart what belongs together."""
        await self._strands.read({to, *(entry.home for entry in entries)})
        root = self._strands.head(to).root
        return [entry for entry in entries if self._strands.head(entry.home).root != root]

    async def _mark(self, reading: Reading, fact: EntriesMove, source: str, to: str, moved: list[Entry]) -> None:
        """A marker in both timelines, for live readers; then the two strands are kept apart."""
        marker = EntriesMoved(
            entry_ids=tuple(entry.id for entry in moved),
            source=source,
            to=to,
            messages=sum(entry.kind == "message" for entry in moved),
            talks=sum(map(talks, moved)),
            by=fact.by,
        )
        at = max(entry.at for entry in moved)
        markers = [
            Entry(
                id=scoped(tenant_of(to), "evt_" + digest(reading.id, source, to, strand, "moved")),
                strand=strand,
                seq=0,
                kind="moved",
                at=at,
                stored_at=self._now(),
                own=moved[0].own,
                placement=Placement(rule="person"),
                moved_entries=marker,
            )
            for strand in (source, to)
        ]
        await self._strands.append(markers)
        await self._strands.fold([source, to])
        await self._strands.publish([source, to])
        low, high = sorted((source, to))
        opinion = Opinion(link_id("strand", low, high), "strand", (low, high), "apart", milliseconds(fact.at), fact.by)
        await self._merging.opine([opinion])


async def link_of(store: ConversationStore, tenant: str, fact: LinkSet) -> Link | None:
    """The link that a command is about, as stored; None while it is not there, or names messages not stored yet."""
    ends = []
    for end in fact.ends:
        if end.claim:
            ends.append(identity_of(tenant, canonicalised(end.claim)))
        else:
            entry = (await store.entries([scoped(tenant, end.entry_id)])).get(scoped(tenant, end.entry_id))
            if entry is None:
                return None
            ends.append(entry.home)
    kind: LinkKind = "identity" if fact.ends[0].claim else "strand"
    wanted = link_id(kind, *ends)
    return (await store.links([wanted])).get(wanted)


def _own_keys(entry: Entry) -> Iterator[str]:
    if entry.event:
        yield from own_keys(read(entry.event, Policy()))
