"""S1: what a message costs beside few stored conversations and beside many, in time and in counts. It knows no rule of threading."""

import contextlib
import random
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from pymongo import AsyncMongoClient, monitoring

from bench.backends import Backends
from bench.comparing import Entrant, Goal, Plan
from bench.contender import Contender, Incomplete, Notes
from bench.counting import READS, WRITES, Commands, Count, counting
from bench.instructions import Instructions
from bench.traffic import TENANT, drafts_of
from onethread.blobs import Blobs
from onethread.envelope import read
from onethread.errors import Misconfigured
from onethread.log.port import Draft, Record
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import DEAD_LETTERS, MESSAGES, topics
from unifier.model import scoped
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations
from unifier.worker import BATCH, Worker

GOAL = Goal("S1", must=0.77)  # 1.3 times the time
_BATCHES = 2


class Grown(Contender):
    """`Worker.apply` on messages of customers drawn from `stored` known ones. A message is a unit; polling is left out.

    `batch`: messages of one. `url` "": SQLite. Each round has a new worker: one that remembers some customers would
    cost less beside few than beside many, and it is the store's growth that is asked for. One batch is counted before the first
    round; what counts the calls stays, a few microseconds a batch.
    """

    def __init__(self, name: str, stored: int, batch: int, url: str, database: str) -> None:
        self.name, self._stored, self._batch, self._url, self._database = name, stored, batch, url, database
        self._round = 0

    async def open(self, folder: Path) -> None:
        """See Contender: fills the store by the worker, over SQLite in batches larger than its own; then counts."""
        self._stack = contextlib.AsyncExitStack()
        self._folder = folder
        self._commands, self._instructions = Commands(), Instructions()
        if self._url:
            monitoring.register(self._commands)
        self._log = await self._stack.enter_async_context(SqliteLog(folder / "log.sqlite"))
        await self._log.apply(topics(partitions=4))
        self._store = await self._stack.enter_async_context(self._new_store())
        await self._store.create_indexes()
        self._count = Count()
        self._worker = self._new_worker()
        # SecantusDB waits for the journal at each update: larger batches would outlast the driver's patience.
        together = BATCH if self._url else 5 * BATCH
        for begin in range(0, self._stored, together):
            customers = range(begin, min(begin + together, self._stored))
            await self._worker.apply(_records(drafts_of(customers, 0), begin))
        await self._counted()

    async def close(self) -> None:
        """See Contender."""
        await self._stack.aclose()

    async def prepare(self) -> None:
        """See Contender: no customer twice in a round."""
        self._round += 1
        self._worker = self._new_worker()
        chosen = random.Random(self._round).sample(range(self._stored), self._batch * _BATCHES)
        records = _records(drafts_of(chosen, self._round))
        self._batches = [records[begin : begin + self._batch] for begin in range(0, len(records), self._batch)]

    async def run(self) -> int:
        """See Contender."""
        for records in self._batches:
            await self._worker.apply(records)
        return self._batch * _BATCHES

    async def check(self) -> None:
        """See Contender: each is stored, in the conversation that its customer had; none set aside."""
        ids = [_entry_id(record) for records in self._batches for record in records]
        found = await self._store.entries(ids)
        opened = sum(entry.placement.rule == "opened" for entry in found.values())
        aside = sum(extent.end for extent in (await self._log.extents(DEAD_LETTERS)).values())
        if len(found) != len(ids) or opened or aside:
            raise Incomplete(f"{len(found)} of {len(ids)} stored, {opened} opened a conversation, {aside} set aside")

    def notes(self) -> Notes:
        """What one batch asked of the store."""
        return self._asked

    async def _counted(self) -> None:
        count = self._count
        await self.prepare()
        count.clear()
        async with self._watched():
            await self._worker.apply(self._batches[0])
        finds, self._commands.finds = self._commands.finds or [], None
        messages, sent = self._batch, self._commands.sent.total()
        written = count.items["claim keys"] + count.items["claim clocks"] + sum(count.items[name] for name in WRITES)
        self._asked: Notes = {
            "stored conversations": self._stored,
            "calls of the store a batch": count.calls.total(),
            "ids looked up a message": sum(count.items[name] for name in READS) / messages,
            "documents given to write a message": written / messages,
        }
        if self._url:
            self._asked["MongoDB commands a batch"] = sent
            self._asked["MongoDB documents returned a message"] = self._commands.returned / messages
            keys, documents = await self._examined(finds)
            self._asked["keys examined a message, by explain"] = keys / messages
            self._asked["documents examined a message, by explain"] = documents / messages
        else:
            self._asked["SQLite instructions a message"] = round(self._instructions.count / messages)

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        self._commands.clear()
        self._commands.finds = []
        if isinstance(self._store, SqliteConversations):
            async with self._instructions.watched(self._store):
                yield
        else:
            yield

    async def _examined(self, finds: Sequence[dict[str, Any]]) -> tuple[int, int]:
        """Keys and documents that the server says these finds examine."""
        keys = documents = 0
        async with AsyncMongoClient[dict[str, Any]](self._url) as client:
            for find in finds:
                told = await client[self._database].command("explain", find, verbosity="executionStats")
                keys += told["executionStats"]["totalKeysExamined"]
                documents += told["executionStats"]["totalDocsExamined"]
        return keys, documents

    def _new_worker(self) -> Worker:
        blobs = Blobs((self._folder / "blobs").as_uri())
        return Worker(self._log, counting(self._store, self._count), blobs, member="bench")

    def _new_store(self) -> ConversationStore:
        if self._url:
            return MongoConversations(self._url, self._database)
        return SqliteConversations(self._folder / "conversations.sqlite")


def plans(backends: Backends, quick: bool) -> list[Plan]:  # noqa: FBT001 -- one signature for all benches
    """Over SQLite, then over the MongoDB protocol where a server can be started."""
    sizes = (200, 2_000) if quick else (1_000, 10_000, 100_000)
    found = [_plan("growth-sqlite", "SQLite", sizes, "", quick=quick)]
    try:
        found.append(_plan("growth-mongo", "the MongoDB protocol", sizes[:2], backends.mongo(), quick=quick))
    except Misconfigured as error:
        found.append(Plan("growth-mongo", "the MongoDB protocol", "messages", missing=str(error)))
    return found


def _plan(name: str, over: str, sizes: Sequence[int], url: str, *, quick: bool) -> Plan:
    batch = min(BATCH, sizes[0] // _BATCHES)
    contenders = [Grown(f"{size:,} conversations", size, batch, url, f"grown_{size}") for size in sizes]
    entrants = (Entrant(contenders[0]), *(Entrant(one, GOAL) for one in contenders[1:]))
    title = f"messages of known customers beside stored conversations; {over}"
    return Plan(name, title, "messages", entrants, rounds=2 if quick else 5)


def _records(drafts: Sequence[Draft], first: int = 0) -> list[Record]:
    return [
        Record(MESSAGES, 0, first + index, 0, draft.key, draft.value, draft.headers)
        for index, draft in enumerate(drafts)
    ]


def _entry_id(record: Record) -> str:
    event = read(record.value, record.headers)
    return scoped(TENANT, event.id)
