"""The records of Messenger's webhooks as typed structs: decoding them checks them. It knows no event.

Source: Meta for Developers, "Messenger Platform: Webhook Events Reference". A record is one item of an entry's list `messaging`
or `standby`; which of the fields below it has says what it is about.
"""

from typing import Any

import msgspec

from im_ingest.meta import Stamp


class Somebody(msgspec.Struct):
    """A person by the page-scoped id, or a page. People met through a plugin have only a reference of ours."""

    id: str | None = None
    user_ref: str | None = None


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


class Reaction(msgspec.Struct):
    """A reaction; a withdrawal may leave out which."""

    mid: str
    action: str
    reaction: str | None = None
    emoji: str | None = None


class Delivery(msgspec.Struct):
    """All messages up to the watermark were delivered; `mids` names them, where the person's app is new enough."""

    watermark: Stamp = None
    mids: list[str] | None = None


class Read(msgspec.Struct):
    """All messages up to the watermark were read."""

    watermark: Stamp = None


class Postback(msgspec.Struct):
    """A button, a line of the menu, "Get started". While another app holds the chat, there is no payload."""

    mid: str | None = None
    title: str | None = None
    payload: str | None = None
    referral: Referral | None = None


class Optin(msgspec.Struct):
    """Somebody wants messages, or no longer. Tokens to write to them were taken out at the entrance."""

    type: str | None = None
    ref: str | None = None
    user_ref: str | None = None
    payload: str | None = None
    title: str | None = None
    notification_messages_status: str | None = None


class Handover(msgspec.Struct):
    """The chat went from one app to another."""

    new_owner_app_id: int | str | None = None
    previous_owner_app_id: int | str | None = None
    metadata: str | None = None


class Feedback(msgspec.Struct):
    """A thumb up or down for one message."""

    feedback: str = ""
    mid: str | None = None


class FollowUp(msgspec.Struct):
    """What somebody wrote beside a score."""

    payload: str | None = None


class Question(msgspec.Struct):
    """One answer of a form that asks for scores."""

    type: str = ""
    payload: str | None = None
    follow_up: FollowUp | None = None


class Screen(msgspec.Struct):
    """The answers of one screen, by the question's id."""

    questions: dict[str, Question] = {}


class Scores(msgspec.Struct):
    """A form that asks for scores, filled in."""

    feedback_screens: list[Screen] = []


class Linking(msgspec.Struct):
    """A person linked an account of ours, or unlinked it. The code is what our own log-in page handed over."""

    status: str = ""
    authorization_code: str | None = None


class Enforcement(msgspec.Struct):
    """What Meta did to the page."""

    action: str = ""
    reason: str | None = None


class Item(msgspec.Struct):
    """One item: who, to whom, when (Unix milliseconds), and one of the rest."""

    sender: Somebody | None = None
    recipient: Somebody | None = None
    timestamp: Stamp = None
    message: Message | None = None
    message_edit: Edit | None = None
    reaction: Reaction | None = None
    delivery: Delivery | None = None
    read: Read | None = None
    postback: Postback | None = None
    referral: Referral | None = None
    optin: Optin | None = None
    pass_thread_control: Handover | None = None
    take_thread_control: Handover | None = None
    request_thread_control: dict[str, Any] | None = None
    response_feedback: Feedback | None = None
    messaging_feedback: Scores | None = None
    account_linking: Linking | None = None
    policy_enforcement: Enforcement | None = None
    policy_enforcement_of_before: Enforcement | None = msgspec.field(default=None, name="policy-enforcement")


class Profile(msgspec.Struct):
    """What Messenger tells of a person; which fields, depends on the app's permissions."""

    first_name: str | None = None
    last_name: str | None = None
    name: str | None = None
    locale: str | None = None
    timezone: float | str | None = None
