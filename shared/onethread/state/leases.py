"""Leases: at most one holder of a channel's resource, with a fencing number. No clock is compared between two machines.

A contender takes over only after it has itself watched one and the same (holder, version) for `ttl` seconds of its own clock:
so clocks may differ as they like. A holder that slept through its lease can still act; what it writes then carries an old
fencing number, by which it is refused (see `onethread.state.cursors`). After Martin Kleppmann, "How to do distributed locking"
(https://martin.kleppmann.com/2016/02/08/how-to-do-distributed-locking.html).
"""

import time
from collections.abc import Callable

import msgspec

from onethread.errors import Conflict
from onethread.state.port import Document, StateStore

_COLLECTION = "leases"


class Lease(msgspec.Struct, frozen=True):
    """Held. `fence` grows with each take-over. `until`: by the clock of `Leases`; nobody takes over before, if not renewed."""

    channel: str
    resource: str
    holder: str
    fence: int
    version: int
    until: float


class _Stored(msgspec.Struct, frozen=True):
    """`holder` "" means released."""

    channel: str
    resource: str
    holder: str
    fence: int


_decode = msgspec.json.Decoder(_Stored).decode


class Leases:
    """One contender's view. `holder` must be unique to this run of this process: a restarted process is a new contender.

    `ttl`: seconds without a renewal after which others take over; renew at a third of it. `clock`: monotonic seconds.
    """

    def __init__(
        self, store: StateStore, holder: str, *, ttl: float = 15.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not holder:
            raise ValueError("a lease needs a holder's name")
        self._store = store
        self._holder = holder
        self._ttl = ttl
        self._clock = clock
        self._watched: dict[str, tuple[int, float]] = {}

    async def acquire(self, channel: str, resource: str) -> Lease | None:
        """Try once. None: somebody else holds it, or was first; ask again in a while, since only watching makes it free."""
        key = _key(channel, resource)
        before = self._clock()
        document = await self._store.get(_COLLECTION, key)
        stored = _decode(document.value) if document else None
        if document and stored and stored.holder and not self._is_stale(key, document.version, before):
            return None
        wanted = _Stored(channel, resource, self._holder, stored.fence + 1 if stored else 1)
        try:
            return await self._write(wanted, document.version if document else 0)
        except Conflict:
            return None

    async def renew(self, lease: Lease) -> Lease:
        """The lease, for another `ttl`. Raises Conflict when it is lost: stop at once, another may be at work."""
        try:
            return await self._write(_Stored(lease.channel, lease.resource, self._holder, lease.fence), lease.version)
        except Conflict as error:
            # A renewal whose answer was lost on the way is ours all the same.
            document = await self._store.get(_COLLECTION, _key(lease.channel, lease.resource))
            if document is None or not self._is_ours(document, lease):
                raise Conflict(f"the lease on {lease.channel}/{lease.resource} was taken over.") from error
            return await self._write(_decode(document.value), document.version)

    async def release(self, lease: Lease) -> None:
        """Let it go, so that the next one need not wait. One that is lost already is left alone."""
        key = _key(lease.channel, lease.resource)
        document = await self._store.get(_COLLECTION, key)
        if document is None or not self._is_ours(document, lease):
            return
        free = _Stored(lease.channel, lease.resource, "", lease.fence)
        try:
            await self._store.put(_COLLECTION, key, msgspec.json.encode(free), document.version)
        except Conflict:
            return

    def remaining(self, lease: Lease) -> float:
        """Seconds in which nobody can have taken it over; 0 when that is not certain any more."""
        return max(0.0, lease.until - self._clock())

    def _is_stale(self, key: str, version: int, now: float) -> bool:
        seen, since = self._watched.get(key, (0, now))
        if seen != version:  # versions are never given twice: an equal version is an equal holder
            self._watched[key] = (version, self._clock())  # after the answer: what it says was true before
            return False
        return now - since >= self._ttl

    def _is_ours(self, document: Document, lease: Lease) -> bool:
        stored = _decode(document.value)
        return stored.holder == self._holder and stored.fence == lease.fence

    async def _write(self, wanted: _Stored, expect: int) -> Lease:
        key = _key(wanted.channel, wanted.resource)
        until = self._clock() + self._ttl  # before the write: no contender can have seen it earlier
        document = await self._store.put(_COLLECTION, key, msgspec.json.encode(wanted), expect)
        self._watched.pop(key, None)
        return Lease(wanted.channel, wanted.resource, wanted.holder, wanted.fence, document.version, until)


def _key(channel: str, resource: str) -> str:
    return f"{channel}/{resource}"
