"""One telling of the story in one process: the real hosts and a real worker over pointed ports. It ends with lag zero, or dies.

The hosts and the worker take turns, so that a point is reached as often in each telling: what is true at the `nth` time in one is
so in the next. Who kills while they work at once is `tests/restart`.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec
from crash.ports import STORE_READS
from crash.shop import ACCOUNT, POLICIES, POLLED, START, STREAMED, Hooked, Polled, Streamed, commands
from pydantic import SecretStr

from onethread import envelope
from onethread.blobs import Blobs
from onethread.connector import Answer, Connector
from onethread.host.backoff import Pace
from onethread.host.channel import Channel, Channels
from onethread.host.http import LentClient
from onethread.host.ingest import Ingest
from onethread.host.lent import Lender
from onethread.host.polling import PollingHost
from onethread.host.problems import send_answer
from onethread.host.pulling import PullHost
from onethread.host.server import HttpServer
from onethread.host.standing import Standing
from onethread.host.stream import StreamHost
from onethread.host.tasks import cancelled
from onethread.host.wakes import Notes
from onethread.host.webhook import WebhookApp
from onethread.log.kafka import KafkaLog
from onethread.log.port import EventLog
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import MESSAGES, topics
from onethread.state.cursors import Cursors
from onethread.state.leases import Lease, Leases
from onethread.state.mongo import MongoState
from onethread.state.port import StateStore
from onethread.state.sqlite import SqliteState
from onethread.state.tokens import Tokens
from onethread.testing.failpoints import FailPoints, Moment, answering, pointed
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations
from unifier.worker import GROUP, Worker

SECRET = SecretStr("acme-webhook-secret-1")
LOOPBACK = (ip_network("127.0.0.0/8"),)
HOOK = "hook-secret-part-01"
PACE = Pace(first=0.01, longest=0.02, contend=0.002, watch=0.005, wakes=60.0, settled=60.0)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
BATCH = 3
"""Records of one batch, so that there are several."""


class Entrance(msgspec.Struct):
    """A real connector with its settings, and how many messages there are for it. `fetches`: what they refer to, is fetched."""

    connector: str
    settings: dict[str, Any]
    messages: int
    fetches: bool = False


class Telling(msgspec.Struct):
    """What one process is told.

    `kills`: the first of these is its end. `commanded`: the number of commands that were accepted before. With `kafka` and
    `mongodb`, these. With an `entrance`, only what comes in there. `passed`: seconds by which its clock is ahead.
    """

    folder: str
    tenant: str
    provider: str
    kills: list[Moment] = []
    commanded: int = 0
    kafka: str = ""
    mongodb: str = ""
    entrance: Entrance | None = None
    passed: float = 0.0

    def log(self) -> EventLog:
        if self.kafka:
            return KafkaLog(self.kafka, client_id="crash", deadline=5, session_timeout=6)
        return SqliteLog(Path(self.folder) / "log.sqlite")

    def state(self) -> StateStore:
        if self.mongodb:
            return MongoState(self.mongodb, "crash")
        return SqliteState(Path(self.folder) / "state.sqlite")

    def store(self) -> ConversationStore:
        if self.mongodb:
            return MongoConversations(self.mongodb, "crash", deadline=5)
        return SqliteConversations(Path(self.folder) / "conversations.sqlite")

    def blobs(self) -> Blobs:
        return Blobs((Path(self.folder) / "blobs").as_uri())

    @property
    def acts(self) -> int:
        """Joining a group takes Kafka a while: everything comes first there, and the worker once."""
        return 1 if self.kafka else 2


class Impatient(Leases):
    """A contender by whose clock the time of a lease has passed as soon as it has met one."""

    def __init__(self, store: StateStore, holder: str) -> None:
        self._passed = 0.0
        super().__init__(store, holder, clock=lambda: self._passed + asyncio.get_running_loop().time())

    async def acquire(self, channel: str, resource: str) -> Lease | None:
        lease = await super().acquire(channel, resource)
        if lease is None:
            self._passed += 20.0
        return lease


class Provided(Lender):
    """A lender with its HTTP client made already: to read the system's certificates takes longer than the story."""

    def __init__(self, client: LentClient, ingest: Ingest, tokens: Tokens) -> None:
        super().__init__(ingest, tokens, pace=PACE, random_source=random.Random(7))
        self._client = client

    def client(self, channel: Channel) -> LentClient:
        return self._client

    async def close(self) -> None:
        await self._client.aclose()


