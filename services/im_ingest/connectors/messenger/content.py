"""What a Messenger message says, as the fields of `message`. It knows no sender."""

from collections.abc import Iterable
from typing import Any

from im_ingest.connectors.messenger.entities import Attachment, Element, Message, Payload
from im_ingest.connectors.messenger.entities import Referral as ReferralRecord
from onethread.errors import Poison
from onethread.event import Attachment as File
from onethread.event import AttachmentKind, Body, Location, Quote, Referral, WebLink
from onethread.event import Message as Fact

FILES: dict[str, AttachmentKind] = {
    "image": "image",
    "audio": "audio",
    "video": "video",
    "file": "file",
    "sticker": "sticker",
    "reel": "video",
    "ig_reel": "video",
}
LINKS = frozenset({"fallback", "post", "share"})


def content(message: Message) -> Fact:
    """The whole message."""
    attachments = message.attachments or []
    files, links = tuple(_files(attachments)), tuple(_links(attachments))
    body = Body(text=message.text or "\n".join(_words(attachments)))
    location = next((_point(each.payload) for each in attachments if _has_point(each)), None)
    answered = message.reply_to.mid if message.reply_to else None
    return Fact(
        body=body,
        attachments=files,
        links=links,
        location=location,
        quote=Quote(external_id=answered) if answered else None,
        referral=referral(message.referral) if message.referral else None,
        unsupported=_unsupported(attachments, bare=not message.text),
    )


def _unsupported(attachments: list[Attachment], *, bare: bool) -> str:
    """The provider's word for the first part that we cannot show; of a message without any part, "message"."""
    hidden = (each.type or "attachment" for each in attachments if not _is_shown(each))
    return next(hidden, "message" if bare and not attachments else "")


def _is_shown(attachment: Attachment) -> bool:
    one = [attachment]
    return any((*_files(one), *_links(one), *_words(one))) or _has_point(attachment)


def _files(attachments: list[Attachment]) -> Iterable[File]:
    """A sticker may be told twice, for older receivers as an image (Messenger Platform, changelog of June 2026)."""
    seen: set[str] = set()
    for each in attachments:
        payload = each.payload or Payload()
        if each.type not in FILES or not payload.url:
            continue
        sticker = "" if payload.sticker_id is None else str(payload.sticker_id)
        if sticker in seen:
            continue
        seen |= {sticker} if sticker else set()
        kind = "sticker" if sticker else FILES[each.type]
        yield File(kind=kind, locator=payload.url, external_id=sticker, description=payload.title or "")


def _links(attachments: list[Attachment]) -> Iterable[WebLink]:
    for each in attachments:
        payload = each.payload or Payload()
        url = payload.url or each.url
        if each.type in LINKS and url:
            yield WebLink(url=url, title=payload.title or each.title or "")


def _words(attachments: list[Attachment]) -> Iterable[str]:
    """What can be read of templates, and the names of products that are asked about."""
    for each in attachments:
        payload = each.payload or Payload()
        if each.type == "template":
            elements: list[Element] = [
                *(payload.elements or ()),
                *(payload.product.elements if payload.product else ()),
            ]
            lines = (payload.text, *(word for element in elements for word in (element.title, element.subtitle)))
            yield from (line for line in lines if line)


def _has_point(attachment: Attachment) -> bool:
    return (
        attachment.type == "location" and attachment.payload is not None and attachment.payload.coordinates is not None
    )


def _point(payload: Payload | None) -> Location:
    point = payload.coordinates if payload else None
    if point is None or not (-90 <= point.lat <= 90 and -180 <= point.long <= 180):
        raise Poison("a location outside the Earth")
    return Location(lat=point.lat, lon=point.long, name=(payload.title if payload else None) or "")


def referral(record: ReferralRecord) -> Referral:
    """What brought somebody here."""
    return Referral(
        ref=record.ref or "", source=record.source or "", url=record.referer_uri or "", ad_id=record.ad_id or ""
    )


def rest(message: Message) -> dict[str, Any]:
    """What has no field of its own."""
    found = {
        "quick_reply": message.quick_reply.payload if message.quick_reply else None,
        "commands": [command.name for command in message.commands or ()],
        "app_id": None if message.app_id is None else str(message.app_id),
        "metadata": message.metadata,
    }
    return {name: value for name, value in found.items() if value}
