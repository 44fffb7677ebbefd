"""The items of `sync_msg` as typed structs: decoding them checks them. It knows no event.

Source: WeCom Developers, "Receiving messages and events" (document 94670). An item holds one field named as its `msgtype`.
"""

from typing import Any

import msgspec

FRAME = frozenset({"msgid", "send_time", "origin", "open_kfid", "external_userid", "servicer_userid", "msgtype"})
NAMED = frozenset({"event_type", "open_kfid", "external_userid"})
"""Fields of an item, and of an event, that say who, where and what kind: they are read even if nothing else can be."""


class Text(msgspec.Struct, frozen=True):
    """Words. `menu_id`: of the menu item that was tapped."""

    content: str = ""
    menu_id: str | None = None


class File(msgspec.Struct, frozen=True):
    """An image, voice message, video or file. Names are not documented."""

    media_id: str = ""
    filename: str | None = None


class Place(msgspec.Struct, frozen=True):
    """A point, if the figures are some."""

    latitude: Any = None
    longitude: Any = None
    name: str = ""
    address: str = ""


class Link(msgspec.Struct, frozen=True):
    """A page that was shared."""

    title: str = ""
    desc: str = ""
    url: str = ""


class Card(msgspec.Struct, frozen=True):
    """A colleague's card, by the name in the corporation's directory."""

    userid: str = ""


class MiniProgram(msgspec.Struct, frozen=True):
    """A page of a mini program."""

    title: str = ""
    appid: str = ""
    pagepath: str = ""
    thumb_media_id: str = ""


class Choice(msgspec.Struct, frozen=True):
    """What one item of a menu says."""

    content: str = ""


class Entry(msgspec.Struct, frozen=True):
    """One item of a menu; which field it has, depends on `type`."""

    type: str = ""
    click: Choice | None = None
    view: Choice | None = None
    miniprogram: Choice | None = None
    text: Choice | None = None


class Menu(msgspec.Struct, frozen=True):
    """A menu that was sent to the customer."""

    head_content: str = ""
    entries: list[Entry] = msgspec.field(name="list", default_factory=list)
    tail_content: str = ""


class Product(msgspec.Struct, frozen=True):
    """A product of a Channels shop. `sales_price`: in hundredths of a yuan."""

    product_id: str = ""
    title: str = ""
    head_image: str = ""
    sales_price: str | int = ""
    shop_nickname: str = ""


class Order(msgspec.Struct, frozen=True):
    """An order of a Channels shop."""

    order_id: str = ""
    product_titles: str = ""
    price_wording: str = ""
    state: str = ""
    image_url: str = ""
    shop_nickname: str = ""


class Channels(msgspec.Struct, frozen=True):
    """A video, a live broadcast or a page of Channels."""

    sub_type: int = 0
    nickname: str = ""
    title: str = ""


class Quoted(msgspec.Struct, frozen=True):
    """A message of a chat record. `msg_content`: JSON, as an item holds it."""

    sender_name: str = ""
    msg_content: str = ""


class Merged(msgspec.Struct, frozen=True):
    """A chat record that was forwarded."""

    title: str = ""
    item: list[Quoted] = []


class Shop(msgspec.Struct, frozen=True):
    """Where in Channels somebody came from."""

    nickname: str = ""
    shop_nickname: str = ""


class Happening(msgspec.Struct, frozen=True):
    """An event; which fields it has, depends on `event_type`."""

    event_type: str = ""
    open_kfid: str = ""
    external_userid: str = ""
    scene: str = ""
    scene_param: str = ""
    wechat_channels: Shop | None = None
    fail_msgid: str = ""
    fail_type: int = 0
    recall_msgid: str = ""
    servicer_userid: str = ""
    status: int = 0
    stop_type: int = 0
    change_type: int = 0
    old_servicer_userid: str = ""
    new_servicer_userid: str = ""
    reject_switch: int = 0


class Parts(msgspec.Struct, frozen=True):
    """What an item, or a message of a chat record, says."""

    msgtype: str = ""
    text: Text | None = None
    image: File | None = None
    voice: File | None = None
    video: File | None = None
    file: File | None = None
    location: Place | None = None
    link: Link | None = None
    business_card: Card | None = None
    miniprogram: MiniProgram | None = None
    msgmenu: Menu | None = None
    channels_shop_product: Product | None = None
    channels_shop_order: Order | None = None
    channels: Channels | None = None
    merged_msg: Merged | None = None


class Item(Parts, frozen=True, kw_only=True):
    """One item. `origin` 3: from the customer; 4: from the system; 5: from a colleague in WeCom. `send_time`: unix seconds."""

    msgid: str
    send_time: int
    origin: int = 0
    open_kfid: str = ""
    external_userid: str = ""
    servicer_userid: str = ""
    event: Happening | None = None


class Customer(msgspec.Struct, frozen=True):
    """What a look-up tells."""

    external_userid: str
    nickname: str = ""
    avatar: str = ""
    gender: int = 0
    unionid: str = ""


def read(data: bytes) -> tuple[Item, str]:
    """An item, and why it is without its content, "" if it is not. A field with nothing in it is no field.

    msgspec's errors mean that it is no item.
    """
    given = _filled(msgspec.json.decode(data, type=dict[str, Any]))
    try:
        return msgspec.convert(given, Item, strict=False), ""
    except msgspec.ValidationError:
        frame = {name: value for name, value in given.items() if name in FRAME}
        event = given.get("event")
        if isinstance(event, dict):
            frame["event"] = {name: value for name, value in event.items() if name in NAMED}
        return msgspec.convert(frame, Item, strict=False), "its content has another form than WeCom documents"


def read_part(document: str) -> Parts:
    """A message of a chat record. msgspec's errors mean that it is none."""
    return msgspec.convert(_filled(msgspec.json.decode(document, type=dict[str, Any])), Parts, strict=False)


def read_customer(data: bytes) -> Customer:
    """What a look-up told. msgspec's errors mean that it is of nobody."""
    return msgspec.convert(_filled(msgspec.json.decode(data, type=dict[str, Any])), Customer, strict=False)


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled(one) for name, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_filled(one) for one in value if one is not None]
    return value
