"""Processes, broker and database are killed while 2,000 messages flow: none is lost, none is there twice, all is as without."""

import asyncio
import collections
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grouping.driver import new_batch
from grouping.inline import in_memory
from grouping.invariants import Feed
from restart.parts import Stage, accepted_file
from restart.play import Play
from restart.story import POLICIES, Seen, ids, messages, seen

from onethread.log.port import EventLog
from onethread.log.topics import DEAD_LETTERS, MESSAGES, topics
from onethread.testing.servers.kafka import KafkaServer
from onethread.testing.servers.mongodb import MongoServer
from unifier.reading import read
from unifier.store.port import ConversationStore
from unifier.worker import GROUP

COUNT = 2000
SEED = 7
PARTITIONS = 4
KILLS = 10


@pytest.mark.timeout(600)
async def test_over_sqlite(tmp_path: Path) -> None:
    stage = Stage(str(tmp_path), COUNT, SEED)
    async with prepared(stage) as (log, store):
        with Play(stage, {}) as play:
            play.perform({"worker one": KILLS, "worker two": KILLS, "producer": KILLS}, SEED)
            await all_is_done(play, log)
        await all_is_well(stage, play, log, store)


@pytest.mark.timeout(600)
async def test_over_kafka_and_mongodb(
    tmp_path: Path, new_kafka_server: Callable[[], KafkaServer], new_mongo_server: Callable[[], MongoServer]
) -> None:
    broker, database = new_kafka_server(), new_mongo_server()
    stage = Stage(str(tmp_path), COUNT, SEED, kafka=broker.bootstrap, mongodb=database.url)
    async with prepared(stage):
        pass
    with Play(stage, {"broker": broker.restart, "database": database.restart}) as play:
        play.perform({"broker": KILLS, "database": KILLS, "worker one": 2, "worker two": 2, "producer": 2}, SEED)
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
    events = messages(COUNT, SEED)
    accepted = accepted_file(stage).read_text().split()
    assert accepted == [event.id for event in events]
    assert all(kill.committed > 0 and kill.accepted < COUNT for kill in play.kills), play.kills
    found = await seen(store)
    counts = collections.Counter(found.ids)
    assert sorted(set(ids(events)) - counts.keys()) == [], "lost"
    assert [one for one, count in counts.items() if count > 1] == [], "there twice"
    assert counts.keys() == set(ids(events))
    assert all(numbers == sorted(numbers) for runs in found.orders.values() for numbers in runs), "out of order"
    assert not any(extent.end for extent in (await log.extents(DEAD_LETTERS)).values())
    feed = Feed(log)
    await feed.follow()  # first appearances are 1, 2, 3 … without a gap
    assert feed.last == found.ends
    assert found.hash == (await undisturbed()).hash


async def undisturbed() -> Seen:
    """The same story where nobody is killed."""
    async with in_memory() as (store, log, _):
        events = [read(event, POLICIES.default) for event in messages(COUNT, SEED)]
        for start in range(0, COUNT, 100):
            await new_batch(store, log).apply(events[start : start + 100])
        return await seen(store)