class Parts:
    """One process: hosts, worker, and the HTTP entrance. `say` tells the rig."""

    def __init__(self, telling: Telling, points: FailPoints, say: Callable[[str], None], client: LentClient) -> None:
        self._telling, self._points, self._say = telling, points, say
        self.plain_log, self.plain_state = telling.log(), telling.state()
        self.log = pointed(EventLog, self.plain_log, "log", points)
        self.state = pointed(StateStore, self.plain_state, "state", points)
        self.store = pointed(ConversationStore, telling.store(), "store", points, STORE_READS)
        self.blobs = pointed(Blobs, telling.blobs(), "blobs", points)
        self.channels = Channels()
        ahead = timedelta(seconds=telling.passed)
        now = lambda: datetime.now(UTC) + ahead  # noqa: E731
        self._ingest = Ingest(self.log, self.blobs, self.channels, now=now)
        leases = Impatient(self.state, f"run-{os.getpid()}")
        keys = [SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")]
        self.lender = Provided(client, self._ingest, Tokens(self.state, keys, leases, now=now))
        self.standing = Standing(self.state, now)
        self._cursors = Cursors(self.plain_state)
        common = (self.lender, leases, Cursors(self.state), self.standing)
        self.polling = PollingHost(*common, Notes(self.state))
        self.stream = StreamHost(*common)
        self._webhook = WebhookApp(
            self._ingest, public_url="http://shop.example", lend=self.lender.host, wake=self.polling.wake,
            standing=self.standing,
        )  # fmt: skip
        self._next = asyncio.Event()
        self._answering = answering(self._webhook, "http", points)

    async def tell(self) -> None:
        """The whole story, or what is left of it."""
        self.serve("hook", Hooked(_settings(Hooked, secrets=[SECRET])))
        serving = self.listens()
        for act in range(self._telling.acts):
            await self._next.wait()
            self._next.clear()
            if act == self._telling.acts - 1:
                await self._pull()
                await self._command()
            await self.work()
        await self.close()
        await cancelled([serving])

    def listens(self) -> asyncio.Task[None]:
        """The HTTP entrance, until it is cancelled; the rig is told where."""
        http = HttpServer(self._app, "127.0.0.1", 0)
        self._say(f"port {http.bind()}")
        return asyncio.create_task(http.run_until_stopped())

    async def close(self) -> None:
        """End what is neither log nor store."""
        await self._webhook.stop()
        await self.lender.close()

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"].startswith("/hooks/"):
            await self._answering(scope, receive, send)
        else:
            self._next.set()
            await send_answer(send, Answer())

    def serve(self, name: str, connector: Connector[Any]) -> Channel:
        """A channel of this connector."""
        channel = Channel(
            id=self._id(name), tenant=self._telling.tenant, connector=connector, created_at=START,
            since=LONG_AGO, hook_secret=SecretStr(HOOK), allow_networks=LOOPBACK,
        )  # fmt: skip
        self.channels.add(channel)
        return channel

    def _id(self, name: str) -> str:
        return f"chn_{name}_{self._telling.tenant}"

    async def _pull(self) -> None:
        url = self._telling.provider
        polled = Polled(_settings(Polled, url=f"http://{url}/polled", log_in=True))
        streamed = Streamed(_settings(Streamed, url=f"ws://{url}/streamed"))
        await self._until_read("poll", pointed(Polled, polled, "polling", self._points), self.polling, len(POLLED))
        await self._until_read("live", pointed(Streamed, streamed, "stream", self._points), self.stream, len(STREAMED))

    async def _until_read(self, name: str, connector: Connector[Any], host: PullHost, last: int) -> None:
        channel = self.serve(name, connector)
        running = asyncio.create_task(host.run())
        await until(lambda: self._is_read(channel.id, last), running)
        await cancelled([running])
        await host.stop()
        self.channels.remove(channel.id)

    async def _is_read(self, channel: str, last: int) -> bool:
        return await self._cursors.load(channel, "") == str(last)

    async def _command(self) -> None:
        for number, event in enumerate(commands(self._telling.tenant)):
            if number >= self._telling.commanded:
                await self.log.append(MESSAGES, [envelope.draft(event)])
                self._say("commanded")

    async def work(self) -> None:
        """Until the unifier's lag is zero."""
        worker = Worker(
            self.log, self.store, self.blobs, member="one", policies=POLICIES, batch=BATCH, state=self.state
        )
        running = asyncio.create_task(worker.run(asyncio.Event()))
        await until(lambda: self.is_read(GROUP), running)
        await cancelled([running])

    async def is_read(self, group: str) -> bool:
        """Whether the group has no lag."""
        commits = await self.plain_log.commits(group, MESSAGES)
        extents = await self.plain_log.extents(MESSAGES)
        return all(commits.get(number, 0) >= extent.end for number, extent in extents.items())


def new_client() -> LentClient:
    """For one process."""
    return LentClient(LOOPBACK)


async def tell(telling: Telling, points: FailPoints, say: Callable[[str], None], client: LentClient) -> None:
    """Open, prepare, tell, close."""
    parts = Parts(telling, points, say, client)
    async with parts.log, parts.state, parts.store:
        await parts.store.create_indexes()
        await parts.log.apply(topics(partitions=1))
        await parts.tell()


def _settings(kind: type[Connector[Any]], **fields: Any) -> Any:
    return kind.settings_model()(account=ACCOUNT, **fields)


async def until(holds: Callable[[], Awaitable[bool]], running: asyncio.Task[None]) -> None:
    """Wait for a state that `running` brings about. Raises what ended it before."""
    while not await holds():
        if running.done():
            running.result()
            raise AssertionError("it ended by itself")
        await asyncio.sleep(0.01)
