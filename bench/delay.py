"""P9: how long a message takes from confirmed by the log to readable in the store, at half of the unifier's peak rate.

Against consume and insert at the same rate, with the same log and the same producer. Messages come one by one at even
intervals, whoever waits for whom (an open loop), so that a slow moment is seen by all that come in it.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.backends import Backends
from bench.child import Child
from bench.comparing import Entrant, Goal, Plan
from bench.contender import Contender, Incomplete, Notes
from bench.pacing import Pacing
from bench.traffic import TENANT, Traffic
from bench.unifier import Ours as Peak
from bench.unifier import Servers
from bench.unifier_baseline import TOPIC, Baseline, ServersBaseline, SqliteBaseline
from onethread.blobs import Blobs
from onethread.envelope import read
from onethread.errors import Misconfigured
from onethread.log.kafka import KafkaLog
from onethread.log.port import Draft
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import DEAD_LETTERS, MESSAGES, topics
from unifier.model import Entry, Head, Outcome, scoped
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations
from unifier.worker import GROUP, Worker

GOAL = Goal("P9", must=0.10, stretch=0.25)  # 10 and 4 times the delay
_PATIENCE = 60.0


class Ours(Contender):
    """The worker beside the producer. Readable: the entry is inserted and its strand's head covers it. A message is a unit."""

    def __init__(self, name: str, traffic: Traffic, rate: float, servers: Servers | None) -> None:
        self.name, self._traffic, self._rate, self._servers = name, traffic, rate, servers
        self._round = 0

    async def open(self, folder: Path) -> None:
        """See Contender."""
        servers = self._servers
        self._stack = contextlib.AsyncExitStack()
        self._pacing = Pacing(self._rate)
        self._log = await self._stack.enter_async_context(
            KafkaLog(servers.bootstrap, client_id="bench") if servers else SqliteLog(folder / "log.sqlite")
        )
        await self._log.apply(topics(partitions=4))
        self._store: ConversationStore = await self._stack.enter_async_context(
            MongoConversations(servers.url, servers.database)
            if servers
            else SqliteConversations(folder / "conversations.sqlite")
        )
        await self._store.create_indexes()
        seen = telling(self._store, self._pacing.seen)
        worker = Worker(self._log, seen, Blobs((folder / "blobs").as_uri()), member="bench")
        self._stop = asyncio.Event()
        self._working = asyncio.create_task(worker.run(self._stop))
        self._stack.push_async_callback(self._stopped)

    async def close(self) -> None:
        """See Contender."""
        await self._stack.aclose()

    async def prepare(self) -> None:
        """See Contender."""
        drafts = self._traffic.drafts(self._round)
        self._ids = _ids(drafts)
        self._pacing.give(self._ids, drafts)
        self._round += 1

    async def run(self) -> int:
        """See Contender: until the last one is readable."""
        await self._pacing.run(self._log, MESSAGES, self._working, _PATIENCE)
        return self._traffic.messages

    async def check(self) -> None:
        """See Contender: all stored, nothing set aside, lag zero."""
        found = await self._store.entries(self._ids)
        aside = sum(extent.end for extent in (await self._log.extents(DEAD_LETTERS)).values())
        async with asyncio.timeout(_PATIENCE):
            while await self._lag():  # noqa: ASYNC110 -- what is readable may not be committed yet, and no log tells when
                await asyncio.sleep(0.01)
        if len(found) != self._traffic.messages or aside:
            raise Incomplete(f"{len(found)} of {self._traffic.messages} entries stored, {aside} dead letters")

    def seconds(self) -> float | None:
        """See Contender."""
        return self._pacing.p99

    def notes(self) -> Notes:
        """The last round."""
        return self._pacing.notes()

    async def _lag(self) -> int:
        commits = await self._log.commits(GROUP, MESSAGES)
        ends = await self._log.extents(MESSAGES)
        return sum(extent.end - commits.get(number, extent.begin) for number, extent in ends.items())

    async def _stopped(self) -> None:
        self._stop.set()
        await self._working


