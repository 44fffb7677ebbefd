"""A Telegram message as events: words, a start, or a line that Telegram wrote itself. It knows nothing of entrances."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from telegram import Message

from im_ingest.connectors.telegram.content import content
from im_ingest.connectors.telegram.strict import moment, ordered, whole, words
from im_ingest.connectors.telegram.text import written
from im_ingest.connectors.telegram.who import Us, message_ref, ours, partner, person, place, sender, thread_of, topic_of
from onethread.event import (
    AnyFact,
    Event,
    MessageEdited,
    ParticipantJoined,
    ParticipantLeft,
    Party,
    Postback,
    SessionStarted,
    System,
    ThreadLinked,
)
from onethread.event import Message as Said
from onethread.identity import digest

START = re.compile(r"/start(?:@(?P<bot>\w{1,64}))?(?:\s+(?P<parameter>[A-Za-z0-9_-]{1,64}))?\s*", re.ASCII)
"""A deep link `https://t.me/<bot>?start=<parameter>` that somebody followed (Bot API, "Deep linking")."""

SERVICE = (
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "group_chat_created",
    "supergroup_chat_created",
    "channel_chat_created",
    "pinned_message",
    "message_auto_delete_timer_changed",
    "forum_topic_created",
    "forum_topic_edited",
    "forum_topic_closed",
    "forum_topic_reopened",
    "general_forum_topic_hidden",
    "general_forum_topic_unhidden",
    "video_chat_scheduled",
    "video_chat_started",
    "video_chat_ended",
    "video_chat_participants_invited",
    "successful_payment",
    "refunded_payment",
    "users_shared",
    "chat_shared",
    "connected_website",
    "write_access_allowed",
    "passport_data",
    "proximity_alert_triggered",
    "boost_added",
    "chat_background_set",
    "giveaway_created",
    "giveaway_completed",
    "gift",
    "unique_gift",
    "gift_upgrade_sent",
    "checklist_tasks_done",
    "checklist_tasks_added",
    "paid_message_price_changed",
    "direct_message_price_changed",
    "suggested_post_approved",
    "suggested_post_approval_failed",
    "suggested_post_declined",
    "suggested_post_paid",
    "suggested_post_refunded",
    "chat_owner_changed",
    "chat_owner_left",
    "poll_option_added",
    "poll_option_deleted",
    "managed_bot_created",
)
"""Fields of service messages: lines that Telegram writes into a chat by itself."""

NOT_CONTENT = frozenset(
    {"message_id", "date", "edit_date", "from", "sender_chat", "chat", "reply_to_message", "reply_markup"}
)
"""Fields that say nothing new when a message is edited."""


def said(message: Message, us: Us) -> Iterator[Event]:
    """The events of a new message: one, but for people that came into a group together."""
    start = START.fullmatch(words(message.text)) if message.text else None
    if start is not None and start["bot"] in {None, us.username}:
        yield _started(message, us, start["parameter"] or "")
        return
    lines = list(_service(message, us))
    yield from lines or [event(message, us, content(message, us, Said))]


def edited(message: Message, us: Us, record: Mapping[str, Any]) -> Event:
    """The message as it reads now. `edit_date` has whole seconds, so the revision also tells the content."""
    at = moment(message.edit_date)
    new = {name: value for name, value in record.items() if name not in NOT_CONTENT}
    fingerprint = digest(msgspec.json.encode(new, order="sorted").decode())
    revision = f"{int(at.timestamp()) if at else 0}-{fingerprint}"
    return msgspec.structs.replace(
        event(message, us, content(message, us, MessageEdited)),
        revision=revision,
        received_at=ordered(at, whole(message.message_id)),
    )


def event(message: Message, us: Us, fact: AnyFact, part: str = "") -> Event:
    """The event about a message. `part` tells apart what one message says of several people."""
    outbound = ours(message, us)
    external_id = message_ref(message.chat, message.message_id, message.business_connection_id)
    return Event(
        external_id=f"{external_id}:{part}" if part else external_id,
        fact=fact,
        external_thread_id=thread_of(message),
        place=place(message.chat, whole(message.message_id)),
        direction="outbound" if outbound else "inbound",
        echo=outbound,
        sender=sender(message, us),
        recipients=_recipients(message) if outbound else (),
        received_at=ordered(message.date, whole(message.message_id)),
        reply_context=reply_context(message),
        channel_data=_channel_data(message),
    )


def _recipients(message: Message) -> tuple[Party, ...]:
    """To whom we wrote: known where two people talk, so that the customer is named on either side."""
    return (partner(message.chat),) if message.chat.type == "private" else ()


def reply_context(message: Message) -> dict[str, str]:
    """What sendMessage needs to answer in the same place."""
    topic = topic_of(message)
    context = {
        "chat_id": str(whole(message.chat.id)),
        "business_connection_id": words(message.business_connection_id),
        "direct_messages_topic_id" if message.direct_messages_topic else "message_thread_id": str(topic or ""),
    }
    return {name: value for name, value in context.items() if value}


def _channel_data(message: Message) -> dict[str, Any]:
    data = {
        "author_signature": words(message.author_signature),
        "via_bot": words(message.via_bot.username) if message.via_bot is not None else "",
        "sender_tag": words(message.sender_tag),
    }
    return {name: value for name, value in data.items() if value}


def _started(message: Message, us: Us, parameter: str) -> Event:
    """The parameter may be a token of ours; anybody can also write it by hand, so the host looks at it."""
    started = event(message, us, SessionStarted(ref=parameter, reason="start"))
    return msgspec.structs.replace(started, tokens=(parameter,)) if parameter else started


def _service(message: Message, us: Us) -> Iterator[Event]:
    for user in message.new_chat_members or ():
        joined = ParticipantJoined(party=person(user, us))
        yield event(message, us, joined, part=str(whole(user.id)))
    if message.left_chat_member is not None:
        yield event(message, us, ParticipantLeft(party=person(message.left_chat_member, us)))
    for other in (message.migrate_to_chat_id, message.migrate_from_chat_id):
        if other is not None:
            yield event(message, us, ThreadLinked(thread=str(whole(other)), reason="group upgraded"))
    if message.web_app_data is not None:
        data = message.web_app_data
        yield event(message, us, Postback(payload=words(data.data), title=words(data.button_text)))
    for field in SERVICE:
        if getattr(message, field):
            yield event(message, us, System(text=_line(message, field)), part=field)


def _line(message: Message, field: str) -> str:
    """The provider's word, readable, with the one thing worth telling."""
    text = field.replace("_", " ")
    match field:
        case "new_chat_title":
            return f"{text}: {words(message.new_chat_title)}"
        case "forum_topic_created" if message.forum_topic_created is not None:
            return f"{text}: {words(message.forum_topic_created.name)}"
        case "pinned_message" if isinstance(message.pinned_message, Message):
            return f"{text}: {written(message.pinned_message)}".removesuffix(": ")
        case _:
            return text
