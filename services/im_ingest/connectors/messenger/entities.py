"""The records of Messenger's webhooks as typed structs: decoding them checks them. It knows no event.

Source: Meta for Developers, "Messenger Platform: Webhook Events Reference". A record is one item of an entry's list `messaging`
or `standby`; which of the fields below it has says what it is about.
"""

from typing import Any

import msgspec

from im_ingest.connectors.messenger.said import Edit, Message, Referral
from im_ingest.meta import Stamp


class Somebody(msgspec.Struct):
    """A person by the page-scoped id, or a page. People met through a plugin have only a reference of ours."""

    id: str | None = None
    user_ref: str | None = None


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
