"""Processes, broker and database are killed while messages flow: none is lost, none is there twice, all is as without."""

import asyncio
import collections
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from grouping.driver import new_batch
from grouping.inline import in_memory
from grouping.invariants import Feed
from restart.parts import Stage, accepted_file
from restart.play import Play
from restart.story import POLICIES, Seen, ids, messages, seen

from onethread.log.port import EventLog
from onethread.log.topics import DEAD_LETTERS, MESSAGES, topics
from onethread.testing.figures import Figures, peak_memory, report
from onethread.testing.servers.kafka import KafkaServer
from onethread.testing.servers.mongodb import MongoServer
from unifier.reading import read
from unifier.store.port import ConversationStore
from unifier.verify.verification import check
from unifier.worker import GROUP

SEED = 7
PARTITIONS = 4


class Size(NamedTuple):
    """So many messages, and kills of each victim."""

    count: int
    kills: int


LONG = pytest.param(Size(6000, 30), id="long", marks=pytest.mark.soak)


@pytest.mark.parametrize("size", [pytest.param(Size(2000, 10), id="short"), LONG])
@pytest.mark.timeout(3600)
async def test_over_sqlite(tmp_path: Path, size: Size) -> None:
    stage = Stage(str(tmp_path), size.count, SEED)
    async with prepared(stage) as (log, store):
        with Play(stage, {}) as play:
            play.perform({"worker one": size.kills, "worker two": size.kills, "producer": size.kills}, SEED)
            await all_is_done(play, log)
        await all_is_well(stage, play, log, store)


# A broker takes four seconds to come back, so that the everyday form has fewer of these kills.
@pytest.mark.parametrize("size", [pytest.param(Size(2000, 5), id="short"), LONG])
@pytest.mark.timeout(3600)
async def test_over_kafka_and_mongodb(
    tmp_path: Path, new_kafka_server: Callable[[], KafkaServer], new_mongo_server: Callable[[], MongoServer], size: Size
) -> None:
    broker, database = new_kafka_server(), new_mongo_server()
    stage = Stage(str(tmp_path), size.count, SEED, kafka=broker.bootstrap, mongodb=database.url)
    async with prepared(stage):
        pass
    few = size.kills // 5
    with Play(stage, {"broker": broker.restart, "database": database.restart}) as play:
        play.perform(
            {"broker": size.kills, "database": size.kills, "worker one": few, "worker two": few, "producer": few}, SEED
        )
        async with prepared(stage) as (log, store):
            await all_is_done(play, log)
            await all_is_well(stage, play, log, store)


@asynccontextmanager
async def prepared(stage: Stage) -> AsyncIterator[tuple[EventLog, ConversationStore]]:
    """The log with its topics, and the store with its indexes."""
    async with stage.log("test") as log, stage.store() as store:
        await store.create_indexes()
        await log.apply(topics(partitions=PARTITIONS))
        yield log, store


async def all_is_done(play: Play, log: EventLog) -> None:
    """The group has committed to the end of the log."""
    async with asyncio.timeout(120):
        while await lag(log):
            play.keep_alive()
            await asyncio.sleep(0.05)


async def lag(log: EventLog) -> int:
    extents = await log.extents(MESSAGES)
    commits = await log.commits(GROUP, MESSAGES)
    return sum(extent.end - max(commits.get(number, 0), extent.begin) for number, extent in extents.items())


async def all_is_well(stage: Stage, play: Play, log: EventLog, store: ConversationStore) -> None:
    """Nothing lost, nothing twice, in order, complete for desks, and as if nobody had been killed."""
    recovery = time.monotonic() - play.last_kill
    events = messages(stage.count, SEED)
    accepted = accepted_file(stage).read_text().split()
    found, wanted = await seen(store), await undisturbed(stage.count)
    counts = collections.Counter(found.ids)
    lost = set(ids(events)) - counts.keys()
    report(
        Figures(
            "processes and servers killed at any moment", len(play.kills), len(accepted), len(counts), len(lost), len(found.ids) - len(counts),
            (round(recovery, 2),), "Kafka, MongoDB protocol" if stage.kafka else "SQLite", equal=found.hash == wanted.hash, peak=peak_memory(),
        )
    )  # fmt: skip
    assert accepted == [event.id for event in events]
    assert all(kill.committed > 0 and kill.accepted < stage.count for kill in play.kills), play.kills
    assert not lost
    assert [one for one, count in counts.items() if count > 1] == [], "there twice"
    assert counts.keys() == set(ids(events))
    assert all(numbers == sorted(numbers) for runs in found.orders.values() for numbers in runs), "out of order"
    assert not any(extent.end for extent in (await log.extents(DEAD_LETTERS)).values())
    feed = Feed(log)
    await feed.follow()  # first appearances are 1, 2, 3 … without a gap
    assert feed.last == found.ends
    assert (await check(store, log, POLICIES)).sentences() == []
    assert found.hash == wanted.hash


async def undisturbed(count: int) -> Seen:
    """The same story where nobody is killed."""
    async with in_memory() as (store, log, _):
        events = [read(event, POLICIES.default) for event in messages(count, SEED)]
        for start in range(0, count, 100):
            await new_batch(store, log).apply(events[start : start + 100])
        return await seen(store)
