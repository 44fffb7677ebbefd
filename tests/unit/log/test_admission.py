"""The budget of what waits for a log."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onethread.log.admission import Admission


async def steps() -> None:
    """Let whoever can run, run."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_does_not_fit_waits_until_something_is_released() -> None:
    admission = Admission(10)
    await admission.acquire(7)
    waiting = asyncio.create_task(admission.acquire(4))
    await steps()
    assert not waiting.done()
    admission.release(7)
    await waiting


async def test_a_large_one_is_not_overtaken_by_small_ones() -> None:
    admission = Admission(10)
    await admission.acquire(6)
    large = asyncio.create_task(admission.acquire(10))
    await steps()
    small = asyncio.create_task(admission.acquire(1))
    await steps()
    assert not small.done()
    admission.release(6)
    await large
    assert not small.done()
    admission.release(10)
    await small


async def test_what_is_larger_than_everything_gets_in_alone() -> None:
    admission = Admission(10)
    price = admission.price(1000)
    await admission.acquire(price)
    admission.release(price)


async def test_one_that_gives_up_lets_those_behind_it_in() -> None:
    admission = Admission(10)
    await admission.acquire(5)
    large = asyncio.create_task(admission.acquire(9))
    await steps()
    small = asyncio.create_task(admission.acquire(5))
    await steps()
    large.cancel()
    await small
    with pytest.raises(asyncio.CancelledError):
        await large


@given(st.lists(st.tuples(st.integers(0, 12), st.booleans(), st.booleans()), max_size=20))
async def test_whoever_is_cancelled_whenever_the_whole_budget_comes_back(asked: list[tuple[int, bool, bool]]) -> None:
    admission = Admission(10)

    async def use(price: int) -> None:
        await admission.acquire(price)
        try:
            await steps()
        finally:
            admission.release(price)

    tasks = []
    for cost, pause, cancel in asked:
        tasks.append(asyncio.create_task(use(admission.price(cost))))
        if pause:
            await asyncio.sleep(0)
        if cancel:
            tasks[len(tasks) // 2].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    async with asyncio.timeout(5):
        await admission.acquire(10)
