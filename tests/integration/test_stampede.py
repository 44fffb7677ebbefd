"""Sixty-four workers get the first thousand messages of one new customer at once: one customer, one conversation, all of them."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from grouping.as_events import event_of
from grouping.facts import Dialogue, Said
from grouping.inline import in_memory

from onethread.errors import Conflict
from onethread.log.port import EventLog
from unifier.batch import Batch
from unifier.policy import Policy
from unifier.publishing import Publisher
from unifier.reading import Reading, read
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations

TENANT = "acme"
CUSTOMER = "phone:+15550100"


@pytest.fixture(params=["sqlite", "mongo", pytest.param("mongo", marks=pytest.mark.soak, id="mongo-long")])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ConversationStore]:
    if request.param == "sqlite":
        found: ConversationStore = SqliteConversations(tmp_path / "conversations.sqlite")
    else:
        server = request.getfixturevalue("mongo_server")
        found = MongoConversations(server.url, f"stampede_{uuid.uuid4().hex}")
    async with found:
        await found.create_indexes()
        yield found


@pytest.mark.timeout(300)
async def test_one_new_customer_is_one_conversation_however_many_workers(
    store: ConversationStore, request: pytest.FixtureRequest
) -> None:
    brief = request.node.callspec.id == "mongo"
    workers, messages = (16, 160) if brief else (64, 1000)
    said = tuple(Said(n, "chat", n // 60, CUSTOMER, thread="chat") for n in range(messages))
    events = [event_of(one, Dialogue(said), TENANT) for one in said]
    shares: list[list[Reading]] = [[] for _ in range(workers)]
    for number, event in enumerate(events):
        shares[number % workers].append(read(event, Policy()))
    async with in_memory() as (_, log, _):
        await asyncio.gather(*(work(store, log, share) for share in shares))
    entries = await store.entries([reading.id for share in shares for reading in share])
    assert len(entries) == messages
    assert {entry.own for entry in entries.values()} == {shares[0][0].own}
    heads = await store.heads({entry.home for entry in entries.values()})
    (root,) = {head.root for head in heads.values()}
    (person,) = (await store.identities([shares[0][0].own])).values()
    assert list(await store.customers([person.customer])) == [person.id]
    (strand,) = await store.strands_of([root])
    assert (strand.message_count, strand.through) == (messages, messages)
    assert [entry.seq for entry in await store.run(strand.id, 0, 2 * messages)] == list(range(1, messages + 1))


async def work(store: ConversationStore, log: EventLog, share: list[Reading]) -> None:
    """As the worker does: a batch that meets a conflict comes again."""
    while True:
        try:
            await Batch(store, Publisher(store, log), lambda: 0).apply(share)
        except Conflict:
            continue
        return
