"""A host that remembers: for the tests of one connector, against a simulator or the provider. It knows no log and no store.

It keeps what was emitted and normalises it as the real host would, with the same HTTP errors; there is no address guard.
Given a `provider`, every connection goes there, whatever its URL says: what a connector does over one that is not well.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from onethread.connector import Connector, Raw, Token, WebSocket
from onethread.event import Event
from onethread.host.sockets import websocket

ANYWHERE = (ip_network("0.0.0.0/0"), ip_network("::/0"))


class _Diverted(httpx.AsyncHTTPTransport):
    """To one server, over plain HTTP."""

    def __init__(self, provider: str) -> None:
        super().__init__(
            verify=False, trust_env=False
        )  # there is no TLS on the way to loopback, and its certificates take time to load
        self._provider = httpx.URL(provider)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        there = self._provider
        request.url = request.url.copy_with(scheme=there.scheme, host=there.host, port=there.port)
        return await super().handle_async_request(request)


class RecordingHost:
    """`async with RecordingHost(connector) as host`. `records`, `events` and `cursors` are in the order of `emit`."""

    def __init__(
        self, connector: Connector[Any], since: datetime | None = None, *, provider: str = "", url: str = ""
    ) -> None:
        self.url, self.since, self.hint = url, since, ""
        self.records: list[Raw] = []
        self.events: list[Event] = []
        self.cursors: list[str] = []
        self.connected = 0
        """WebSockets opened so far."""
        self._connector = connector
        self._tokens: dict[str, Token] = {}
        self._changed = asyncio.Condition()
        self._provider = provider
        transport = _Diverted(provider) if provider else None
        self.http = httpx.AsyncClient(trust_env=False, event_hooks={"response": [_raise]}, transport=transport)

    @property
    def cursor(self) -> str | None:
        """The one to go on from."""
        return self.cursors[-1] if self.cursors else None

    def now(self) -> datetime:
        """The clock."""
        return datetime.now(UTC)

    def websocket(self, url: str, headers: Mapping[str, str] = {}) -> AbstractAsyncContextManager[WebSocket]:
        """Connect."""
        return self._websocket(url, headers)

    @asynccontextmanager
    async def _websocket(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[WebSocket]:
        if self._provider:
            parts = urlsplit(url)
            url = f"ws://{urlsplit(self._provider).netloc}{parts.path}?{parts.query}"
        async with websocket(url, headers, ANYWHERE) as connection:
            self.connected += 1
            await self._tell()
            yield connection

    async def token(self, name: str, renew: Callable[[Token | None], Awaitable[Token]]) -> str:
        """A token, renewed once it has expired."""
        held = self._tokens.get(name)
        if held is None or held.expires_at <= self.now():
            held = self._tokens[name] = await renew(held)
        return held.value

    async def emit(self, records: Sequence[Raw], cursor: str | None = None) -> None:
        """Keep them; what cannot be normalised raises here, so that a test sees it."""
        self.records += records
        self.events += [event for record in records for event in self._connector.normalize(record)]
        if cursor is not None:
            self.cursors.append(cursor)
        await self._tell()

    async def until(self, reached: Callable[[Self], bool], seconds: float = 10.0) -> None:
        """Wait for a state. Raises TimeoutError after so many seconds."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: reached(self))

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()


async def _raise(response: httpx.Response) -> None:
    if response.status_code >= 400:
        await response.aread()
        response.raise_for_status()
