"""Wakes the readers of a log in the process that appended to it. It carries no data: who hears it looks for himself."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar
from weakref import WeakValueDictionary


class Bell:
    """One per file and process: several logs opened on one file hear one another. Safe over threads and event loops."""

    _bells: ClassVar[WeakValueDictionary[Path, "Bell"]] = WeakValueDictionary()
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._listeners: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()

    @classmethod
    def of(cls, path: Path) -> "Bell":
        """The bell of a file."""
        with cls._lock:
            return cls._bells.setdefault(path.resolve(), cls())

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set at each ring; the listener clears it before it looks, so that it misses none."""
        listener = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._listeners.add(listener)
        try:
            yield listener[1]
        finally:
            with self._lock:
                self._listeners.discard(listener)

    def ring(self) -> None:
        """Something was appended."""
        with self._lock:
            listeners = tuple(self._listeners)
        for loop, event in listeners:
            if not event.is_set() and not loop.is_closed():
                loop.call_soon_threadsafe(event.set)
