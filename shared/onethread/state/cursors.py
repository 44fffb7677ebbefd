"""Cursors: where a pulling channel resumes. It refuses a holder that was overtaken, and does not read what a cursor says."""

import msgspec

from onethread.errors import Conflict, Poison
from onethread.state.port import Document, StateStore

LIMIT = 64 * 1024
"""Bytes of a cursor at most."""

_COLLECTION = "cursors"


class _Stored(msgspec.Struct, frozen=True):
    cursor: str | None
    fence: int


_decode = msgspec.json.Decoder(_Stored).decode


class Cursors:
    """Cursors by (channel, resource). `fence` is the fencing number of the lease under which one works."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def load(self, channel: str, resource: str) -> str | None:
        """The cursor last saved, None: none yet."""
        stored, _ = await self._read(channel, resource)
        return stored.cursor

    async def take(self, channel: str, resource: str, fence: int) -> str | None:
        """The cursor, for a new holder: whoever held the lease before can save no more. Raises Conflict like `save`."""
        while True:
            stored, version = await self._read(channel, resource)
            if stored.fence == fence:
                return stored.cursor
            try:
                await self._write(channel, resource, msgspec.structs.replace(stored, fence=fence), stored, version)
            except _Moved:
                continue
            return stored.cursor

    async def save(self, channel: str, resource: str, cursor: str, fence: int) -> None:
        """Save, once what it covers is durable.

        Raises Conflict when a higher fence has saved: the lease is lost, stop. Raises Poison for a cursor over 64 kB.
        """
        if len(cursor.encode()) > LIMIT:
            raise Poison(f"a cursor of {channel}/{resource} is over {LIMIT // 1024} kB: keep less in it.")
        while True:
            stored, version = await self._read(channel, resource)
            try:
                await self._write(channel, resource, _Stored(cursor, fence), stored, version)
            except _Moved:
                continue
            return

    async def _read(self, channel: str, resource: str) -> tuple[_Stored, int]:
        document: Document | None = await self._store.get(_COLLECTION, f"{channel}/{resource}")
        return (_decode(document.value), document.version) if document else (_Stored(None, 0), 0)

    async def _write(self, channel: str, resource: str, new: _Stored, old: _Stored, version: int) -> None:
        if old.fence > new.fence:
            raise Conflict(
                f"{channel}/{resource} is held by another by now (fence {old.fence} over {new.fence}): stop."
            )
        try:
            await self._store.put(_COLLECTION, f"{channel}/{resource}", msgspec.json.encode(new), version)
        except Conflict as error:
            raise _Moved from error


class _Moved(Exception):
    """Somebody wrote between look and write."""
