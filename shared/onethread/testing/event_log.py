"""The contract of the port EventLog as tests: every adapter passes all of them. It knows no adapter.

Derive a class named `Test…` from `EventLogContract` and give it the fixture `open_log`: a function that returns a further, not
yet opened `EventLog` on one and the same log, as another process would have it. Topics have fresh names, so that one server
may serve all tests. The members' time-out should be a few seconds: the suite waits for it where it has to.
"""
# ruff: noqa: D102  # a test's name is its sentence

import asyncio
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onethread.errors import Conflict, Misconfigured, Poison
from onethread.log.drafts import MAX_RECORD_BYTES
from onethread.log.port import Draft, EventLog, Extent, Reader, Record, Topic, TopicPartition

OpenLog = Callable[[], EventLog]

PATIENCE = 60.0
"""Seconds after which a state that did not come about fails a test; a rebalance can take several time-outs."""

_LOOK = 0.1

KAFKAS_HASHES = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}
"""murmur2 as Kafka's own tests pin it: `UtilsTest.testMurmur2` in https://github.com/apache/kafka."""

_records = st.lists(
    st.tuples(st.sampled_from([b"", b"a", b"b", b"\x00\xff", "ключ".encode()]), st.binary(max_size=40)), max_size=30
)


# One method runs for each adapter's class, and its fixture gives the same log to all examples; both are meant.
_HEALTHY = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]


def drafts_of(values: Iterable[int], key: bytes | None = None) -> list[Draft]:
    """One draft for each number; without `key`, over ten keys."""
    return [Draft(key if key is not None else b"key-%d" % (value % 10), b"%d" % value) for value in values]


def values_of(records: Iterable[Record]) -> list[int]:
    """The numbers of `drafts_of`, in the order of the records."""
    return [int(record.value) for record in records]


def ends_of(records: Iterable[Record]) -> dict[TopicPartition, int]:
    """What to commit once these records are processed."""
    return {record.place: record.offset + 1 for record in records}


async def read(reader: Reader, count: int) -> list[Record]:
    """Poll until `count` records came. Raises TimeoutError naming how many there were."""
    found: list[Record] = []
    end = time.monotonic() + PATIENCE
    while len(found) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(found)} of {count} records within {PATIENCE:g} s")
        found += await reader.poll(wait=_LOOK)
    return found


async def poll_until(readers: Sequence[Reader], holds: Callable[[list[Record]], bool]) -> list[Record]:
    """Let all poll until `holds` of what they read so far; that. Raises TimeoutError with their assignments."""
    found: list[Record] = []
    end = time.monotonic() + PATIENCE
    while not holds(found):
        if time.monotonic() > end:
            raise TimeoutError(f"not within {PATIENCE:g} s: {[sorted(reader.assignment) for reader in readers]}")
        for batch in await asyncio.gather(*(reader.poll(wait=_LOOK) for reader in readers)):
            found += batch
    return found


async def fetch_all(log: EventLog, topic: str, since: dict[int, Extent] | None = None) -> list[Record]:
    """Everything a topic holds, from the ends of `since` on; each partition in order."""
    found: list[Record] = []
    for number, extent in (await log.extents(topic)).items():
        offset = since[number].end if since else extent.begin
        while offset < extent.end:
            batch = await log.fetch(TopicPartition(topic, number), offset)
            assert batch, f"nothing at {topic}/{number}/{offset}, which ends at {extent.end}"
            found += batch
            offset = batch[-1].offset + 1
    return found


def assert_dense(records: Iterable[Record]) -> None:
    """Fails unless the offsets of each partition are 0, 1, 2 and so on."""
    offsets: dict[TopicPartition, list[int]] = defaultdict(list)
    for record in records:
        offsets[record.place].append(record.offset)
    for place, found in offsets.items():
        assert found == list(range(len(found))), place


async def fresh(log: EventLog, partitions: int = 4, retention_hours: int | None = None) -> str:
    """A new topic."""
    name = f"test.{uuid.uuid4().hex}"
    await log.apply([Topic(name, partitions, retention_hours)])
    return name


