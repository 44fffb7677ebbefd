"""A full disk: nothing is acknowledged, the message says what to do, and it goes on when there is room again."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from restart.parts import Stage
from restart.story import ids, messages, seen

from onethread import envelope
from onethread.blobs import Blobs
from onethread.errors import OnethreadError, Retryable
from onethread.log.port import Draft, TopicPartition
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import MESSAGES, topics
from onethread.testing.figures import Figures, report
from onethread.testing.servers.kafka import KafkaServer
from onethread.testing.servers.mongodb import MongoServer
from onethread.testing.servers.process import ServerProcess
from unifier.worker import GROUP, Worker

RECORD = 20_000

PROGRAM = """
import asyncio, resource, sys
from pathlib import Path
from onethread.errors import OnethreadError
from onethread.log.port import Draft
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import MESSAGES, topics

def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

async def main():
    async with SqliteLog(Path(sys.argv[1])) as log:
        await log.apply(topics(partitions=1))
        limit(600_000)
        acknowledged, refused = [], 0
        while len(acknowledged) < 60:
            number = len(acknowledged)
            try:
                await log.append(MESSAGES, [Draft(b"key", b"%d " % number + b"x" * 20_000)])
            except OnethreadError as error:
                refused += 1
                print(f"refused {number}: {type(error).__name__}: {error}")
                if refused == 3:
                    limit(resource.RLIM_INFINITY)
            else:
                acknowledged.append(number)
        print(f"acknowledged {len(acknowledged)}")

asyncio.run(main())
"""


async def values(log: SqliteLog) -> list[int]:
    records = await log.fetch(TopicPartition(MESSAGES, 0), 0, 10_000)
    return [int(record.value.split(b" ")[0]) for record in records]


async def test_a_file_that_may_not_grow_is_said_and_written_on_when_it_may(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, timeout=60, check=True
    )  # fmt: skip
    *refusals, last = done.stdout.splitlines()
    assert last == "acknowledged 60"
    assert len(refusals) == 3
    assert all("log.url" in line for line in refusals)
    async with SqliteLog(path) as log:
        found = await values(log)
    assert list(dict.fromkeys(found)) == list(range(60))  # an unconfirmed one may be there twice, by its id once


async def test_a_full_database_is_retryable_and_says_what_to_do(tmp_path: Path) -> None:
    async with SqliteLog(tmp_path / "log.sqlite") as log:
        await log.apply(topics(partitions=1))
        drafts = [Draft(b"key", b"%d " % number + b"x" * RECORD) for number in range(60)]
        await log.append(MESSAGES, drafts[:10])
        await log._database.write(lambda connection: connection.execute("PRAGMA max_page_count = 150").fetchall())
        with pytest.raises(Retryable, match="Free space on it"):
            await log.append(MESSAGES, drafts[10:])
        assert await values(log) == list(range(10)), "nothing of it was written"
        await log._database.write(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchall())
        await log.append(MESSAGES, drafts[10:])
        assert await values(log) == list(range(60))


# --- servers on a small disk -----------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file system of its own in memory; needs root."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("a full disk of a server needs root, and the right to mount a small one")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def fill(disk: Path) -> Path:
    """Take all that is left, and return what took it."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 65536):
                pass
        except OSError:
            return ballast
    return ballast


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("kind", "megabytes"), [(KafkaServer, 80), (MongoServer, 160)])
async def test_a_server_on_a_full_disk_loses_nothing_that_was_acknowledged(
    tmp_path: Path,
    new_kafka_server: Callable[[], KafkaServer],
    new_mongo_server: Callable[[], MongoServer],
    kind: Callable[..., ServerProcess],
    megabytes: int,
) -> None:
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path / "disk", megabytes))
        server = kind(disk / "server")
        stack.callback(server.discard)
        server.start()
        kafka = server if isinstance(server, KafkaServer) else new_kafka_server()
        mongo = server if isinstance(server, MongoServer) else new_mongo_server()
        stage = Stage(str(tmp_path), 300, 3, kafka=kafka.bootstrap, mongodb=mongo.url)
        async with stage.log("test") as log, stage.store() as store:
            await log.apply(topics(partitions=4))
            await store.create_indexes()
            worker, stop = Worker(log, store, Blobs("memory:///"), member="one", batch=20), asyncio.Event()
            working = asyncio.create_task(worker.run(stop))
            events = messages(stage.count, stage.seed)
            accepted: list[str] = []
            ballast = None
            for number, event in enumerate(events):
                if number == 100:
                    ballast = fill(disk)
                if number == 200 and ballast is not None:
                    ballast.unlink(missing_ok=True)
                await _sent(log, envelope.draft(event), server, ballast)
                accepted.append(event.id)
            async with asyncio.timeout(120):
                while await _lag(log):  # noqa: ASYNC110 -- the state is the broker's
                    await asyncio.sleep(0.1)
            stop.set()
            await working
            found = await seen(store)
    lost = set(ids(events)) - set(found.ids)
    twice = len(found.ids) - len(set(found.ids))
    report(
        Figures(f"disk of {server.name} full", 1, len(accepted), len(accepted) - len(lost), len(lost), twice, on="Kafka, MongoDB protocol")
    )  # fmt: skip
    assert (lost, twice) == (set(), 0)


async def _sent(log: Any, draft: Draft, server: ServerProcess, ballast: Path | None) -> None:
    """Until it is confirmed. A server that gives up on a full disk is started again once there is room: an operator's work."""
    async with asyncio.timeout(120):
        while True:
            try:
                await log.append(MESSAGES, [draft])
            except OnethreadError:
                if ballast is not None and not server.running:
                    await asyncio.to_thread(_room_again, server, ballast)
                continue
            return


def _room_again(server: ServerProcess, ballast: Path) -> None:
    ballast.unlink(missing_ok=True)
    server.restart()


async def _lag(log: Any) -> int:
    extents, commits = await log.extents(MESSAGES), await log.commits(GROUP, MESSAGES)
    return sum(extent.end - max(commits.get(number, 0), extent.begin) for number, extent in extents.items())
