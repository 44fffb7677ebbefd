"""A Telegram message as events: words, a start, or a line that Telegram wrote itself. It knows nothing of entrances."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
from telegram import Message, RefundedPayment, SharedUser, SuccessfulPayment

from im_ingest.connectors.telegram.content import content
from im_ingest.connectors.telegram.strict import moment, ordered, whole, words
from im_ingest.connectors.telegram.text import written
from im_ingest.connectors.telegram.who import (
    Us,
    full_name,
    message_ref,
    ours,
    partner,
    person,
    place,
    sender,
    thread_of,
    topic_of,
)
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

NOT_CONTENT = frozenset(
    {"message_id", "date", "edit_date", "from", "sender_chat", "chat", "reply_to_message", "reply_markup"}
)
"""Fields that say nothing new when a message is edited."""

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


def said(message: Message, us: Us) -> Iterator[Event]:
    """The events of a new message: one, but for people that came into a group together."""
    start = _start(message, us)
    if start is not None:
        yield _started(message, us, start["parameter"] or "")
        return
    lines = list(_service(message, us))
    yield from lines or [event(message, us, content(message, us, Said))]


def _start(message: Message, us: Us) -> re.Match[str] | None:
    """What somebody who follows the bot's link sends, by their own hand.

    Not what is passed on, nor what people write to each other: a token in it was given to somebody else.
    """
    passed_on = message.forward_origin or message.sender_chat or message.via_bot or message.business_connection_id
    found = START.fullmatch(words(message.text)) if message.text and not passed_on else None
    named = found and (found["bot"] or us.username).casefold()
    return found if named == us.username.casefold() else None


def edited(message: Message, us: Us, record: Mapping[str, Any], update_id: int) -> Event:
    """The message as it reads now.

    `edit_date` has whole seconds: of several edits in one, the content tells one from another, and the update's number the order.
    The number is no part of the id: a reaction, too, may have the same edit told again (tdlib/telegram-bot-api, issue 388).
    """
    at = moment(message.edit_date)
    new = {name: value for name, value in record.items() if name not in NOT_CONTENT}
    fingerprint = digest(msgspec.json.encode(new, order="sorted").decode())
    return msgspec.structs.replace(
        event(message, us, content(message, us, MessageEdited)),
        revision=f"{int(at.timestamp()) if at else 0}-{fingerprint}",
        received_at=ordered(at, update_id),
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
        recipients=_recipients(message, us) if outbound else (),
        received_at=ordered(message.date, whole(message.message_id)),
        reply_context=reply_context(message),
        channel_data=_channel_data(message),
    )


def _recipients(message: Message, us: Us) -> tuple[Party, ...]:
    """To whom we wrote: known where two people talk, so that the customer is named on either side."""
    other = (partner(message.chat),) if message.chat.type == "private" else ()
    return () if other and us.owns(other[0].claims[0].value) else other


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
    detail = DETAILS[field](getattr(message, field)) if field in DETAILS else ""
    return ": ".join(filter(None, (field.replace("_", " "), detail)))


def _amount(payment: SuccessfulPayment | RefundedPayment) -> str:
    """In the currency's smallest unit, as Telegram tells it; what was paid for, in the bot's own words."""
    amount = f"{whole(payment.total_amount)} {words(payment.currency)} (smallest unit)"
    return ", ".join(filter(None, (amount, words(payment.invoice_payload))))


def _named(user: SharedUser) -> str:
    return full_name(user.first_name, user.last_name) or str(whole(user.user_id))


DETAILS: dict[str, Callable[[Any], str]] = {
    "new_chat_title": words,
    "forum_topic_created": lambda topic: words(topic.name),
    "forum_topic_edited": lambda topic: words(topic.name),
    "pinned_message": lambda pinned: written(pinned) if isinstance(pinned, Message) else "",
    "successful_payment": _amount,
    "refunded_payment": _amount,
    "users_shared": lambda shared: ", ".join(_named(user) for user in shared.users),
    "chat_shared": lambda shared: words(shared.title) or str(whole(shared.chat_id)),
}
"""What is worth telling of a service message, by its field."""
