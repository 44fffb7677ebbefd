"""A process that loses what it needs says so, lives on, and ends in time, whoever hangs on to it; then nothing is missing."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from e2e.deployment import Deployment, until
from faults.site import HOOK, SERVICE, TENANT, Sender, linked, sending

from onethread import assembly
from onethread.log.topics import MESSAGES
from onethread.settings import load
from onethread.testing.servers.kafka import KafkaServer
from onethread.testing.servers.proxy import TcpProxy
from unifier.main import conversation_store
from unifier.model import HeadFilter
from unifier.store.port import Position
from unifier.worker import GROUP


async def test_what_is_missing_is_named_and_the_end_comes_in_time_whatever_hangs(
    tmp_path: Path, new_kafka_server: Callable[..., KafkaServer], mongo_server: Any
) -> None:
    with linked(new_kafka_server, mongo_server, tmp_path) as (onethread, broker, database, _):
        onethread.start_one(SERVICE)
        await onethread.ready(SERVICE)
        async with sending(onethread) as sender:
            await sender.insist(range(20))
            await is_named_while_it_is_away(onethread, broker, "log")
            await is_named_while_it_is_away(onethread, database, "state")
            await sender.insist(range(20, 30))

            slow = [await half_sent(onethread) for _ in range(3)]
            broker.freeze()
            database.freeze()
            hopeless = asyncio.create_task(sender.send(30))
            began = time.monotonic()
            onethread._processes[SERVICE].send_signal(signal.SIGTERM)
            await asyncio.to_thread(onethread._processes[SERVICE].wait, 60)
            assert time.monotonic() - began < 30
            await hopeless
            for writer in slow:
                writer.close()

            broker.thaw()
            database.thaw()
            onethread.start_one(SERVICE)
            await onethread.ready(SERVICE)
            await sender.insist(range(30, 40))
            await everything_is_stored_once(onethread, sender, 40)
            assert onethread.stop() == {SERVICE: 0}


async def is_named_while_it_is_away(onethread: Deployment, link: TcpProxy, name: str) -> None:
    async with httpx.AsyncClient(base_url=onethread.api_url, trust_env=False, timeout=20) as client:
        link.freeze()
        began = time.monotonic()
        await until(lambda: _named(client, name), f"{name} is said to be missing", 12)
        assert time.monotonic() - began < 10
        assert (await client.get("/healthz")).status_code == 200
        link.thaw()
        await until(lambda: _ready(client), f"{name} is back", 60)
        assert (await client.get("/healthz")).status_code == 200


async def _named(client: httpx.AsyncClient, name: str) -> bool:
    return name in (await client.get("/readyz")).json().get("missing", ())


async def _ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/readyz")).status_code == 200


async def half_sent(onethread: Deployment) -> asyncio.StreamWriter:
    """A client that says how much it will send, and sends half of it."""
    _, writer = await asyncio.open_connection("127.0.0.1", int(onethread.hooks_url.rpartition(":")[2]))
    writer.write(
        f"POST /hooks/chn_telegram/{HOOK} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n".encode() + b"x" * 500
    )
    await writer.drain()
    return writer


async def everything_is_stored_once(onethread: Deployment, sender: Sender, count: int) -> None:
    """Each acknowledged message is one entry of one conversation; there is no other."""
    settings = load(onethread.config(), {})
    async with assembly.event_log(settings, "test") as log, conversation_store(settings) as store:

        async def caught_up() -> bool:
            commits, extents = await log.commits(GROUP, MESSAGES), await log.extents(MESSAGES)
            return all(commits.get(place, 0) >= extent.end for place, extent in extents.items())

        await until(caught_up, "the unifier has caught up")
        found: Counter[str] = Counter()
        after: Position | None = None
        while page := await store.list_heads(TENANT, "created", after, 500, HeadFilter()):
            for head in page:
                found.update(entry.event.external_id for entry in await store.run(head.id, 0, 10_000) if entry.event)
            after = Position(0, page[-1].id)
    assert sorted(set(sender.accepted)) == list(range(count))
    assert (len(found), set(found.values())) == (count, {1}), found
