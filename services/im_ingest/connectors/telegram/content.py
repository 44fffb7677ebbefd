"""What a Telegram message says, as the fields that `message` and `message.edited` share. It knows nothing of updates."""

import re
from typing import TypeVar

import msgspec
import telegram
from telegram import (
    Message,
    MessageOrigin,
    MessageOriginChannel,
    MessageOriginChat,
    MessageOriginHiddenUser,
    MessageOriginUser,
)

from im_ingest.connectors.telegram.attachments import attachments
from im_ingest.connectors.telegram.strict import degrees, known, moment, words
from im_ingest.connectors.telegram.text import links, mentions, written
from im_ingest.connectors.telegram.who import Us, full_name, message_ref, person, sender, speaking_chat
from onethread.event import Body, ContactCard, Content, Forwarded, Group, Location, Party, Quote
from onethread.identity import canonical_phone

C = TypeVar("C", bound=Content)

VCARD = re.compile(
    r"^(?:[\w-]+\.)?(TEL|EMAIL)(?:;[^:\r\n]*)?:(?:tel:|mailto:)?([^\r\n]+)", re.ASCII | re.IGNORECASE | re.MULTILINE
)
"""A number or an address in a card (RFC 6350, sections 6.4.1 and 6.4.2; RFC 2426 writes them without a scheme)."""

PLACEHOLDERS = (
    "poll",
    "dice",
    "game",
    "invoice",
    "story",
    "paid_media",
    "checklist",
    "giveaway",
    "giveaway_winners",
)
"""Kinds of messages that we show as a placeholder, with what words they have."""


def content(message: Message, us: Us, kind: type[C]) -> C:
    """The whole message as it reads now."""
    group = words(message.media_group_id)
    return kind(
        body=Body(text=written(message)),
        attachments=attachments(message),
        quote=_quote(message, us),
        forwarded=_forwarded(message.forward_origin, us),
        mentions=mentions(message, us),
        links=links(message),
        location=_location(message),
        contacts=_contacts(message),
        group=Group(id=group) if group else None,
        unsupported=_unsupported(message),
    )


def _unsupported(message: Message) -> str:
    """The provider's word for what we cannot show; of a newer Bot API than the library's, the field that it does not know."""
    for field in PLACEHOLDERS:
        if getattr(message, field) is not None:
            return field
    said = message.text or message.caption or attachments(message) or message.location or message.contact
    return "" if said else next(iter(message.api_kwargs), "message")


def _location(message: Message) -> Location | None:
    """A point, or a venue; a venue repeats its point outside for old programs."""
    if message.venue is not None:
        name, address = words(message.venue.title), words(message.venue.address)
        return msgspec.structs.replace(_point(message.venue.location), name=name, address=address)
    return _point(message.location) if message.location is not None else None


def _point(point: telegram.Location) -> Location:
    point = known(point, telegram.Location)
    return Location(lat=degrees(point.latitude), lon=degrees(point.longitude))


def _contacts(message: Message) -> tuple[ContactCard, ...]:
    card = message.contact
    if card is None:
        return ()
    written = [(kind.upper(), value.strip()) for kind, value in VCARD.findall(words(card.vcard))]
    numbers = (words(card.phone_number), *(value for kind, value in written if kind == "TEL"))
    phones = {canonical_phone(number): number for number in reversed(numbers) if number}
    emails = dict.fromkeys(value for kind, value in written if kind == "EMAIL" and "@" in value)
    name = full_name(card.first_name, card.last_name)
    return (ContactCard(name=name, phones=tuple(reversed(phones.values())), emails=tuple(emails)),)


def _quote(message: Message, us: Us) -> Quote | None:
    """What it answers: a message of this chat, of another one, or a story."""
    chosen = words(message.quote.text) if message.quote is not None else ""
    answered = message.reply_to_message
    if answered is not None and answered.forum_topic_created is None:  # every message in a topic "answers" its creation
        external_id = message_ref(message.chat, answered.message_id, message.business_connection_id)
        return Quote(external_id=external_id, text=chosen or written(answered), sender=sender(answered, us))
    if message.reply_to_story is not None:
        story = message.reply_to_story
        return Quote(external_id=message_ref(story.chat, story.id), kind="story", sender=speaking_chat(story.chat, us))
    if message.external_reply is not None:
        other = message.external_reply
        known_here = other.chat is not None and other.message_id is not None
        external_id = message_ref(other.chat, other.message_id) if other.chat is not None and known_here else ""
        return Quote(external_id=external_id, text=chosen, sender=_origin(other.origin, us))
    return None


def _forwarded(origin: MessageOrigin | None, us: Us) -> Forwarded | None:
    return None if origin is None else Forwarded(sender=_origin(origin, us), sent_at=moment(origin.date))


def _origin(origin: MessageOrigin, us: Us) -> Party | None:
    """Who first wrote it. People may hide their account from forwards: then only a name is left."""
    match origin:
        case MessageOriginUser():
            return person(origin.sender_user, us)
        case MessageOriginHiddenUser():
            return Party(name=words(origin.sender_user_name), kind="anonymous")
        case MessageOriginChat():
            return speaking_chat(origin.sender_chat, us)
        case MessageOriginChannel():
            return speaking_chat(origin.chat, us)
        case _:
            return None
