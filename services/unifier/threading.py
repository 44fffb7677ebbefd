"""Where a message goes, and what belongs together: the rules T1 to T4, as pure functions over what was looked up.

Each rule looks at two messages and nothing else, so the grouping is a function of the set of events, whatever their order.
T1 `thread`, `reply_token` · T2 `named` · T3 `shared_reference` · T4 `idle_window`; T5, a person's word, is in `settling`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from onethread.identity import digest
from unifier.links import Evidence, LinkKind, LinkWish
from unifier.model import Clock, ClockClaim, ClockId, Entry, Matched, Placement, Span, around, tenant_of
from unifier.naming import Naming
from unifier.policy import Grouping
from unifier.reading import Reading


class World:
    """What was looked up, plus what this batch has decided since: later rows of a batch see the earlier ones."""

    def __init__(self, entries: Mapping[str, Entry], keys: Mapping[str, str], clocks: Mapping[ClockId, Clock]) -> None:
        self.entries: dict[str, Entry] = dict(entries)
        self.keys: dict[str, str] = dict(keys)
        self.clocks: dict[ClockId, Clock] = dict(clocks)
        self.homes: dict[str, str] = {}

    def strand_of(self, naming: Naming) -> str | None:
        """The strand a naming leads to: its message's, if that is stored or decided, else its key's."""
        if naming.entry:
            if naming.entry in self.entries:
                return self.entries[naming.entry].home
            if naming.entry in self.homes:
                return self.homes[naming.entry]
        return self.keys.get(naming.key)

    def learn(self, reading: Reading, strand: str) -> None:
        """What the store will know once this reading's claims are written."""
        self.homes[reading.id] = strand
        for key in claimed_keys(reading, self):
            self.keys.setdefault(key, strand)
        if reading.clock:
            claim = ClockClaim(reading.clock, strand, reading.at, reading.free)
            self.clocks[reading.clock] = widened(self.clocks.get(reading.clock, Clock()), claim)

    def rename(self, names: Mapping[str, str]) -> None:
        """Strands that lost their election bear the winner's name."""
        self.keys = {key: names.get(strand, strand) for key, strand in self.keys.items()}
        self.homes = {entry: names.get(strand, strand) for entry, strand in self.homes.items()}


class Decision(NamedTuple):
    """A home. `ballot`: for a new strand, the document that decides which of several newcomers founds it."""

    reading: Reading
    strand: str
    placement: Placement
    ballot: str | ClockId | None = None
    stored: Entry | None = None


def widened(clock: Clock, claim: ClockClaim) -> Clock:
    """The clock after a claim; any order of claims gives the same spans, and the first free one elects."""
    if claim.free:
        return Clock(clock.strand or claim.strand, _grown(clock.free, claim.at), clock.seen)
    span = _grown(clock.seen.get(claim.strand), claim.at)
    return Clock(clock.strand, clock.free, {**clock.seen, claim.strand: span})


def _grown(span: Span | None, at: int) -> Span:
    return Span(min(span.lo, at), max(span.hi, at)) if span else Span(at, at)


def claimed_keys(reading: Reading, world: World) -> list[str]:
    """Its own keys, and the ids it names whose messages are not stored yet."""
    unseen = (n.key for n in reading.named if n.entry and n.entry not in world.entries and n.entry not in world.homes)
    return list(dict.fromkeys((*reading.claims, *unseen)))


# --- home ----------------------------------------------------------------------------------------------------------


def place(reading: Reading, world: World) -> Decision:
    """The home of a message, by its own identity's evidence; the first match decides. It only proposes where it is new."""
    stored = world.entries.get(reading.id)
    if stored:
        return Decision(reading, stored.strand, stored.placement, stored=stored)
    for naming in (*reading.named, *reading.known_as):
        strand = world.strand_of(naming)
        if strand:
            return Decision(reading, strand, Placement(rule=naming.rule, matched=naming.matched, key=naming.key))
    if reading.free and reading.clock:
        strand = _by_clock(reading, reading.clock, world)
        if strand:
            return Decision(reading, strand, Placement(rule="idle_window", matched=Matched(type="clock")))
    return Decision(
        reading, strand_named_after(reading.id, reading.at), Placement(rule="opened"), ballot=_ballot(reading)
    )


def _by_clock(reading: Reading, clock: ClockId, world: World) -> str | None:
    """The strand of the bucket, else the nearest one within the window."""
    at = reading.at
    before, here, after = (world.clocks.get(bucket, Clock()) for bucket in around(clock))
    if here.strand:
        return here.strand
    near: list[tuple[int, str]] = []
    if before.strand and before.free:
        near.append((at - before.free.hi, before.strand))
    if after.strand and after.free:
        near.append((after.free.lo - at, after.strand))
    for seen in (before.seen, here.seen) if reading.policy.grouping == "episodes" else ():
        near += [(max(at - span.hi, 0), strand) for strand, span in seen.items() if span.lo <= at]
    return min(((gap, strand) for gap, strand in near if gap <= clock.window), default=(0, None))[1]


