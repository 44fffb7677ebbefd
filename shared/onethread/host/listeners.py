"""Who listens to which channel, and the way of what they are to see, over the state store. It knows no request and no record.

    onethread listen ─► taps/{channel}, renewed ─► looked at every few seconds by each replica ─► Taps
    Taps ─► one writer a replica ─► sightings/{channel}/{slot} ─► taken, and removed, by who listens

No clock is compared between two machines: a tap has ended once a replica has itself watched it stand still for `LEASE` seconds.
Slots are a few, for all replicas together, so that nothing that a killed process leaves behind can grow. What cannot be
written, since the store is away or nobody takes it, is counted and dropped.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from onethread.errors import Conflict, Retryable
from onethread.host.channel import Channels
from onethread.host.taps import Taps
from onethread.logs import get_logger
from onethread.state.port import Document, StateStore

_log = get_logger(__name__)

TAPS = "taps"
"""One document a channel, by its id: the name of who listens. Whoever came last has it."""
SIGHTINGS = "sightings"
SLOTS = 64
"""Of a channel's sightings that nobody has taken yet, at most."""
LEASE = 15.0
"""Seconds without a renewal after which nobody listens any more."""
_PAUSE = 0.02
"""Seconds between two writes: the store has other work."""
_TRIES = 4


class Listeners:
    """Keeps `taps` true, and writes what it holds. `every`: seconds between two looks; `clock`: monotonic seconds."""

    def __init__(
        self,
        taps: Taps,
        store: StateStore,
        channels: Channels,
        *,
        every: float = 2.0,
        lease: float = LEASE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._taps, self._store, self._channels = taps, store, channels
        self._every, self._lease, self._clock = every, lease, clock
        self._watched: dict[str, tuple[int, float]] = {}
        self._unswept: set[str] | None = None
        self._writing = asyncio.Lock()
        self._random = random.Random()  # noqa: S311 -- for slots, not for secrets

    async def run(self) -> None:
        """Until cancelled; whatever goes wrong over it, the process goes on."""
        await asyncio.gather(self._again(self.look, self._every), self._again(self.write, _PAUSE))

    async def _again(self, work: Callable[[], Awaitable[None]], pause: float) -> None:
        while True:
            try:
                await work()
            except Retryable:
                pass  # the store is away: every pull says so already
            except Exception as error:  # noqa: BLE001 -- who listens is told less then; the service works
                _log.error("what came cannot be shown to who listens", exc_info=error)
            await asyncio.sleep(pause)

    async def look(self) -> None:
        """Who listens now; what is left of those who no longer do is removed. Raises Retryable."""
        if (
            self._unswept is None
        ):  # of a process that was killed; read before the taps, since a tap comes before its sightings
            self._unswept = {one.id.partition("/")[0] for one in await self._store.scan(SIGHTINGS)}
        documents = await self._store.scan(TAPS)
        live = {one.id: one for one in documents if not self._stands_still(one)}
        for document in documents:
            if document.id not in live:
                await self._remove(TAPS, document)
                self._unswept.add(document.id)
        for channel_id in self._taps.live - live.keys():
            self._taps.end(channel_id)
            self._unswept.add(channel_id)
        for channel_id in sorted(self._unswept - live.keys()):
            await self._sweep(channel_id)
        self._unswept.clear()
        for channel_id, document in live.items():
            channel = self._channels.get(channel_id)
            if channel is not None:
                self._taps.begin(channel, document.value.decode())

    async def write(self) -> None:
        """One sighting, once there is one. Raises Retryable."""
        channel_id, value = await self._taps.next()
        try:
            async with self._writing:
                written = channel_id not in self._taps.live or await self._put(channel_id, value)
        except Retryable:
            self._taps.missed(channel_id)
            raise
        if not written:
            self._taps.missed(channel_id)

    async def _put(self, channel_id: str, value: bytes) -> bool:
        """Into a slot that is free; False: they are taken, as it seems."""
        for _ in range(_TRIES):
            with suppress(Conflict):
                await self._store.put(SIGHTINGS, f"{channel_id}/{self._random.randrange(SLOTS):02}", value, 0)
                return True
        return False

    async def _sweep(self, channel_id: str) -> None:
        """Remove what nobody will take. Nobody here writes for the channel any more, but for what the writer has begun."""
        async with self._writing:
            for document in await self._store.scan(SIGHTINGS, f"{channel_id}/"):
                await self._remove(SIGHTINGS, document)

    async def _remove(self, collection: str, document: Document) -> None:
        with suppress(Conflict):  # another was first
            await self._store.delete(collection, document.id, document.version)

    def _stands_still(self, document: Document) -> bool:
        version, since = self._watched.get(document.id, (0, 0.0))
        if version != document.version:
            self._watched[document.id] = (document.version, self._clock())
            return False
        return self._clock() - since >= self._lease
