"""Records that nobody can process: one delays its partition for moments, a row of them stops it before the data is set aside."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from e2e.deployment import Deployment
from hostkit import served, until
from restart.story import POLICIES, ids, messages, seen

from onethread import dead_letters, envelope, metrics
from onethread.blobs import Blobs
from onethread.dead_letters import DeadLetter
from onethread.host.health import Health
from onethread.log.port import Draft, Record, TopicPartition
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import MESSAGES, topics
from onethread.state.sqlite import SqliteState
from unifier.halting import Failure, Rows
from unifier.model import Entry
from unifier.reading import Reading
from unifier.store.port import Outcome
from unifier.store.sqlite import SqliteConversations
from unifier.worker import GROUP, Worker

LIMIT = 20
COUNT = 200
SEED = 5
_BAD = Draft(b"customer", b'{"kind": "message", ')


class Ill(SqliteConversations):
    """A store on which some messages break our code, as a bug of a new version would."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.breaks: set[str] = set()

    async def insert(self, entries: Sequence[Entry]) -> list[Outcome]:
        """See the port."""
        if any(entry.id in self.breaks for entry in entries):
            raise TypeError("a bug of the new version")
        return await super().insert(entries)


class Site(NamedTuple):
    """The parts that outlive a process."""

    log: SqliteLog
    store: Ill
    state: SqliteState
    blobs: Blobs

    def worker(self, limit: int = LIMIT, batch: int = 500) -> Worker:
        return Worker(
            self.log, self.store, self.blobs, member="one", policies=POLICIES, state=self.state, row_limit=limit, batch=batch
        )  # fmt: skip

    async def letters(self) -> list[DeadLetter]:
        return [letter async for letter in dead_letters.read_all(self.log)]

    async def commits(self) -> dict[int, int]:
        return await self.log.commits(GROUP, MESSAGES)

    async def lag(self) -> int:
        extents, commits = await self.log.extents(MESSAGES), await self.commits()
        return sum(extent.end - commits.get(number, 0) for number, extent in extents.items())


@asynccontextmanager
async def site(folder: Path, partitions: int = 1) -> AsyncIterator[Site]:
    parts = Site(
        SqliteLog(folder / "log.sqlite"), Ill(folder / "conversations.sqlite"), SqliteState(folder / "state.sqlite"),
        Blobs((folder / "blobs").as_uri()),
    )  # fmt: skip
    async with parts.log, parts.store, parts.state:
        await parts.log.apply(topics(partitions=partitions))
        await parts.store.create_indexes()
        yield parts


@asynccontextmanager
async def working(worker: Worker) -> AsyncIterator[Worker]:
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    try:
        yield worker
    finally:
        stop.set()
        await task


async def outcome(parts: Site) -> tuple[list[str], str]:
    """Each message as often as it is there, and how they belong together."""
    found = await seen(parts.store)
    return sorted(found.ids), found.hash


async def undisturbed(folder: Path, count: int) -> tuple[list[str], str]:
    async with site(folder / "reference") as parts:
        await parts.log.append(MESSAGES, [envelope.draft(event) for event in messages(count, SEED)])
        async with working(parts.worker()):
            await until(lambda: _caught_up(parts), 30)
        return await outcome(parts)


async def _caught_up(parts: Site) -> bool:
    return await parts.lag() == 0


