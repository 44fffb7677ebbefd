"""The clock of the machine is set by an hour while messages flow: nothing is lost, and nobody waits for the hour."""

import asyncio
import time
import uuid
from pathlib import Path

import pytest

from onethread.errors import Conflict
from onethread.log.port import Reader
from onethread.log.sqlite import SqliteLog
from onethread.state.leases import Leases
from onethread.state.sqlite import SqliteState
from onethread.testing.event_log import drafts_of, fresh, values_of

HOUR = 3600.0
TIMEOUT = 1.0
"""Seconds until a silent member of a group loses its partitions."""


class Clock:
    """The machine's, and what somebody added to it."""

    def __init__(self) -> None:
        self.added = 0.0

    def __call__(self) -> float:
        return time.time() + self.added


def log_of(folder: Path, clock: Clock) -> SqliteLog:
    return SqliteLog(folder / "log.sqlite", member_timeout=TIMEOUT, clock=clock)


async def consumed(reader: Reader, found: list[int], until: int) -> None:
    """Read and commit, as the worker does, until so many are committed by all together."""
    while len(set(found)) < until:
        records = await reader.poll(wait=0.1)
        try:
            await reader.commit({one.place: one.offset + 1 for one in records})
        except Conflict:
            continue
        found += values_of(records)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_members_of_a_group_go_on_when_the_clock_is_set(tmp_path: Path, step: float) -> None:
    clock, found = Clock(), list[int]()
    async with log_of(tmp_path, clock) as one, log_of(tmp_path, clock) as two:
        topic, group = await fresh(one), uuid.uuid4().hex
        async with one.join(group, [topic], "a") as first, two.join(group, [topic], "b") as second:
            for turn in range(3):
                await one.append(topic, drafts_of(range(turn * 100, turn * 100 + 100)))
                async with asyncio.timeout(10):
                    count = (turn + 1) * 100
                    await asyncio.gather(consumed(first, found, count), consumed(second, found, count))
                clock.added += step
    assert sorted(found) == list(range(300)), "each is committed once, and by one"


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_who_died_before_the_clock_was_set_is_taken_over_from_within_the_lease(
    tmp_path: Path, step: float
) -> None:
    clock, found = Clock(), list[int]()
    async with log_of(tmp_path, clock) as one:
        topic, group = await fresh(one), uuid.uuid4().hex
        dead = log_of(tmp_path, clock)
        await dead.open()
        joined = dead.join(group, [topic], "dead")
        reader = await joined.__aenter__()
        while not reader.assignment:
            await reader.poll(wait=0.05)
        reader._beating.cancel()  # it dies: no beat any more, and no goodbye
        clock.added += step
        async with one.join(group, [topic], "b") as second:
            await one.append(topic, drafts_of(range(100)))
            began = time.monotonic()
            async with asyncio.timeout(10):
                await consumed(second, found, 100)
            assert time.monotonic() - began < 3 * TIMEOUT
        await dead.close()


@pytest.mark.parametrize("step", [HOUR, -HOUR])
async def test_a_lease_is_held_by_one_whatever_the_clock_says(tmp_path: Path, step: float) -> None:
    """Leases count seconds of a clock that nobody sets; this holds them to it."""
    async with SqliteState(tmp_path / "state.sqlite") as state:
        seconds = [0.0]
        one = Leases(state, "one", ttl=15, clock=lambda: seconds[0])
        two = Leases(state, "two", ttl=15, clock=lambda: seconds[0] + step)  # another machine, with another clock
        held = await one.acquire("chn_mail", "INBOX")
        assert held is not None
        for _ in range(10):
            seconds[0] += 5
            assert await two.acquire("chn_mail", "INBOX") is None
            held = await one.renew(held)
        assert one.remaining(held) > 0
        assert await two.acquire("chn_mail", "INBOX") is None
        seconds[0] += 15
        assert one.remaining(held) == 0
        assert await two.acquire("chn_mail", "INBOX") is not None
