"""The links to broker and database break in every way, replicas come and go, while messages flow: all is as if nothing had been."""

import asyncio
import collections
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
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
from onethread.testing.figures import Figures, report
from onethread.testing.servers.kafka import KafkaServer
from onethread.testing.servers.mongodb import MongoServer
from onethread.testing.servers.process import ServerProcess
from onethread.testing.servers.proxy import TcpProxy
from unifier.reading import read
from unifier.worker import GROUP

SEED = 11
PARTITIONS = 4
REPLICAS = ("one", "two", "three")


class Faults:
    """What can be done to one link, by name; what lasts ends by itself after `seconds`."""

    def __init__(self, what: str, link: TcpProxy, writes: bytes, seconds: float) -> None:
        self._link, self._writes, self._seconds = link, writes, seconds
        self._timers: list[threading.Timer] = []
        self.by_name: dict[str, Callable[[], None]] = {
            f"{what}: cut": link.cut,
            f"{what}: half closed": self._half_closed,
            f"{what}: frozen": partial(self._lasting, link.freeze, link.thaw),
            f"{what}: answers frozen": partial(self._lasting, partial(link.freeze, answers_only=True), link.thaw),
            f"{what}: slow": partial(self._lasting, partial(self._delay, 0.05), partial(self._delay, 0.0)),
            f"{what}: refuses": partial(self._lasting, link.refuse, link.accept),
            f"{what}: answer lost after the write": partial(link.lose_answer, 0, writes),
            f"{what}: answer cut in the middle": partial(link.lose_answer, 9, writes),
        }

    def end(self) -> None:
        """All as it was."""
        for timer in self._timers:
            timer.join()
        self._link.keep_answers()

    def _lasting(self, begin: Callable[[], None], end: Callable[[], None]) -> None:
        begin()
        timer = threading.Timer(self._seconds, end)
        timer.start()
        self._timers.append(timer)

    def _delay(self, seconds: float) -> None:
        self._link.delay = seconds

    def _half_closed(self) -> None:
        self._link.half_close()
        self._lasting(lambda: None, self._link.cut)  # who listens no more is gone at last


@contextmanager
def ended(*faults: Faults) -> Iterator[None]:
    try:
        yield
    finally:
        for one in faults:
            one.end()


async def survives(stage: Stage, direct: Stage, play: Play, faults: Mapping[str, int], title: str) -> None:
    """Tell the story with these faults, so often each, and compare; `direct` is the same stage without links."""
    with play:
        await asyncio.to_thread(play.perform, faults, SEED)
        async with direct.log("test") as log, direct.store() as store:
            async with asyncio.timeout(120):
                while await lag(log):
                    play.keep_alive()
                    await asyncio.sleep(0.05)
            found, letters = await seen(store), await log.extents(DEAD_LETTERS)
            feed = Feed(log)
            await feed.follow()  # first appearances are 1, 2, 3 … without a gap
    wanted = await undisturbed(stage.count)
    accepted = accepted_file(stage).read_text().split()
    counts = collections.Counter(found.ids)
    lost = set(ids(messages(stage.count, SEED))) - counts.keys()
    twice = [one for one, count in counts.items() if count > 1]
    report(
        Figures(
            title, sum(faults.values()), len(accepted), len(accepted) - len(lost), len(lost), len(twice),
            tuple(play.recovery), "Kafka, MongoDB protocol" if stage.kafka else "SQLite", found.hash == wanted.hash,
        )
    )  # fmt: skip
    assert (lost, twice) == (set(), [])
    assert found.hash == wanted.hash
    assert found.ends == feed.last
    assert all(numbers == sorted(numbers) for runs in found.orders.values() for numbers in runs), "out of order"
    assert not any(extent.end for extent in letters.values())
    assert {kill.victim for kill in play.kills} == set(faults)


async def lag(log: EventLog) -> int:
    extents, commits = await log.extents(MESSAGES), await log.commits(GROUP, MESSAGES)
    return sum(extent.end - max(commits.get(number, 0), extent.begin) for number, extent in extents.items())


async def undisturbed(count: int) -> Seen:
    async with in_memory() as (store, log, _):
        events = [read(event, POLICIES.default) for event in messages(count, SEED)]
        for start in range(0, count, 100):
            await new_batch(store, log).apply(events[start : start + 100])
        return await seen(store)


