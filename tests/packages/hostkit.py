"""What the tests of the host share: a real log, state and blob store in a folder, a clock, a server on loopback."""

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import uvicorn
from acme_ingest.connectors.acme.connector import Acme, Settings
from pydantic import SecretStr

from onethread import dead_letters, envelope
from onethread.blobs import Blobs
from onethread.connector import Connector
from onethread.dead_letters import DeadLetter
from onethread.errors import Retryable
from onethread.event import Event
from onethread.host.backoff import Pace
from onethread.host.channel import Channel, Channels
from onethread.host.ingest import Ingest
from onethread.host.lent import Lender
from onethread.host.polling import PollingHost
from onethread.host.standing import Standing
from onethread.host.stream import StreamHost
from onethread.host.tasks import cancelled
from onethread.host.wakes import Notes
from onethread.log.port import Draft, EventLog, Extent, Reader, Record, Topic, TopicPartition
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import MESSAGES, topics
from onethread.own_tokens import OwnTokens
from onethread.state.cursors import Cursors
from onethread.state.leases import Leases
from onethread.state.sqlite import SqliteState
from onethread.state.tokens import Tokens

SECRET = "acme-webhook-secret-1"
HOOK = "hook-secret-part-01"
TOKEN_KEY = SecretStr("a-signing-key-of-some-length")
STATE_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
FAST = Pace(first=0.01, longest=0.05, person=0.2, contend=0.02, watch=0.02, wakes=0.02, resources=0.1, settled=0.1)
CREATED = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.time = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
        self._since: float | None = None

    def __call__(self) -> datetime:
        return self.time + timedelta(seconds=time.monotonic() - self._since if self._since is not None else 0)

    def runs(self) -> None:
        """From now on as real clocks do."""
        self._since = self._since or time.monotonic()

    def advance(self, **parts: float) -> None:
        self.time += timedelta(**parts)


def acme(account: str = "shop1", secrets: Sequence[str] = (SECRET,)) -> Acme:
    return Acme(Settings(account=account, secrets=[SecretStr(secret) for secret in secrets]))


def channel(connector: Connector[Any] | None = None, **fields: Any) -> Channel:
    fields = {"id": "chn_acme", "tenant": "t1", "created_at": CREATED, "hook_secret": SecretStr(HOOK), **fields}
    return Channel(connector=connector or acme(), **fields)


def item(external_id: str = "m1", **fields: Any) -> dict[str, Any]:
    return {
        "type": "message",
        "id": external_id,
        "at": 1_772_366_400_000,
        "chat": "c1",
        "user": "mia",
        "text": "Hi",
        **fields,
    }


def body(*items: dict[str, Any]) -> bytes:
    return json.dumps({"items": items}).encode()


def signature(content: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"x-acme-signature": hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()}


class FaultyLog(EventLog):
    """The log below; appends wait until `gate` is set, and those to the topics in `away` fail then."""

    def __init__(self, log: EventLog) -> None:
        self.log = log
        self.away: set[str] = set()
        self.gate = asyncio.Event()
        self.gate.set()

    async def open(self) -> None:
        await self.log.open()

    async def close(self) -> None:
        await self.log.close()

    async def apply(self, topics: Sequence[Topic]) -> list[str]:
        return await self.log.apply(topics)

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[TopicPartition]:
        await self.gate.wait()
        if topic in self.away:
            raise Retryable("log.url: the log is away")
        return await self.log.append(topic, drafts)

    def join(self, group: str, topics: Sequence[str], member: str) -> AbstractAsyncContextManager[Reader]:
        return self.log.join(group, topics, member)

    async def extents(self, topic: str) -> dict[int, Extent]:
        return await self.log.extents(topic)

    async def fetch(self, place: TopicPartition, offset: int, limit: int = 500) -> list[Record]:
        return await self.log.fetch(place, offset, limit)

    async def commits(self, group: str, topic: str) -> dict[int, int]:
        return await self.log.commits(group, topic)

    async def reset(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        await self.log.reset(group, offsets)


class Kit:
    """The parts of one process over the folder `path`."""

    def __init__(self, path: Path) -> None:
        self.clock = Clock()
        self.random = random.Random(7)
        self.log = FaultyLog(SqliteLog(path / "log.sqlite"))
        self.state = SqliteState(path / "state.sqlite")
        self.blobs = Blobs((path / "blobs").as_uri())
        self.tokens = OwnTokens([TOKEN_KEY])
        self.channels = Channels()
        self.standing = Standing(self.state, self.clock)
        self.ingest = Ingest(self.log, self.blobs, self.channels, self.tokens, now=self.clock)

    async def events(self) -> list[Event]:
        records = await self.log.fetch(TopicPartition(MESSAGES, 0), 0, limit=10_000)
        return [envelope.read(record.value, record.headers) for record in records]

    async def letters(self) -> list[DeadLetter]:
        return [letter async for letter in dead_letters.read_all(self.log)]


class Replica:
    """One more process, as far as the cluster can see: leases of its own over the same log and state."""

    def __init__(self, kit: Kit, holder: str, pace: Pace = FAST, ttl: float = 1.0) -> None:
        leases = Leases(kit.state, holder, ttl=ttl)
        tokens = Tokens(kit.state, [SecretStr(STATE_KEY)], leases, now=kit.clock)
        self.lender = Lender(kit.ingest, tokens, pace=pace, random_source=kit.random)
        cursors = Cursors(kit.state)
        self.standing = Standing(kit.state, kit.clock)
        self.polling = PollingHost(self.lender, leases, cursors, self.standing, Notes(kit.state))
        self.stream = StreamHost(self.lender, leases, cursors, self.standing)
        self._running: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._running = [asyncio.create_task(self.polling.run()), asyncio.create_task(self.stream.run())]
        return self

    async def __aexit__(self, *_: object) -> None:
        await cancelled(self._running)
        await self.polling.stop()
        await self.stream.stop()
        await self.lender.close()


@asynccontextmanager
async def kit(path: Path) -> AsyncIterator[Kit]:
    parts = Kit(path)
    async with parts.log, parts.state:
        await parts.log.apply(topics(partitions=1))
        yield parts


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The application on a loopback port; yields its URL."""
    config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def until(state: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait for a state; a coroutine function is asked anew each time."""
    async with asyncio.timeout(seconds):
        while True:
            found = state()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            await asyncio.sleep(0.01)
