"""The records of Zoom's webhooks as typed structs: decoding them checks them. It knows no event.

Source: the type definitions of Zoom Rivet, Zoom's own library (modules Team Chat, Chatbot, Phone, Meetings). What Contact Center's
messages look like is not among them; its structs take several spellings.
"""

from typing import Any

import msgspec

from onethread.event import Whole

Stamp = int | str | None
"""Unix milliseconds; a few fields hold them as text."""


class Envelope(msgspec.Struct):
    """Every webhook. `event_ts`: when it happened."""

    event: str
    payload: msgspec.Raw
    event_ts: Stamp = None


class File(msgspec.Struct):
    """A file of a chat; where it is, only the API tells."""

    file_id: str = ""
    file_name: str | None = None
    file_size: Whole | None = None
    file_message_type: str | None = None


class Format(msgspec.Struct):
    """How a part of the text looks; of a link, `format_attr` is the address."""

    format_type: str = ""
    format_attr: str | None = None


class Member(msgspec.Struct):
    """Somebody in a channel."""

    id: str | None = None
    display_name: str | None = None
    email: str | None = None


class At(msgspec.Struct):
    """Somebody who is named in the text; nobody, where it is everybody."""

    at_contact: str | None = None
    at_contact_user_id: str | None = None
    at_contact_member_id: str | None = None


class ChatObject(msgspec.Struct):
    """What happened in a chat: the names of both families of events. `contact_id` is empty for people of other companies."""

    message_id: str | None = None
    id: str | None = None
    msg_id: str | None = None
    reply_main_message_id: str | None = None
    parent_msg_id: str | None = None
    timestamp: Stamp = None
    contact_id: str | None = None
    contact_email: str | None = None
    contact_member_id: str | None = None
    channel_id: str | None = None
    channel_name: str | None = None
    name: str | None = None
    message: str | None = None
    files: list[File] | None = None
    rich_text: list[Format] | None = None
    at_items: list[At] | None = None
    emoji: str | None = None
    members: list[Member] | None = None


class Chat(msgspec.Struct):
    """Who did it. `by_external_user`: somebody of another company, of whom `operator_id` is empty, and in channels `operator`."""

    object: ChatObject = msgspec.field(default_factory=ChatObject)
    operator: str | None = None
    operator_id: str | None = None
    operator_member_id: str | None = None
    by_external_user: bool | None = None


class ActionItem(msgspec.Struct):
    """A button."""

    text: str | None = None
    value: str | None = None


class EditItem(msgspec.Struct):
    """A text of a card that somebody changed."""

    origin: str | None = None
    target: str | None = None


class FieldEdit(msgspec.Struct, rename="camel"):
    """A field of a card that somebody changed."""

    key: str | None = None
    new_value: str | None = None


class Bot(msgspec.Struct, rename="camel"):
    """Something for the chatbot. A JID is an address of Zoom's chat: of a person, a channel, the bot."""

    user_id: str | None = None
    user_jid: str | None = None
    user_name: str | None = None
    to_jid: str | None = None
    robot_jid: str | None = None
    channel_name: str | None = None
    timestamp: Stamp = None
    cmd: str | None = None
    trigger_id: str | None = None
    message_id: str | None = None
    action_item: ActionItem | None = None
    selected_items: list[ActionItem] | None = None
    edit_item: EditItem | None = None
    field_edit_item: FieldEdit | None = None


class Number(msgspec.Struct):
    """One side of a text message."""

    phone_number: str | None = None
    id: str | None = None
    display_name: str | None = None


class SmsFile(msgspec.Struct):
    """A file of a text message."""

    id: str = ""
    name: str | None = None
    size: Whole | None = None
    type: str | None = None
    download_url: str | None = None


class OptStatus(msgspec.Struct):
    """Who takes no more messages, or takes them again."""

    consumer_phone_number: str | None = None
    zoom_phone_user_number: str | None = None


class Sms(msgspec.Struct):
    """A text message of Zoom Phone. A session is a thread of numbers."""

    message_id: str | None = None
    session_id: str | None = None
    sender: Number | None = None
    to_members: list[Number] | None = None
    message: str | None = None
    attachments: list[SmsFile] | None = None
    date_time: str | None = None
    failure_reason: str | None = None
    phone_number_campaign_opt_statuses: list[OptStatus] | None = None


class MeetingMessage(msgspec.Struct):
    """A message in a meeting, or one file of it."""

    message_id: str | None = None
    sender_session_id: str | None = None
    sender_name: str | None = None
    sender_email: str | None = None
    sender_type: str | None = None
    recipient_type: str | None = None
    message_content: str | None = None
    date_time: str | None = None
    file_id: str | None = None
    file_name: str | None = None
    file_size: Whole | None = None
    file_type: str | None = None
    download_url: str | None = None


class Meeting(msgspec.Struct):
    """The meeting around it."""

    uuid: str | None = None
    meeting_uuid: str | None = None
    chat_message: MeetingMessage | None = None
    chat_message_file: MeetingMessage | None = None


class Consumer(msgspec.Struct):
    """Somebody who came to the Contact Center."""

    consumer_id: str | None = None
    consumer_number: str | None = None
    consumer_email: str | None = None
    consumer_display_name: str | None = None


class Engagement(Consumer):
    """What happens in an engagement of the Contact Center; the consumer is told beside the rest, or in a list."""

    engagement_id: str | None = None
    consumers: list[Consumer] | None = None
    channel: str | None = None
    channel_source: str | None = None
    queue_name: str | None = None
    user_id: str | None = None
    user_email: str | None = None
    user_display_name: str | None = None
    message_id: str | None = None
    message: Any = None
    message_content: Any = None
    text: Any = None
    file_id: str | None = None
    file_name: str | None = None
    download_url: str | None = None


class User(msgspec.Struct):
    """Somebody of the account, as the API tells it."""

    id: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    display_name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    timezone: str | None = None
    language: str | None = None