async def prepared(stage: Stage) -> None:
    async with stage.log("test") as log, stage.store() as store:
        await store.create_indexes()
        await log.apply(topics(partitions=PARTITIONS))


async def links_break(
    folder: Path,
    kafka: Callable[..., KafkaServer],
    mongo: Callable[[], MongoServer],
    count: int,
    times: int,
    seconds: float,
) -> None:
    database = mongo()
    with TcpProxy() as to_broker, TcpProxy((database.host, database.port)) as to_database:
        broker = kafka(to_broker)
        through = f"mongodb://{to_database.host}:{to_database.port}/?directConnection=true"
        stage = Stage(str(folder), count, SEED, kafka=broker.proxied_bootstrap, mongodb=through)
        direct = Stage(str(folder), count, SEED, kafka=broker.bootstrap, mongodb=database.url)
        await prepared(direct)
        of_broker = Faults("broker", to_broker, b"evt_", seconds)
        of_database = Faults("database", to_database, b"insert", seconds)
        victims = {**of_broker.by_name, **of_database.by_name}
        with ended(of_broker, of_database):
            play = Play(stage, victims)
            await survives(stage, direct, play, dict.fromkeys(victims, times), "links to broker and database")
        assert to_broker.lost > 0
        assert to_database.lost > 0


@pytest.mark.timeout(300)
async def test_links_break_while_messages_flow(
    tmp_path: Path, new_kafka_server: Callable[..., KafkaServer], new_mongo_server: Callable[[], MongoServer]
) -> None:
    await links_break(tmp_path, new_kafka_server, new_mongo_server, 400, 1, 1.5)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_links_break_again_and_again(
    tmp_path: Path, new_kafka_server: Callable[..., KafkaServer], new_mongo_server: Callable[[], MongoServer]
) -> None:
    await links_break(tmp_path, new_kafka_server, new_mongo_server, 2000, 2, 6.0)


async def replicas_come_and_go(stage: Stage, times: int) -> None:
    await prepared(stage)
    acts = [f"worker {name}{how}" for name in REPLICAS for how in ("", " leaves")]
    play = Play(stage, {}, REPLICAS, anew=True)
    await survives(stage, stage, play, dict.fromkeys(acts, times), "replicas joining, leaving, dying")


@pytest.mark.timeout(300)
async def test_three_replicas_join_leave_and_die_while_messages_flow(tmp_path: Path) -> None:
    await replicas_come_and_go(Stage(str(tmp_path), 300, SEED), 1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_three_replicas_join_leave_and_die_again_and_again_over_sqlite(tmp_path: Path) -> None:
    await replicas_come_and_go(Stage(str(tmp_path), 3000, SEED), 10)


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_three_replicas_join_leave_and_die_again_and_again_over_kafka(
    tmp_path: Path, new_kafka_server: Callable[..., KafkaServer], new_mongo_server: Callable[[], MongoServer]
) -> None:
    stage = Stage(str(tmp_path), 2000, SEED, kafka=new_kafka_server().bootstrap, mongodb=new_mongo_server().url)
    await replicas_come_and_go(stage, 4)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("what", ["broker", "database"])
async def test_a_server_dies_freezes_for_thirty_seconds_and_comes_back_late(
    tmp_path: Path,
    new_kafka_server: Callable[..., KafkaServer],
    new_mongo_server: Callable[[], MongoServer],
    what: str,
) -> None:
    broker, database = new_kafka_server(), new_mongo_server()
    server: ServerProcess = broker if what == "broker" else database
    stage = Stage(str(tmp_path), 1500, SEED, kafka=broker.bootstrap, mongodb=database.url)
    await prepared(stage)
    chance = random.Random(SEED)
    victims = {
        f"{what}: killed": server.restart,
        f"{what}: restarted late": partial(_late, server, 5 + 10 * chance.random()),
        f"{what}: frozen for 30 s": partial(_frozen, server, 30.0),
    }
    await survives(stage, stage, Play(stage, victims), dict.fromkeys(victims, 2), f"{what} killed, late, frozen 30 s")


def _late(server: ServerProcess, seconds: float) -> None:
    server.kill()
    threading.Event().wait(seconds)
    server.start()


def _frozen(server: ServerProcess, seconds: float) -> None:
    os.kill(server.pid, signal.SIGSTOP)
    threading.Event().wait(seconds)
    os.kill(server.pid, signal.SIGCONT)
