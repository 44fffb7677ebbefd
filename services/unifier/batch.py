"""One batch, step by step: look, home, elect, claim, insert, look again, link, settle, publish, fold.

Each worker writes first, then looks again: of two that write side by side, the later sees both. Every step is a constant
number of round trips for the whole batch, and every step may be done twice. The commit is the caller's, and comes last.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from unifier.commands import PATIENCE, Commands
from unifier.identity import pairs
from unifier.links import LinkWish
from unifier.memory import Memory
from unifier.merging import Merging
from unifier.model import Clock, ClockClaim, ClockId, Entry, Matched, Placement
from unifier.people import Directory, everybody
from unifier.publishing import Publisher
from unifier.reading import Reading
from unifier.second_look import around_all, wanted_links
from unifier.settlement import Settlement
from unifier.store.port import ConversationStore
from unifier.strands import Strands
from unifier.threading import (
    Decision,
    World,
    claimed_keys,
    place,
    rule_of,
    strand_named_after,
)


class Batch:
    """The steps of one batch over one store. `now`: ms. `patience`: seconds a command waits for the messages it names.

    `memory`: what the worker remembers of its batches before this one.
    """

    def __init__(
        self,
        store: ConversationStore,
        publisher: Publisher,
        now: Callable[[], int],
        patience: float = PATIENCE,
        memory: Memory | None = None,
    ) -> None:
        self._store = store
        self._now = now
        self._memory = memory or Memory()
        self._people = Directory(store, self._memory)
        self._strands = Strands(store, publisher, self._memory)
        self._settlement = Settlement(store, self._strands, now)
        self._merging = Merging(store, self._strands, self._settlement)
        self._commands = Commands(store, self._strands, self._merging, now, patience)

    async def apply(self, readings: Sequence[Reading]) -> None:
        """Thread the entries among the readings, relate the identities that they speak for, then obey the commands."""
        try:
            await self._apply(readings)
        except BaseException:
            self._memory.forget()
            raise

    async def _apply(self, readings: Sequence[Reading]) -> None:
        said = once([reading for reading in readings if reading.role in ("entry", "about")])
        facts = [reading for reading in readings if reading.role == "fact"]
        repeated = await self._thread(said) if said else set()
        if facts:
            await self._store.claim({}, [], self._people.newcomers(facts))
            await self._people.note(facts, await self._people.of(facts))
        # Nothing tells whether a fact came before, so it counts as a repeat.
        repeats = [reading for reading in said if reading.id in repeated] + facts
        firsts = [reading for reading in said if reading.id not in repeated]
        await self._merging.relate(_all_pairs(firsts), _all_pairs(repeats))
        for reading in readings:
            if reading.role == "command":
                await self._commands.apply(reading)

    async def _thread(self, readings: list[Reading]) -> set[str]:
        """Steps 1 to 10 for entries. Returns the ids that were found stored: another copy may have died in the middle."""
        world = await self.look(readings)
        decisions = home(readings, world)
        decisions = await self.elect(decisions, world)
        await self.claim(decisions, world)
        decisions = await self.insert(decisions, world)
        wishes = await self.look_again(decisions)
        seeds = await self._merging.link(wishes)
        redelivered = {decision.strand for decision in decisions if decision.stored}
        settled = await self._settlement.strands(seeds | redelivered) if seeds or redelivered else None
        touched = {decision.strand for decision in decisions} | (settled.nodes if settled else frozenset())
        await self._strands.need(touched)
        if settled:
            # Whoever reads that strands were joined is to find them so: here the heads come first.
            await self._strands.fold(settled.nodes)
            await self._strands.publish(settled.nodes)
        await self._strands.publish_and_fold(touched, self._epoch)
        if settled:
            await self._merging.mark(settled.links)
        stored = {decision.reading.id for decision in decisions if decision.stored}
        self._memory.repeats = bool(stored)
        return stored

    # --- the steps ---

    async def look(self, readings: Sequence[Reading]) -> World:
        """1. Own ids and named messages; own keys; own identity's hours. As old as it likes: it only proposes."""
        remembered = {reading.id: home for reading in readings if (home := self._remembered(reading))}
        clocks_of_old = {
            reading.clock: Clock(remembered[reading.id])
            for reading in readings
            if reading.id in remembered and reading.clock
        }
        readings = [reading for reading in readings if reading.id not in remembered]
        if not readings:
            return World({}, {}, clocks_of_old)
        own = {reading.id for reading in readings}
        named = {naming.entry for reading in readings for naming in reading.named if naming.entry}
        keys = {naming.key for reading in readings for naming in (*reading.named, *reading.known_as)}
        clocks = {reading.clock for reading in readings if reading.clock}
        found = await self._store.look(own | named, keys, clocks, ())
        return World(found.entries, found.keys, clocks_of_old | found.clocks)

    def _remembered(self, reading: Reading) -> str | None:
        """The home of a message of a chat that goes on, if no look could say more than memory.

        Its own id need not be looked for: the insert says if it is stored. By then its claims are made, so this holds only
        where a copy makes the same claims: the time is the provider's, and not that at which we took the copy in.
        """
        event, clock = reading.event, reading.clock
        goes_on = reading.free and event.place.kind == "direct" and not reading.named and not self._memory.repeats
        return self._memory.homes.get(clock) if clock and goes_on and event.received_at != event.ingested_at else None

    async def elect(self, decisions: list[Decision], world: World) -> list[Decision]:
        """3. New strands only: claim the ballot, read it back; home is what it says."""
        new = [decision for decision in decisions if decision.ballot is not None]
        if not new:
            return decisions
        keys = {decision.ballot: decision.strand for decision in new if isinstance(decision.ballot, str)}
        clocks = [
            ClockClaim(decision.ballot, decision.strand, decision.reading.at, free=True)
            for decision in new
            if isinstance(decision.ballot, ClockId)
        ]
        await self._store.claim(keys, clocks, ())
        elected_keys = await self._store.keys(keys) if keys else {}
        elected_clocks = await self._store.clocks([claim.id for claim in clocks]) if clocks else {}
        names: dict[str, str] = {}
        for decision in new:
            if isinstance(decision.ballot, str):
                winner = elected_keys[decision.ballot]
            else:
                winner = elected_clocks[decision.ballot].strand or decision.strand  # type: ignore[index]
            if winner != decision.strand:
                names[decision.strand] = winner
        world.rename(names)
        return [_elected(decision, names) for decision in decisions]

    async def claim(self, decisions: Sequence[Decision], world: World) -> None:
        """4. All keys and clocks with that home, and missing identities; what is claimed already stays."""
        keys: dict[str, str] = {}
        clocks: list[ClockClaim] = []
        for decision in decisions:
            reading = decision.reading
            for key in claimed_keys(reading, world):
                keys.setdefault(key, decision.strand)
            if reading.clock:
                clocks.append(ClockClaim(reading.clock, decision.strand, reading.at, reading.free))
        await self._store.claim(keys, clocks, self._people.newcomers([decision.reading for decision in decisions]))

    async def insert(self, decisions: list[Decision], world: World) -> list[Decision]:
        """5. Append. Who finds its message stored takes that home and time; if it is another home, it claims with it."""
        new = [decision for decision in decisions if decision.stored is None]
        self._strands.begin(
            {one.strand for one in new if one.strand == strand_named_after(one.reading.id, one.reading.at)}
        )
        found = await self._strands.append([self._entry(decision) for decision in new])
        if not found:
            return decisions
        world.entries.update(found)
        elsewhere = [one for one in new if one.reading.id in found and found[one.reading.id].strand != one.strand]
        if elsewhere:
            await self.claim([_stored(one, found[one.reading.id]) for one in elsewhere], world)
        return [_stored(one, found[one.reading.id]) if one.reading.id in found else one for one in decisions]

    async def look_again(self, decisions: Sequence[Decision]) -> list[LinkWish]:
        """6. After the writes: keys, hours, named messages, also of the customers' other identities; what lies beside home."""
        readings = [decision.reading for decision in decisions]
        wanted = {naming.entry for reading in readings for naming in reading.named if naming.entry}
        ids = everybody(readings)
        keys, clocks = around_all(readings, self._people.remembered(ids))
        # Revisions too are read after the claims, never before: a merge raises them, and then looks at keys.
        found = await self._store.look(wanted, keys, clocks, ids)
        people = await self._people.of(readings, found.revisions)
        fresh = World(found.entries, found.keys, found.clocks)
        keys_now, clocks_now = around_all(readings, people)
        if keys_now - keys or clocks_now - clocks:
            more = await self._store.look((), keys_now - keys, clocks_now - clocks, ())
            fresh = World(found.entries, found.keys | more.keys, found.clocks | more.clocks)
        await self._people.note(readings, people)
        for clock, one in fresh.clocks.items():
            if one.strand:
                self._memory.homes.put(clock, one.strand)
        self._epoch = found.epoch
        wishes = (wish for decision in decisions for wish in wanted_links(decision, fresh, people))
        return list({(wish.id, wish.evidence.key): wish for wish in wishes}.values())

    def _entry(self, decision: Decision) -> Entry:
        reading = decision.reading
        sender = reading.event.sender
        return Entry(
            id=reading.id,
            strand=decision.strand,
            seq=0,
            kind=reading.kind,
            at=reading.at,
            stored_at=self._now(),
            target=reading.target,
            sender=reading.people[0][0] if sender.claims and reading.people else "",
            recipients=tuple(who for who, _, party in reading.people if party is not sender),
            own=reading.own,
            placement=decision.placement,
            event=reading.event,
        )


