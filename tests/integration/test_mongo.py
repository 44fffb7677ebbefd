"""What becomes of the MongoDB adapters when the database is gone, slow, killed, or not as it should be."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from onethread.errors import Conflict, Misconfigured, Poison, Retryable, Unconfirmed
from onethread.mongo import IndexModel, InsertOne, Mongo, UpdateOne
from onethread.state.mongo import MongoState
from onethread.testing.servers.mongodb import MongoServer
from onethread.testing.servers.proxy import TcpProxy
from unifier.store.mongo import MongoConversations
from unifier.testing.samples import entry


@pytest.fixture
def name() -> str:
    return f"faults_{uuid.uuid4().hex}"


@pytest.fixture
def proxy(new_mongo_server: Callable[[], MongoServer]) -> Iterator[TcpProxy]:
    server = new_mongo_server()
    with TcpProxy((server.host, server.port)) as proxy:
        yield proxy


@pytest.fixture
async def state(proxy: TcpProxy) -> AsyncIterator[MongoState]:
    url = f"mongodb://{proxy.host}:{proxy.port}/?directConnection=true"
    async with MongoState(url, "faults", deadline=1) as state:
        yield state


async def until_written(state: MongoState, key: str) -> None:
    """Write until it is confirmed; a repeat that finds the first attempt there is as good."""
    while True:
        try:
            await state.put("things", key, b"x", 0)
        except Conflict:
            return
        except Retryable:
            continue
        return


async def test_a_server_that_is_not_there_is_retryable_and_named() -> None:
    began = time.monotonic()
    with pytest.raises(Retryable, match=r"store\.url") as caught:
        await MongoState("mongodb://127.0.0.1:1/", "x", deadline=0.5).open()
    assert not isinstance(caught.value, Unconfirmed)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("url", ["", "http://example.com", "mongodb://", "mongodb://h/?w=never&maxPoolSize=none"])
async def test_a_url_that_is_none_needs_a_person(url: str) -> None:
    with pytest.raises(Misconfigured, match=r"store\.url"):
        await MongoState(url, "x", deadline=0.5).open()


async def test_no_address_or_password_is_in_an_error() -> None:
    for url in ("mongodb://mia:geheim@127.0.0.1:1/", "mongodb://mia:geheim@127.0.0.1:x/"):
        with pytest.raises((Retryable, Misconfigured)) as caught:
            await MongoState(url, "x", deadline=0.2).open()
        assert "geheim" not in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)


async def test_a_connection_that_breaks_is_repaired(state: MongoState, proxy: TcpProxy) -> None:
    await state.put("things", "a", b"x", 0)
    for number in range(3):
        proxy.cut()
        await until_written(state, f"b{number}")
    assert len(await state.scan("things")) == 4


async def test_a_server_that_falls_silent_hangs_nobody(state: MongoState, proxy: TcpProxy) -> None:
    await state.put("things", "a", b"x", 0)
    proxy.freeze()
    began = time.monotonic()
    with pytest.raises(Unconfirmed, match=r"store\.url"):
        await state.put("things", "b", b"x", 0)
    with pytest.raises(Retryable, match=r"store\.url"):
        await state.get("things", "a")
    assert time.monotonic() - began < 20
    proxy.thaw()
    await until_written(state, "b")
    assert len(await state.scan("things")) == 2


async def test_a_server_that_is_killed_under_writers_loses_nothing(
    new_mongo_server: Callable[[], MongoServer], name: str
) -> None:
    server = new_mongo_server()
    async with MongoConversations(server.url, name, deadline=3) as store:
        await store.create_indexes()
        confirmed = [0, 0, 0, 0]

        async def write(who: int) -> None:
            while confirmed[who] < 60:
                seq = confirmed[who] + 1
                try:
                    (outcome,) = await store.insert([entry(f"acme/cnv_{who}", seq)])
                except Retryable:
                    continue
                assert outcome.result in ("inserted", "id_taken")
                confirmed[who] = seq

        writing = asyncio.gather(*(write(who) for who in range(4)))
        while min(confirmed) < 20:  # noqa: ASYNC110 -- a state, not a moment
            await asyncio.sleep(0.01)
        await asyncio.to_thread(server.restart)
        await writing
        for who in range(4):
            assert [one.seq for one in await store.run(f"acme/cnv_{who}", 0, 1000)] == list(range(1, 61))


async def test_without_its_unique_index_nothing_is_inserted(mongo_server: MongoServer, name: str) -> None:
    async with MongoConversations(mongo_server.url, name) as store:
        with pytest.raises(Misconfigured, match=r"store\.url.*indexes"):
            await store.insert([entry("acme/cnv_1", 1)])
        await store.create_indexes()
        await store.insert([entry("acme/cnv_1", 1)])


async def test_what_no_document_can_hold_is_poison(mongo_server: MongoServer, name: str) -> None:
    mongo = Mongo(mongo_server.url, name, setting="store.url")
    await mongo.open()
    things = mongo.collection("things")
    for value in ("x" * 17_000_000, 2**64, {"\x00": 1}):
        with pytest.raises(Poison):
            await things.write([InsertOne({"_id": 1, "value": value})])
    assert await things.find({}) == []
    await mongo.close()


async def test_a_mistake_of_the_program_stays_itself(mongo_server: MongoServer, name: str) -> None:
    mongo = Mongo(mongo_server.url, name, setting="store.url")
    with pytest.raises(RuntimeError, match="not open"):
        await mongo.collection("things").find({})
    await mongo.open()
    with pytest.raises(Exception, match=r"(?i)unknown"):
        await mongo.collection("things").find({"a": {"$nonsense": 1}})
    await mongo.close()


async def test_a_bulk_tells_what_became_of_each(mongo_server: MongoServer, name: str) -> None:
    mongo = Mongo(mongo_server.url, name, setting="store.url")
    await mongo.open()
    things = mongo.collection("things")
    await things.create_index(IndexModel([("a", 1), ("b", 1)], name="ab", unique=True))
    documents = [{"_id": n, "a": a, "b": 0} for n, a in enumerate((1, 1, 2))]
    unordered = await things.write([InsertOne(document) for document in documents])
    assert (unordered.duplicates, len(await things.find({}))) == ({1: ("a", "b")}, 2)
    ordered = await things.write([InsertOne({"_id": 0}), InsertOne({"_id": 9, "a": 9})], ordered=True)
    assert (ordered.duplicates, len(await things.find({}))) == ({0: ("_id",)}, 2)
    changes = [UpdateOne({"_id": 0}, {"$set": {"c": 1}}), UpdateOne({"_id": 7}, {"$set": {"a": 7}}, upsert=True)]
    assert await things.write(changes) == (1, 1, frozenset({1}), {})
    assert await things.write(changes) == (2, 0, frozenset(), {})
    await mongo.close()
