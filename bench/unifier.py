"""P5 and P5n: the unifier's own loop, against consuming and inserting the same entries in bulk. It knows no rule of threading."""

import asyncio
import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
from pymongo import AsyncMongoClient, monitoring

from bench.backends import Backends
from bench.comparing import Entrant, Goal, Plan
from bench.contender import Contender, Incomplete, Notes
from bench.counting import READS, WRITES, Commands, Count, counting
from bench.gate import Gate, GatedLog
from bench.traffic import Traffic
from bench.unifier_baseline import Baseline, ServersBaseline, SqliteBaseline
from onethread.blobs import Blobs
from onethread.errors import Misconfigured
from onethread.log.kafka import KafkaLog
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import DEAD_LETTERS, MESSAGES, topics
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations
from unifier.worker import GROUP, Worker

_PATIENCE = 90.0


class Servers(msgspec.Struct, frozen=True):
    """Where Kafka and MongoDB are; `database`: this contender's own."""

    bootstrap: str
    url: str
    database: str


class Ours(Contender):
    """`Worker.run` over SQLite, or over `servers`. A message is a unit. `counted`: every call is counted, and nothing timed."""

    def __init__(self, name: str, traffic: Traffic, servers: Servers | None, *, counted: bool = False) -> None:
        self.name, self._traffic, self._servers, self._counted = name, traffic, servers, counted
        self._round = 0

    async def open(self, folder: Path) -> None:
        """See Contender."""
        self._stack = contextlib.AsyncExitStack()
        self._folder = folder
        self._count, self._commands = Count(), Commands()
        if self._counted:
            monitoring.register(self._commands)
        self._gate = Gate()
        log = (
            KafkaLog(self._servers.bootstrap, client_id="bench") if self._servers else SqliteLog(folder / "log.sqlite")
        )
        self._log = await self._stack.enter_async_context(GatedLog(log, self._gate))
        await self._log.apply(topics(partitions=4))
        store = await self._stack.enter_async_context(self._store())
        await store.create_indexes()
        watched = counting(store, self._count) if self._counted else store
        worker = Worker(self._log, watched, Blobs((folder / "blobs").as_uri()), member="bench")
        self._stop = asyncio.Event()
        self._working = asyncio.create_task(worker.run(self._stop))
        self._stack.push_async_callback(self._stopped)

    async def close(self) -> None:
        """See Contender."""
        await self._stack.aclose()

    async def prepare(self) -> None:
        """See Contender."""
        await self._log.append(MESSAGES, self._traffic.drafts(self._round))
        self._round += 1
        self._count.clear()
        self._commands.clear()
        self._gate.batches = self._log.appends = 0

    async def run(self) -> int:
        """See Contender: from the first poll to the last commit."""
        self._gate.open(self._traffic.messages)
        passed = asyncio.create_task(self._gate.passed.wait())
        await asyncio.wait({passed, self._working}, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if not passed.done():
            passed.cancel()
            raise Incomplete(f"the worker stopped, or took longer than {_PATIENCE:g} s")
        if self._counted:
            self._asked = self._noted()
        return self._traffic.messages

    async def check(self) -> None:
        """See Contender: all stored, nothing set aside, lag zero."""
        stored, wanted = await self._stored(), self._round * self._traffic.messages
        aside = sum(extent.end for extent in (await self._log.extents(DEAD_LETTERS)).values())
        commits = await self._log.commits(GROUP, MESSAGES)
        ends = await self._log.extents(MESSAGES)
        lag = sum(extent.end - commits.get(number, extent.begin) for number, extent in ends.items())
        if lag or aside or stored != wanted:
            raise Incomplete(f"{stored} of {wanted} entries stored, {aside} dead letters, lag {lag}")

    def notes(self) -> Notes:
        """What the last round asked of the store."""
        return self._asked if self._counted else {}

    def _noted(self) -> Notes:
        """Per batch the calls, per message what they name."""
        batches, messages, count = self._gate.batches, self._traffic.messages, self._count
        reads = sum(count.items[name] for name in READS)
        claimed = count.items["claim keys"] + count.items["claim clocks"]
        written = claimed + sum(count.items[name] for name in WRITES)
        told: Notes = {
            "messages a batch": messages / batches,
            "calls of the store a batch": count.calls.total() / batches,
            "appends to the log a batch": self._log.appends / batches,
            "ids looked up a message": reads / messages,
            "documents given to write a message": written / messages,
        }
        for name, calls in sorted(count.calls.items()):
            items = [one for one in sorted(count.items) if one.partition(" ")[0] == name]
            each = ", ".join(f"{count.items[one] / messages:g}{one.removeprefix(name)}" for one in items)
            told[f"  store: {name}"] = f"{calls / batches:g} a batch, {each} a message"
        if self._servers:
            told["MongoDB commands a batch"] = self._commands.sent.total() / batches
            told["MongoDB documents written a message"] = self._commands.written.total() / messages
            told |= {
                f"  MongoDB: {name}": f"{sent / batches:g} a batch"
                for name, sent in sorted(self._commands.sent.items())
            }
        return told

    def _store(self) -> ConversationStore:
        if self._servers:
            return MongoConversations(self._servers.url, self._servers.database)
        return SqliteConversations(self._folder / "conversations.sqlite")

    async def _stored(self) -> int:
        if self._servers:
            client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(self._servers.url)
            async with client:
                return await client[self._servers.database]["entries"].count_documents({})
        with contextlib.closing(sqlite3.connect(self._folder / "conversations.sqlite")) as file:
            (stored,) = file.execute("SELECT count(*) FROM entries").fetchone()
            return int(stored)

    async def _stopped(self) -> None:
        self._stop.set()
        await self._working


def plans(backends: Backends, quick: bool) -> list[Plan]:  # noqa: FBT001 -- one signature for all benches
    """Over SQLite, then over real servers where they can be started."""
    messages = 1_000 if quick else 2_000  # over servers a quarter
    cases = {
        "distinct": (Traffic(messages), "one message each of known customers", Goal("P5", must=0.20, stretch=0.35)),
        "burst20": (Traffic(messages, burst=20), "20 messages each", Goal("P5", must=0.40, stretch=0.65)),
        "new": (Traffic(messages, known=False), "one message each of customers never seen", None),
    }
    return [
        *(_sqlite(name, *case, quick=quick) for name, case in cases.items()),
        *(_servers(backends, name, *case, quick=quick) for name, case in cases.items() if name != "new"),
    ]


def _sqlite(name: str, traffic: Traffic, what: str, _: Goal | None, *, quick: bool) -> Plan:
    """No goal: those are of the servers."""
    return _plan(
        f"unifier-sqlite-{name}",
        f"{what}; SQLite log and store",
        SqliteBaseline("consume + bulk insert", traffic),
        Ours("onethread unifier", traffic, None),
        None,
        Ours(f"unifier-sqlite-{name}, counted", traffic, None, counted=True),
        rounds=5,
        quick=quick,
    )


def _servers(backends: Backends, name: str, traffic: Traffic, what: str, goal: Goal | None, *, quick: bool) -> Plan:
    label, title = f"unifier-servers-{name}", f"{what}; Kafka and the MongoDB protocol"
    traffic = msgspec.structs.replace(traffic, messages=traffic.messages // 4)
    try:
        bootstrap, url = backends.kafka(), backends.mongo()
    except Misconfigured as error:
        return Plan(label, title, "messages", missing=str(error))
    return _plan(
        label,
        title,
        ServersBaseline("aiokafka + insert_many", traffic, bootstrap, url, f"baseline_{name}"),
        Ours("onethread unifier", traffic, Servers(bootstrap, url, f"ours_{name}")),
        goal,
        Ours(f"{label}, counted", traffic, Servers(bootstrap, url, f"counted_{name}"), counted=True),
        rounds=3,
        quick=quick,
    )


def _plan(
    name: str, title: str, baseline: Baseline, ours: Ours, goal: Goal | None, counted: Ours, *, rounds: int, quick: bool
) -> Plan:
    entrants = (Entrant(baseline), Entrant(ours, goal))
    return Plan(name, title, "messages", entrants, rounds=2 if quick else rounds, counted=(counted,))