class Raw(Baseline):
    """Consume and insert, each batch as soon as it is there. Readable: its insert has returned. Mixed into a baseline of P5."""

    def __init__(self, *arguments: Any, rate: float) -> None:
        super().__init__(*arguments)
        self._pacing = Pacing(rate)

    async def prepare(self) -> None:
        """See Contender."""
        drafts = self._traffic.drafts(self._round)
        self._pacing.give(_ids(drafts), drafts)
        self._round += 1

    async def run(self) -> int:
        """See Contender."""
        consuming = asyncio.create_task(super().run())
        await self._pacing.run(self._log, TOPIC.name, consuming, _PATIENCE)
        return await consuming

    def stored(self, ids: Collection[str]) -> None:
        """See Baseline."""
        self._pacing.seen(ids)

    def seconds(self) -> float | None:
        """See Contender."""
        return self._pacing.p99

    def notes(self) -> Notes:
        """The last round."""
        return self._pacing.notes()


class RawSqlite(Raw, SqliteBaseline):
    """Over SQLite."""


class RawServers(Raw, ServersBaseline):
    """With aiokafka and pymongo."""


def plans(backends: Backends, quick: bool) -> list[Plan]:  # noqa: FBT001 -- one signature for all benches
    """Over SQLite, then over real servers where they can be started. The peak is taken first, of the same traffic in bulk."""
    found = [_plan("delay-sqlite", "SQLite", backends.folder("peak-sqlite"), None, quick=quick)]
    name, over = "delay-servers", "Kafka and the MongoDB protocol"
    try:
        servers = Servers(backends.kafka(), backends.mongo(), "delay")
    except Misconfigured as error:
        return [*found, Plan(name, over, "messages", missing=str(error))]
    return [*found, _plan(name, over, backends.folder("peak-servers"), servers, quick=quick)]


def _plan(name: str, over: str, folder: Path, servers: Servers | None, *, quick: bool) -> Plan:
    rate = _peak(folder, servers, 500 if quick or servers else 2_000) / 2
    messages = round(min(5_000, max(200, rate * (2 if quick else 8))))
    traffic = Traffic(messages)
    ours = Ours("onethread unifier", traffic, rate, servers)
    raw: Raw
    if servers:
        raw = RawServers("aiokafka + insert_many", traffic, servers.bootstrap, servers.url, "delay_raw", rate=rate)
    else:
        raw = RawSqlite("consume + bulk insert", traffic, rate=rate)
    title = f"from confirmed by the log to readable, {rate:,.0f} messages a second (half of peak); {over}"
    entrants = (Entrant(raw), Entrant(ours, GOAL))
    return Plan(name, title, "messages", entrants, rounds=1 if quick else 3, measure="p99 µs")


def _peak(folder: Path, servers: Servers | None, messages: int) -> float:
    """Messages a second in bulk, of known customers: the second round of two."""
    if servers:
        servers = msgspec.structs.replace(servers, database="delay_peak")
    with Child(Peak("the peak", Traffic(messages), servers), folder / "peak") as child:
        child.round()
        sample = child.round()
    return sample.units / sample.wall


def telling(store: ConversationStore, seen: Callable[[Collection[str]], None]) -> ConversationStore:
    """The store; `seen` is told the ids of entries once they are inserted and their strands' heads cover them."""
    waiting: dict[str, list[Entry]] = {}

    def passed(name: str) -> Callable[..., Any]:
        async def method(_: ConversationStore, *arguments: Any, **named: Any) -> Any:
            return await getattr(store, name)(*arguments, **named)

        return method

    async def insert(_: ConversationStore, entries: Sequence[Entry]) -> list[Outcome]:
        for entry in entries:
            waiting.setdefault(entry.strand, []).append(entry)
        return await store.insert(entries)

    async def fold(_: ConversationStore, heads: Sequence[tuple[Head, int]]) -> set[str]:
        written = await store.fold(heads)
        for head, _before in heads:
            if head.id in written:
                left = waiting.pop(head.id, [])
                seen([entry.id for entry in left if entry.seq <= head.through])
                waiting[head.id] = [entry for entry in left if entry.seq > head.through]
        return written

    methods = {name: passed(name) for name in ConversationStore.__abstractmethods__}
    made: ConversationStore = type("Telling", (ConversationStore,), {**methods, "insert": insert, "fold": fold})()
    return made


def _ids(drafts: Sequence[Draft]) -> list[str]:
    return [scoped(TENANT, read(draft.value, draft.headers).id) for draft in drafts]
