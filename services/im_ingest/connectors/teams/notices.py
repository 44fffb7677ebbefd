"""What happens around the talk in Teams: members, installations, reads, meetings, names. It knows no message."""

from collections.abc import Iterator
from typing import Any

from im_ingest.connectors.teams.scene import Scene
from onethread.errors import Poison
from onethread.event import (
    ContactSubscribed,
    ContactUnsubscribed,
    Event,
    ParticipantJoined,
    ParticipantLeft,
    Receipt,
    System,
    Unknown,
)

READ = "application/vnd.microsoft.readReceipt"
LINES = {
    "channelCreated": "A channel was made: {channel}",
    "channelDeleted": "The channel was deleted: {channel}",
    "channelRenamed": "The channel is now called {channel}",
    "channelRestored": "The channel is back: {channel}",
    "teamArchived": "The team was archived: {team}",
    "teamDeleted": "The team was deleted: {team}",
    "teamHardDeleted": "The team was deleted for good: {team}",
    "teamRenamed": "The team is now called {team}",
    "teamRestored": "The team is back: {team}",
    "teamUnarchived": "The team is no longer archived: {team}",
}
"""By `channelData.eventType`."""
PERSONAL: dict[str, ContactSubscribed | ContactUnsubscribed] = {
    "add": ContactSubscribed(reason="follow"),
    "remove": ContactUnsubscribed(reason="block"),
}
"""By `action`, in a chat of one person and the bot."""
SHARED = {
    "add": "The app was added to the conversation.",
    "remove": "The app was taken out of the conversation.",
    "add-upgrade": "The app was upgraded.",
    "remove-upgrade": "An old version of the app was taken away.",
}
EVENTS = {
    "application/vnd.microsoft.meetingStart": "A meeting began.",
    "application/vnd.microsoft.meetingEnd": "The meeting ended.",
}


def conversation_changed(here: Scene) -> Iterator[Event]:
    """Who came and went, each an event of its own; else what has another name, or another state."""
    activity, found = here.activity, False
    for account, party in here.persons(activity.members_added):
        found = True
        yield here.event(here.own_id(f"joined:{account.id or account.aad_object_id}"), ParticipantJoined(party=party))
    for account, party in here.persons(activity.members_removed):
        found = True
        yield here.event(here.own_id(f"left:{account.id or account.aad_object_id}"), ParticipantLeft(party=party))
    if not found:
        yield _renamed(here)


def _renamed(here: Scene) -> Event:
    activity, data = here.activity, here.activity.channel_data
    kind = (data.event_type if data else None) or ""
    if kind in LINES:
        assert data is not None
        names = {"channel": (data.channel.name if data.channel else None) or "General"}
        text = LINES[kind].format(**names, team=(data.team.name if data.team else None) or "")
        return here.event(here.own_id(kind), System(text=text))
    if activity.topic_name:
        return here.event(here.own_id("topic"), System(text=f"The chat is now called {activity.topic_name}"))
    label = " ".join(filter(None, ("conversationUpdate", kind)))
    return here.event(here.own_id(label), Unknown(label=label))


def installed(here: Scene) -> Iterator[Event]:
    """Whoever takes the app for a chat of their own can be written to from then on. An upgrade removes and adds, too."""
    action, external_id = here.activity.action or "", here.own_id("installation")
    if here.kind == "direct" and action in PERSONAL:
        yield here.event(external_id, PERSONAL[action])
    elif action in SHARED:
        yield here.event(external_id, System(text=SHARED[action]))
    else:
        yield here.event(external_id, Unknown(label=f"installationUpdate {action}".strip()))


def happened(here: Scene) -> Iterator[Event]:
    """Reads, meetings; all others are counted."""
    name = here.activity.name or ""
    if name == READ:
        last = _field(here.activity.value, "lastReadMessageId")
        if not last:
            raise Poison("a read receipt that names no message")
        reader = here.activity.sender.id if here.activity.sender else ""
        fact = Receipt(status="read", until_id=here.message_id(last))
        yield here.event(f"{here.chat}:{reader}", fact, revision=f"read:{last}")
    elif name in EVENTS:
        title = _field(here.activity.value, "Title")
        yield here.event(here.own_id(name), System(text=EVENTS[name]), channel_data={"title": title} if title else {})
    else:
        yield here.event(here.own_id("event"), Unknown(label=f"event {name}".strip()))


def _field(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""
