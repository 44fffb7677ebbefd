"""Updates of the Bot API, already parsed, as events: one handler for each kind that we take in. It knows no JSON."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from telegram import (
    CallbackQuery,
    Chat,
    ChatMember,
    ChatMemberUpdated,
    InlineKeyboardMarkup,
    Message,
    MessageReactionUpdated,
    ReactionType,
    ReactionTypeCustomEmoji,
    ReactionTypeEmoji,
    Update,
    User,
)

from im_ingest.connectors.telegram.messages import edited, reply_context, said
from im_ingest.connectors.telegram.strict import known, moment, ordered, whole, words
from im_ingest.connectors.telegram.who import (
    Us,
    message_ref,
    person,
    place,
    speaking_chat,
    thread_of,
    thread_ref,
)
from onethread.errors import Poison
from onethread.event import (
    AnyFact,
    ChannelState,
    ContactSubscribed,
    ContactUnsubscribed,
    Event,
    MessageDeleted,
    ParticipantJoined,
    ParticipantLeft,
    Party,
    Postback,
    ReactionAdded,
    ReactionRemoved,
    Unknown,
)

Record = Mapping[str, Any]
Handler = Callable[[Update, Record, Us], Iterable[Event]]

ALLOWED = (
    "message", "edited_message", "channel_post", "edited_channel_post", "callback_query", "message_reaction",
    "my_chat_member", "business_connection", "business_message", "edited_business_message",
    "deleted_business_messages",
)  # fmt: skip
"""The kinds we ask for. Reactions must be named: Telegram leaves them out of its default (Bot API, "setWebhook")."""

PRESENT = frozenset({"creator", "administrator", "member"})
"""States of somebody who is in a chat; "restricted" says so by `is_member`."""


def _new(field: str) -> Handler:
    return lambda update, _record, us: said(known(getattr(update, field), Message), us)


def _edit(field: str) -> Handler:
    def handler(update: Update, record: Record, us: Us) -> Iterator[Event]:
        yield edited(known(getattr(update, field), Message), us, record, whole(update.update_id))

    return handler


def _by(party: Party) -> dict[str, Any]:
    """The fields that say who did it, and on which side."""
    return {"sender": party, "direction": "outbound" if party.is_us else "inbound", "echo": party.is_us}


def _pressed(update: Update, _record: Record, us: Us) -> Iterator[Event]:
    """A button under a message. The query has no time of its own, so the host's is used."""
    query = known(update.callback_query, CallbackQuery)
    message, payload = query.message, words(query.data) or words(query.game_short_name)
    connection = message.business_connection_id if isinstance(message, Message) else None
    target = words(query.inline_message_id)
    event = Event(words(query.id), Postback(payload=payload, target=target), **_by(person(query.from_user, us)))
    if message is None:
        yield event
        return
    target, title = message_ref(message.chat, message.message_id, connection), ""
    thread, context = thread_ref(message.chat), {"chat_id": str(whole(message.chat.id))}
    if isinstance(message, Message):
        title, thread, context = _title(message.reply_markup, payload), thread_of(message), reply_context(message)
    yield msgspec.structs.replace(
        event,
        fact=Postback(payload=payload, title=title, target=target),
        external_thread_id=thread,
        place=place(message.chat, whole(message.message_id)),
        reply_context=context,
    )


def _title(markup: InlineKeyboardMarkup | None, payload: str) -> str:
    """What the pressed button says; the query itself names only its payload."""
    buttons = [button for row in markup.inline_keyboard for button in row] if markup is not None else []
    return next((words(button.text) for button in buttons if button.callback_data == payload), "")


def _reacted(update: Update, _record: Record, us: Us) -> Iterator[Event]:
    """Telegram names all reactions before and after; what changed is the difference."""
    change = known(update.message_reaction, MessageReactionUpdated)
    target = message_ref(change.chat, change.message_id)
    before = [_symbol(reaction) for reaction in change.old_reaction]
    after = [_symbol(reaction) for reaction in change.new_reaction]
    actor = _actor(change, us)
    facts: list[ReactionAdded | ReactionRemoved] = [
        *(ReactionRemoved(target=target, symbol=symbol) for symbol in dict.fromkeys(before) if symbol not in after),
        *(ReactionAdded(target=target, symbol=symbol) for symbol in dict.fromkeys(after) if symbol not in before),
    ]
    for fact in facts:
        yield Event(
            external_id=f"{target}:{actor.claims[0].value}:{fact.symbol}",
            fact=fact,
            revision=str(whole(update.update_id)),
            external_thread_id=thread_ref(change.chat),
            place=place(change.chat, whole(change.message_id)),
            received_at=ordered(change.date, whole(update.update_id)),
            **_by(actor),
        )


