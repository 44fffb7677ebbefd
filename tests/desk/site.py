"""A whole installation behind the API: stores, log, blobs, keys and a clock. What is in it was threaded by the real unifier."""

import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from onethread.blobs import Blobs
from onethread.event import Event
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import topics
from onethread.state.api_keys import ApiKeys
from onethread.state.sqlite import SqliteState
from unifier.api.app import ChannelInfo, create_app
from unifier.batch import Batch
from unifier.policy import Policy
from unifier.publishing import Publisher
from unifier.reading import moment, read
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations

START = 1_767_600_000_000
"""When the clock of a site begins: 2026-01-05T08:00:00Z."""
MINUTE = 60_000

READS = ("conversations:read", "customers:read", "channels:read")

CHANNELS = tuple(
    ChannelInfo(
        f"chn_{tenant}_{network}", tenant, f"{network} of {tenant}", connector, network, f"{network}-account", abilities
    )
    for tenant in ("acme", "other")
    for network, connector, abilities in (
        ("email", "imap", ("reply",)),
        ("whatsapp", "whatsapp", ("reply",)),
        ("x", "x", ()),
    )
)


class Site:
    """One installation."""

    def __init__(self, store: ConversationStore, log: SqliteLog, state: SqliteState, blobs: Blobs) -> None:
        self.store = store
        self.state = state
        self.blobs = blobs
        self.now = START
        self.log = log
        self.app: FastAPI = create_app(
            store, state, blobs, CHANNELS, cursor_keys=[b"a key of the tests, long enough"], now=lambda: self.now
        )

    async def tell(self, *events: Event) -> None:
        """Thread events, as the unifier's worker does."""
        batch = Batch(self.store, Publisher(self.store, self.log), lambda: self.now)
        await batch.apply([read(event, Policy()) for event in events])

    async def key(self, tenant: str, *scopes: str) -> str:
        """A key's text."""
        text, _ = await ApiKeys(self.state).create(tenant, "test", scopes or READS, now=moment(self.now))
        return text

    async def desk(self, tenant: str = "acme", *scopes: str) -> httpx.AsyncClient:
        """A client with a key of this tenant."""
        return self.client(await self.key(tenant, *scopes))

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        """A client with this key, or none."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://desk.example", headers=headers
        )


@asynccontextmanager
async def opened(store: ConversationStore, folder: Path) -> AsyncIterator[Site]:
    """A site in a folder."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(store)
        await store.create_indexes()
        log = await stack.enter_async_context(SqliteLog(folder / "log.sqlite"))
        state = await stack.enter_async_context(SqliteState(folder / "state.sqlite"))
        await log.apply(topics(partitions=2))
        yield Site(store, log, state, Blobs(f"file://{folder / 'blobs'}"))


def fresh(name: str, folder: Path, mongo: Callable[[], str]) -> ConversationStore:
    """An empty store of one adapter."""
    if name == "sqlite":
        return SqliteConversations(folder / "conversations.sqlite")
    return MongoConversations(mongo(), f"api_{uuid.uuid4().hex}")
