"""What all simulated providers that call us do alike: deliveries that go on until they are taken, and the life of the server.

It knows no provider: what a delivery is, and when it is tried again, is said by each.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any, Self

import httpx

from onethread.testing.serving import Loopback


class PushingServer:
    """Base of a simulator. It sets `_served`, its own HTTP side; `patience`: seconds it waits for an answer of ours."""

    _served: Loopback

    def __init__(self, patience: float) -> None:
        self._pushing: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()
        self._client = httpx.AsyncClient(trust_env=False, timeout=patience)

    async def confirmed(self, seconds: float = 10.0) -> None:
        """Wait until everything was taken, or given up. Raises TimeoutError."""
        await self.until(lambda: not self._pushing, seconds)

    async def until(self, reached: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait for a state of this server. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(reached)

    def _push(self, delivering: Coroutine[Any, Any, None]) -> None:
        """Deliver beside everything else; its last act is `_pushed`."""
        task = asyncio.create_task(delivering)
        self._pushing.add(task)
        task.add_done_callback(self._pushing.discard)

    async def _pushed(self) -> None:
        """The delivery that runs now is over: who waits for all of them is told with it gone."""
        current = asyncio.current_task()
        assert current is not None
        self._pushing.discard(current)
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _close(self) -> None:
        """Whatever else a server has open, when nothing is delivered any more."""

    async def __aenter__(self) -> Self:
        await self._served.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._deliver_no_more()
        await self._close()
        await self._served.stop()
        await self._deliver_no_more()  # what was asked of it meanwhile may have made it deliver
        await self._client.aclose()

    async def _deliver_no_more(self) -> None:
        while self._pushing:
            task = self._pushing.pop()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
