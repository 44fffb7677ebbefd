"""Requests to pull now, wherever in the cluster they arrive. Not durable on purpose: losing one only delays.

The replica that was called may not hold the resource; then it leaves a note, and the holder looks for notes every few seconds.
"""

import asyncio
from datetime import datetime

import msgspec

from onethread.connector import Wake
from onethread.errors import Conflict
from onethread.state.port import Document, StateStore

_COLLECTION = "wakes"


class _Note(msgspec.Struct, frozen=True):
    channel: str
    resource: str
    hint: str
    at: datetime


_decode = msgspec.json.Decoder(_Note).decode


class Alarm:
    """Of one pull: rings when it is to fetch at once; the latest hint counts."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._hint = ""

    def ring(self, hint: str) -> None:
        """Fetch at once."""
        self._hint = hint
        self._event.set()

    def hint(self) -> str:
        """The hint for the fetch that begins now; "" if nobody rang."""
        self._event.clear()
        hint, self._hint = self._hint, ""
        return hint

    def keep(self, hint: str) -> None:
        """The fetch with this hint failed: the next one gets it, unless a newer one has come."""
        self._hint = self._hint or hint

    async def wait(self, seconds: float) -> None:
        """Wait until it rings, but no longer than that."""
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            return


class Notes:
    """What replicas leave for one another. All methods raise Retryable while the store is away."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def leave(self, channel_id: str, wake: Wake, now: datetime) -> None:
        """Leave a note for whoever holds the resource; it replaces an older one."""
        key = f"{channel_id}/{wake.resource}"
        value = msgspec.json.encode(_Note(channel_id, wake.resource, wake.hint, now))
        while True:
            document = await self._store.get(_COLLECTION, key)
            try:
                await self._store.put(_COLLECTION, key, value, document.version if document else 0)
            except Conflict:
                continue
            return

    async def look(self) -> list[tuple[Document, str, Wake]]:
        """All notes, with the channel each is for."""
        found = []
        for document in await self._store.scan(_COLLECTION):
            note = _decode(document.value)
            found.append((document, note.channel, Wake(note.resource, note.hint)))
        return found

    async def take(self, document: Document) -> bool:
        """Remove a note; False if it was replaced or taken in between."""
        try:
            await self._store.delete(_COLLECTION, document.id, document.version)
        except Conflict:
            return False
        return True
