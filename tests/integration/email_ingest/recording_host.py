"""The receiving side of the host protocol: it keeps what a connector emits, and normalises it as the host does."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any

import httpx

from onethread.connector import Connector, Raw, Token, WebSocket
from onethread.event import Event, Message


class RecordingHost:
    """What was emitted, and the cursor that is durable. `before_emit` lets a test act between two batches."""

    def __init__(self, since: datetime | None = None, http: httpx.AsyncClient | None = None) -> None:
        self.http = http or httpx.AsyncClient()
        self.since = since
        self.hint = ""
        self.records: list[Raw] = []
        self.cursor: str | None = None
        self.cursors: list[str] = []
        self.batches: list[int] = []
        self.tokens: dict[str, Token] = {}
        self.before_emit: Callable[[Sequence[Raw]], Awaitable[None]] | None = None

    def now(self) -> datetime:
        return datetime.now(UTC)

    def websocket(self, url: str, headers: Mapping[str, str] = {}) -> AbstractAsyncContextManager[WebSocket]:
        raise NotImplementedError

    async def token(self, name: str, renew: Callable[[Token | None], Awaitable[Token]]) -> str:
        old = self.tokens.get(name)
        if old is None or old.expires_at <= self.now():
            self.tokens[name] = await renew(old)
        return self.tokens[name].value

    async def emit(self, records: Sequence[Raw], cursor: str | None = None) -> None:
        if self.before_emit is not None:
            await self.before_emit(records)
        self.records += records
        if records:
            self.batches.append(len(records))
        if cursor is not None:
            self.cursor = cursor
            self.cursors.append(cursor)

    def events(self, connector: Connector[Any]) -> list[Event]:
        return [event for raw in self.records for event in connector.normalize(raw)]

    def subjects(self, connector: Connector[Any]) -> list[str]:
        return [event.fact.subject for event in self.events(connector) if isinstance(event.fact, Message)]


async def until(holds: Callable[[], bool], seconds: float = 15.0) -> None:
    """Wait for a state; TimeoutError when it does not come about."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 -- what is waited for is state, which tells nobody that it changed
            await asyncio.sleep(0.01)
