"""Messages of WhatsApp as typed structs, each part by its name: decoding them checks them. It knows no envelope and no event.

Source: Meta for Developers, "WhatsApp Business Platform: Webhooks reference", messages.
"""

from typing import Any

import msgspec

from im_ingest.connectors.whatsapp.interactive import Button, Interactive, Product, Template
from im_ingest.meta import Stamp


class Text(msgspec.Struct):
    """The words of a message."""

    body: str = ""


class Medium(msgspec.Struct):
    """A file. `sha256`: base64 of the digest; `url` needs the token as well and dies sooner than `id`, so it is not used.

    `link`: of what another app sent: an address of its own.
    """

    id: str | None = None
    mime_type: str | None = None
    sha256: str | None = None
    link: str | None = None
    caption: str | None = None
    filename: str | None = None
    voice: bool | None = None
    animated: bool | None = None


class Place(msgspec.Struct):
    """A point, perhaps with a name."""

    latitude: float | None = None
    longitude: float | None = None
    name: str | None = None
    address: str | None = None
    url: str | None = None


class Phone(msgspec.Struct):
    """A number on a card."""

    phone: str | None = None
    wa_id: str | None = None


class Email(msgspec.Struct):
    """An address on a card."""

    email: str | None = None


class Name(msgspec.Struct):
    """A name on a card."""

    formatted_name: str | None = None


class Card(msgspec.Struct):
    """A contact card. `origin` "contact_request": the sender's own, given by the button that asks for it.

    `vcard`: the whole card as text, where somebody shared it.
    """

    name: Name | None = None
    phones: list[Phone] | None = None
    emails: list[Email] | None = None
    vcard: str | None = None
    origin: str | None = None


class Reaction(msgspec.Struct):
    """A reaction; without an emoji it is taken back."""

    message_id: str
    emoji: str | None = None


class OrderedProduct(msgspec.Struct):
    """A line of a cart."""

    product_retailer_id: str = ""
    quantity: int | float | str | None = None
    item_price: int | float | str | None = None
    currency: str | None = None


class Order(msgspec.Struct):
    """A cart."""

    catalog_id: str | None = None
    text: str | None = None
    product_items: list[OrderedProduct] | None = None


class Context(msgspec.Struct):
    """What a message answers, or that it was forwarded. The id is left out if the answered message is too old."""

    from_: str | None = msgspec.field(default=None, name="from")
    id: str | None = None
    forwarded: bool | None = None
    frequently_forwarded: bool | None = None
    referred_product: Product | None = None


class Referral(msgspec.Struct):
    """The advertisement or post that somebody came from."""

    source_url: str | None = None
    source_id: str | None = None
    source_type: str | None = None
    headline: str | None = None
    body: str | None = None
    ctwa_clid: str | None = None


class System(msgspec.Struct):
    """What WhatsApp reports of a person. The new ids are here (`new_wa_id` in older versions), the old ones are the message's."""

    type: str = ""
    body: str | None = None
    wa_id: str | None = None
    new_wa_id: str | None = None
    user_id: str | None = None
    previous_user_id: str | None = None
    parent_user_id: str | None = None
    previous_parent_user_id: str | None = None


class Error(msgspec.Struct):
    """An error in Meta's words."""

    code: int | str = ""
    title: str | None = None
    message: str | None = None
    error_data: dict[str, Any] | None = None


class Unsupported(msgspec.Struct):
    """What the Cloud API cannot show, by its own word."""

    type: str | None = None


class Said(msgspec.Struct, kw_only=True):
    """The content of a message, new or edited; `type` names the field that holds it."""

    type: str = ""
    context: Context | None = None
    referral: Referral | None = None
    text: Text | None = None
    image: Medium | None = None
    video: Medium | None = None
    audio: Medium | None = None
    document: Medium | None = None
    sticker: Medium | None = None
    location: Place | None = None
    contacts: list[Card] | None = None
    interactive: Interactive | None = None
    button: Button | None = None
    order: Order | None = None
    template: Template | None = None
    unsupported: Unsupported | None = None
    errors: list[Error] | None = None


class Edit(msgspec.Struct):
    """A message, as it reads now."""

    original_message_id: str
    message: Said


class Revoke(msgspec.Struct):
    """A message that was taken back for everybody."""

    original_message_id: str


class Message(Said, kw_only=True):
    """A message; an edit, a deletion and a reaction are messages with ids of their own. `to`, or `recipient` with a user id, is there if we wrote it."""

    id: str
    timestamp: Stamp = None
    from_: str | None = msgspec.field(default=None, name="from")
    from_user_id: str | None = None
    from_parent_user_id: str | None = None
    to: str | None = None
    to_user_id: str | None = None
    to_parent_user_id: str | None = None
    recipient: str | None = None
    group_id: str | None = None
    reaction: Reaction | None = None
    edit: Edit | None = None
    revoke: Revoke | None = None
    system: System | None = None
