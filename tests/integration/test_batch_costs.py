"""What a batch costs, in counts: they are the same on every machine, where times are not. A test of speed is in `bench/`.

Chat messages of known customers, in the steady state: a worker goes on with conversations that it knows.
"""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from pymongo import monitoring

from bench.counting import READS, WRITES, Commands, Count, counting
from bench.traffic import Traffic
from onethread import envelope
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import topics
from onethread.testing.servers.mongodb import MongoServer
from unifier.batch import Batch
from unifier.memory import Memory
from unifier.policy import Policy
from unifier.publishing import Publisher
from unifier.reading import Reading, read
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations

SIZES = (10, 100, 500)


class Worker:
    """Applies rounds of traffic as one worker does; what the last one asked of its store is counted."""

    def __init__(self, store: ConversationStore, log: SqliteLog) -> None:
        self.count = Count()
        self.commands = Commands()
        self._store = counting(store, self.count)
        self._log = log
        self._memory = Memory()

    async def apply(self, traffic: Traffic, number: int, *, memory: Memory | None = None) -> None:
        self.count.clear()
        self.commands.clear()
        batch = Batch(self._store, Publisher(self._store, self._log), lambda: 0, memory=memory or self._memory)
        await batch.apply(readings(traffic, number))

    @property
    def named(self) -> int:
        """Ids looked up."""
        return sum(self.count.items[name] for name in READS)

    @property
    def given(self) -> int:
        """Documents given to write."""
        claimed = sum(self.count.items[f"claim {part}"] for part in ("keys", "clocks", "identities"))
        return claimed + sum(self.count.items[name] for name in WRITES)


def readings(traffic: Traffic, number: int) -> list[Reading]:
    return [read(envelope.read(draft.value, draft.headers), Policy()) for draft in traffic.drafts(number)]


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteLog]:
    async with SqliteLog(tmp_path / "log.sqlite") as log:
        await log.apply(topics())
        yield log


@pytest.fixture
async def sqlite(tmp_path: Path, log: SqliteLog) -> AsyncIterator[Worker]:
    async with SqliteConversations(tmp_path / "conversations.sqlite") as store:
        await store.create_indexes()
        yield Worker(store, log)


@pytest.fixture
def listening() -> Iterator[Commands]:
    """For the clients that are made after it; they are told apart by their own counts being cleared."""
    commands = Commands()
    monitoring.register(commands)
    yield commands
    commands.clear()


@pytest.fixture
async def mongodb(mongo_server: MongoServer, listening: Commands, log: SqliteLog) -> AsyncIterator[Worker]:
    async with AsyncExitStack() as stack:
        store = MongoConversations(mongo_server.url, f"costs_{uuid.uuid4().hex}")
        await stack.enter_async_context(store)
        await store.create_indexes()
        worker = Worker(store, log)
        worker.commands = listening
        yield worker


@pytest.mark.parametrize("size", SIZES)
async def test_a_batch_of_known_customers_over_sqlite(sqlite: Worker, size: int) -> None:
    for number in range(2):
        await sqlite.apply(Traffic(size), number)
    assert sqlite.count.calls == {"claim": 1, "insert": 1, "look": 1, "fold": 1}  # each is one transaction
    assert sqlite.named <= 2 * size
    assert sqlite.given <= 3 * size


@pytest.mark.parametrize("size", SIZES)
async def test_a_batch_of_known_customers_over_mongodb(mongodb: Worker, size: int) -> None:
    for number in range(2):
        await mongodb.apply(Traffic(size), number)
    sent = mongodb.commands.sent
    assert sent.total() <= 8, sent
    assert not [name for name in sent if name.startswith("getMore")]
    assert mongodb.commands.asked <= 2 * size + 2  # the epoch, and the revisions of the tenant's people
    assert mongodb.commands.written.total() <= 3 * size


async def test_messages_of_one_customer_in_a_batch_share_what_they_write(mongodb: Worker) -> None:
    for number in range(2):
        await mongodb.apply(Traffic(500, burst=20), number)
    assert mongodb.commands.sent.total() <= 8, mongodb.commands.sent
    assert mongodb.commands.written.total() <= 500 + 2 * 25


@pytest.mark.parametrize("known", [True, False])
async def test_of_customers_that_the_worker_does_not_know_the_number_of_round_trips_is_bounded_too(
    mongodb: Worker, *, known: bool
) -> None:
    for turn, size in enumerate(SIZES):
        for number in (2 * turn, 2 * turn + 1):
            await mongodb.apply(Traffic(size, known=known), number, memory=Memory())
        assert mongodb.commands.sent.total() <= 24, mongodb.commands.sent
