"""What an item of `sync_msg` says, as a message. It knows no sender and no event."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from im_ingest.connectors.wecom_kf.entities import Entry, Item, Parts, Place, read_part
from onethread.connector import utc
from onethread.event import (
    Attachment,
    AttachmentKind,
    Body,
    ContactCard,
    Forwarded,
    Location,
    Message,
    Quote,
    WebLink,
)

KEPT = timedelta(days=3)
"""How long WeCom keeps a file (document 90254)."""
FILES: dict[str, AttachmentKind] = {"image": "image", "voice": "voice", "video": "video", "file": "file"}
RECORDED = 100
"""Messages of a chat record that are shown."""


def content(item: Item, degraded: str = "") -> Message:
    """The whole message. Where there is nothing to show, it is a placeholder with WeCom's word for the kind.

    `degraded`: why the item is without its content.
    """
    fact = Message(
        body=Body(text="\n".join(line for line in _words(item) if line)),
        attachments=tuple(_files(item, utc(item.send_time) + KEPT)),
        location=_point(item.location),
        contacts=(ContactCard(name=item.business_card.userid),) if item.business_card else (),
        links=(WebLink(url=item.link.url, title=item.link.title),) if item.link else (),
        quote=_product(item),
        forwarded=Forwarded() if item.merged_msg else None,
        degraded=degraded,
    )
    bare = Message(forwarded=fact.forwarded, degraded=degraded)
    whole = {"text": item.text is not None, "location": fact.location is not None}.get(item.msgtype, fact != bare)
    return fact if whole else msgspec.structs.replace(fact, unsupported=item.msgtype)


def rest(parts: Parts) -> dict[str, Any]:
    """What has no field of its own."""
    named = (parts.miniprogram, parts.channels_shop_product, parts.channels_shop_order, parts.channels)
    found = next((one for one in named if one is not None), None)
    return {parts.msgtype: msgspec.to_builtins(found)} if found is not None else {}


def _files(parts: Parts, until: datetime) -> Iterable[Attachment]:
    file = getattr(parts, parts.msgtype) if parts.msgtype in FILES else None
    if file is not None and file.media_id:
        kind, media_type = FILES[parts.msgtype], "audio/amr" if parts.msgtype == "voice" else ""
        yield Attachment(
            kind=kind,
            media_type=media_type,
            filename=file.filename or "",
            external_id=file.media_id,
            locator=file.media_id,
            expires_at=until,
        )
    for inner, _ in _recorded(parts):
        if not inner.merged_msg:  # a record in a record keeps its title only
            yield from _files(inner, until)


def _words(parts: Parts) -> Iterable[str]:
    return WORDS[parts.msgtype](parts) if parts.msgtype in WORDS else ()


def _text(parts: Parts) -> Iterable[str]:
    return (parts.text.content,) if parts.text else ()


def _link(parts: Parts) -> Iterable[str]:
    return (parts.link.desc,) if parts.link else ()


def _mini_program(parts: Parts) -> Iterable[str]:
    return (parts.miniprogram.title,) if parts.miniprogram else ()


def _menu(parts: Parts) -> Iterable[str]:
    menu = parts.msgmenu
    return (menu.head_content, *map(_entry, menu.entries), menu.tail_content) if menu else ()


def _entry(entry: Entry) -> str:
    choice = entry.click or entry.view or entry.miniprogram or entry.text
    return choice.content if choice else ""


def _shop_product(parts: Parts) -> Iterable[str]:
    product = parts.channels_shop_product
    return (product.title, product.shop_nickname) if product else ()


def _shop_order(parts: Parts) -> Iterable[str]:
    order = parts.channels_shop_order
    return (order.product_titles, order.price_wording, order.state, order.order_id) if order else ()


def _channels(parts: Parts) -> Iterable[str]:
    return (parts.channels.nickname, parts.channels.title) if parts.channels else ()


def _record(parts: Parts) -> Iterable[str]:
    """A chat record: who said what, one below the other."""
    if parts.merged_msg is None:
        return
    yield parts.merged_msg.title
    for inner, name in _recorded(parts):
        said = _line(inner) or f"[{inner.msgtype or 'unreadable'}]"
        yield f"{name}: {said}"


def _line(inner: Parts) -> str:
    if inner.merged_msg:
        return inner.merged_msg.title
    if inner.location:
        return " ".join(filter(None, (inner.location.name, inner.location.address)))
    return " ".join(filter(None, _words(inner)))


def _recorded(parts: Parts) -> Iterable[tuple[Parts, str]]:
    """The messages of a chat record, with the names they are by. One that cannot be read leaves its name."""
    for one in (parts.merged_msg.item if parts.merged_msg else [])[:RECORDED]:
        try:
            yield read_part(one.msg_content), one.sender_name
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            yield Parts(), one.sender_name


def _point(place: Place | None) -> Location | None:
    """None for no place on the Earth."""
    if place is None:
        return None
    try:
        lat, lon = float(place.latitude), float(place.longitude)
    except (TypeError, ValueError, OverflowError):
        return None
    there = -90 <= lat <= 90 and -180 <= lon <= 180
    return Location(lat=lat, lon=lon, name=place.name, address=place.address) if there else None


def _place(parts: Parts) -> Iterable[str]:
    """The words of a place that cannot be shown as one."""
    place = parts.location
    return (place.name, place.address) if place and not _point(place) else ()


def _product(parts: Parts) -> Quote | None:
    """A product of the shop is what the customer asks about."""
    product = parts.channels_shop_product
    return Quote(external_id=product.product_id, kind="product", text=product.title) if product else None


WORDS: dict[str, Callable[[Parts], Iterable[str]]] = {
    "text": _text,
    "location": _place,
    "link": _link,
    "miniprogram": _mini_program,
    "msgmenu": _menu,
    "channels_shop_product": _shop_product,
    "channels_shop_order": _shop_order,
    "channels": _channels,
    "merged_msg": _record,
}
