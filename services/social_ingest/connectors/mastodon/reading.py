"""One connection's work: hand on what is streamed, and keep the cursor by the list of notifications. It knows no settings.

A frame is handed on at once, without a cursor. Ids of notifications have gaps, since all accounts of a server share them, so
nothing in a frame says whether the one before it was lost: only the list does.
"""

import asyncio
from collections.abc import Sequence

import msgspec

from onethread.connector import Host, Raw, WebSocket
from onethread.errors import Retryable
from social_ingest.connectors.mastodon.api import Api
from social_ingest.connectors.mastodon.entities import Frame, Numbered, Status, order
from social_ingest.connectors.mastodon.records import NOTIFICATION
from social_ingest.connectors.mastodon.who import is_us

UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)

NOT_FOR_US = frozenset({
    "conversation", "filters_changed", "notifications_merged", "encrypted_message",
    "announcement", "announcement.reaction", "announcement.delete",
})  # fmt: skip
"""Events of the stream that only a reader's program needs; a conversation repeats a mention."""


class Reading:
    """From a cursor on. `last`: the newest notification of which all before it are durable too."""

    def __init__(self, host: Host, api: Api, ours: str, last: str) -> None:
        self._host, self._api, self._ours = host, api, ours
        self.last = last
        self._early: set[str] = set()
        """Handed on by the stream, not yet seen in the list."""

    async def run(self, socket: WebSocket, *, quiet: float, idle: float, burst: int) -> None:
        """Until the connection ends, which raises Retryable. `quiet` and `idle` are seconds without a frame."""
        await self.catch_up()
        while True:
            try:
                # Not `wait_for`: before Python 3.12 it swallows a cancellation that meets a frame.
                async with asyncio.timeout(quiet if self._early else idle):
                    frame = await socket.receive()
            except TimeoutError:
                await self.catch_up()
                continue
            await self._take(frame)
            if len(self._early) >= burst:
                await self.catch_up()

    async def catch_up(self) -> None:
        """All that the list has after `last`, page by page, the oldest first; the cursor follows."""
        while page := await self._api.after(self.last):
            named = [(_id_of(record), record) for record in page]
            newest = max((name for name, _ in named), key=order)
            if order(newest) <= order(self.last):
                break  # a server that does not know `min_id` would answer the same for ever
            await self._host.emit([Raw(record) for name, record in named if name not in self._early], newest)
            self.last = newest
        # What was streamed and is not listed is gone, or is listed late: then the next reading brings it once more.
        self._early.clear()

    async def _take(self, frame: str | bytes) -> None:
        """One frame. A notification at or before `last` is handed on too: it may have been stored late, out of order."""
        records = self._records(frame)
        if records:
            await self._host.emit(records)
        for record in records:
            name = _id_of(record.data) if record.form == NOTIFICATION else ""
            if order(name) > order(self.last):
                self._early.add(name)

    def _records(self, frame: str | bytes) -> Sequence[Raw]:
        try:
            decoded = msgspec.json.decode(frame, type=Frame)
        except UNREADABLE:
            return (Raw(frame.encode("utf-8", "replace") if isinstance(frame, str) else frame, form="frame"),)
        if decoded.error is not None:
            raise Retryable(f"the streaming server says: {decoded.error[:200]}")
        payload = (decoded.payload or "").encode("utf-8", "replace")
        match decoded.event:
            case "notification":
                return (Raw(payload, form=NOTIFICATION),)
            case "delete":
                return (Raw(msgspec.json.encode(decoded.payload), form="delete"),)
            case "update" | "status.update" as event if self._is_for_us(event, payload):
                return (Raw(payload, form=event),)
            case "" | "update" | "status.update":
                return ()
            case other:
                return () if other in NOT_FOR_US else (Raw(payload, form=other),)

    def _is_for_us(self, event: str, payload: bytes) -> bool:
        """The stream also brings what people write whom the account follows: not to us, so not ours to keep.

        What cannot be read is kept: it becomes a dead letter, not silence.
        """
        try:
            status = msgspec.json.decode(payload, type=Status)
        except UNREADABLE:
            return True
        own = is_us(status.account.acct, self._ours)
        return own or (event == "status.update" and any(is_us(named.acct, self._ours) for named in status.mentions))


def _id_of(record: bytes) -> str:
    """The notification's id; "" where it has none, which orders before all others."""
    try:
        return msgspec.json.decode(record, type=Numbered).id
    except UNREADABLE:
        return ""
