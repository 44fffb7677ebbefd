"""A record of the Bot API as events: the one normaliser for what came by webhook and what was polled.

What cannot be read of a message is left out, so that the rest is seen. A kind that has no handler is counted, never lost. No I/O,
no clock, no secret.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import msgspec
from telegram import Update

from im_ingest.connectors.telegram.strict import whole
from im_ingest.connectors.telegram.updates import HANDLERS, MESSAGES, Record
from im_ingest.connectors.telegram.who import Us
from onethread.errors import Poison
from onethread.event import Content, Event, Unknown

PLAIN = frozenset(
    {"message_id", "date", "edit_date", "from", "sender_chat", "chat", "text", "caption", "business_connection_id",
     "message_thread_id", "is_topic_message"}
)  # fmt: skip
"""Fields of a message that say who wrote where, and the words: they are read even if nothing else can be."""

MOST_TRIED = 64
"""Parts of a message that are left out in turn, to find the one that cannot be read; the Bot API knows about a hundred."""


def events(data: bytes, us: Us) -> Iterable[Event]:
    """The events of one update. Raises Poison for what is none; msgspec's errors mean the same."""
    record = msgspec.json.decode(data, type=dict[str, Any])
    kind = next((field for field in record if field != "update_id" and record[field] is not None), "")
    try:
        return _read(record, kind, us)
    except Poison:
        if kind in MESSAGES and isinstance(record[kind], dict):
            return _read_in_part(record, kind, us)
        if (
            kind == "callback_query"
            and isinstance(record[kind], dict)
            and isinstance(record[kind].get("message"), dict)
        ):
            return _read({**record, kind: {**record[kind], "message": _plain(record[kind]["message"])}}, kind, us)
        raise


def _read(record: Record, kind: str, us: Us) -> list[Event]:
    """All of them. Raises Poison where any part is of a type that it cannot be. What has no handler is not looked into."""
    handler = HANDLERS.get(kind)
    if handler is None:
        return [Event(f"update:{whole(record.get('update_id'))}", Unknown(label=kind))]
    return list(handler(_parse(record), record[kind], us))


def _read_in_part(record: Record, kind: str, us: Us) -> list[Event]:
    """A message with a part that cannot be read, as Bot API servers of other versions send them: all but that part.

    Where the fault is not in one part alone, who wrote where, and the words. Raises Poison where not even those can be read.
    """
    message: Record = record[kind]
    parts = [field for field in message if field not in PLAIN]
    if not parts:
        raise Poison("a message whose sender, chat, time or words cannot be read")
    for unread in parts[:MOST_TRIED]:
        with suppress(Poison):
            rest = {field: value for field, value in message.items() if field != unread}
            return [_degraded(event, unread) for event in _read({**record, kind: rest}, kind, us)]
    return [_degraded(event, parts[0]) for event in _read({**record, kind: _plain(message)}, kind, us)]


def _plain(message: Record) -> Record:
    return {field: value for field, value in message.items() if field in PLAIN}


def _degraded(event: Event, unread: str) -> Event:
    """Without what the part might have spoken against: that a card, or a token, is the sender's own."""
    fact = event.fact
    if isinstance(fact, Content):
        degraded = f"{unread} cannot be read"
        fact = msgspec.structs.replace(fact, unsupported=fact.unsupported and unread, degraded=degraded)
    sender = msgspec.structs.replace(event.sender, claims=event.sender.claims[:1])
    return msgspec.structs.replace(event, fact=fact, sender=sender, tokens=())


def _parse(record: Record) -> Update:
    """The library's object. What it raises for a malformed update was found by trying: it promises nothing."""
    try:
        return Update.de_json(dict(record), None)
    except (TypeError, AttributeError, KeyError, OverflowError, ValueError, OSError, RecursionError) as error:
        raise Poison(f"not an update of the Bot API: python-telegram-bot raised {type(error).__name__}") from error