class Writing:
    """Appending, and reading outside a group."""

    async def test_the_partition_of_a_key_is_kafkas(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            topic = await fresh(log, partitions=12)
            placed = await log.append(topic, [Draft(key, b"") for key in KAFKAS_HASHES])
            assert placed == [TopicPartition(topic, (hash_ & 0x7FFFFFFF) % 12) for hash_ in KAFKAS_HASHES.values()]
            assert {record.key: record.place for record in await fetch_all(log, topic)} == dict(
                zip(KAFKAS_HASHES, placed, strict=True)
            )

    async def test_records_of_a_key_stay_in_the_order_they_were_appended(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            topic = await fresh(log)
            for start in range(0, 300, 30):
                await log.append(topic, drafts_of(range(start, start + 30)))
            by_key: dict[bytes, list[int]] = defaultdict(list)
            for record in await fetch_all(log, topic):
                by_key[record.key].append(int(record.value))
            assert by_key == {b"key-%d" % key: list(range(key, 300, 10)) for key in range(10)}

    async def test_offsets_are_dense_and_extents_say_what_is_there(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            topic = await fresh(log)
            assert await log.extents(topic) == {number: Extent(0, 0) for number in range(4)}
            placed = await log.append(topic, drafts_of(range(100)))
            assert_dense(await fetch_all(log, topic))
            counts = {number: placed.count(TopicPartition(topic, number)) for number in range(4)}
            assert await log.extents(topic) == {number: Extent(0, count) for number, count in counts.items()}

    async def test_bytes_and_headers_come_back_as_they_were(self, open_log: OpenLog) -> None:
        headers = (("ce_id", b"evt_1"), ("empty", b""), ("ce_id", b"twice"), ("größe", bytes(range(256))))
        drafts = [
            Draft(b"", b""),
            Draft(b"\x00\xff", bytes(range(256)) * 10, headers),
            Draft(b"key", b"x" * (MAX_RECORD_BYTES - 3)),
        ]
        async with open_log() as log:
            topic = await fresh(log, partitions=1)
            before = int(time.time() * 1000)
            await log.append(topic, drafts)
            found = await fetch_all(log, topic)
            assert [Draft(record.key, record.value, record.headers) for record in found] == drafts
            assert all(before - 60_000 <= record.written_at <= before + 60_000 for record in found)

    async def test_what_two_writers_append_at_once_is_there_once_and_in_order(self, open_log: OpenLog) -> None:
        async with open_log() as one, open_log() as other:
            topic = await fresh(one)

            async def write(log: EventLog, start: int) -> None:
                for value in range(start, start + 1000, 20):
                    await asyncio.gather(
                        *(log.append(topic, drafts_of([value + n, value + n + 1])) for n in range(0, 20, 2))
                    )

            await asyncio.gather(write(one, 0), write(other, 1000))
            found = await fetch_all(one, topic)
            assert sorted(values_of(found)) == list(range(2000))
            assert_dense(found)
            mine = [value for value in values_of(found) if value < 1000 and value % 10 == 0]
            assert mine == sorted(mine)

    async def test_an_unknown_topic_is_misconfigured(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            with pytest.raises(Misconfigured, match="topics apply"):
                await log.append("test.absent", drafts_of([1]))
            with pytest.raises(Misconfigured, match="topics apply"):
                await log.extents("test.absent")
            with pytest.raises(Misconfigured, match="topics apply"):
                async with log.join("test.group", ["test.absent"], "a"):
                    pass

    async def test_one_record_over_the_limit_is_poison_and_nothing_of_its_call_is_written(
        self, open_log: OpenLog
    ) -> None:
        async with open_log() as log:
            topic = await fresh(log)
            with pytest.raises(Poison):
                await log.append(topic, [Draft(b"key", b"small"), Draft(b"key", b"x" * MAX_RECORD_BYTES)])
            await log.append(topic, drafts_of([7]))
            assert values_of(await fetch_all(log, topic)) == [7]

    async def test_fetch_is_limited_and_empty_at_the_end(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            topic = await fresh(log, partitions=1)
            await log.append(topic, drafts_of(range(20)))
            place = TopicPartition(topic, 0)
            assert values_of(await log.fetch(place, 5, limit=3)) == [5, 6, 7]
            assert values_of(await log.fetch(place, 18)) == [18, 19]
            assert await log.fetch(place, 20) == []
            assert await log.append(topic, []) == []

    async def test_apply_is_repeatable_grows_and_never_shrinks(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            name = f"test.{uuid.uuid4().hex}"
            assert len(await log.apply([Topic(name, 2, 24)])) == 1
            assert await log.apply([Topic(name, 2, 24)]) == []
            await log.append(name, drafts_of(range(10)))
            (grown,) = await log.apply([Topic(name, 3, 24)])
            assert name in grown
            (kept,) = await log.apply([Topic(name, 3, None)])
            assert name in kept
            with pytest.raises(Misconfigured, match="shrink"):
                await log.apply([Topic(name, 2, None)])
            assert list(await log.extents(name)) == [0, 1, 2]
            assert sorted(values_of(await fetch_all(log, name))) == list(range(10))

    @settings(max_examples=25, deadline=None, suppress_health_check=_HEALTHY)
    @given(calls=st.lists(_records, max_size=4))
    async def test_whatever_is_appended_reads_back_in_order_per_key(
        self, open_log: OpenLog, calls: list[list[tuple[bytes, bytes]]]
    ) -> None:
        async with open_log() as log:
            await log.apply([Topic("test.anything", 3, None)])
            since = await log.extents("test.anything")
            for call in calls:
                await log.append("test.anything", [Draft(key, value) for key, value in call])
            sent, found = defaultdict(list), defaultdict(list)
            for key, value in (pair for call in calls for pair in call):
                sent[key].append(value)
            for record in await fetch_all(log, "test.anything", since):
                found[record.key].append(record.value)
            assert found == sent


class Reading:
    """Consumer groups."""

    async def test_a_new_group_reads_everything_from_the_start(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            topic = await fresh(log)
            await log.append(topic, drafts_of(range(50)))
            async with log.join("group", [topic], "a") as reader:
                assert reader.assignment == {TopicPartition(topic, number) for number in range(4)}
                found = await read(reader, 50)
            assert sorted(values_of(found)) == list(range(50))
            assert_dense(found)

    async def test_what_is_committed_does_not_come_again_and_what_is_not_does(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            topic, group = await fresh(log, partitions=1), uuid.uuid4().hex
            await log.append(topic, drafts_of(range(20)))
            async with log.join(group, [topic], "a") as reader:
                found = await read(reader, 20)
                await reader.commit(ends_of(found[:12]))
            async with log.join(group, [topic], "a") as reader:
                assert values_of(await read(reader, 8)) == list(range(12, 20))
            assert await log.commits(group, topic) == {0: 12}

    async def test_rewind_gives_the_uncommitted_once_more(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            topic, group = await fresh(log, partitions=1), uuid.uuid4().hex
            await log.append(topic, drafts_of(range(10)))
            async with log.join(group, [topic], "a") as reader:
                await reader.rewind()
                assert values_of(await read(reader, 10)) == list(range(10))
                await reader.rewind()
                found = await read(reader, 10)
                assert values_of(found) == list(range(10))
                await reader.commit(ends_of(found[:4]))
                await reader.rewind()
                assert values_of(await read(reader, 6)) == list(range(4, 10))

    async def test_poll_keeps_to_its_limit_and_loses_nothing_by_it(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            topic, group = await fresh(log), uuid.uuid4().hex
            await log.append(topic, drafts_of(range(100)))
            async with log.join(group, [topic], "a") as reader:
                found: list[Record] = []
                while len(found) < 100:
                    batch = await reader.poll(limit=7, wait=5)
                    assert 0 < len(batch) <= 7
                    found += batch
            assert sorted(values_of(found)) == list(range(100))
            assert_dense(found)

    async def test_a_waiting_poll_returns_as_soon_as_something_arrives(self, open_log: OpenLog) -> None:
        async with open_log() as log, open_log() as other:
            topic, group = await fresh(log), uuid.uuid4().hex
            async with log.join(group, [topic], "a") as reader:
                assert await reader.poll(wait=_LOOK) == []
                began = time.monotonic()
                waiting = asyncio.create_task(reader.poll(wait=PATIENCE))
                await other.append(topic, drafts_of([1]))
                assert values_of(await waiting) == [1]
                assert time.monotonic() - began < PATIENCE / 4

    async def test_lag_counts_from_the_commit_to_the_end(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            topic, group = await fresh(log, partitions=2), uuid.uuid4().hex
            placed = await log.append(topic, drafts_of(range(30)))
            ends = {place: placed.count(place) for place in (TopicPartition(topic, 0), TopicPartition(topic, 1))}
            async with log.join(group, [topic], "a") as reader:
                assert await reader.lag() == ends
                await read(reader, 30)
                assert await reader.lag() == ends
                await reader.commit({TopicPartition(topic, 0): 3})
                assert await reader.lag() == {**ends, TopicPartition(topic, 0): ends[TopicPartition(topic, 0)] - 3}

    async def test_two_groups_do_not_touch_one_another(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            topic, one, other = await fresh(log), uuid.uuid4().hex, uuid.uuid4().hex
            await log.append(topic, drafts_of(range(10)))
            async with log.join(one, [topic], "a") as first, log.join(other, [topic], "a") as second:
                await first.commit(ends_of(await read(first, 10)))
                assert len(await read(second, 10)) == 10
            assert sum((await log.commits(one, topic)).values()) == 10
            assert await log.commits(other, topic) == {}

    async def test_reset_sets_the_commits_of_a_group_and_refuses_while_it_has_members(self, open_log: OpenLog) -> None:
        async with open_log() as log:
            topic, group = await fresh(log, partitions=1), uuid.uuid4().hex
            place = TopicPartition(topic, 0)
            await log.append(topic, drafts_of(range(10)))
            await log.reset(group, {place: 8})
            assert await log.commits(group, topic) == {0: 8}
            async with log.join(group, [topic], "a") as reader:
                assert values_of(await read(reader, 2)) == [8, 9]
                with pytest.raises(Conflict):
                    await log.reset(group, {place: 0})
            assert await log.commits(group, topic) == {0: 8}


class Sharing:
    """Several members of one group; each on a log of its own, as in processes of their own."""

    async def test_two_members_share_the_partitions_and_read_everything_once(self, open_log: OpenLog) -> None:
        async with open_log() as one, open_log() as other:
            topic, group = await fresh(one, partitions=5), uuid.uuid4().hex
            async with one.join(group, [topic], "a") as first, other.join(group, [topic], "b") as second:
                await poll_until([first, second], lambda _: shared_out(topic, 5, first, second))
                assert {len(first.assignment), len(second.assignment)} == {2, 3}
                await one.append(topic, drafts_of(range(100)))
                found: list[Record] = []
                while len(found) < 100:
                    batches = await asyncio.gather(first.poll(wait=_LOOK), second.poll(wait=_LOOK))
                    for reader, batch in zip((first, second), batches, strict=True):
                        assert {record.place for record in batch} <= reader.assignment
                        found += batch
                assert sorted(values_of(found)) == list(range(100))
                assert_dense(found)

    async def test_when_a_member_is_gone_the_other_goes_on_at_its_commit(self, open_log: OpenLog) -> None:
        async with open_log() as one, open_log() as other:
            topic, group = await fresh(one, partitions=2), uuid.uuid4().hex
            async with one.join(group, [topic], "a") as stays:
                async with other.join(group, [topic], "b") as goes:
                    await poll_until([stays, goes], lambda _: shared_out(topic, 2, stays, goes))
                    await one.append(topic, drafts_of(range(60)))
                    extents = await one.extents(topic)
                    (mine,), (place,) = stays.assignment, goes.assignment
                    await stays.commit(ends_of(await read(stays, extents[mine.partition].end)))
                    await read(goes, extents[place.partition].end)
                    await goes.commit({place: 5})
                # One poll that waits all through the change must lose nothing of what comes after it.
                rest = list(range(5, extents[place.partition].end))
                found: list[Record] = []
                while len(found) < len(rest):
                    found += await stays.poll(wait=PATIENCE)
                assert offsets_at(place, found) == rest

    async def test_a_commit_after_the_partition_was_lost_is_a_conflict_and_saves_nothing(
        self, open_log: OpenLog
    ) -> None:
        async with open_log() as one, open_log() as other:
            topic, group = await fresh(one, partitions=2), uuid.uuid4().hex
            await one.append(topic, drafts_of(range(40)))
            async with one.join(group, [topic], "a") as first:
                found = await read(first, 40)
                async with other.join(group, [topic], "b") as second:
                    with pytest.raises(Conflict):
                        await first.commit(ends_of(found))
                    assert await one.commits(group, topic) == {}
                    # Nothing was committed, so all of it comes once more, to whoever holds it now.
                    await poll_until(
                        [first, second],
                        lambda read: shared_out(topic, 2, first, second) and len(set(values_of(read))) == 40,
                    )
                    (foreign,) = second.assignment
                    with pytest.raises(Conflict):
                        await first.commit({foreign: 1})
                    await second.commit({foreign: 3})
                    assert await one.commits(group, topic) == {foreign.partition: 3}

    async def test_a_second_member_of_the_same_name_takes_over_and_the_first_is_told(self, open_log: OpenLog) -> None:
        async with open_log() as one, open_log() as other:
            topic, group = await fresh(one, partitions=2), uuid.uuid4().hex
            await one.append(topic, drafts_of(range(10)))
            async with one.join(group, [topic], "a") as first:
                found = await read(first, 10)
                async with other.join(group, [topic], "a") as second:
                    with pytest.raises(Conflict):
                        await first.commit(ends_of(found))
                    with pytest.raises(Misconfigured, match="name of its own"):
                        await poll_until([first], lambda _: False)
                    found = await read(second, 10)
                    await second.commit(ends_of(found))
                    assert sum((await other.commits(group, topic)).values()) == 10


class EventLogContract(Writing, Reading, Sharing):
    """All of it. The fixture `open_log` is the adapter's."""


def offsets_at(place: TopicPartition, records: Iterable[Record]) -> list[int]:
    """The offsets of the records of one partition, as they came."""
    return [record.offset for record in records if record.place == place]


def shared_out(topic: str, partitions: int, *readers: Reader) -> bool:
    """Whether these hold all partitions, each one of them once, and nobody nothing."""
    held = [place for reader in readers for place in reader.assignment]
    complete = sorted(held) == [TopicPartition(topic, number) for number in range(partitions)]
    return complete and all(reader.assignment for reader in readers)
