"""Whatever the order, the repeats, the races and the deaths: the grouping is that of the plain reference."""

import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from grouping.dialogues import dialogue, encounter
from grouping.facts import Dialogue
from grouping.hunt import run
from grouping.inline import in_memory

from onethread.log.sqlite import SqliteLog
from onethread.log.topics import topics
from onethread.testing.servers.mongodb import MongoServer
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations

Ports = tuple[ConversationStore, SqliteLog]


def block(number: int, size: int) -> list[Dialogue]:
    """Every other one is dense in races."""
    return [(dialogue, encounter)[seed % 2](seed) for seed in range(number * size, (number + 1) * size)]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """In memory where there is such a place: here the disk only costs time, no power is lost."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as found:
        yield Path(found)


@pytest.fixture
async def sqlite(folder: Path) -> AsyncIterator[Ports]:
    async with SqliteConversations(folder / "conversations.sqlite") as store, SqliteLog(folder / "log.sqlite") as log:
        await store.create_indexes()
        await log.apply(topics())
        yield store, log


@pytest.fixture
async def mongodb(mongo_server: MongoServer) -> AsyncIterator[Ports]:
    async with AsyncExitStack() as stack:
        memory = await stack.enter_async_context(in_memory())
        store = MongoConversations(mongo_server.url, f"grouping_{uuid.uuid4().hex}")
        await stack.enter_async_context(store)
        await store.create_indexes()
        yield store, memory.log


@pytest.mark.parametrize("number", range(10))
async def test_any_order_ends_in_the_grouping_of_the_reference(sqlite: Ports, number: int) -> None:
    assert await run(block(number, 5), 20, *sqlite) == ""


async def test_any_order_ends_in_the_same_over_mongodb(mongodb: Ports) -> None:
    assert await run(block(0, 5), 5, *mongodb) == ""


@pytest.mark.soak
@pytest.mark.timeout(0)
@pytest.mark.parametrize("number", range(10))
async def test_of_many_more_dialogues_too(sqlite: Ports, number: int) -> None:
    assert await run(block(number, 50), 20, *sqlite) == ""


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_of_many_more_dialogues_too_over_mongodb(mongodb: Ports) -> None:
    assert await run(block(0, 50), 5, *mongodb) == ""
