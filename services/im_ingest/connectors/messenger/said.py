"""Messages of Messenger as typed structs, each part by its name: decoding them checks them. It knows no item and no event.

Source: Meta for Developers, "Messenger Platform: Webhook Events Reference", messages.
"""

import msgspec

from im_ingest.meta import Stamp


class Coordinates(msgspec.Struct):
    """A point."""

    lat: float
    long: float


class Element(msgspec.Struct):
    """A card of a template, or a product."""

    title: str | None = None
    subtitle: str | None = None


class Elements(msgspec.Struct):
    """The products that somebody asks about."""

    elements: list[Element] = []


class Payload(msgspec.Struct):
    """What an attachment holds; `url` is a signed address that expires; status and times (Unix seconds): of an appointment."""

    url: str | None = None
    title: str | None = None
    sticker_id: int | str | None = None
    coordinates: Coordinates | None = None
    template_type: str | None = None
    text: str | None = None
    elements: list[Element] | None = None
    product: Elements | None = None
    status: str | None = None
    start_time: Stamp = None
    end_time: Stamp = None


class Attachment(msgspec.Struct):
    """An attachment. Shared links came with title and address outside the payload, and still may."""

    type: str = ""
    payload: Payload | None = None
    title: str | None = None
    url: str | None = None


class QuickReply(msgspec.Struct):
    """A quick reply that was pressed."""

    payload: str | None = None


class Story(msgspec.Struct):
    """A story that a message answers; its address expires."""

    id: str | None = None
    url: str | None = None


class ReplyTo(msgspec.Struct):
    """What a message answers."""

    mid: str | None = None
    story: Story | None = None


class Product(msgspec.Struct):
    """A product of the page's shop that somebody asks about."""

    id: str | None = None


class Advertisement(msgspec.Struct):
    """What somebody saw before writing."""

    ad_title: str | None = None
    post_id: str | None = None
    product_id: str | None = None


class Referral(msgspec.Struct):
    """The link, advertisement, product or plugin that somebody came from."""

    ref: str | None = None
    source: str | None = None
    type: str | None = None
    ad_id: str | int | None = None
    referer_uri: str | None = None
    product: Product | None = None
    ads_context_data: Advertisement | None = None


class Command(msgspec.Struct):
    """A command of the page that somebody used."""

    name: str = ""


class Message(msgspec.Struct):
    """A message; with `is_echo` the page's own. `app_id`: the app that sent it, 0 or absent for a person.

    `is_deleted`: Instagram reports so that a message was unsent. Messenger is not known to; if it does, the id is the message's own.
    """

    mid: str
    text: str | None = None
    attachments: list[Attachment] | None = None
    quick_reply: QuickReply | None = None
    reply_to: ReplyTo | None = None
    referral: Referral | None = None
    commands: list[Command] | None = None
    is_echo: bool | None = None
    is_deleted: bool | None = None
    app_id: int | str | None = None
    metadata: str | None = None


class Edit(msgspec.Struct):
    """A message as it reads now, and how often it was edited."""

    mid: str
    text: str | None = None
    num_edit: int | str = 0