def _ballot(reading: Reading) -> str | ClockId | None:
    if reading.free and reading.clock:
        return reading.clock
    others = tuple(f"{party}/" for party in reading.parties if party != reading.own)
    return next((key for key in reading.claims if not key.startswith(others)), None)


def strand_named_after(event: str, at: int) -> str:
    """`cnv_` + milliseconds in fixed width, so that ids sort by birth + the hash of the event that founded it."""
    tenant, _, plain = event.partition("/")
    return f"{tenant}/cnv_{max(at, 0):014d}{plain.removeprefix('evt_')}"


# --- links ---------------------------------------------------------------------------------------------------------


def link_id(kind: LinkKind, one: str, other: str) -> str:
    """`lnk_…`, the same whichever end comes first."""
    return f"{tenant_of(one)}/lnk_{digest(kind, *sorted((one, other)))}"


def wish(one: str, other: str, evidence: Evidence, kind: LinkKind = "strand") -> LinkWish:
    """A link to be there."""
    low, high = sorted((one, other))
    return LinkWish(link_id(kind, one, other), kind, (low, high), evidence)


def named_links(reading: Reading, home: str, world: World) -> Iterator[LinkWish]:
    """Strands that this message's own keys and namings lead to, beside its home (T1, T2, T3 of the same party)."""
    rules = {naming.key: naming for naming in (*reading.named, *reading.known_as)}
    found = [(naming, world.strand_of(naming)) for naming in rules.values()]
    found += [
        (Naming(rule_of(key), Matched(type="key"), key), world.keys.get(key))
        for key in reading.claims
        if key not in rules
    ]
    for naming, strand in found:
        if strand and strand != home:
            reason = Evidence(rule=naming.rule, matched=naming.matched.value, entry_id=reading.id, at=reading.at)
            yield wish(home, strand, reason)


def rule_of(key: str) -> str:
    """The rule that a key document stands for."""
    return {"mid": "shared_reference", "thread": "thread"}.get(key.split("/")[-2], "named")


class Near(NamedTuple):
    """Two strands that the clock brings together. `counts` False: only a suggestion."""

    one: str
    other: str
    counts: bool


def near(one: tuple[int, Clock], other: tuple[int, Clock], window: int, grouping: Grouping) -> Iterator[Near]:
    """T4 over two clock documents of one person (`one` may be `other`): the later message is free, at most W after.

    A bucket is narrower than the window, so min and max decide exactly: within one bucket all times are near, between
    neighbours the closest two are compared, others are further apart than the window.
    """
    (bucket, clock), (bucket_other, clock_other) = one, other
    if abs(bucket - bucket_other) > 1:
        return
    yield from _free_pair(bucket, clock, bucket_other, clock_other, window)
    for free_bucket, free, seen_bucket, seen in (
        (bucket, clock, bucket_other, clock_other),
        (bucket_other, clock_other, bucket, clock),
    ):
        if not free.strand or not free.free:
            continue
        for strand, span in seen.seen.items():
            later = free_bucket == seen_bucket and free.free.hi >= span.lo
            follows = free_bucket == seen_bucket + 1 and free.free.lo - span.hi <= window
            if (later or follows) and strand != free.strand:
                yield Near(free.strand, strand, counts=grouping == "episodes")


def _free_pair(bucket: int, clock: Clock, bucket_other: int, clock_other: Clock, window: int) -> Iterator[Near]:
    if not (clock.strand and clock.free and clock_other.strand and clock_other.free):
        return
    if clock.strand == clock_other.strand:
        return
    early, late = (clock.free, clock_other.free) if bucket <= bucket_other else (clock_other.free, clock.free)
    if bucket == bucket_other or late.lo - early.hi <= window:
        yield Near(clock.strand, clock_other.strand, counts=True)


def clock_links(
    reading: Reading, home: str, clocks: Mapping[ClockId, Clock], others: Iterable[str]
) -> Iterator[LinkWish]:
    """T4 for one message: its own clock, and the clocks of its customer's other identities (which need the pair)."""
    here = reading.clock
    mine = clocks.get(here) if here else None
    if here is None or mine is None:
        return
    if reading.free and mine.strand and mine.strand != home:
        yield wish(home, mine.strand, _idle(reading, ()))
    for owner in (reading.own, *others):
        needs = () if owner == reading.own else tuple(sorted((reading.own, owner)))
        for bucket in around(here._replace(owner=owner) if needs else here):
            there = (bucket.bucket, clocks.get(bucket, Clock()))
            for found in near((here.bucket, mine), there, here.window, here.grouping):
                yield wish(found.one, found.other, _idle(reading, needs, counts=found.counts))


def _idle(reading: Reading, needs: tuple[str, ...], *, counts: bool = True) -> Evidence:
    return Evidence(rule="idle_window", counts=counts, needs=needs, entry_id=reading.id, at=reading.at)
