"""What people write in a meeting's chat. It knows no other side of meetings.

Source: "Meetings" in the type definitions of Zoom Rivet.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from im_ingest.connectors.zoom.entities import Meeting, MeetingMessage
from im_ingest.connectors.zoom.frame import BY_URL, Frame, iso
from onethread.errors import Poison
from onethread.event import AnyFact, Attachment, Body, Claim, Event, Message, Party, PartyKind, Place


class _Payload(msgspec.Struct):
    object: Meeting


def said(frame: Frame) -> Iterator[Event]:
    """A message. Its files come as events of their own."""
    meeting = frame.decoded(_Payload).object
    if meeting.chat_message is None:
        raise Poison("a meeting's message without content")
    found = meeting.chat_message
    text = found.message_content or ""
    fact = Message(body=Body(text=text), unsupported="" if text else "message")
    yield _event(frame, meeting.uuid, found, found.message_id or frame.own_id(), fact)


def shared(frame: Frame) -> Iterator[Event]:
    """One file of a message."""
    meeting = frame.decoded(_Payload).object
    if meeting.chat_message_file is None:
        raise Poison("a meeting's file without content")
    found = meeting.chat_message_file
    file = Attachment(
        filename=found.file_name or "",
        size_bytes=found.file_size,
        external_id=found.file_id or "",
        locator=f"{BY_URL}{found.download_url}" if found.download_url else "",
        status="pending" if found.download_url else "reference",
    )
    own_id = f"{found.message_id}:{found.file_id or ''}" if found.message_id else frame.own_id()
    yield _event(frame, meeting.meeting_uuid, found, own_id, Message(attachments=(file,)))


def _event(frame: Frame, uuid: str | None, found: MeetingMessage, external_id: str, fact: AnyFact) -> Event:
    if not uuid:
        raise Poison("a meeting without an id")
    sender = _party(frame, uuid, found)
    data: dict[str, Any] = {"recipient_type": found.recipient_type, "sender_type": found.sender_type}
    return Event(
        external_id,
        fact,
        external_thread_id=f"meeting:{uuid}",
        place=Place(id=uuid, kind="call"),
        direction="outbound" if sender.is_us else "inbound",
        echo=sender.is_us,
        sender=sender,
        received_at=iso(found.date_time) or frame.at,
        channel_data={name: value for name, value in data.items() if value},
    )


def _party(frame: Frame, uuid: str, found: MeetingMessage) -> Party:
    """Whoever joins is somebody else in each meeting; the address is that of who is logged in."""
    ours = frame.us.has(found.sender_email)
    claims = [Claim("zoom_participant", found.sender_session_id, scope=uuid)] if found.sender_session_id else []
    if found.sender_email and "@" in found.sender_email:
        claims.append(Claim("email", found.sender_email, evidence="directory" if ours else "profile"))
    kind: PartyKind = "agent" if ours else "person" if claims else "anonymous"
    return Party(claims=tuple(claims), name=found.sender_name or "", kind=kind, is_us=ours)


HANDLERS: dict[str, Callable[[Frame], Iterator[Event]]] = {
    "meeting.chat_message_sent": said,
    "meeting.chat_message_file_sent": shared,
}
