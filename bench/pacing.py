"""A producer that appends at even intervals, and what each message waits from its confirmation to being readable. It stores nothing."""

import asyncio
from collections.abc import Collection, Sequence
from statistics import quantiles

from bench.contender import Incomplete, Notes
from onethread.log.port import Draft, EventLog


class Pacing:
    """`rate`: messages a second. After a round, `p99`: seconds."""

    def __init__(self, rate: float) -> None:
        self.p99 = 0.0
        self._rate = rate
        self._cuts: list[float] = []
        self._accepted: dict[str, float] = {}
        self._readable: dict[str, float] = {}

    def give(self, ids: Sequence[str], drafts: Sequence[Draft]) -> None:
        """Messages of the next round, and the ids by which `seen` will name them."""
        self._given = list(zip(ids, drafts, strict=True))
        self._accepted, self._readable = {}, {}

    def seen(self, ids: Collection[str]) -> None:
        """These can be read from now on."""
        now = asyncio.get_running_loop().time()
        for one in ids:
            self._readable.setdefault(one, now)
        if len(self._readable) >= len(self._given):
            self._done.set()

    async def run(self, log: EventLog, topic: str, consuming: asyncio.Task[object], patience: float) -> None:
        """Produce until the last is readable. Raises Incomplete if `consuming` ends before, or it takes so many seconds more."""
        self._done = asyncio.Event()
        loop = asyncio.get_running_loop()
        began, appending = loop.time(), []
        for index, (one, draft) in enumerate(self._given):
            await asyncio.sleep(max(0.0, began + index / self._rate - loop.time()))
            appending.append(asyncio.create_task(self._accept(log, topic, one, draft)))
        await asyncio.gather(*appending)
        done = asyncio.create_task(self._done.wait())
        await asyncio.wait({done, consuming}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if not self._done.is_set():
            done.cancel()
            raise Incomplete(f"{len(self._readable)} of {len(self._given)} messages became readable")
        await done
        # What was read before the log's answer came back to the producer has waited for nothing.
        waited = [max(0.0, self._readable[one] - at) for one, at in self._accepted.items()]
        self._cuts = quantiles(waited, n=100)
        self.p99 = self._cuts[98]

    def notes(self) -> Notes:
        """Of the last round."""
        p50, p99 = (f"{self._cuts[index] * 1e3:.1f} ms" for index in (49, 98))
        return {"p50": p50, "p99": p99, "messages a second": round(self._rate, 1), "messages": len(self._given)}

    async def _accept(self, log: EventLog, topic: str, one: str, draft: Draft) -> None:
        await log.append(topic, [draft])
        self._accepted[one] = asyncio.get_running_loop().time()
