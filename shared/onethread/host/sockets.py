"""The WebSocket that connectors are lent, behind the same address guard as `onethread.host.http`. It knows no protocol on top."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from onethread.connector import WebSocket
from onethread.errors import Misconfigured, Retryable
from onethread.host.addresses import Network, checked_addresses

_OPEN_SECONDS = 15.0
_PING_SECONDS = 20.0
"""A ping that is not answered in this time closes the connection: a silent one is alive, a dead one is noticed."""
_MAX_MESSAGE = 16 * 1024 * 1024


class Closed(Retryable):
    """The other side closed, or the line is dead (code 1006). `code` and `text` as in RFC 6455 section 7.4."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"the WebSocket was closed with code {code}")
        self.code, self.text = code, text


class _Lent:
    """A connection whose end is Retryable."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    async def send(self, message: str | bytes) -> None:
        try:
            await self._connection.send(message)
        except ConnectionClosed as error:
            raise _closed(error) from error

    async def receive(self) -> str | bytes:
        try:
            return await self._connection.recv()
        except ConnectionClosed as error:
            raise _closed(error) from error


@asynccontextmanager
async def websocket(
    url: str, headers: Mapping[str, str], allow_networks: Sequence[Network]
) -> AsyncIterator[WebSocket]:
    """Connect to a ws:// or wss:// URL. Raises what `onethread.host.faults` translates, AddressRefused, Misconfigured."""
    parts = urlsplit(url)
    if parts.scheme not in {"ws", "wss"} or not parts.hostname:
        raise Misconfigured("a WebSocket's URL begins with wss://")
    port = parts.port or (443 if parts.scheme == "wss" else 80)
    address = (await checked_addresses(parts.hostname, port, allow_networks))[0]
    # `host` and `port` say where to connect; the name in the URL is still what TLS checks. A redirect to another host is
    # refused by websockets then.
    connection = await connect(
        url,
        host=address,
        port=port,
        additional_headers=dict(headers),
        proxy=None,
        open_timeout=_OPEN_SECONDS,
        ping_interval=_PING_SECONDS,
        ping_timeout=_PING_SECONDS,
        close_timeout=5.0,
        max_size=_MAX_MESSAGE,
    )
    try:
        async with connection:
            yield _Lent(connection)
    finally:
        connection.transport.abort()  # websockets leaves it open for good where waiting for the other side's close is cut short


def _closed(error: ConnectionClosed) -> Closed:
    return Closed(error.rcvd.code, error.rcvd.reason) if error.rcvd is not None else Closed(1006, "")
