"""Zoom Contact Center: engagements that begin and end, and what is written in them. It knows no queue and no task.

Source: Zoom's reference of Contact Center events and its change log of May 2025, which name the events. The fields of messages could
not be compared with a real one, so several spellings are taken; without words a message is a visible placeholder.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from im_ingest.connectors.zoom.entities import Consumer, Engagement
from im_ingest.connectors.zoom.frame import BY_URL, Frame, person
from onethread.errors import Poison
from onethread.event import (
    AnyFact,
    Attachment,
    Body,
    Claim,
    Event,
    Message,
    Party,
    PartyKind,
    Place,
    SessionEnded,
    SessionStarted,
)

CALLS = frozenset({"voice", "video", "in_app_video", "kiosk"})


class _Payload(msgspec.Struct):
    object: Engagement


def began(frame: Frame) -> Iterator[Event]:
    """A consumer came."""
    engagement = frame.decoded(_Payload).object
    yield _event(frame, engagement, frame.own_id(), SessionStarted(reason=_channel(engagement)))


def ended(frame: Frame) -> Iterator[Event]:
    """It is over."""
    engagement = frame.decoded(_Payload).object
    yield _event(frame, engagement, frame.own_id(), SessionEnded(reason=_channel(engagement)))


def said(frame: Frame) -> Iterator[Event]:
    """A message or a file, of either side."""
    engagement = frame.decoded(_Payload).object
    text = next(filter(None, map(_text, (engagement.message, engagement.message_content, engagement.text))), "")
    files = (_file(engagement),) if engagement.file_id or engagement.file_name or engagement.download_url else ()
    fact = Message(body=Body(text=text), attachments=files, unsupported="" if text or files else frame.name)
    ours = "_user_sent_" in frame.name
    yield _event(frame, engagement, engagement.message_id or frame.own_id(), fact, ours=ours)


def _text(value: Any) -> str:
    """Words; some records wrap them."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("text", "message", "content", "body") if name in value), "")
    return value if isinstance(value, str) else ""


def _file(engagement: Engagement) -> Attachment:
    url = engagement.download_url
    return Attachment(
        filename=engagement.file_name or "",
        external_id=engagement.file_id or "",
        locator=f"{BY_URL}{url}" if url else "",
        status="pending" if url else "reference",
    )


def _channel(engagement: Engagement) -> str:
    return engagement.channel or engagement.channel_source or ""


def _consumer(frame: Frame, engagement: Engagement) -> Party:
    """Who came: by an id of the Contact Center; a number is proved only by a text message, an address by nobody."""
    told: Consumer = next(iter(engagement.consumers or ()), engagement)
    claims = [Claim("zoom_consumer", told.consumer_id, scope=frame.us.account)] if told.consumer_id else []
    if told.consumer_number:
        evidence = "network_phone" if _channel(engagement) == "sms" else "unattested_caller"
        claims.append(Claim("phone", told.consumer_number, evidence=evidence))
    if told.consumer_email and "@" in told.consumer_email:
        claims.append(Claim("email", told.consumer_email, evidence="form"))
    kind: PartyKind = "person" if claims else "anonymous"
    return Party(claims=tuple(claims), name=told.consumer_display_name or "", kind=kind)


def _event(frame: Frame, engagement: Engagement, external_id: str, fact: AnyFact, *, ours: bool = False) -> Event:
    if not engagement.engagement_id:
        raise Poison("an engagement without an id")
    consumer = _consumer(frame, engagement)
    agent = person(
        frame.us, engagement.user_id, engagement.user_email, name=engagement.user_display_name or "", external=False
    )
    us = msgspec.structs.replace(agent, kind="agent", is_us=True)
    return Event(
        external_id,
        fact,
        external_thread_id=f"engagement:{engagement.engagement_id}",
        place=Place(kind="call") if _channel(engagement) in CALLS else Place(),
        direction="outbound" if ours else "inbound",
        echo=ours,
        sender=us if ours else consumer,
        recipients=(consumer,) if ours else (),
        received_at=frame.at,
        channel_data={"queue": engagement.queue_name} if engagement.queue_name else {},
    )


HANDLERS: dict[str, Callable[[Frame], Iterator[Event]]] = {
    "contact_center.engagement_started": began,
    "contact_center.engagement_ended": ended,
    **dict.fromkeys(
        (
            f"contact_center.engagement_{who}_sent_{what}"
            for who in ("consumer", "customer", "user")
            for what in ("message", "file")
        ),
        said,
    ),
}
