"""P6: the unifier against Kafka Connect's MongoDB sink on equal topics. The sink stores documents; it threads nobody's messages."""

import asyncio
import contextlib
import time
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient

from bench.backends import Backends
from bench.comparing import Entrant, Goal, Plan
from bench.connect_server import ConnectServer
from bench.contender import Contender, Incomplete, Notes, Usage
from bench.program import usage
from bench.traffic import Traffic
from bench.unifier import Ours, Servers
from onethread.errors import Misconfigured
from onethread.log.kafka import KafkaLog
from onethread.log.port import Topic

GOAL = Goal("P6", must=0.5, stretch=1.0)
_PATIENCE = 120.0
_LOOK = 0.02  # seconds between two looks at how far it is


class Sink(Contender):
    """The sink in its idempotent form: each event replaces the document of its id, or makes it. A message is a unit.

    It is paused while a round's messages are written. How long it takes to wake after that is not counted: its speed is that
    from the first documents seen to the last. Memory and CPU seconds are those of its process.
    """

    def __init__(self, name: str, traffic: Traffic, servers: Servers) -> None:
        self.name, self._traffic, self._servers = name, traffic, servers
        self._topic = Topic(f"bench.{servers.database}", partitions=4, retention_hours=None)
        self._round = 0

    async def open(self, folder: Path) -> None:
        """See Contender."""
        servers = self._servers
        self._stack = contextlib.AsyncExitStack()
        self._log = await self._stack.enter_async_context(KafkaLog(servers.bootstrap, client_id="bench"))
        await self._log.apply([self._topic])
        client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(servers.url)
        self._stack.push_async_callback(client.close)
        self._entries = client[servers.database]["entries"]
        self._server = ConnectServer(
            folder / "connect", servers.bootstrap, servers.url, self._topic.name, servers.database
        )
        self._stack.callback(self._server.stop)
        await asyncio.to_thread(self._server.start)

    async def close(self) -> None:
        """See Contender."""
        await self._stack.aclose()

    async def prepare(self) -> None:
        """See Contender."""
        await asyncio.to_thread(self._server.pause)
        await self._log.append(self._topic.name, self._traffic.drafts(self._round))
        self._round += 1

    async def run(self) -> int:
        """See Contender."""
        before, wanted = (self._round - 1) * self._traffic.messages, self._round * self._traffic.messages
        await asyncio.to_thread(self._server.resume)
        began = time.perf_counter()
        first, first_at, stored = 0, 0.0, before
        while stored < wanted:
            await asyncio.sleep(_LOOK)
            stored, at = await self._entries.estimated_document_count(), time.perf_counter()
            if not first and stored > before:
                first, first_at = stored, at
            if at - began > _PATIENCE:
                raise Incomplete(f"the sink stored {stored} of {wanted} documents within {_PATIENCE:g} s")
        if first >= wanted:
            raise Incomplete("the sink stored all between two looks: give it more messages a round")
        self._each = (at - first_at) / (wanted - first)
        return self._traffic.messages

    async def check(self) -> None:
        """See Contender: every event is a document, and the sink has committed all it read."""
        stored = await self._entries.count_documents({})
        lag, until = await self._lag(), time.monotonic() + 30
        while lag and time.monotonic() < until:
            await asyncio.sleep(_LOOK)
            lag = await self._lag()
        if lag or stored != self._round * self._traffic.messages:
            raise Incomplete(f"{stored} of {self._round * self._traffic.messages} documents stored, lag {lag}")

    def program(self) -> Usage | None:
        """See Contender: the Java process."""
        return usage(self._server.pid)

    def seconds(self) -> float | None:
        """See Contender."""
        return self._each

    def notes(self) -> Notes:
        """What it does not do."""
        return {"rounds checked": self._round, "identities, threading, heads": "none"}

    async def _lag(self) -> int:
        commits = await self._log.commits(f"connect-{self._server.sink}", self._topic.name)
        ends = await self._log.extents(self._topic.name)
        return sum(extent.end - commits.get(number, extent.begin) for number, extent in ends.items())


def plans(backends: Backends, quick: bool) -> list[Plan]:  # noqa: FBT001 -- one signature for all benches
    """The two kinds of traffic that P5 has a goal for."""
    messages = 500 if quick else 1_000
    cases = {
        "distinct": (Traffic(messages), "one message each of known customers"),
        "burst20": (Traffic(messages, burst=20), "20 messages each"),
    }
    return [_plan(backends, f"sink-{name}", *case, quick=quick) for name, case in cases.items()]


def _plan(backends: Backends, name: str, traffic: Traffic, what: str, *, quick: bool) -> Plan:
    title = f"{what}; Kafka and the MongoDB protocol"
    try:
        bootstrap, url = backends.kafka(), backends.mongo()
        ConnectServer.fetch()
    except Misconfigured as error:
        return Plan(name, title, "messages", missing=str(error))
    sink = Sink("Kafka Connect's sink, upserts", traffic, Servers(bootstrap, url, name.replace("-", "_")))
    ours = Ours("onethread unifier", traffic, Servers(bootstrap, url, f"ours_{name}".replace("-", "_")))
    return Plan(name, title, "messages", (Entrant(sink), Entrant(ours, GOAL)), rounds=1 if quick else 3)
