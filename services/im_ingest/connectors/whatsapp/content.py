"""What a WhatsApp message says, as the fields that `message`, `message.edited` and `message.completed` share. It knows no sender.

How long Meta keeps a file: Meta for Developers, "WhatsApp Cloud API: Media" (7 days for ids in webhooks).
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from im_ingest.connectors.whatsapp.interactive import Interactive, Product, Words
from im_ingest.connectors.whatsapp.said import Card, Medium, Order, OrderedProduct, Said
from onethread.event import (
    Attachment,
    AttachmentKind,
    Body,
    ContactCard,
    Content,
    Forwarded,
    Location,
    Party,
    Quote,
    Referral,
    WebLink,
)

C = TypeVar("C", bound=Content)

KEPT = timedelta(days=7)
VCARD_LINE = re.compile(
    r"^(?:item\d+\.)?(FN|TEL|EMAIL)(?:;[^:\r\n]*)?:[ \t]*([^\r\n]*\S)", re.MULTILINE | re.IGNORECASE
)
"""Lines of a card in text (RFC 6350), as far as they are shown."""
MEDIA: dict[str, AttachmentKind] = {
    "image": "image",
    "video": "video",
    "audio": "audio",
    "document": "file",
    "sticker": "sticker",
}


def content(said: Said, kind: type[C], at: datetime | None, quoted: Party | None) -> C:
    """The message as it reads now. `at`: when its files were handed over; `quoted`: who wrote what it answers."""
    fields: dict[str, Any] = PARTS[said.type](said, at) if said.type in PARTS else {"unsupported": _label(said)}
    return kind(quote=_quote(said, quoted), forwarded=_forwarded(said), referral=_referral(said), **fields)


def _label(said: Said) -> str:
    """The word for what we cannot show: the provider's own, if it has one."""
    raw = said.unsupported.type if said.unsupported else None
    return raw or said.type or "message"


def _text(said: Said, _at: datetime | None) -> dict[str, Any]:
    return {"body": Body(text=said.text.body)} if said.text else {"unsupported": "text"}


def _media(said: Said, at: datetime | None) -> dict[str, Any]:
    medium: Medium | None = getattr(said, said.type)
    if medium and medium.link and not medium.id:
        link = WebLink(url=medium.link, title=medium.filename or "")
        return {"body": Body(text=medium.caption or ""), "links": (link,)}
    if medium is None or not medium.id:  # an import of old messages leaves the file out
        return {"unsupported": said.type, "body": Body(text=(medium.caption if medium else None) or "")}
    return {"body": Body(text=medium.caption or ""), "attachments": (_file(medium, said.type, at),)}


def _file(medium: Medium, kind: str, at: datetime | None) -> Attachment:
    return Attachment(
        kind="voice" if medium.voice else MEDIA[kind],
        filename=medium.filename or "",
        media_type=medium.mime_type or "",
        sha256=_hexadecimal(medium.sha256 or ""),
        external_id=medium.id or "",
        locator=medium.id or "",
        expires_at=at + KEPT if at else None,
    )


def _hexadecimal(digest: str) -> str:
    """The digest as everybody writes it; webhooks give base64, the API's answers hexadecimal."""
    try:
        raw = bytes.fromhex(digest) if len(digest) == 64 else base64.b64decode(digest, validate=True)
    except (ValueError, binascii.Error):
        return ""
    return raw.hex() if len(raw) == 32 else ""


def _location(said: Said, _at: datetime | None) -> dict[str, Any]:
    point = said.location
    if point is None or point.latitude is None or point.longitude is None:
        return {"unsupported": "location"}
    if not (-90 <= point.latitude <= 90 and -180 <= point.longitude <= 180):
        return {"unsupported": "location"}
    where = Location(lat=point.latitude, lon=point.longitude, name=point.name or "", address=point.address or "")
    return {"location": where, "links": (WebLink(url=point.url, title=point.name or ""),) if point.url else ()}


def _cards(said: Said, _at: datetime | None) -> dict[str, Any]:
    return {"contacts": tuple(_card(card) for card in said.contacts)} if said.contacts else {"unsupported": "contacts"}


def _card(card: Card) -> ContactCard:
    lines = [(name.upper(), value) for name, value in VCARD_LINE.findall(card.vcard or "")]
    full_name = next((value for name, value in lines if name == "FN"), "")
    return ContactCard(
        name=(card.name.formatted_name if card.name else None) or full_name,
        phones=tuple(_present(phone.phone or phone.wa_id for phone in card.phones or ())) or _of("TEL", lines),
        emails=tuple(_present(email.email for email in card.emails or ())) or _of("EMAIL", lines),
    )


def _of(property_name: str, lines: list[tuple[str, str]]) -> tuple[str, ...]:
    return tuple(value for name, value in lines if name == property_name)


def _present(values: Iterable[str | None]) -> Iterable[str]:
    return (value for value in values if value)


def _order(said: Said, _at: datetime | None) -> dict[str, Any]:
    """A cart in words: nobody should have to open the record to see what was ordered."""
    order = said.order or Order()
    lines = (_line(item) for item in order.product_items or ())
    words = "\n".join(filter(None, (order.text, *lines)))
    return {"body": Body(text=words)} if words else {"unsupported": "order"}


def _line(item: OrderedProduct) -> str:
    price = " ".join(filter(None, (str(item.item_price or ""), item.currency)))
    return f"{item.quantity or 1} x {item.product_retailer_id}" + (f", {price} each" if price else "")


def _interactive(said: Said, _at: datetime | None) -> dict[str, Any]:
    shown = said.interactive or Interactive()
    return _worded(said, (shown.header, shown.body, shown.footer), bare=_product(shown) is None)


def _template(said: Said, _at: datetime | None) -> dict[str, Any]:
    return _worded(said, (said.template.components if said.template else None) or (), bare=True)


def _worded(said: Said, parts: Iterable[Words | None], *, bare: bool) -> dict[str, Any]:
    words = "\n".join(part.text for part in parts if part and part.text)
    return {"body": Body(text=words), "unsupported": said.type if bare and not words else ""}


def _product(shown: Interactive) -> Product | None:
    """A product that a message is about. Which of the two it stands in was not to be seen in the reference."""
    return next((one for one in (shown.product, shown.action) if one and one.product_retailer_id), None)


PARTS: dict[str, Callable[[Said, datetime | None], dict[str, Any]]] = {
    "text": _text,
    **dict.fromkeys(MEDIA, _media),
    "location": _location,
    "contacts": _cards,
    "order": _order,
    "interactive": _interactive,
    "template": _template,
}
"""Types of messages that can be shown; any other leaves a placeholder."""


def _quote(said: Said, sender: Party | None) -> Quote | None:
    context = said.context
    if context and context.id:
        return Quote(external_id=context.id, sender=sender)
    product = (context.referred_product if context else None) or _product(said.interactive or Interactive())
    return Quote(kind="product", text=product.product_retailer_id) if product else None


def _forwarded(said: Said) -> Forwarded | None:
    """WhatsApp says that it was forwarded, not by whom."""
    context = said.context
    return Forwarded() if context and (context.forwarded or context.frequently_forwarded) else None


def _referral(said: Said) -> Referral | None:
    found = said.referral
    if found is None:
        return None
    return Referral(
        ref=found.ctwa_clid or "",
        source=found.source_type or "",
        url=found.source_url or "",
        ad_id=found.source_id or "",
        title=found.headline or "",
    )
