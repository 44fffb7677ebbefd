"""What the guard of pure code lets through, and what it does not."""

import datetime as dt
import os
import random
import secrets
import socket
import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from onethread.testing.purity import Impure, pure


@pytest.mark.parametrize(
    "act",
    [
        time.time,
        time.monotonic,
        time.perf_counter,
        lambda: time.sleep(0),
        lambda: dt.datetime.now(tz=dt.UTC),
        dt.date.today,
        random.random,
        lambda: random.Random(1).randrange(5),
        uuid.uuid4,
        lambda: secrets.token_hex(4),
        lambda: os.urandom(1),
        socket.socket,
        lambda: socket.getaddrinfo("example.com", 80),
        lambda: open(__file__),  # noqa: PTH123, SIM115 -- it does not get that far
        lambda: os.getenv("HOME"),
    ],
)
def test_what_depends_on_the_world_raises(act: Callable[[], Any]) -> None:
    def later() -> Any:
        return act()

    with pytest.raises(Impure), pure():
        later()


def test_computing_is_let_through() -> None:
    with pure():
        moment = dt.datetime.fromtimestamp(1767225600, dt.UTC)
        text = ",".join(sorted({"b": 1, "a": 2}))
    assert (moment.year, text) == (2026, "a,b")


def test_afterwards_everything_is_as_before() -> None:
    with pytest.raises(Impure), pure():
        time.time()
    assert time.time() > 0
