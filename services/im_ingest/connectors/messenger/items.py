"""A record of Messenger as events: the one way in for what comes by webhook and what is looked up.

No I/O, no clock, no secret. A kind that it does not know is counted, and visible where it has a sender; it is never lost.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from im_ingest.connectors.messenger import messages, notices
from im_ingest.connectors.messenger.entities import Item, Profile
from im_ingest.connectors.messenger.said import Message
from im_ingest.connectors.messenger.scene import Scene
from im_ingest.connectors.messenger.who import named, person, sides
from im_ingest.meta import Json, moment, readable
from onethread.errors import Poison
from onethread.event import Contact, Event, Unknown
from onethread.identity import digest

WHO_AND_WHEN = frozenset({"sender", "recipient", "timestamp"})


def events(data: bytes, page: str, about: Mapping[str, str], *, standby: bool = False) -> Iterator[Event]:
    """The events of one item. msgspec's errors, and Poison, mean that it is none."""
    item, lost = _read(data)
    at = moment(item.timestamp or about.get("entry_time"), per_second=1000)
    here = Scene(item, sides(item, page), at, standby, data, lost)
    for name, handler in HANDLERS.items():
        if getattr(item, name) is not None:
            yield from handler(here)
            return
    yield from _unknown(here)


def _read(data: bytes) -> tuple[Item, str]:
    """An item, and the names of the parts of its message that are of a strange form: the message is shown without them."""
    item, lost = readable(data, Item)
    if not lost:
        return item, ""
    if strange := set(lost) - {"message", "timestamp"}:
        raise Poison(f"of a strange form: {', '.join(sorted(strange))}")
    if "message" not in lost:
        return item, ", ".join(lost)
    message, parts = readable(msgspec.json.decode(data, type=Json)["message"], Message)
    return msgspec.structs.replace(item, message=message), ", ".join(parts)


def profile(data: bytes, page: str, page_scoped: str) -> Event:
    """What a lookup brought about a person."""
    claim = person(page_scoped, page)
    party = named(msgspec.json.decode(data, type=Profile), claim)
    facts = digest(party.name, party.locale, party.timezone)
    return Event(page_scoped, Contact(form="profile"), revision=facts, external_thread_id=page_scoped, sender=party)


def page_change(data: bytes, time: str) -> Event:
    """What happened on the page itself: posts and comments are no messages."""
    change = msgspec.json.decode(data, type=dict[str, Any])
    label = change.get("field")
    if not isinstance(label, str):
        raise Poison("a change that names no field")
    return Event(digest(time, data.decode()), Unknown(label=label), received_at=moment(time, per_second=1000))


def _unknown(here: Scene) -> Iterator[Event]:
    fields = msgspec.json.decode(here.data, type=dict[str, Any])
    label = next((name for name in fields if name not in WHO_AND_WHEN), "")
    if not label:
        raise Poison("an item without content")
    yield here.event(here.stamp(label), Unknown(label=label))


HANDLERS: dict[str, Callable[[Scene], Iterator[Event]]] = {
    "message": messages.said,
    "message_edit": messages.edited,
    "reaction": messages.reacted,
    "delivery": messages.delivered,
    "read": messages.seen,
    "postback": messages.pressed,
    "referral": messages.referred,
    "optin": notices.opted,
    "pass_thread_control": notices.handed_over,
    "take_thread_control": notices.handed_over,
    "response_feedback": notices.thumbed,
    "messaging_feedback": notices.scored,
    "account_linking": notices.linked,
    "policy_enforcement": notices.enforced,
    "policy_enforcement_of_before": notices.enforced,
}
"""By the field that an item has; one that has several is of the first kind."""
