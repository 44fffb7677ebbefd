"""What must hold of a store and its feed at rest, beside the grouping: checked after every run."""

from collections.abc import Iterable, Mapping
from itertools import combinations

import msgspec
from grouping.as_events import claim
from grouping.driver import readings
from grouping.facts import Dialogue
from grouping.reference import customers

from onethread.identity import identity_id
from onethread.log.port import EventLog, TopicPartition
from onethread.log.topics import CONVERSATIONS
from unifier.folding import fold
from unifier.model import ClockId, Entry, Head, tenant_of
from unifier.publishing import read
from unifier.reading import Reading
from unifier.store.port import ConversationStore


class Feed:
    """Follows the topic of changes, as a desk does: keeps the last seq of each strand, takes last + 1, drops repeats."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._offsets: dict[int, int] = {}
        self.last: dict[str, int] = {}
        self.roots: dict[str, str] = {}

    async def follow(self) -> None:
        """Read to the end. Raises AssertionError where a first appearance leaves a gap."""
        for partition, extent in (await self._log.extents(CONVERSATIONS)).items():
            while self._offsets.get(partition, extent.begin) < extent.end:
                offset = self._offsets.get(partition, extent.begin)
                for record in await self._log.fetch(TopicPartition(CONVERSATIONS, partition), offset):
                    change = read(record.value)
                    expected = self.last.get(change.strand, 0) + 1
                    assert change.seq <= expected, f"{change.strand}: change {change.seq} came before {expected}"
                    if change.seq == expected:
                        self.last[change.strand] = change.seq
                    if change.seq == expected and change.entry.joined:
                        self.roots[change.strand] = change.entry.joined.root
                    self._offsets[partition] = record.offset + 1


async def check(dialogue: Dialogue, tenant: str, store: ConversationStore, feed: Feed) -> None:
    """Each event is one entry; strands are 1..n; heads are folds; roots are the eldest, and flat; the feed is complete."""
    await feed.follow()
    said = readings(dialogue.said, dialogue, tenant)
    entries = await store.entries({reading.id for reading in said})
    heads = await store.heads({strand for entry in entries.values() for strand in (entry.strand, entry.home)})
    members = {head.id: head for head in await store.strands_of({head.root for head in heads.values()})}
    for head in {**heads, **members}.values():
        assert tenant_of(head.id) == tenant == tenant_of(head.root)
        run = await store.run(head.id, 0, 10_000)
        assert [entry.seq for entry in run] == list(range(1, len(run) + 1)), f"{head.id} has holes"
        assert without_progress(head) == without_progress(fold(None, head.id, run)), (
            f"{head.id} is not its entries' fold"
        )
        assert feed.last.get(head.id, 0) == len(run), f"{head.id}: {feed.last.get(head.id)} of {len(run)} published"
        assert feed.roots.get(head.id, head.id) == head.root
        messages = sum(entry.home == head.id and entry.kind == "message" for entry in entries.values())
        assert head.message_count == messages, f"{head.id} counts {head.message_count} messages and has {messages}"
        assert head.root <= head.id, f"{head.id} is led by the younger {head.root}"
        leader = members.get(head.root)
        assert leader is None or leader.root == leader.id, f"{head.root} leads, and is led by {leader.root}"
    check_elections(said, entries)
    await check_customers(dialogue, tenant, store)


def check_elections(said: Iterable[Reading], entries: Mapping[str, Entry]) -> None:
    """One identity's free messages in one bucket found one strand."""
    founded: dict[ClockId, str] = {}
    for reading in said:
        entry = entries.get(reading.id)
        if entry and reading.free and reading.clock and entry.placement.rule == "opened":
            assert founded.setdefault(reading.clock, entry.strand) == entry.strand, (
                f"{reading.clock} founded two strands"
            )


async def check_customers(dialogue: Dialogue, tenant: str, store: ConversationStore) -> None:
    """Two addresses are one customer exactly where the reference says so; an address that was named is known."""
    numbers = customers(dialogue, tenant)
    named = {address for said in dialogue.said for address in (said.author, *said.others)} - {"us"}
    named |= {end for word in dialogue.words for end in word.ends if isinstance(end, str)}
    ids = {address: f"{tenant}/{identity_id(tenant, claim(address))}" for address in named | numbers.keys()}
    known = await store.identities(ids.values())
    for one, other in combinations(sorted(address for address in numbers if ids[address] in known), 2):
        same = known[ids[one]].customer == known[ids[other]].customer
        assert same == (numbers[one] == numbers[other]), f"{one} and {other}: one customer is {same}"
    for address in named:
        assert f"{known[ids[address]].type}:{known[ids[address]].value}" == address, f"{address} is a mere id"


def without_progress(head: Head) -> Head:
    """A head without what the publisher keeps in it."""
    return msgspec.structs.replace(head, published=0)
