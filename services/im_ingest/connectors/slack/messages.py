"""What is said in Slack, and what becomes of it: messages, edits, deletions, reactions. It knows no entrance."""

from collections.abc import Callable, Iterator

import msgspec

from im_ingest.connectors.slack.content import content
from im_ingest.connectors.slack.entities import Reaction, Said
from im_ingest.connectors.slack.scene import Scene
from im_ingest.connectors.slack.who import moment, place
from onethread.errors import Poison
from onethread.event import (
    Event,
    Message,
    MessageDeleted,
    MessageEdited,
    ReactionAdded,
    ReactionRemoved,
    System,
    Unknown,
)

TOMBSTONE = "tombstone"
"""What stands in the place of a deleted message that has answers."""

LINES = frozenset({
    "channel_join", "channel_leave", "channel_topic", "channel_purpose", "channel_name", "channel_archive",
    "channel_unarchive", "channel_posting_permissions", "channel_convert_to_private", "channel_convert_to_public",
    "group_join", "group_leave", "group_topic", "group_purpose", "group_name", "group_archive", "group_unarchive",
    "bot_add", "bot_remove", "pinned_item", "unpinned_item", "reminder_add", "sh_room_created", "huddle_thread",
})  # fmt: skip
"""Subtypes of what Slack itself writes into a channel."""


def said(here: Scene, found: Said) -> Iterator[Event]:
    """A message, or a change to one: the subtype says which."""
    handler = CHANGES.get(found.subtype or "")
    if handler is not None:
        yield from handler(here, found)
    elif found.message is not None:
        return  # another answer was counted: Slack sends message_replied without its subtype
    elif found.subtype in LINES:
        line = here.message(found, System(text=content(found, here.us, Message).body.text))
        yield msgspec.structs.replace(line, external_thread_id=found.channel)
    else:
        yield here.message(found, content(found, here.us, Message))


def _changed(here: Scene, found: Said) -> Iterator[Event]:
    """Slack also says so when it shows a link's preview, or counts answers: an edit is what changes content.

    `edited` holds whole seconds, and stays when a file goes later: the event's own time alone tells two edits apart.
    """
    if found.message is None:
        raise Poison("message_changed without the message")
    now = _in_channel(found.message, found)
    if now.subtype == TOMBSTONE:
        before = _in_channel(found.previous_message or now, found)
        yield here.message(before, MessageDeleted(), at=found.event_ts or found.ts)
        return
    if now.subtype in LINES:
        return  # a line that counts, such as that of a huddle
    edited = content(now, here.us, MessageEdited)
    if found.previous_message is not None:
        before = _in_channel(found.previous_message, found)
        if content(before, here.us, MessageEdited) == edited:
            return
    when = found.event_ts or found.ts
    yield here.message(now, edited, revision=when, at=when)


def _deleted(here: Scene, found: Said) -> Iterator[Event]:
    """Who deleted it is not told: the sender is who wrote it."""
    gone = found.previous_message or Said()
    ts = found.deleted_ts or gone.ts
    before = _in_channel(msgspec.structs.replace(gone, ts=ts), found)
    yield here.message(before, MessageDeleted(), at=found.event_ts or found.ts)


def _counted(here: Scene, found: Said) -> Iterator[Event]:  # noqa: ARG001 -- it has the shape of the others
    """A thread's counter says nothing that its answers do not say."""
    return iter(())


def _in_channel(inner: Said, outer: Said) -> Said:
    """A message inside an event about it does not repeat its channel."""
    return msgspec.structs.replace(inner, channel=outer.channel, channel_type=outer.channel_type)


CHANGES: dict[str, Callable[[Scene, Said], Iterator[Event]]] = {
    "message_changed": _changed,
    "message_deleted": _deleted,
    "message_replied": _counted,
}


def reacted(here: Scene, found: Reaction) -> Iterator[Event]:
    """An emoji by its name, which may be the workspace's own; each person may add several."""
    item = found.item
    if item.type != "message" or not item.channel or not item.ts:
        yield here.own(Unknown(label=f"{found.type} {item.type}"))
        return
    target, symbol = f"{item.channel}:{item.ts}", f":{found.reaction}:"
    added = found.type == "reaction_added"
    fact = ReactionAdded(target=target, symbol=symbol) if added else ReactionRemoved(target=target, symbol=symbol)
    where = place(item.channel)
    event = Event(
        f"{target}:{found.user}:{symbol}",
        fact,
        revision=found.event_ts,
        external_thread_id=where.id if where.kind == "direct" else "",
        place=where,
        received_at=moment(found.event_ts),
    )
    yield here.by(found.user, event)
