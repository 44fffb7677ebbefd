"""The items of `sync_msg` as typed structs: decoding them checks them. It knows no event.

Source: WeCom Developers, "Receiving messages and events" (document 94670). An item holds one field named as its `msgtype`.
"""

import msgspec


class Text(msgspec.Struct, frozen=True):
    """Words. `menu_id`: of the menu item that was tapped."""

    content: str = ""
    menu_id: str | None = None


class File(msgspec.Struct, frozen=True):
    """An image, voice message, video or file. Names are not documented."""

    media_id: str = ""
    filename: str | None = None


class Place(msgspec.Struct, frozen=True):
    """A point."""

    latitude: float
    longitude: float
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
    sales_price: str | int = ""
    shop_nickname: str = ""


class Order(msgspec.Struct, frozen=True):
    """An order of a Channels shop."""

    order_id: str = ""
    product_titles: str = ""
    price_wording: str = ""
    state: str = ""
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
    """One item. `origin` 3: from the customer; 4: an event; 5: from a colleague in WeCom. `send_time`: unix seconds."""

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
    unionid: str = ""