def _actor(change: MessageReactionUpdated, us: Us) -> Party:
    if change.actor_chat is not None:
        return speaking_chat(change.actor_chat, us)
    return person(known(change.user, User), us)


def _symbol(reaction: ReactionType) -> str:
    match reaction:
        case ReactionTypeEmoji():
            return words(reaction.emoji)
        case ReactionTypeCustomEmoji():
            return f"custom_emoji:{words(reaction.custom_emoji_id)}"
        case _:
            return words(reaction.type)


def _membership(field: str) -> Handler:
    return lambda update, _record, us: _moved(update, known(getattr(update, field), ChatMemberUpdated), us)


def _moved(update: Update, change: ChatMemberUpdated, us: Us) -> Iterator[Event]:
    """Somebody came or went. In a private chat it is our bot, which the user has blocked or let in again."""
    chat, member = known(change.chat, Chat), known(change.new_chat_member, ChatMember)
    was, now = _present(known(change.old_chat_member, ChatMember)), _present(member)
    party, reason = person(member.user, us), words(member.status)
    fact: AnyFact
    if chat.type == "private":
        fact = ContactSubscribed(reason="follow") if now else ContactUnsubscribed(reason="block")
    elif was == now:
        fact = Unknown(label=f"chat member {reason}")
    else:
        fact = ParticipantJoined(party=party, reason=reason) if now else ParticipantLeft(party=party, reason=reason)
    yield Event(
        external_id=f"update:{whole(update.update_id)}",
        fact=fact,
        external_thread_id=thread_ref(chat),
        place=place(chat),
        received_at=moment(change.date),
        **_by(person(change.from_user, us)),
    )


def _present(member: ChatMember) -> bool:
    if member.status == "restricted":
        return bool(getattr(member, "is_member", False))
    return words(member.status) in PRESENT


def _connected(update: Update, _record: Record, _us: Us) -> Iterator[Event]:
    """A person lent the bot their business account, or took it back; or changed what the bot may do there."""
    connection = update.business_connection
    if connection is None:
        raise Poison("a business connection without content")
    state = "business_connected" if connection.is_enabled else "business_disconnected"
    yield Event(
        external_id=words(connection.id),
        fact=ChannelState(state=state, reason="business_connection"),
        revision=str(whole(update.update_id)),
        received_at=moment(connection.date),
        channel_data={
            "business_connection_id": words(connection.id),
            "user_id": str(whole(known(connection.user, User).id)),
        },
    )


def _deleted(update: Update, _record: Record, _us: Us) -> Iterator[Event]:
    """The only kind of chat whose deletions Telegram reports; it says neither who nor when."""
    deletion = update.deleted_business_messages
    if deletion is None:
        raise Poison("a deletion without content")
    chat, connection = deletion.chat, deletion.business_connection_id
    for message_id in dict.fromkeys(whole(number) for number in deletion.message_ids):
        yield Event(
            external_id=message_ref(chat, message_id, connection),
            fact=MessageDeleted(),
            external_thread_id=thread_ref(chat, connection=connection),
            place=place(chat),
        )


MESSAGES = frozenset(
    {"message", "channel_post", "business_message", "edited_message", "edited_channel_post", "edited_business_message"}
)
HANDLERS: dict[str, Handler] = {
    "message": _new("message"),
    "channel_post": _new("channel_post"),
    "business_message": _new("business_message"),
    "edited_message": _edit("edited_message"),
    "edited_channel_post": _edit("edited_channel_post"),
    "edited_business_message": _edit("edited_business_message"),
    "callback_query": _pressed,
    "message_reaction": _reacted,
    "my_chat_member": _membership("my_chat_member"),
    "chat_member": _membership("chat_member"),
    "business_connection": _connected,
    "deleted_business_messages": _deleted,
}
