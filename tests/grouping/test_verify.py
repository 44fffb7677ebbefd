"""The shipped checks, after any order, races, deaths and repeats: they find nothing where the reference finds nothing."""

import random
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from grouping.dialogues import dialogue, encounter
from grouping.driver import deliver, policies
from grouping.inline import in_memory

from onethread.log.port import EventLog
from onethread.testing.servers.mongodb import MongoServer
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.verify.extent import Extent
from unifier.verify.ledger import Ledger
from unifier.verify.verification import Verification

Ports = tuple[ConversationStore, EventLog]
COUNTS = {"sqlite": 60, "mongodb": 8}


@pytest.fixture(params=["sqlite", "mongodb"])
async def ports(request: pytest.FixtureRequest) -> AsyncIterator[Ports]:
    async with AsyncExitStack() as stack:
        memory = await stack.enter_async_context(in_memory())
        if request.param == "sqlite":
            yield memory.store, memory.log
            return
        server: MongoServer = request.getfixturevalue("mongo_server")
        store = await stack.enter_async_context(MongoConversations(server.url, f"verify_{uuid.uuid4().hex}"))
        await store.create_indexes()
        yield store, memory.log


async def test_nothing_is_broken_after_any_order(ports: Ports, request: pytest.FixtureRequest) -> None:
    store, log = ports
    ledger = Ledger(log)
    for seed in range(COUNTS[request.node.callspec.params["ports"]]):
        said, tenant = (dialogue, encounter)[seed % 2](seed), f"tenant{seed}"
        await deliver(said, tenant, store, log, random.Random(tenant))
        small = 1 + seed % 7  # pages end anywhere
        report = await Verification(
            store, ledger, policies(said, tenant), Extent(tenant=tenant), page=small, looks=0
        ).run()
        assert report.sentences() == [], said
        assert report.looked.get("entries", 0) >= len({one.number for one in said.said})
    ledger.close()
