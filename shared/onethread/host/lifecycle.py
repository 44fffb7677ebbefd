"""The life of a process: run its parts, and stop in good order within a deadline. It knows no part.

stop asked for ─► each part stops taking, the last started first, and finishes ─► clients are closed ─► end
                  └─ what is not done in time is cancelled: nothing acknowledged is lost by that, only work repeated
"""

import asyncio
import contextlib
import faulthandler
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

from onethread.logs import get_logger

_log = get_logger(__name__)

GRACE = 25.0
"""Seconds from the signal to the end. Kubernetes kills after 30 (`terminationGracePeriodSeconds`), without a word."""
_UNCLEAN = 10.0
"""Of them, where a part ended by itself: what is stuck gains nothing by waiting, and is to be back soon."""
_FOR_STOPPING = 0.7
"""Of the grace: for soft stops. The rest is for cancelling and for closing clients."""

_SHARE = 0.6
"""Of what is left for soft stops, for one part: one that hangs leaves something to those after it."""


def gone_within(seconds: float) -> None:
    """End the process by force if it is still there then: threads that wait for a server that hangs would keep it."""
    last = threading.Timer(seconds, os._exit, (70,))
    last.daemon = True
    last.start()


async def nothing() -> None:
    """For parts that stop by being cancelled, which is what follows."""


def _give_up() -> None:
    """A loop that is blocked, a thread that hangs: say where, and be gone."""
    _log.error("does not end; where it hangs, is below")
    faulthandler.dump_traceback()
    os._exit(70)


class _Part(NamedTuple):
    name: str
    run: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]


class Service:
    """Give it parts in the order of starting, then `run`. A part that ends by itself ends the whole: it is restarted."""

    def __init__(self, *, grace: float = GRACE) -> None:
        self._grace = grace
        self._parts: list[_Part] = []
        self._closers: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._asked = asyncio.Event()
        self._clean = True
        self._stuck = False

    def runs(
        self, name: str, run: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]] = nothing
    ) -> None:
        """A part: `run` goes on until cancelled; `stop` takes nothing more, finishes what was taken, and returns."""
        self._parts.append(_Part(name, run, stop))

    def closes(self, name: str, close: Callable[[], Awaitable[None]]) -> None:
        """A client to close when all parts have stopped; the last given first."""
        self._closers.append((name, close))

    def stop(self) -> None:
        """Ask for the end, as SIGTERM and SIGINT do."""
        self._asked.set()

    @property
    def stopping(self) -> bool:
        """Whether the end was asked for."""
        return self._asked.is_set()

    async def run(self) -> bool:
        """Run until asked to stop, or until a part ends by itself. False: that, or something did not stop in time.

        Where something cannot even be cancelled, the process is ended with status 70 a second after the deadline.
        """
        with self._signals():
            tasks = {part: asyncio.create_task(self._watched(part), name=part.name) for part in self._parts}
            asked = asyncio.create_task(self._asked.wait())
            await asyncio.wait({asked, *tasks.values()}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            self._asked.set()
            if not self._clean:
                self._grace = min(self._grace, _UNCLEAN)
            last_resort = threading.Timer(self._grace + 1.0, _give_up)
            last_resort.daemon = True
            last_resort.start()
            await self._stopped(tasks)
            if not self._stuck:  # else the loop would wait for it for ever while it is closed
                last_resort.cancel()
        return self._clean

    async def _watched(self, part: _Part) -> None:
        try:
            await part.run()
        except Exception as error:  # noqa: BLE001 -- said here, once; the process ends with it
            _log.error("a part failed", part=part.name, exc_info=error)
        if not self._asked.is_set():
            self._clean = False
            _log.error("a part ended by itself; the process ends, to be restarted", part=part.name)

    async def _stopped(self, tasks: dict[_Part, asyncio.Task[None]]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        for part in reversed(self._parts):
            left = began + self._grace * _FOR_STOPPING - loop.time()
            await self._in_time(part.name, part.stop, left * _SHARE)
            tasks[part].cancel()
        if tasks:
            _, stuck = await asyncio.wait(tasks.values(), timeout=self._grace * 0.1)
            for task in stuck:
                self._clean, self._stuck = False, True
                _log.error("a part does not stop", part=task.get_name())
        for name, close in reversed(self._closers):
            await self._in_time(name, close, began + self._grace - loop.time())

    async def _in_time(self, name: str, work: Callable[[], Awaitable[None]], seconds: float) -> None:
        """Do the work; what goes wrong or takes too long is said, and does not keep the others from theirs."""
        task = asyncio.ensure_future(work())
        done, _ = await asyncio.wait({task}, timeout=max(seconds, 0.0))
        if not done:
            task.cancel()
            await asyncio.wait({task}, timeout=0.5)
            self._stuck |= not task.done()
        if not done or task.cancelled() or task.exception():
            self._clean = False
            error = task.exception() if task.done() and not task.cancelled() else TimeoutError()
            _log.error("a part did not stop in good order", part=name, exc_info=error)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)
