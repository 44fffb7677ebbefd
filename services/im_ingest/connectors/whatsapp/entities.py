"""The records of WhatsApp's webhooks as typed structs: decoding them checks them. It knows no event.

Source: Meta for Developers, "WhatsApp Business Platform: Webhooks reference" and "Business-scoped user IDs". A record is a
change that holds one element; see `split`.
"""

from typing import Any

import msgspec

from im_ingest.meta import Stamp


class Metadata(msgspec.Struct):
    """Our number."""

    display_phone_number: str = ""
    phone_number_id: str = ""


class Profile(msgspec.Struct):
    """What people chose to be called."""

    name: str | None = None
    username: str | None = None


class Contact(msgspec.Struct):
    """Somebody the change is about. `wa_id`: the phone number, absent if the person hides it behind a username."""

    profile: Profile | None = None
    wa_id: str | None = None
    user_id: str | None = None
    parent_user_id: str | None = None


class Text(msgspec.Struct):
    """The words of a message."""

    body: str = ""


class Medium(msgspec.Struct):
    """A file. `sha256`: base64 of the digest; `url` needs the token as well and dies sooner than `id`, so it is not used."""

    id: str = ""
    mime_type: str = ""
    sha256: str = ""
    caption: str | None = None
    filename: str | None = None
    voice: bool | None = None
    animated: bool | None = None


class Place(msgspec.Struct):
    """A point, perhaps with a name."""

    latitude: float = 0.0
    longitude: float = 0.0
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
    """A contact card. `origin` "contact_request": the sender's own, given by the button that asks for it."""

    name: Name | None = None
    phones: list[Phone] | None = None
    emails: list[Email] | None = None
    origin: str | None = None


class Reply(msgspec.Struct):
    """What somebody chose of buttons or a list."""

    id: str = ""
    title: str = ""
    description: str | None = None


class FlowReply(msgspec.Struct):
    """What a flow (a form) gave; `response_json` is an object in a string."""

    response_json: str = ""
    body: str | None = None
    name: str | None = None


class CallPermission(msgspec.Struct):
    """Whether we may call."""

    response: str = ""


class Interactive(msgspec.Struct):
    """The answer to an interactive message."""

    type: str = ""
    button_reply: Reply | None = None
    list_reply: Reply | None = None
    nfm_reply: FlowReply | None = None
    call_permission_reply: CallPermission | None = None


class Button(msgspec.Struct):
    """A quick reply of a template."""

    payload: str = ""
    text: str = ""


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
    product_items: list[OrderedProduct] = []


class Product(msgspec.Struct):
    """A product that a question is about."""

    catalog_id: str | None = None
    product_retailer_id: str = ""


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
    """What WhatsApp reports of a person. The new ids are here, the old ones are the message's."""

    type: str = ""
    body: str | None = None
    wa_id: str | None = None
    user_id: str | None = None
    previous_user_id: str | None = None


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
    """A message; an edit, a deletion and a reaction are messages with ids of their own. `to` is there if we wrote it."""

    id: str
    timestamp: Stamp = None
    from_: str | None = msgspec.field(default=None, name="from")
    from_user_id: str | None = None
    from_parent_user_id: str | None = None
    to: str | None = None
    to_user_id: str | None = None
    to_parent_user_id: str | None = None
    group_id: str | None = None
    reaction: Reaction | None = None
    edit: Edit | None = None
    revoke: Revoke | None = None
    system: System | None = None


class Status(msgspec.Struct):
    """What became of a message of ours, or of a call; in a group the participant is the person, the recipient the group."""

    id: str
    status: str
    timestamp: Stamp = None
    type: str | None = None
    recipient_id: str | None = None
    recipient_user_id: str | None = None
    recipient_parent_user_id: str | None = None
    recipient_type: str | None = None
    recipient_participant_id: str | None = None
    recipient_participant_user_id: str | None = None
    recipient_participant_parent_user_id: str | None = None
    pricing: dict[str, Any] | None = None
    errors: list[Error] | None = None


class Call(msgspec.Struct):
    """One state of a call. Its session description (network addresses, passwords) was taken out at the entrance."""

    id: str
    event: str = ""
    status: str | None = None
    direction: str | None = None
    timestamp: Stamp = None
    start_time: Stamp = None
    end_time: Stamp = None
    duration: int | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    from_user_id: str | None = None
    to: str | None = None
    to_user_id: str | None = None


class Preference(msgspec.Struct):
    """Whether a person wants marketing messages."""

    wa_id: str | None = None
    user_id: str | None = None
    category: str = ""
    value: str = ""
    timestamp: Stamp = None


class Changed(msgspec.Struct):
    """An id before and after."""

    previous: str = ""
    current: str = ""


class UserIdUpdate(msgspec.Struct):
    """A person's business-scoped id became another, as when the number changes."""

    wa_id: str | None = None
    user_id: Changed | None = None
    timestamp: Stamp = None


class BookEntry(msgspec.Struct):
    """A person in the address book of the WhatsApp Business app."""

    full_name: str | None = None
    phone_number: str | None = None


class BookMoment(msgspec.Struct):
    """When the address book changed."""

    timestamp: Stamp = None


class BookChange(msgspec.Struct):
    """The address book of the WhatsApp Business app, told once after coupling and upon every change."""

    type: str = ""
    action: str = ""
    contact: BookEntry | None = None
    metadata: BookMoment | None = None


class ThreadContext(msgspec.Struct):
    """Who a thread of the history is with."""

    wa_id: str | None = None
    user_id: str | None = None


class Thread(msgspec.Struct):
    """A chat of the history; `id` is the person's number."""

    id: str = ""
    context: ThreadContext | None = None
    messages: list[Message] = []


class History(msgspec.Struct):
    """Messages from before the number was coupled, or the reason why there are none."""

    threads: list[Thread] = []
    errors: list[Error] | None = None


class Value(msgspec.Struct):
    """What changed. `event`: of changes about the account."""

    metadata: Metadata | None = None
    contacts: list[Contact] = []
    messages: list[Message] = []
    statuses: list[Status] = []
    message_echoes: list[Message] = []
    calls: list[Call] = []
    user_preferences: list[Preference] = []
    user_id_update: list[UserIdUpdate] = []
    state_sync: list[BookChange] = []
    history: list[History] = []
    errors: list[Error] | None = None
    event: str | None = None


class Change(msgspec.Struct):
    """One change of an entry."""

    field: str
    value: Value
