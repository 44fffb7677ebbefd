"""A record of Teams as events: the one way in for what comes by webhook and what is looked up.

No I/O, no clock, no secret. A kind that it does not know is counted, and visible where it has a sender; it is never lost.
"""

from collections.abc import Callable, Iterator

import msgspec

from im_ingest import salvage
from im_ingest.connectors.teams import messages, notices
from im_ingest.connectors.teams.entities import Activity, Member
from im_ingest.connectors.teams.scene import Scene
from im_ingest.connectors.teams.who import Us, member
from onethread.errors import Poison
from onethread.event import Contact, Event, Unknown
from onethread.identity import digest


def events(data: bytes, us: Us) -> Iterator[Event]:
    """The events of one activity. msgspec's errors mean that it is none.

    A message is not lost for a part of a shape that nobody expects; of anything else, such a part would change what it says.
    """
    activity, unread = salvage.decoded(data, Activity)
    if unread and activity.type not in WORDS:
        raise Poison(f"an activity of type {activity.type}: {unread}")
    yield from HANDLERS.get(activity.type, _unknown)(Scene(activity, us, data, unread))


def profile(data: bytes, us: Us, about: dict[str, str]) -> Event:
    """What the directory tells of a member of a conversation."""
    record = msgspec.json.decode(data, type=Member)
    record.id = about["user"]
    found = member(record, us, about["tenant"])
    facts = digest(found.name, *(part for one in found.claims for part in (one.value, one.scope, one.evidence)))
    return Event(about["user"], Contact(form="profile"), revision=facts, sender=found)


def _unknown(here: Scene) -> Iterator[Event]:
    """Of a kind that no handler knows."""
    label = " ".join(filter(None, (here.activity.type, here.activity.name)))
    yield here.event(here.own_id(here.activity.type), Unknown(label=label))


def _nothing(_: Scene) -> Iterator[Event]:
    """Somebody types; that is no fact."""
    return iter(())


WORDS = frozenset({"message", "messageUpdate"})
HANDLERS: dict[str, Callable[[Scene], Iterator[Event]]] = {
    "message": messages.said,
    "messageUpdate": messages.changed,
    "messageDelete": messages.deleted,
    "messageReaction": messages.reacted,
    "invoke": messages.invoked,
    "conversationUpdate": notices.conversation_changed,
    "installationUpdate": notices.installed,
    "event": notices.happened,
    "typing": _nothing,
}
