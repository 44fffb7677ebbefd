"""What a Messenger message says, as the fields of `message`. It knows no sender."""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

from im_ingest.connectors.messenger.said import Advertisement, Attachment, Element, Message, Payload
from im_ingest.connectors.messenger.said import Referral as ReferralRecord
from im_ingest.meta import moment
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
KNOWN = frozenset({*FILES, "fallback", "post", "ig_post", "share", "template", "location", "appointment_booking"})
"""Types that are shown whole; of any other, its address is."""
CDN = (".fbcdn.net", ".fbsbx.com", ".cdninstagram.com")
"""Hosts of signed addresses that expire: what is there is fetched, and the address shown to nobody."""


def content(message: Message) -> Fact:
    """The whole message."""
    attachments = message.attachments or []
    files, links = tuple(_files(attachments)), tuple(_links(attachments))
    body = Body(text=message.text or "\n".join(_words(attachments)))
    location = next((point for each in attachments if (point := _point(each))), None)
    return Fact(
        body=body,
        attachments=files,
        links=links,
        location=location,
        quote=_quote(message),
        referral=referral(message.referral) if message.referral else None,
        unsupported=_unsupported(attachments, bare=not message.text),
    )


def _unsupported(attachments: list[Attachment], *, bare: bool) -> str:
    """The provider's word for the first part that we cannot show; of a message without any part, "message"."""
    hidden = (each.type or "attachment" for each in attachments if not _is_shown(each))
    return next(hidden, "message" if bare and not attachments else "")


def _is_shown(attachment: Attachment) -> bool:
    one = [attachment] if attachment.type in KNOWN else []
    return any((*_files(one), *_links(one), *_words(one), *map(_point, one)))


def _quote(message: Message) -> Quote | None:
    """What is answered, or the product that is asked about."""
    answered, story = message.reply_to, message.reply_to.story if message.reply_to else None
    if answered and answered.mid:
        return Quote(external_id=answered.mid)
    if story and story.id:
        return Quote(external_id=story.id, kind="story")
    product = product_of(message.referral) if message.referral else ""
    return Quote(kind="product", text=product) if product else None


def _files(attachments: list[Attachment]) -> Iterable[File]:
    """A sticker may be told twice, for older receivers as an image (Messenger Platform, changelog of June 2026)."""
    seen: set[str] = set()
    for each in attachments:
        payload = each.payload or Payload()
        if not payload.url or not (each.type in FILES or _is_signed(payload.url)):
            continue
        sticker = "" if payload.sticker_id is None else str(payload.sticker_id)
        if sticker in seen:
            continue
        seen |= {sticker} if sticker else set()
        kind = "sticker" if sticker else FILES.get(each.type, "file")
        yield File(
            kind=kind,
            locator=payload.url,
            external_id=sticker,
            filename=_name(payload.url) if each.type == "file" else "",
            description=payload.title or "",
        )


def _is_signed(url: str) -> bool:
    with suppress(ValueError):
        return (urlsplit(url).hostname or "").endswith(CDN)
    return False


def _name(url: str) -> str:
    """Messenger names a file in its address alone."""
    with suppress(ValueError):
        return unquote(urlsplit(url).path).rpartition("/")[2]
    return ""


def _links(attachments: list[Attachment]) -> Iterable[WebLink]:
    """Shared links and posts, and whatever else has an address."""
    for each in attachments:
        payload = each.payload or Payload()
        url = payload.url or each.url
        if url and not (each.type in FILES or _is_signed(url)):
            yield WebLink(url=url, title=payload.title or each.title or "")


def _words(attachments: list[Attachment]) -> Iterable[str]:
    """What can be read of templates and appointments, and the names of products that are asked about."""
    for each in attachments:
        payload = each.payload or Payload()
        if each.type == "appointment_booking":
            yield from _appointment(payload)
        if each.type == "template":
            elements: list[Element] = [
                *(payload.elements or ()),
                *(payload.product.elements if payload.product else ()),
            ]
            lines = (payload.text, *(word for element in elements for word in (element.title, element.subtitle)))
            yield from (line for line in lines if line)


def _appointment(payload: Payload) -> Iterable[str]:
    times = [f"{at:%Y-%m-%d %H:%M} UTC" for at in map(moment, (payload.start_time, payload.end_time)) if at]
    if payload.status or times:
        yield ": ".join(filter(None, (f"Appointment {payload.status or ''}".rstrip(), " to ".join(times))))


def _point(attachment: Attachment) -> Location | None:
    payload = attachment.payload or Payload()
    point = payload.coordinates
    if point is None or not (-90 <= point.lat <= 90 and -180 <= point.long <= 180):
        return None
    return Location(lat=point.lat, lon=point.long, name=payload.title or "")


def referral(record: ReferralRecord) -> Referral:
    """What brought somebody here."""
    advertisement = record.ads_context_data or Advertisement()
    return Referral(
        ref=record.ref or "",
        source=record.source or "",
        url=record.referer_uri or "",
        ad_id=str(record.ad_id or ""),
        title=advertisement.ad_title or "",
    )


def product_of(record: ReferralRecord) -> str:
    """The product's id at Meta that a link, a shop or an advertisement was about."""
    advertised = record.ads_context_data.product_id if record.ads_context_data else None
    return (record.product.id if record.product else None) or advertised or ""


def referral_data(record: ReferralRecord) -> dict[str, Any]:
    """What has no field of its own, where a referral is no message."""
    advertisement = record.ads_context_data or Advertisement()
    found = {
        "type": record.type,
        "ad_id": str(record.ad_id or ""),
        "ad_title": advertisement.ad_title,
        "post_id": advertisement.post_id,
        "product_id": product_of(record),
        "url": record.referer_uri,
    }
    return {name: value for name, value in found.items() if value}


def rest(message: Message) -> dict[str, Any]:
    """What has no field of its own."""
    found = {
        "quick_reply": message.quick_reply.payload if message.quick_reply else None,
        "commands": [command.name for command in message.commands or ()],
        "app_id": None if message.app_id is None else str(message.app_id),
        "metadata": message.metadata,
        "post_id": message.referral.ads_context_data.post_id
        if message.referral and message.referral.ads_context_data
        else None,
    }
    return {name: value for name, value in found.items() if value}
