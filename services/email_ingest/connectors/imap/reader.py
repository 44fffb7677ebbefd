"""From a position in a folder to its end: which mails are new, in which batches they are fetched. It knows no sockets.

A position is the UID of the last mail that is durable, within one UIDVALIDITY. UIDs only grow; gaps are normal (RFC 3501,
2.3.1.1). The position moves only with a batch that is durable.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import msgspec

from email_ingest.connectors.imap.faults import Refused
from email_ingest.connectors.imap.link import HEAD_BYTES, Link, internal_date
from email_ingest.connectors.imap.settings import Settings
from onethread.connector import Host, Raw
from onethread.errors import Poison, Retryable
from onethread.logs import get_logger

_log = get_logger(__name__)

WINDOW = 50_000
"""UIDs asked for at once: an answer's line must stay under imaplib's bound of a million bytes."""
CHUNK = 500
"""Mails whose sizes are asked for at once."""
LOOKS = 3
TRIES = 3
"""Sessions in which a mail that the server refuses to hand out is tried before it is passed over, visibly."""


class Position(msgspec.Struct, frozen=True):
    """The cursor. `tries`: how often the mail after `uid` was refused."""

    uidvalidity: int
    uid: int
    tries: int = 0

    def text(self) -> str:
        """As the host keeps it."""
        return msgspec.json.encode(self).decode()


async def position(cursor: str | None, link: Link, host: Host) -> Position:
    """Where to go on. A position that is new is durable before it is used: else a mail that comes now could be lost."""
    if cursor is not None:
        stored = msgspec.json.decode(cursor, type=Position)
        if stored.uidvalidity == link.uidvalidity:
            return stored
        # Every stored UID is void: read all again. Ids make repeats harmless; a window by date would lose moved mails.
        _log.warning("the folder was made anew: reading it from its beginning", uidvalidity=link.uidvalidity)
        begun = Position(link.uidvalidity, 0)
    else:
        begun = Position(link.uidvalidity, await _beginning(link, host.since))
    await host.emit([], begun.text())
    return begun


async def _beginning(link: Link, since: datetime | None) -> int:
    """The UID before the first mail to read: of the first one since then, or the newest one there is."""
    if since is not None:
        # The server's day may be another one than ours.
        day = (since - timedelta(days=1)).date()
        for first in range(1, max(link.uidnext, 2), WINDOW):
            found = await link.search(first, first + WINDOW - 1, day)
            for uid in await _since(link, found, since):
                return uid - 1
    if link.uidnext:
        return link.uidnext - 1
    newest = await link.search(1, None)
    return newest[-1] if newest else 0


async def _since(link: Link, uids: list[int], since: datetime) -> list[int]:
    """The first of these mails that came since then."""
    for start in range(0, len(uids), CHUNK):
        chunk = uids[start : start + CHUNK]
        dates = await link.fetch(chunk, "INTERNALDATE")
        for uid in chunk:
            moment = internal_date(dates.get(uid, {}).get(b"INTERNALDATE"))
            if moment and datetime.fromisoformat(moment) >= since:
                return [uid]
    return []


class Reader:
    """Reads one folder on one link, from `at` on."""

    def __init__(self, host: Host, link: Link, settings: Settings, folder: str, at: Position, *, sent: bool) -> None:
        self.host, self.link, self.settings, self.at = host, link, settings, at
        self.about = {"folder": folder, "uidvalidity": str(at.uidvalidity)}
        if sent:
            self.about["sent"] = "1"
        self.items = ["INTERNALDATE", "BODY.PEEK[]"]

    async def catch_up(self) -> None:
        """Emit all mails after the position, oldest first."""
        while uids := await self._new() or await self._announced():
            for start in range(0, len(uids), CHUNK):
                chunk = uids[start : start + CHUNK]
                answers = await self.link.fetch(chunk, "RFC822.SIZE")
                sizes = {uid: int(answers[uid].get(b"RFC822.SIZE", 0)) for uid in chunk if uid in answers}
                most = min(self.settings.batch_bytes, self.settings.max_bytes)
                for batch in batches(sizes, self.settings.batch_mails, most):
                    await self._emit(batch, {uid: sizes[uid] for uid in batch})
                self.at = Position(self.at.uidvalidity, max(self.at.uid, chunk[-1]))

    async def _new(self) -> list[int]:
        """UIDs after the position; none at the end of the folder."""
        while True:
            first = self.at.uid + 1
            last = first + WINDOW - 1
            at_end = last >= self.link.uidnext - 1
            found = await self.link.search(first, None if at_end else last)
            if found or at_end:
                return found
            self.at = Position(self.at.uidvalidity, last)

    async def _announced(self) -> list[int]:
        """Mails that came while we looked. A server may say so each time: a few looks must do."""
        looks = 0
        while self.link.grew and looks < LOOKS:
            if found := await self._new():
                return found
            looks += 1
        return []

    async def _emit(self, uids: list[int], sizes: dict[int, int]) -> None:
        records = await self._records(uids, sizes)
        self.at = Position(self.at.uidvalidity, uids[-1])
        await self.host.emit(records, self.at.text())

    async def _records(self, uids: list[int], sizes: dict[int, int]) -> list[Raw]:
        if len(uids) == 1 and sizes[uids[0]] > self.settings.max_bytes:
            return await self._beginning_of(uids[0], sizes[uids[0]])
        try:
            answers = await self.link.fetch(uids, *self.items)
        except (Poison, Refused) as error:
            return await self._one_by_one(uids, sizes, error)
        # A mail that is gone by now is not in the answer, or without a body: nobody can read it any more.
        return [self._raw(uid, answers[uid]) for uid in uids if (answers.get(uid) or {}).get(b"BODY[]") is not None]

    async def _one_by_one(self, uids: list[int], sizes: dict[int, int], error: Exception) -> list[Raw]:
        """One of several mails cannot be had: the others must not wait for it."""
        if len(uids) == 1:
            return await self._passed_over(uids[0], error)
        for uid in uids:
            await self._emit([uid], {uid: sizes[uid]})
        return []

    async def _passed_over(self, uid: int, error: Exception) -> list[Raw]:
        """A mail that the server will not hand out: tried again in later sessions, then shown as what it is."""
        if self.at.tries + 1 < TRIES:
            await self.host.emit([], msgspec.structs.replace(self.at, uid=uid - 1, tries=self.at.tries + 1).text())
            raise Retryable(f"the mail with UID {uid} cannot be fetched: {error}") from error
        _log.warning("a mail is passed over: the server does not hand it out", uid=uid, reason=str(error))
        return [self._raw(uid, {b"BODY[]": b""}, cut=f"the server did not hand it out: {error}")]

    async def _beginning_of(self, uid: int, size: int) -> list[Raw]:
        answers = await self.link.fetch([uid], "INTERNALDATE", f"BODY.PEEK[]<0.{HEAD_BYTES}>")
        answer = answers.get(uid, {})
        data = answer.get(b"BODY[]<0>")
        if data is None:
            return []
        cut = f"a mail of {size:,} bytes, over settings.max_bytes: only its beginning was fetched"
        return [self._raw(uid, {**answer, b"BODY[]": data}, cut=cut)]

    def _raw(self, uid: int, answer: dict[bytes, Any], cut: str = "") -> Raw:
        about = {**self.about, "uid": str(uid), "internal_date": internal_date(answer.get(b"INTERNALDATE"))}
        if cut:
            about["cut"] = cut
        if thread := answer.get(b"X-GM-THRID"):
            about["thread"] = str(thread)
        return Raw(bytes(answer[b"BODY[]"]), about=about, media_type="message/rfc822")


def batches(sizes: dict[int, int], mails: int, most: int) -> Iterator[list[int]]:
    """UIDs in order, in batches of at most so many mails and bytes; a mail over the bytes is a batch of its own."""
    batch: list[int] = []
    total = 0
    for uid, size in sizes.items():
        if batch and (len(batch) >= mails or total + size > most):
            yield batch
            batch, total = [], 0
        batch.append(uid)
        total += size
    if batch:
        yield batch
