"""What became of a message: a fold of the entries about it. Pure; whatever order they were stored in, the result is the same."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from onethread.event import (
    FILES_REVISION,
    AnyFact,
    Attachment,
    CallRecording,
    Content,
    Foreign,
    MessageDeleted,
    ReactionAdded,
    ReactionRemoved,
    Receipt,
)
from unifier.model import Entry
from unifier.naming import receipts_of
from unifier.reading import milliseconds

CONTENT = frozenset({"message", "message.edited", "message.completed"})
"""Kinds that hold a whole message."""
_WITH_FILES = CONTENT | {"call.recording"}
"""Kinds that hold files, which the host completes by an entry of its own."""


class MessageState(NamedTuple):
    """Times in ms, 0: never. `erased`: the provider demands removal; `current`: the entry whose text stands, if not its own.

    `reactions`: the entries that brought those still standing; `delivery`: the receipt that came furthest.
    `files`: what became of files that were pending, by what names them at the provider.
    """

    edited_at: int = 0
    deleted_at: int = 0
    erased: bool = False
    hidden: bool = False
    delivery: Entry | None = None
    reactions: tuple[Entry, ...] = ()
    current: Entry | None = None
    texts: tuple[Entry, ...] = ()
    files: Mapping[str, Attachment] = {}

    def file(self, file: Attachment) -> Attachment:
        """The file as it is now."""
        found = self.files.get(_name(file)) if file.status == "pending" else None
        if found is None:
            return file
        return msgspec.structs.replace(
            file,
            status=found.status,
            filename=file.filename or found.filename,
            sha256=found.sha256,
            size_bytes=found.size_bytes,
            media_type=found.media_type,
        )

    def with_files(self, fact: AnyFact | Foreign) -> AnyFact | Foreign:
        """The fact with its files as they are now."""
        if self.files and isinstance(fact, CallRecording):
            return msgspec.structs.replace(fact, attachment=self.file(fact.attachment))
        if not self.files or not isinstance(fact, Content):
            return fact
        return msgspec.structs.replace(fact, attachments=tuple(self.file(each) for each in fact.attachments))


_UNTOUCHED = MessageState()


def folded(about: Iterable[Entry]) -> MessageState:
    """The state that these entries give their message."""
    about = tuple(about)
    if not about:  # of most messages nobody says anything
        return _UNTOUCHED
    ordered = sorted({entry.id: entry for entry in about}.values(), key=lambda entry: (entry.at, entry.id))
    edits = [entry for entry in ordered if entry.kind == "message.edited"]
    brought = [entry for entry in ordered if _brings_files(entry)]
    completions = [entry for entry in ordered if entry.kind == "message.completed" and entry not in brought]
    newest = edits or completions  # a lookup brings the original: an edit is newer than it
    deleted = _last(ordered, "message.deleted", "message.restored")
    hidden = _last(ordered, "message.hidden", "message.shown")
    gone = deleted is not None and deleted.kind == "message.deleted"
    return MessageState(
        edited_at=edits[-1].at if edits else 0,
        deleted_at=deleted.at if gone and deleted else 0,
        erased=any(_erases(entry) for entry in ordered),
        hidden=hidden is not None and hidden.kind == "message.hidden",
        delivery=_furthest(ordered),
        reactions=_standing(ordered),
        current=newest[-1] if newest else None,
        texts=tuple(entry for entry in ordered if entry.kind in CONTENT and entry not in brought),
        files=_files(brought),
    )


def about_itself(entry: Entry) -> str:
    """The message (or recording) that an entry is, or whose text it brings; its state decides what may be shown of it."""
    return entry.target if entry.kind in _WITH_FILES and entry.target else entry.id


def receipts_about(entry: Entry) -> str:
    """The target of receipts up to a time that may be about this entry; "": it is no message of ours, or in no thread."""
    event = entry.event
    sent = entry.kind == "message" and event is not None and event.direction == "outbound"
    return receipts_of(event) if sent and event is not None and event.external_thread_id else ""


def reaches(receipt: Entry, at: int) -> bool:
    """Whether a receipt up to a time is about a message of this time (ms)."""
    fact = receipt.event.fact if receipt.event else None
    return isinstance(fact, Receipt) and fact.until is not None and milliseconds(fact.until) >= at


def _brings_files(entry: Entry) -> bool:
    """The host's own word on the files: its text is a copy, and older than any other."""
    host = entry.event is not None and entry.event.revision.startswith(FILES_REVISION)
    return host and entry.kind in ("message.completed", "call.recording")


def _files(brought: list[Entry]) -> dict[str, Attachment]:
    """One that is stored stays so, whatever else was said: a second delivery may have failed, or completed what failed."""
    found: dict[str, Attachment] = {}
    for entry in brought:
        fact = entry.event.fact if entry.event else None
        for file in _held(fact):
            old = found.get(_name(file))
            if file.status != "pending" and _name(file) and (old is None or old.status != "stored"):
                found[_name(file)] = file
    return found


def _held(fact: object) -> tuple[Attachment, ...]:
    if isinstance(fact, CallRecording):
        return (fact.attachment,)
    return fact.attachments if isinstance(fact, Content) else ()


def _name(file: Attachment) -> str:
    return file.locator or file.external_id


def _last(ordered: list[Entry], *kinds: str) -> Entry | None:
    return next((entry for entry in reversed(ordered) if entry.kind in kinds), None)


def _erases(entry: Entry) -> bool:
    fact = entry.event.fact if entry.event else None
    return isinstance(fact, MessageDeleted) and fact.erase


def _furthest(ordered: list[Entry]) -> Entry | None:
    """The first receipt of the furthest rank: a temporary failure is overcome by a delivery, a final one stands."""
    best: tuple[int, Entry | None] = (0, None)
    for entry in ordered:
        fact = entry.event.fact if entry.event else None
        if isinstance(fact, Receipt):
            final = fact.status == "failed" and (fact.error is None or fact.error.permanent)
            rank = 6 if final else {"sent": 1, "delayed": 2, "failed": 3, "delivered": 4, "read": 5}[fact.status]
            if rank > best[0]:
                best = (rank, entry)
    return best[1]


def _standing(ordered: list[Entry]) -> tuple[Entry, ...]:
    standing: dict[tuple[str, str], Entry] = {}
    for entry in ordered:
        fact = entry.event.fact if entry.event else None
        if isinstance(fact, ReactionAdded):
            if fact.replaces:
                _take_back(standing, entry.sender, keep=fact.symbol)
            standing.setdefault((entry.sender, fact.symbol), entry)
        elif isinstance(fact, ReactionRemoved):
            _take_back(standing, entry.sender, only=fact.symbol)
    return tuple(standing.values())


def _take_back(standing: dict[tuple[str, str], Entry], sender: str, *, only: str = "", keep: str = "") -> None:
    """One sender's reactions, those with the symbol `only`, or all but `keep`."""
    for key in [key for key in standing if key[0] == sender and only in ("", key[1]) and key[1] != keep]:
        del standing[key]