def home(readings: Iterable[Reading], world: World) -> list[Decision]:
    """2. Each reading's home; later rows of the batch see the earlier ones."""
    decisions = []
    for reading in readings:
        decision = place(reading, world)
        if decision.stored:
            decision = _stored(decision, decision.stored)
        world.learn(decision.reading, decision.strand)
        decisions.append(decision)
    return decisions


def _elected(decision: Decision, names: Mapping[str, str]) -> Decision:
    """The decision with the winner's strand; who lost an election did not open the conversation, but came in time for it."""
    if decision.strand not in names:
        return decision
    placement = decision.placement
    if isinstance(decision.ballot, ClockId):
        placement = Placement(rule="idle_window", matched=Matched(type="clock"))
    elif decision.ballot:
        placement = Placement(rule=rule_of(decision.ballot), matched=Matched(type="key"), key=decision.ballot)
    return decision._replace(strand=names[decision.strand], placement=placement)


def _stored(decision: Decision, entry: Entry) -> Decision:
    """A stored entry's home and time win over a later copy's."""
    reading = decision.reading
    clock = reading.clock._replace(bucket=entry.at // reading.clock.window) if reading.clock else None
    return Decision(
        reading._replace(at=entry.at, clock=clock), entry.strand, entry.placement, ballot=None, stored=entry
    )


def _all_pairs(readings: Iterable[Reading]) -> list[LinkWish]:
    return [pair for reading in readings for pair in pairs(reading)]


def once(readings: Iterable[Reading]) -> list[Reading]:
    """Each event once: of two copies in one batch the first."""
    first: dict[str, Reading] = {}
    for reading in readings:
        first.setdefault(reading.id, reading)
    return list(first.values())
