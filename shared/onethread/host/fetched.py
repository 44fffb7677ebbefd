"""Whose files were all stored lately, so that what is delivered again is not fetched again. It knows no file and no provider.

Providers deliver again for some days. An event is remembered for one to two weeks, by eight bytes of its hash, many in one document:
so there are at most 8192 documents, however much was fetched.
"""

import asyncio
import hashlib

from onethread.errors import Conflict
from onethread.state.port import StateStore

_COLLECTION = "fetched"
_WEEK = 7 * 86400.0
_BYTES = 8
"""Of a hash: among a million events, one in 10^13 is taken for another."""


class Fetched:
    """All methods raise Retryable while the store is away; `now` in Unix seconds."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._swept = -1

    async def has(self, event: str, now: float) -> bool:
        """Whether it was noted in this week or the last."""
        bucket, mark = _place(event)
        weeks = (_week(now), _week(now) - 1)
        found = await asyncio.gather(*[self._store.get(_COLLECTION, _key(week, bucket)) for week in weeks])
        return any(document is not None and _holds(document.value, mark) for document in found)

    async def note(self, event: str, now: float) -> None:
        """All files of this event are stored."""
        bucket, mark = _place(event)
        key = _key(_week(now), bucket)
        while True:
            document = await self._store.get(_COLLECTION, key)
            value, version = (document.value, document.version) if document else (b"", 0)
            if _holds(value, mark):
                return
            try:
                await self._store.put(_COLLECTION, key, value + mark, version)
            except Conflict:  # another event of the same bucket
                continue
            return

    async def forget(self, now: float) -> None:
        """What was noted before the last week. Costs nothing more than once a week."""
        if self._swept == _week(now):
            return
        for document in await self._store.scan(_COLLECTION):
            if int(document.id.partition("/")[0]) < _week(now) - 1:
                try:
                    await self._store.remove(_COLLECTION, document.id, document.version)
                except Conflict:  # another replica forgets, too
                    continue
        self._swept = _week(now)


def _week(now: float) -> int:
    return int(now // _WEEK)


def _key(week: int, bucket: str) -> str:
    return f"{week}/{bucket}"


def _place(event: str) -> tuple[str, bytes]:
    hashed = hashlib.sha256(event.encode()).digest()
    return hashed.hex()[:3], hashed[-_BYTES:]


def _holds(value: bytes, mark: bytes) -> bool:
    return any(value[at : at + _BYTES] == mark for at in range(0, len(value), _BYTES))
