"""Bounds the memory of what was handed to a log and is not durable yet. It knows costs and turns, no records."""

import asyncio
from collections import deque


class Admission:
    """A budget in bytes, given out in the order it was asked for. Used by the tasks of one event loop."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._free = capacity
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def price(self, cost: int) -> int:
        """What to acquire and release for `cost`: never over the whole budget, so that anything gets in alone."""
        return min(cost, self._capacity)

    def try_acquire(self, price: int) -> bool:
        """Take `price` if it is free and nobody waits; whether it was."""
        if self._waiting or self._free < price:
            return False
        self._free -= price
        return True

    async def acquire(self, price: int) -> None:
        """Wait for the budget to have `price` free. First come, first served: a large one is not starved by small ones."""
        if self.try_acquire(price):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((price, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                self._let_in()  # those behind it need not wait for it any longer
            else:  # the turn came in the same step of the loop as the cancellation
                self.release(price)
            raise

    def release(self, price: int) -> None:
        """Give `price` back."""
        self._free += price
        self._let_in()

    def _let_in(self) -> None:
        while self._waiting:
            price, turn = self._waiting[0]
            if not turn.cancelled():
                if price > self._free:
                    return
                self._free -= price
                turn.set_result(None)
            self._waiting.popleft()
