"""Text messages of Zoom Phone: what came, what the company's numbers sent, what failed, who opted out. It knows no call.

Source: "Phone" in the type definitions of Zoom Rivet.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from im_ingest.connectors.zoom.entities import Number, Sms, SmsFile
from im_ingest.connectors.zoom.frame import AGENT, BY_URL, Frame, iso
from onethread.event import (
    AnyFact,
    Attachment,
    AttachmentKind,
    Body,
    Claim,
    ContactSubscribed,
    ContactUnsubscribed,
    Event,
    Failure,
    Message,
    Party,
    Receipt,
)

KINDS: dict[str, AttachmentKind] = {"image": "image", "video": "video", "audio": "audio"}


class _Payload(msgspec.Struct):
    object: Sms


def received(frame: Frame) -> Iterator[Event]:
    """A customer's text message."""
    sms = frame.decoded(_Payload).object
    yield _event(frame, sms, _named(frame, sms), _message(sms), ours=False)


def sent(frame: Frame) -> Iterator[Event]:
    """One of ours; a failure is told with the whole message."""
    sms = frame.decoded(_Payload).object
    named = _named(frame, sms)
    yield _event(frame, sms, named, _message(sms), ours=True)
    if frame.name.endswith("_failed"):
        error = Failure(text=sms.failure_reason or "", permanent=True)
        fact = Receipt(status="failed", target=named, error=error)
        yield _event(frame, sms, named, fact, ours=True, revision="failed")


def opted(frame: Frame) -> Iterator[Event]:
    """Customers who want no more messages, or want them again."""
    sms = frame.decoded(_Payload).object
    for status in sms.phone_number_campaign_opt_statuses or ():
        number = status.consumer_phone_number or ""
        out = frame.name.endswith("_out")
        fact = ContactUnsubscribed(reason="opt_out") if out else ContactSubscribed(reason="opt_in")
        own = status.zoom_phone_user_number or ""
        yield Event(
            f"{frame.own_id()}:{number}:{own}",
            fact,
            external_thread_id=f"sms:{own}:{number}",
            sender=_party(Number(number)),
            received_at=iso(sms.date_time) or frame.at,
        )


def _named(frame: Frame, sms: Sms) -> str:
    return sms.message_id or frame.own_id()


def _message(sms: Sms) -> Message:
    files = tuple(_file(one) for one in sms.attachments or ())
    unsupported = "" if sms.message or files else "sms"
    return Message(body=Body(text=sms.message or ""), attachments=files, unsupported=unsupported)


def _file(file: SmsFile) -> Attachment:
    media_type = file.type or ""
    return Attachment(
        kind=KINDS.get(media_type.partition("/")[0], "file"),
        filename=file.name or "",
        media_type=media_type if "/" in media_type else "",
        size_bytes=file.size,
        external_id=file.id,
        locator=f"{BY_URL}{file.download_url}" if file.download_url else "",
        status="pending" if file.download_url else "reference",
    )


def _party(number: Number) -> Party:
    """The network carries the number."""
    found = (Claim("phone", number.phone_number, evidence="network_phone"),) if number.phone_number else ()
    return Party(claims=found, name=number.display_name or "", kind="person" if found else "anonymous")


def _event(frame: Frame, sms: Sms, external_id: str, fact: AnyFact, *, ours: bool, **fields: Any) -> Event:
    own = Number() if sms.sender is None else sms.sender
    others = tuple(_party(one) for one in sms.to_members or ())
    own_side = tuple(msgspec.structs.replace(one, kind="agent", is_us=True) for one in others)
    return Event(
        external_id,
        fact,
        external_thread_id=sms.session_id or f"sms:{own.phone_number or external_id}",
        direction="outbound" if ours else "inbound",
        echo=ours,
        sender=msgspec.structs.replace(AGENT, name=own.display_name or "") if ours else _party(own),
        recipients=others if ours else own_side,
        received_at=iso(sms.date_time) or frame.at,
        reply_context={"session_id": sms.session_id} if sms.session_id else {},
        **fields,
    )


HANDLERS: dict[str, Callable[[Frame], Iterator[Event]]] = {
    "phone.sms_received": received,
    "phone.sms_sent": sent,
    "phone.sms_sent_failed": sent,
    "phone.sms_campaign_number_opt_out": opted,
    "phone.sms_campaign_number_opt_in": opted,
}
