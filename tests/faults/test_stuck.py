"""What stands still though everything answers ends its process; what waits for others does not."""

import asyncio
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from hostkit import served, until
from restart.story import POLICIES, messages

from onethread import envelope
from onethread.blobs import Blobs
from onethread.errors import Retryable, Unconfirmed
from onethread.host.health import Health
from onethread.host.lifecycle import Service
from onethread.host.watchdog import Watchdog
from onethread.log.kafka import KafkaLog
from onethread.log.kafka_reader import KafkaReader
from onethread.log.port import EventLog
from onethread.log.topics import MESSAGES, topics
from onethread.testing.servers.kafka import KafkaServer
from onethread.testing.servers.proxy import TcpProxy
from unifier.store.sqlite import SqliteConversations
from unifier.worker import Worker

STUCK = 3.0


def watchdog_of(health: Health) -> Watchdog:
    return Watchdog(health, stuck=STUCK, every=0.2)


async def unconfirmed(log: EventLog) -> object | None:
    return log.unconfirmed


@asynccontextmanager
async def unifying(log: EventLog, folder: Path, health: Health) -> AsyncIterator[tuple[Worker, asyncio.Task[bool]]]:
    """A worker in a service with a watchdog, as a process has them."""
    async with SqliteConversations(folder / "conversations.sqlite") as store:
        await store.create_indexes()
        worker, watchdog, stop = (
            Worker(log, store, Blobs("memory:///"), member="one", policies=POLICIES),
            watchdog_of(health),
            asyncio.Event(),
        )
        health.needs("log", lambda: log.extents(MESSAGES))
        watchdog.watches("unifier", worker.waiting)
        watchdog.watches("log", lambda: unconfirmed(log))

        async def finish() -> None:
            stop.set()

        service = Service(grace=5.0)
        service.runs("unifier", lambda: worker.run(stop), finish)
        service.runs("watchdog", watchdog.run)
        running = asyncio.create_task(service.run())
        try:
            yield worker, running
        finally:
            service.stop()
            await running


async def test_a_consumer_or_producer_that_lost_its_task_is_stuck_and_one_whose_broker_is_away_is_not(
    tmp_path: Path, new_kafka_server: Callable[..., KafkaServer]
) -> None:
    drafts = [envelope.draft(event) for event in messages(60, 3)]
    with TcpProxy() as link:
        server = new_kafka_server(link)
        async with KafkaLog(server.proxied_bootstrap, client_id="test", deadline=2, session_timeout=6) as log:
            await log.apply(topics(partitions=2))
            health = Health()
            async with unifying(log, tmp_path, health) as (worker, running), served(health) as url:
                await log.append(MESSAGES, drafts[:20])
                await until(lambda: worker.progress == 20, 30)
                await stays_alive_while_the_broker_is_away(link, running, url)
                await until_appended(log, drafts[20:40])
                await until(lambda: worker.progress == 40, 30)

                lose_the_task_that_fetches(worker)
                began = time.monotonic()
                await log.append(MESSAGES, drafts[40:])
                async with asyncio.timeout(60):
                    assert await running is False
                assert time.monotonic() - began < STUCK + 10
                assert await stuck_of(url) == ["unifier"]

            health = Health()
            async with unifying(log, tmp_path, health) as (worker, running):  # restarted
                await until(lambda: worker.progress == 20, 40)
                log._open.writer._line.producer._sender._sender_task.cancel()
                with pytest.raises(Unconfirmed):
                    await log.append(MESSAGES, drafts[:1])
                async with asyncio.timeout(60):
                    assert await running is False


def lose_the_task_that_fetches(worker: Worker) -> None:
    """As aiokafka 0.11 did, by mistake; heartbeats go on."""
    assert isinstance(worker._reader, KafkaReader)
    fetcher = worker._reader._consumer._fetcher
    for task in (fetcher._fetch_task, *fetcher._pending_tasks):
        task.cancel()


async def stays_alive_while_the_broker_is_away(link: TcpProxy, running: asyncio.Task[bool], url: str) -> None:
    link.freeze()
    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
        away = time.monotonic()
        await until(lambda: _missing(client, ["log"]), 10)
        assert time.monotonic() - away < 10
        while time.monotonic() - away < 2 * STUCK:
            assert (await client.get("/healthz")).status_code == 200
            assert not running.done()
            await asyncio.sleep(0.2)
        link.thaw()
        await until(lambda: _missing(client, None), 30)


async def _missing(client: httpx.AsyncClient, names: list[str] | None) -> bool:
    return (await client.get("/readyz")).json().get("missing") == names


async def _shows(client: httpx.AsyncClient, attention: str) -> bool:
    return attention in (await client.get("/readyz")).json().get("attention", ())


async def stuck_of(url: str) -> Any:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
        return (await client.get("/healthz")).json()["stuck"]


async def until_appended(log: EventLog, drafts: list[Any]) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await log.append(MESSAGES, drafts)
            except Retryable:
                continue
            return


async def test_a_bucket_that_is_away_is_named_and_the_process_stays_ready(tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    health, blobs = Health(), Blobs(folder.as_uri())
    health.wants("blobs", blobs.answers)
    async with served(health) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.get("/readyz")).json() == {"status": "ok"}
        for name in ("00", "00/00"):
            (folder / name).mkdir()
        (folder / "00/00" / ("0" * 64)).symlink_to(folder / "00/00" / ("0" * 64))  # whoever looks at it goes in circles
        await until(lambda: _shows(client, "blobs is away"), 10)
        assert (await client.get("/readyz")).status_code == 200


BLOCKED = """
import asyncio, sys, time
from onethread import logs
from onethread.host.health import Health
from onethread.host.lifecycle import Service
from onethread.host.watchdog import Watchdog

async def work():
    await asyncio.sleep(0.3)
    print("blocked", flush=True)
    time.sleep(3600)

async def main():
    service = Service()
    service.runs("watchdog", Watchdog(Health(), stuck=float(sys.argv[1]), every=0.2).run)
    service.runs("work", work)
    return await service.run()

logs.configure()
asyncio.run(main())
"""


async def test_a_blocked_event_loop_ends_the_process_and_shows_where() -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", BLOCKED, "1.0", stdout=PIPE, stderr=PIPE)
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    assert (out, process.returncode) == (b"blocked\n", 70)
    assert b"in work" in err


async def test_what_moves_however_slowly_is_not_stuck_and_what_only_repeats_is() -> None:
    health, steps, look = Health(), [0], asyncio.Event()
    dog = Watchdog(health, stuck=0.5, every=0.05)

    async def waiting() -> object:
        look.set()
        return steps[0]

    dog.watches("unifier", waiting)
    running = asyncio.create_task(dog.run())
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        steps[0] += 1
        look.clear()
        await look.wait()
        assert not running.done()
    async with asyncio.timeout(5):
        await running
