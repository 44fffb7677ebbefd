"""A guard for code that must be pure: under it, sockets, files, the environment, clocks and random numbers raise `Impure`.

It watches calls through the interpreter's profile hook, so it also sees `from time import time` and methods of C types,
which patched names would miss. It knows no connector.
"""

import gc
import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from types import FrameType
from typing import Any

CLOCKS = frozenset({"now", "today", "utcnow"})
"""Methods of `date` and `datetime` that read the clock."""

SILENT = frozenset({"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "localtime", "gmtime", "sleep"})
"""Functions of `time`; the last but two read the clock when they get no argument, which the hook cannot see."""

OPENS = frozenset({open, os.open, os.urandom})
OF_THE_WORLD = frozenset(
    function.__code__
    for function in (
        socket.socket.__init__,
        socket.create_connection,
        socket.getaddrinfo,
        type(os.environ).__getitem__,
    )
)
"""Functions written in Python."""


class Impure(AssertionError):
    """Pure code did what depends on more than its arguments."""


@contextmanager
def pure() -> Iterator[None]:
    """Code inside may compute, and no more. Warm it up before: a first call may import, which reads files."""
    before, collecting = sys.getprofile(), gc.isenabled()
    gc.disable()  # a collection may come at any moment, and test tools time it: that is not the connector's doing
    sys.setprofile(_watch)
    try:
        yield
    finally:
        sys.setprofile(before)
        if collecting:
            gc.enable()


def _watch(frame: FrameType, event: str, called: Any) -> None:
    if event == "c_call" and _depends_on_the_world(called):
        raise Impure(f"{called.__qualname__} was called in {frame.f_code.co_filename}:{frame.f_lineno}")
    if event == "call" and frame.f_code in OF_THE_WORLD:
        raise Impure(f"{frame.f_code.co_qualname} was called")


def _depends_on_the_world(called: Any) -> bool:
    owner, name = getattr(called, "__self__", None), getattr(called, "__name__", "")
    if owner is time:
        return name in SILENT
    if isinstance(owner, type) and issubclass(owner, date):
        return name in CLOCKS
    return isinstance(owner, random.Random) or called in OPENS
