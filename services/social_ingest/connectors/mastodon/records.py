"""Records of Mastodon as events: notifications, and what else the user's stream tells. No I/O, no clock, no secret.

A notification is the same whether it was streamed or fetched. Kinds that no customer causes are counted.
"""

from collections.abc import Callable, Iterable

import msgspec

from onethread.connector import Raw
from onethread.event import (
    AnyFact,
    Contact,
    ContactSubscribed,
    Event,
    Message,
    MessageDeleted,
    ReactionAdded,
    Unknown,
)
from onethread.identity import digest
from social_ingest.connectors.mastodon.entities import Account, Notification, Status
from social_ingest.connectors.mastodon.statuses import content, edited, event, thread
from social_ingest.connectors.mastodon.who import party, place

NOTIFICATION = ""
"""The form of a record that is a notification; other forms are named by the stream's events."""


def events(raw: Raw, ours: str) -> Iterable[Event]:
    """The events of one record. msgspec's errors mean Poison."""
    match raw.form:
        case "":
            return (_notified(msgspec.json.decode(raw.data, type=Notification), ours),)
        case "update":
            status = msgspec.json.decode(raw.data, type=Status)
            return (event(status, ours, content(status, ours, Message)),)
        case "status.update":
            return (edited(msgspec.json.decode(raw.data, type=Status), ours),)
        case "delete":
            return (Event(msgspec.json.decode(raw.data, type=str), MessageDeleted()),)
        case other:
            return (Event(digest(other, raw.data.decode()), Unknown(label=other)),)


def _notified(notification: Notification, ours: str) -> Event:
    made = _KINDS[notification.type](notification, ours) if notification.type in _KINDS else None
    if made is None:  # of a kind that is not for a conversation, or about a status that is gone
        made = Event(_own_id(notification), Unknown(label=notification.type))
    return msgspec.structs.replace(made, received_at=notification.created_at)


def _own_id(notification: Notification) -> str:
    return f"notification:{notification.id}"


def _said(notification: Notification, ours: str) -> Event | None:
    status = notification.status
    return None if status is None else event(status, ours, content(status, ours, Message))


def _edited(notification: Notification, ours: str) -> Event | None:
    return None if notification.status is None else edited(notification.status, ours)


def _reacted(notification: Notification, ours: str) -> Event | None:
    """A favourite or a boost of a post of ours. Taking it back is not told."""
    status, actor = notification.status, notification.account
    if status is None or actor is None:
        return None
    symbol = notification.type
    return Event(
        external_id=f"{status.id}:{actor.uri or actor.acct}:{symbol}",
        fact=ReactionAdded(target=status.id, symbol=symbol),
        revision=notification.id,
        external_thread_id=thread(status, ours),
        place=place(status, ours),
        sender=party(actor, ours),
    )


def _followed(notification: Notification, ours: str) -> Event | None:
    return _about(notification, notification.account, ours, ContactSubscribed(reason="follow"))


def _asked_to_follow(notification: Notification, ours: str) -> Event | None:
    return _about(notification, notification.account, ours, Contact(form="follow_request"))


def _about(notification: Notification, account: Account | None, ours: str, fact: AnyFact) -> Event | None:
    return None if account is None else Event(_own_id(notification), fact, sender=party(account, ours))


_KINDS: dict[str, Callable[[Notification, str], Event | None]] = {
    "mention": _said,
    "quote": _said,
    "update": _edited,
    "quoted_update": _edited,
    "reblog": _reacted,
    "favourite": _reacted,
    "follow": _followed,
    "follow_request": _asked_to_follow,
}
"""Kinds of notifications that become something (https://docs.joinmastodon.org/entities/Notification/#type)."""
