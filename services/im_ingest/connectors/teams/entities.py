"""The Bot Connector's records as typed structs: decoding them checks them. It knows no event.

Sources: Microsoft Learn, "Bot Framework: Activity schema", and the Teams platform's pages on conversation events, message reactions,
read receipts, files, and quoted replies. Fields that this connector does not read are left out.
"""

from typing import Any

import msgspec


class Base(msgspec.Struct, rename="camel"):
    """Names on the wire are in camel case."""


class Account(Base):
    """A person or a bot. `id`: another one at each bot; `aad_object_id`: the person in the company's directory."""

    id: str | None = None
    name: str | None = None
    aad_object_id: str | None = None
    role: str | None = None
    tenant_id: str | None = None


class Conversation(Base):
    """A chat, or a thread of a channel; the thread's id then ends with `;messageid=` and the first message's id."""

    id: str
    conversation_type: str | None = None
    is_group: bool | None = None
    name: str | None = None
    tenant_id: str | None = None


class Named(Base):
    """A team, a channel, a tenant. `type`: of a channel, whether all of the team are in it ("standard", "private", "shared")."""

    id: str | None = None
    name: str | None = None
    type: str | None = None


class ChannelData(Base):
    """What only Teams says. `event_type`: what exactly happened."""

    event_type: str | None = None
    tenant: Named | None = None
    team: Named | None = None
    channel: Named | None = None


class Attachment(Base):
    """A file, a card, or once more the text as HTML."""

    content_type: str = ""
    content_url: str | None = None
    content: Any = None
    name: str | None = None


class Reaction(Base):
    """An emotion by name, or an emoji by its code point and name."""

    type: str


class Activity(Base):
    """Anything that happens. Times are ISO 8601; `entities` are of many shapes."""

    type: str
    conversation: Conversation | None = None
    id: str | None = None
    timestamp: str | None = None
    service_url: str | None = None
    sender: Account | None = msgspec.field(default=None, name="from")
    recipient: Account | None = None
    text: str | None = None
    text_format: str | None = None
    locale: str | None = None
    importance: str | None = None
    attachments: list[Attachment] | None = None
    entities: list[msgspec.Raw] | None = None
    value: Any = None
    name: str | None = None
    action: str | None = None
    reply_to_id: str | None = None
    members_added: list[Account] | None = None
    members_removed: list[Account] | None = None
    reactions_added: list[Reaction] | None = None
    reactions_removed: list[Reaction] | None = None
    topic_name: str | None = None
    channel_data: ChannelData | None = None


class Mention(Base):
    """Somebody named in the text; `text` is what stands there for it."""

    mentioned: Account
    text: str | None = None


class ClientInfo(Base):
    """The sender's device."""

    locale: str | None = None
    country: str | None = None
    timezone: str | None = None
    platform: str | None = None


class Quoted(Base):
    """A message that is answered. Older clients say it in HTML only."""

    message_id: str | None = None
    sender_id: str | None = None
    sender_name: str | None = None
    preview: str | None = None


class QuotedReply(Base):
    """The entity around it."""

    quoted_reply: Quoted


class FileInfo(Base):
    """A file in a personal chat. `download_url` is good without a token, for a few minutes."""

    download_url: str | None = None
    unique_id: str | None = None
    file_type: str | None = None


class Member(Base):
    """Somebody in a conversation, as the Bot Connector tells it; the directory's id has either name.

    `tenant_id`: the company that the person belongs to; `user_role`: user, guest (of the tenant), anonymous (in a meeting).
    """

    name: str | None = None
    given_name: str | None = None
    surname: str | None = None
    email: str | None = None
    user_principal_name: str | None = None
    aad_object_id: str | None = None
    object_id: str | None = None
    tenant_id: str | None = None
    user_role: str | None = None
    id: str | None = None
