"""Moves bytes that are too large, or no text, out of events into the blob store. It knows no log and no connector."""

from collections.abc import Iterable, Sequence

import msgspec

from onethread.blobs import Blobs
from onethread.connector import Raw
from onethread.dead_letters import INLINE_BYTES, DeadLetter
from onethread.errors import Poison
from onethread.event import Attachment, CallRecording, Content, Event, Source


def takes_blobs(raw: Raw, events: Iterable[Event]) -> bool:
    """Whether the record, or a file in its events, goes to the blob store."""
    return len(raw.data) > INLINE_BYTES or any(
        getattr(each, "content", None) is not None for event in events for each in _files(getattr(event, "fact", None))
    )


def _files(fact: object) -> Sequence[object]:
    found = getattr(fact, "attachments", ())
    return (fact.attachment,) if isinstance(fact, CallRecording) else found if isinstance(found, tuple) else ()


async def source_of(raw: Raw, blobs: Blobs) -> Source:
    """The record as its events carry it: text, bytes, or above 64 kB a reference."""
    common = Source(form=raw.form, about=raw.about, media_type=raw.media_type)
    if len(raw.data) > INLINE_BYTES:
        return msgspec.structs.replace(common, blob=await blobs.put(raw.data))
    try:
        return msgspec.structs.replace(common, text=raw.data.decode())
    except UnicodeError:
        return msgspec.structs.replace(common, data=raw.data)


async def referenced(event: Event, raw: Raw, blobs: Blobs) -> Event:
    """The event with its record by reference, whatever its size: the event is about to be cut."""
    if event.source is None or event.source.blob:
        return event
    source = msgspec.structs.replace(event.source, text=None, data=None, blob=await blobs.put(raw.data))
    return msgspec.structs.replace(event, source=source)


async def attachments_stored(event: Event, blobs: Blobs) -> Event:
    """The event with the bytes of its attachments in the blob store. Raises Poison for attachments of a wrong type."""
    fact = event.fact
    if isinstance(fact, Content) and fact.attachments:
        stored = tuple([await _stored(each, blobs) for each in fact.attachments])
        return msgspec.structs.replace(event, fact=msgspec.structs.replace(fact, attachments=stored))
    if isinstance(fact, CallRecording):
        recording = await _stored(fact.attachment, blobs)
        return msgspec.structs.replace(event, fact=msgspec.structs.replace(fact, attachment=recording))
    return event


async def light(letter: DeadLetter, blobs: Blobs) -> DeadLetter:
    """The dead letter, its original by reference above 64 kB."""
    if len(letter.data) <= INLINE_BYTES:
        return letter
    return msgspec.structs.replace(letter, data=b"", blob=await blobs.put(letter.data))


async def _stored(attachment: Attachment, blobs: Blobs) -> Attachment:
    if not isinstance(attachment, Attachment) or not isinstance(attachment.content, bytes | None):
        raise Poison("an attachment of a wrong type; mend the connector")
    if attachment.content is None:
        if attachment.status != "stored":
            return attachment
        # Only the host stores: a hash from outside would be a way to read what others have stored.
        return msgspec.structs.replace(attachment, status="pending", sha256="")
    sha256 = await blobs.put(attachment.content)
    size = len(attachment.content)
    return msgspec.structs.replace(attachment, content=None, sha256=sha256, size_bytes=size, status="stored")
