"""What the rules make of stored messages (I7): the keys, clocks, identities and links that each must have left. It writes nothing.

Every message is read again, and takes its second look again: what the worker would want now must be there. It is the worker's own
code that says what it would want; `unifier.verify.ties` asks the same of the messages alone.
"""

from collections.abc import Iterable, Iterator, Sequence

from unifier.identity import identities, pairs
from unifier.links import Link, LinkWish
from unifier.model import Clock, ClockId, Entry
from unifier.people import Directory, People
from unifier.policy import Policies
from unifier.reading import Reading, read
from unifier.second_look import clocks_around, keys_around, wanted_links
from unifier.store.port import ConversationStore
from unifier.threading import Decision, World
from unifier.verify.findings import Finding, replay
from unifier.verify.groups import Groups


class Said:
    """Stored messages of one page as the rules read them, and what is stored around them."""

    def __init__(self, entries: Sequence[Entry], readings: Sequence[Reading], people: People, world: World) -> None:
        self.entries = entries
        self.readings = readings
        self.people = people
        self.world = world
        self.customers = {who: one.customer for who, one in people.known.items()}


class Rules:
    """For one store; `policies` are those in force."""

    def __init__(self, store: ConversationStore, policies: Policies, groups: Groups) -> None:
        self._store = store
        self._groups = groups
        self._policies = policies
        self._directory = Directory(store)

    async def read(self, page: Iterable[Entry]) -> Said:
        """The messages of a page, with everything stored that their second look reads: a constant number of round trips."""
        entries = [entry for entry in page if entry.event]
        pairs_ = [(entry, reading) for entry in entries if (reading := self._read(entry)).role in ("entry", "about")]
        readings = [reading for _, reading in pairs_]
        people = await self._directory.of(readings)
        named = {naming.entry for reading in readings for naming in reading.named if naming.entry}
        keys = {key for reading in readings for key in keys_around(reading, people)}
        clocks = {clock for reading in readings for clock in clocks_around(reading, people)}
        world = World(
            await self._store.entries(named) if named else {},
            await self._store.keys(keys) if keys else {},
            await self._store.clocks(clocks) if clocks else {},
        )
        return Said([entry for entry, _ in pairs_], readings, people, world)

    def _read(self, entry: Entry) -> Reading:
        """The reading of a stored message; its time is the stored one, whatever a later copy said."""
        event = entry.event
        assert event is not None
        reading = read(event, self._policies.of(event.tenant, event.channel_id))
        clock = reading.clock._replace(bucket=entry.at // reading.clock.window) if reading.clock else None
        return reading._replace(at=entry.at, clock=clock)

    async def check(self, said: Said) -> list[Finding]:
        """What these messages should have left and is not there."""
        found: list[Finding] = []
        wishes: list[tuple[Entry, LinkWish]] = []
        for entry, reading in zip(said.entries, said.readings, strict=True):
            found += _missing(entry, reading, said)
            if reading.clock and not _is_on(said.world.clocks.get(reading.clock), reading, entry):
                found += await self._unclocked(entry, reading)
            if entry.moved is None:
                decision = Decision(reading, entry.strand, entry.placement, stored=entry)
                wishes += [(entry, wish) for wish in wanted_links(decision, said.world, said.people)]
            wishes += [(entry, pair) for pair in pairs(reading)]
        return found + await self._unlinked(wishes)

    async def _unclocked(self, entry: Entry, reading: Reading) -> list[Finding]:
        """Perhaps another window was in force when it came: then it is on a clock of that one."""
        assert reading.clock
        after: ClockId | None = None
        while page := await self._store.owned_clocks(reading.clock.owner, after):
            after = page[-1][0]
            for clock, spans in page:
                if clock.bucket == entry.at // clock.window and _is_on(spans, reading, entry):
                    return []
        what = "a message is not on its customer's clock"
        return [Finding("I7", what, (entry.id, reading.clock.owner), entry.stored_at, (replay(entry.stored_at),))]

    async def _unlinked(self, wishes: Sequence[tuple[Entry, LinkWish]]) -> list[Finding]:
        if not wishes:
            return []
        links = await self._store.links({wish.id for _, wish in wishes})
        found: dict[str, Finding] = {}
        for entry, wish in wishes:
            if wish.id in found or _is_there(links.get(wish.id), wish):
                continue
            if wish.kind == "identity" or not await self._is_reached(wish):
                what = f"a link for the rule {wish.evidence.rule} is missing"
                since = entry.stored_at
                found[wish.id] = Finding("I7", what, (entry.id, *wish.ends), since, (replay(since),))
        return list(found.values())

    async def _is_reached(self, wish: LinkWish) -> bool:
        """Whether a link between two strands need not be there.

        What a first look found elsewhere (a key, before the message that it names) leads there over other links. What does not
        count now joins nothing, nor does a strand without entries, for which a worker claimed a key before it died. And where a
        person spoke, or moved messages, the person's word stands.
        """
        one, other = wish.ends
        needs = wish.evidence.needs
        people = await self._store.identities(needs) if needs else {}
        if not wish.evidence.counts or len({people[who].customer for who in needs if who in people}) > 1:
            return True
        if not all([await self._store.run(end, 0, 1) for end in wish.ends]):
            return True
        group = await self._groups.of(one)
        if group is None or group.is_spoken_of or group.roots[one] == group.roots.get(other):
            return True
        return bool(await self._store.runs(dict.fromkeys(wish.ends, 0), 1, ["moved"]))


def _missing(entry: Entry, reading: Reading, said: Said) -> Iterator[Finding]:
    since, mend = entry.stored_at, (replay(entry.stored_at),)
    keys = [key for key in reading.claims if key not in said.world.keys]
    if keys:
        # Only the kind of a key: its owner's hash is in the entry's ids already.
        kinds = ", ".join(sorted({key.split("/")[-2] for key in keys}))
        yield Finding("I7", f"{len(keys)} keys of a message are missing ({kinds})", (entry.id,), since, mend)
    people = [one.id for one in identities(reading) if one.id not in said.people.known]
    if people:
        yield Finding("I7", "an identity that a message names is missing", (entry.id, *people), since, mend)


def _is_on(clock: Clock | None, reading: Reading, entry: Entry) -> bool:
    """Whether the clock knows the message's time; of one that was not free, of any strand's, since that may be another's."""
    if clock is None:
        return False
    spans = [clock.free] if reading.free and clock.strand else [*clock.seen.values()]
    return any(span is not None and span.lo <= entry.at <= span.hi for span in spans)


def _is_there(link: Link | None, wish: LinkWish) -> bool:
    """Whether the link does what is wished, for this reason or another: which of two messages came first decides who says why."""
    if link is None:
        return False
    wanted = wish.evidence
    return link.state != "auto" or any(
        reason.counts >= wanted.counts and (not reason.needs or set(reason.needs) == set(wanted.needs))
        for reason in link.evidence
    )
