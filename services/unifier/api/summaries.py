"""One plain line for every entry: what a list shows, and what a client shows of kinds it does not know. Pure."""

import re
from collections.abc import Sequence

from onethread.event import (
    AnyFact,
    Attachment,
    Call,
    CallRecording,
    CallTranscript,
    Content,
    Foreign,
    ParticipantJoined,
    ParticipantLeft,
    Party,
    Postback,
    Rating,
    ReactionAdded,
    ReactionRemoved,
    Receipt,
    SessionEnded,
    SessionStarted,
    System,
    ThreadLinked,
    Unknown,
)
from unifier.model import Entry, plain

LONGEST = 200
"""Characters of a summary."""

_BLANK = re.compile(r"\s+")
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u200b\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]+")
"""Controls, and marks that turn the direction of writing: a line must not change how what stands around it reads."""
_FILES = {"image": "photo", "video": "video", "audio": "audio file", "voice": "voice message", "sticker": "sticker"}
_ABOUT = {
    "message.deleted": "Message deleted",
    "message.restored": "Message restored",
    "message.hidden": "Message hidden",
    "message.shown": "Message shown again",
}
_CALLS = {
    "ringing": "Call ringing",
    "in_progress": "Call in progress",
    "completed": "Call",
    "missed": "Missed call",
    "failed": "Call failed",
}
_STATUS = {
    "sent": "Sent",
    "delayed": "Delayed",
    "delivered": "Delivered",
    "read": "Read",
    "failed": "Failed",
}


def of(entry: Entry, current: Entry, *, deleted: bool, sender: str = "") -> str:
    """The line of an entry; `current`: the entry whose text stands for it, `deleted`: its words are gone, `sender`: their name."""
    if entry.joined:
        return "Two conversations became one"
    if entry.moved_entries:
        number = len(entry.moved_entries.entry_ids)
        return f"{number} {'entry' if number == 1 else 'entries'} moved to conversation {plain(entry.moved_entries.to)}"
    if entry.event is None:
        return entry.kind
    fact = current.event.fact if current.event else entry.event.fact
    if isinstance(fact, Content):
        line = "Deleted message" if deleted else _content(fact)
        return f"Edited: {line}" if entry.kind == "message.edited" and not deleted else line
    return one_line(_fact(entry.event.fact, sender or _name(entry.event.sender))) or entry.kind


def one_line(text: str) -> str:
    """The text as one plain line of bounded length."""
    line = _UNSEEN.sub("", _BLANK.sub(" ", text[: 20 * LONGEST])).strip()
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}…"


def _content(fact: Content) -> str:
    text = one_line(fact.body.text) or one_line(fact.subject) or _without_words(fact)
    if not fact.attachments:
        return text or "Message without text"
    files = f"{_files(fact.attachments)} attached"
    if not text:
        return files[0].upper() + files[1:]
    room = LONGEST - len(files) - 2
    return f"{text if len(text) <= room else text[: room - 1].rstrip() + '…'}, {files}"


def _without_words(fact: Content) -> str:
    if fact.location:
        return one_line(f"Location {fact.location.name or fact.location.address}")
    if fact.contacts:
        return one_line(f"Contact {fact.contacts[0].name}")
    if fact.links:
        return one_line(f"Link {fact.links[0].title or fact.links[0].url}")
    return one_line(f"Unsupported message ({fact.unsupported})") if fact.unsupported else ""


def _files(files: Sequence[Attachment]) -> str:
    kinds = {_FILES.get(file.kind, "file") for file in files}
    name = kinds.pop() if len(kinds) == 1 else "file"
    return name if len(files) == 1 else f"{len(files)} {name}s"


def _fact(fact: AnyFact | Foreign, sender: str) -> str:  # noqa: PLR0911, PLR0912, C901 -- one line a kind
    match fact:
        case ReactionAdded():
            return f"Reacted {fact.symbol}"
        case ReactionRemoved():
            return f"Removed reaction {fact.symbol}" if fact.symbol else "Removed all reactions"
        case Receipt():
            error = fact.error.text or fact.error.code if fact.error else ""
            return f"{_STATUS[fact.status]}: {error}" if error else _STATUS[fact.status]
        case Postback():
            return f"Chose {fact.title or fact.payload or 'something'}"
        case Call():
            seconds = fact.duration_seconds
            return _CALLS[fact.status] + (f", {seconds // 60} min {seconds % 60} s" if seconds else "")
        case CallRecording():
            return "Voicemail" if fact.voicemail else "Recording of a call"
        case CallTranscript():
            return f"Transcript: {fact.text}"
        case ParticipantJoined():
            return f"{_name(fact.party)} joined"
        case ParticipantLeft():
            return f"{_name(fact.party)} left"
        case SessionStarted() | SessionEnded():
            word = "started" if isinstance(fact, SessionStarted) else "ended"
            return f"{sender} {word} a session"
        case Rating():
            return f"Rated {fact.score:g} of {fact.scale:g}" + (f": {fact.text}" if fact.text else "")
        case ThreadLinked():
            return "The channel continues another thread here"
        case System():
            return fact.text or "Message of the channel"
        case Unknown():
            return f"Something this version does not know ({fact.label})"
        case Foreign():
            return f"Something this version does not know ({fact.name})"
    return _ABOUT.get(fact.kind if isinstance(fact, Foreign) else str(type(fact).__struct_config__.tag), "")


def _name(party: Party) -> str:
    return party.name or party.username or "Somebody"
