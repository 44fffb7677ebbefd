"""Ends a process that is stuck, so that it is restarted. It knows what progress is, and not what is done.

Stuck means: something waits, all that we need answers, and nothing has moved for a while. What stands still because a broker
or a database is away is not stuck: a restart would not help, and readiness names what is missing. An event loop that
does not come round cannot watch itself, so a thread watches it.
"""

import asyncio
import faulthandler
import os
import threading
import time
from collections.abc import Awaitable, Callable

from onethread.errors import OnethreadError
from onethread.host.health import Health
from onethread.logs import get_logger

_log = get_logger(__name__)

STUCK_SECONDS = 30.0
"""Without a step forward. With the looks, and the time to end, a process is gone within 60 seconds."""
_LOOK_SECONDS = 2.0
_PATIENCE = 5.0
"""Seconds for one look; one that takes longer says that something is away."""
_LONGEST = 10.0
"""Seconds between two looks that count at most: a process that was stopped for an hour was not stuck for an hour."""
_STATUS = 70

Look = Callable[[], Awaitable[object | None]]


class Watchdog:
    """Part of a process. `watches` is called while it is put together, `run` until one of the watched is stuck."""

    def __init__(self, health: Health, *, stuck: float = STUCK_SECONDS, every: float = _LOOK_SECONDS) -> None:
        self._health, self._stuck, self._every = health, stuck, every
        self._watched: dict[str, _Watched] = {}
        self._beat = 0
        self._running = False

    def watches(self, name: str, look: Look) -> None:
        """`look` returns None while nothing waits, else something that is another with every step forward.

        Raises one of our errors while it cannot be said.
        """
        self._watched[name] = watched = _Watched(look)
        self._health.watches(name, lambda: watched.still < self._stuck)

    async def run(self) -> None:
        """Returns when something is stuck: the process is to end then."""
        self._running = True
        threading.Thread(target=self._watch_loop, name="watchdog", daemon=True).start()
        beating = asyncio.create_task(self._beats())
        try:
            while not (stuck := [name for name, one in self._watched.items() if one.still >= self._stuck]):
                await asyncio.sleep(self._every)
                missing = await self._health.missing()
                for one in self._watched.values():
                    await one.seen(missing)
            _log.error("stuck: nothing moves though all it needs answers", what=stuck, seconds=self._stuck)
        finally:
            self._running = False
            beating.cancel()

    async def _beats(self) -> None:
        while True:
            self._beat += 1
            await asyncio.sleep(self._every / 4)

    def _watch_loop(self) -> None:
        """In its own thread: ends the process when the event loop did not come round for so long."""
        beat, blocked = -1, 0.0
        while self._running:
            # By its own ticks, not by the clock: a machine that slept, or a process that was stopped, is not stuck.
            time.sleep(self._every)
            beat, blocked = self._beat, (blocked + self._every if beat == self._beat else 0.0)
            if blocked >= self._stuck:
                _log.error("stuck: the event loop is blocked; where, is below", seconds=blocked)
                faulthandler.dump_traceback()
                os._exit(_STATUS)


class _Watched:
    """`still`: seconds since its last step forward; 0 while nothing waits, or something is away."""

    def __init__(self, look: Look) -> None:
        self._look = look
        self._last: object | None = None
        self._looked = time.monotonic()
        self.still = 0.0

    async def seen(self, missing: tuple[str, ...]) -> None:
        """Look once."""
        found: object | None = None
        if not missing:
            try:
                async with asyncio.timeout(_PATIENCE):
                    found = await self._look()
            except (OnethreadError, TimeoutError):
                found = None
        before, self._looked = self._looked, time.monotonic()
        moved = found is None or found != self._last
        self.still = 0.0 if moved else self.still + min(self._looked - before, _LONGEST)
        self._last = found