async def test_a_bad_record_becomes_a_dead_letter_and_replaying_it_twice_after_the_fix_leaves_no_trace(
    tmp_path: Path,
) -> None:
    chance, events = random.Random(SEED), messages(COUNT, SEED)
    broken = {event.id for event in chance.sample(events, COUNT // 20)}
    async with site(tmp_path / "onethread") as parts:
        parts.store.breaks = {one for event, one in zip(events, ids(events), strict=True) if event.id in broken}
        drafts = [envelope.draft(event) for event in events]
        garbage = [chance.randrange(COUNT) for _ in range(5)]
        for at in garbage:
            drafts.insert(at, Draft(b"customer", bytes(chance.randrange(256) for _ in range(100))))
        loop = asyncio.get_running_loop()
        began = loop.time()
        await parts.log.append(MESSAGES, drafts)
        async with working(parts.worker()) as worker:
            await until(lambda: _caught_up(parts), 30)
            assert loop.time() - began < 5 * len(broken), "more than five seconds for each"
            assert worker.halted == []
        letters = await parts.letters()
        stored = await seen(parts.store)
        assert len(letters) == len(broken) + len(garbage)
        assert set(stored.ids).isdisjoint(parts.store.breaks), "in both places"
        assert set(stored.ids) | parts.store.breaks == set(ids(events))
        for letter in letters:
            assert letter.offset is not None
            (record,) = await parts.log.fetch(TopicPartition(letter.topic, letter.partition or 0), letter.offset, 1)
            assert (letter.topic, letter.data) == (MESSAGES, record.value)
            assert (letter.stage, letter.reason) in {("decode", "poison"), ("unify", "bug")}
            assert letter.detail

        parts.store.breaks = set()  # the fix
        deployment = Deployment(tmp_path, {"data": str(tmp_path / "onethread")}, [["up"]])
        for _ in range(2):
            answer = await deployment.command("dead-letters", "replay", "all")
            assert set(answer.values()) == {"sent to the unifier again"}
            async with working(parts.worker(limit=100)):
                await until(lambda: _caught_up(parts), 30)
        assert await outcome(parts) == await undisturbed(tmp_path, COUNT)
        assert await parts.letters() == letters, "what was set aside again is the same dead letter"


async def test_a_flood_of_bad_records_halts_its_partition_and_no_other_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    events = messages(COUNT, SEED)
    async with site(tmp_path, partitions=4) as parts:
        bad_place, *_ = await parts.log.append(MESSAGES, [_BAD] * 100)
        good = [envelope.draft(event) for event in events]
        places = await parts.log.append(MESSAGES, good)
        elsewhere = sum(place != bad_place for place in places)
        assert elsewhere > COUNT // 4
        async with working(parts.worker()) as worker:
            await until(lambda: worker.progress == elsewhere + LIMIT - 1, 30)
            await until(lambda: worker.halted)
            assert worker.halted == [f"{MESSAGES}/{bad_place.partition} halted"]
            assert await worker.waiting() is None, "a restart would not help"
            await shown_without_being_taken_out_of_service(worker)
        assert metrics.HALTED.value(MESSAGES, str(bad_place.partition)) == 1
        said = [line.msg for line in caplog.records if isinstance(line.msg, dict)]
        halts = [line for line in said if line["event"] == "unifier.halted"]
        assert [(line["partition"], line["offset"]) for line in halts] == [(bad_place.partition, LIMIT - 1)]
        assert "restart" in halts[0]["todo"]
        commits = await parts.commits()
        assert commits[bad_place.partition] == LIMIT - 1
        assert len(await parts.letters()) == LIMIT - 1

        for _ in range(3):  # restarted by who does not know better: nothing more is set aside
            async with working(parts.worker()) as worker:
                await until(lambda: worker.halted)
        assert await parts.commits() == commits
        assert len(await parts.letters()) == LIMIT - 1

        async with working(parts.worker(limit=1000)):  # a person says that they are to be set aside
            await until(lambda: _caught_up(parts), 30)
        assert len(await parts.letters()) == 100
        assert sorted((await seen(parts.store)).ids) == sorted(ids(events))
        async with working(parts.worker()) as worker:
            await parts.log.append(MESSAGES, [_BAD])
            await until(lambda: _caught_up(parts), 30)
            assert worker.halted == []


async def shown_without_being_taken_out_of_service(worker: Worker) -> None:
    health = Health()
    health.tells(lambda: worker.halted)
    async with served(health) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["attention"]) == (200, worker.halted)


@pytest.mark.parametrize("batch", [7, 500])
async def test_a_bad_deploy_stops_and_the_next_one_goes_on_as_if_nothing_had_been(tmp_path: Path, batch: int) -> None:
    events = messages(COUNT, SEED)
    async with site(tmp_path) as parts:
        await parts.log.append(MESSAGES, [envelope.draft(event) for event in events])
        parts.store.breaks = set(ids(events)[50:])
        async with working(parts.worker(batch=batch)) as worker:
            await until(lambda: worker.halted, 30)
        assert await parts.commits() == {0: 50 + LIMIT - 1}
        parts.store.breaks = set()
        async with working(parts.worker(batch=batch)):
            await until(lambda: _caught_up(parts), 30)
        assert len(await parts.letters()) == LIMIT - 1
        await parts.log.append(MESSAGES, [dead_letters.again(letter, letter.data) for letter in await parts.letters()])
        async with working(parts.worker(batch=batch)):
            await until(lambda: _caught_up(parts), 30)
        assert await outcome(parts) == await undisturbed(tmp_path, COUNT)


def _records(count: int) -> list[Record]:
    return [Record("t", 0, offset, 0, b"", b"") for offset in range(count)]


def _failed(records: Sequence[Record]) -> list[Failure]:
    return [Failure(record, "decode", "poison", "") for record in records]


def test_a_row_goes_on_over_batches_and_a_good_record_ends_it() -> None:
    rows, all_ = Rows(4), _records(10)
    for start in (0, 1, 2):
        verdict = rows.judged(all_[start : start + 1], _failed(all_))
        assert (len(verdict.aside), verdict.halted) == (1, {})
        rows.learn(verdict)
    good = rows.judged(all_[3:4], [])
    halting = rows.judged(all_[3:5], _failed(all_[3:]))
    assert (good.halted, good.offsets) == ({}, {TopicPartition("t", 0): 4})
    assert (list(halting.halted), halting.offsets, halting.aside) == ([TopicPartition("t", 0)], {}, [])


def test_a_batch_that_comes_again_does_not_count_twice() -> None:
    rows, all_ = Rows(4), _records(3)
    for _ in range(5):
        verdict = rows.judged(all_, _failed(all_))
        assert verdict.halted == {}
    rows.learn(verdict)
    assert rows.judged(all_, _failed(all_)).halted == {}


async def test_a_record_that_is_alone_bad_costs_few_applications(tmp_path: Path) -> None:
    applied: list[int] = []

    class Counting(Worker):
        async def _thread(self, readings: list[Reading]) -> None:
            applied.append(len(readings))
            await super()._thread(readings)

    events = messages(COUNT, SEED)
    async with site(tmp_path) as parts:
        parts.store.breaks = {ids(events)[77]}
        await parts.log.append(MESSAGES, [envelope.draft(event) for event in events])
        worker = Counting(parts.log, parts.store, parts.blobs, member="one", policies=POLICIES, state=parts.state)
        async with working(worker):
            await until(lambda: _caught_up(parts), 30)
    assert len(applied) < 25
    assert applied[0] == COUNT
