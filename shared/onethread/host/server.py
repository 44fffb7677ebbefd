"""The HTTP server, with the limits it does not have by itself. It knows no route.

uvicorn waits for ever for a header that does not come, and for connections that do not close: both end here. The limit of a
header's size is h11's.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from onethread.errors import Misconfigured

HEADER_BYTES = 64 * 1024
HEADER_SECONDS = 10.0
_KEEP_ALIVE_SECONDS = 60
"""More than usual proxies keep a connection, so that they and not we close it."""


class _Patient(H11Protocol):
    """Closes a connection whose request does not begin, or whose header does not end, in time."""

    header_seconds = HEADER_SECONDS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_header()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._in_request():
            self._forget()
        elif self._deadline is None:
            self._expect_header()  # of the next request on a connection that was kept

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def _in_request(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_header(self) -> None:
        self._deadline = self.loop.call_later(self.header_seconds, self._close_if_idle)

    def _close_if_idle(self) -> None:
        self._deadline = None
        if not self._in_request() and self.transport is not None and self.transport.get_protocol() is self:
            self.transport.close()

    def _forget(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class HttpServer(uvicorn.Server):
    """Serves an ASGI application on `host`:`port`; 0 picks a port. Signals are left to `Service`.

    `stop_seconds`: how long open requests may go on after `stop`.
    """

    def __init__(
        self, app: Any, host: str, port: int, *, stop_seconds: int = 10, header_seconds: float = HEADER_SECONDS
    ) -> None:
        protocol = type("Patient", (_Patient,), {"header_seconds": header_seconds})
        super().__init__(
            uvicorn.Config(
                app, host=host, port=port, interface="asgi3", http=protocol, h11_max_incomplete_event_size=HEADER_BYTES, lifespan="off",
                log_config=None, access_log=False, server_header=False, proxy_headers=False,
                timeout_keep_alive=_KEEP_ALIVE_SECONDS, timeout_graceful_shutdown=stop_seconds,
            )
        )  # fmt: skip
        self._ended = asyncio.Event()
        self._socket: socket.socket | None = None

    def bind(self) -> int:
        """Take the port, and return it; requests wait until it runs. Raises Misconfigured when somebody else has it."""
        host, port = self.config.host, self.config.port
        try:
            self._socket = socket.create_server(
                (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=self.config.backlog
            )
        except OSError as error:
            raise Misconfigured(
                f"http.host, http.port: cannot listen on {host}:{port} ({error.strerror}). "
                "Is another process there already?"
            ) from error
        return int(self._socket.getsockname()[1])

    async def run_until_stopped(self) -> None:
        """Serve until `stop`."""
        if self._socket is None:
            self.bind()
        assert self._socket is not None
        try:
            await self.serve(sockets=[self._socket])
        finally:
            self._ended.set()

    async def stop(self) -> None:
        """Accept nothing more, and let open requests finish."""
        self.should_exit = True
        await self._ended.wait()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: the process has one who listens for all its parts."""
        yield
