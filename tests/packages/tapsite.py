"""A replica that serves a channel, whoever listens to it, and a state store that can go away. It knows no test."""

import asyncio
from typing import Any

import httpx
from hostkit import HOOK, Kit, signature, until

from all_in_one.tapping import Tap
from onethread.errors import Retryable
from onethread.host.listeners import SIGHTINGS, TAPS, Listeners
from onethread.host.taps import Taps
from onethread.host.tasks import cancelled
from onethread.state.port import Document, StateStore

PATH = f"/hooks/chn_acme/{HOOK}"


class Away(StateStore):
    """The store below; while `away`, it cannot be reached."""

    def __init__(self, store: StateStore) -> None:
        self.store, self.away = store, False

    def _there(self) -> StateStore:
        if self.away:
            raise Retryable("store.url: the state is away.")
        return self.store

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def get(self, collection: str, key: str) -> Document | None:
        return await self._there().get(collection, key)

    async def put(self, collection: str, key: str, value: bytes, expect: int) -> Document:
        return await self._there().put(collection, key, value, expect)

    async def delete(self, collection: str, key: str, expect: int) -> None:
        await self._there().delete(collection, key, expect)

    async def remove(self, collection: str, key: str, expect: int) -> None:
        await self._there().remove(collection, key, expect)

    async def scan(self, collection: str, prefix: str = "") -> list[Document]:
        return await self._there().scan(collection, prefix)


class Hand:
    """A monotonic clock that is moved."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Site:
    """One replica that serves a channel, over one of the two stores, and whoever listens."""

    def __init__(self, kit: Kit, store: Away, client: httpx.AsyncClient) -> None:
        self.kit, self.store, self.client = kit, store, client
        self.clock = Hand()
        self.seen: list[dict[str, Any]] = []
        self.told: list[str] = []
        self._running: list[asyncio.Task[None]] = []

    def serves(self, taps: Taps | None = None) -> None:
        watching = Listeners(
            self.kit.ingest.taps if taps is None else taps,
            self.store,
            self.kit.channels,
            every=0.02,
            lease=15.0,
            clock=self.clock,
        )
        self._running.append(asyncio.create_task(watching.run()))

    async def listens(self, patience: float = 60.0) -> tuple[Tap, asyncio.Task[None]]:
        tap = Tap(self.store, "chn_acme", self.seen.append, self.told.append, every=0.02, patience=patience)
        task = asyncio.create_task(tap.run())
        self._running.append(task)
        return tap, task

    async def looked_at(self) -> None:
        await until(lambda: any("service" in one and "listening" in one for one in self.seen))
        self.seen.clear()

    async def post(self, content: bytes, headers: dict[str, str] | None = None, path: str = PATH) -> int:
        headers = signature(content) if headers is None else headers
        return (await self.client.post(path, content=content, headers=headers)).status_code

    async def is_empty(self) -> bool:
        return not [one for name in (TAPS, SIGHTINGS) for one in await self.store.store.scan(name)]

    async def stop(self) -> None:
        await cancelled(self._running)
