"""An ASGI application on a free port of loopback, served in the running event loop. It knows no protocol on top.

It can be stopped and started on the same port, as a provider that goes down and comes back.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any, Self

import uvicorn

from onethread.testing.servers.ports import LOOPBACK, free_port


class _Server(uvicorn.Server):
    """uvicorn without its hold on signals: they belong to the program around it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Loopback:
    """`async with Loopback(app) as served: served.url`."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{LOOPBACK}:{self.port}"

    async def start(self) -> None:
        """Listen. Returns once connections are taken; raises what uvicorn raises when it cannot."""
        config = uvicorn.Config(
            self._app, host=LOOPBACK, port=self.port, log_level="error", ws="websockets-sansio", lifespan="off",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            if self._task.done():
                await self._task
                raise RuntimeError(f"the server on port {self.port} ended before it had begun")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Listen no longer; open connections are cut."""
        if self._server is None or self._task is None:
            return
        self._server.should_exit = self._server.force_exit = True
        await self._task
        self._server = self._task = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
