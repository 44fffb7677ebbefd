"""What people say and press in Teams: messages, edits, deletions, reactions, buttons. It knows nothing of members."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec

from im_ingest.connectors.teams.content import C, content, device
from im_ingest.connectors.teams.scene import Scene
from onethread.event import (
    Event,
    Message,
    MessageDeleted,
    MessageEdited,
    MessageRestored,
    Postback,
    Rating,
    ReactionAdded,
    ReactionRemoved,
)

SYMBOLS = {"like": "👍", "heart": "❤️", "laugh": "😆", "surprised": "😮", "sad": "😢", "angry": "😡"}
"""The six reactions that have names; the others are called by their code point ("1f440_eyes")."""

THUMBS = {"like": 1.0, "dislike": 0.0}
"""Scores of the thumbs under a message of the bot."""
CODE = re.compile(r"([0-9a-f]{1,6}(?:-[0-9a-f]{1,6}){0,15})_", re.ASCII)
"""Code points of an emoji, before its name."""


def said(here: Scene) -> Iterator[Event]:
    """A message. What a button or a card sends comes as one, too, with its `value`; an empty one beside words says nothing."""
    activity = here.activity
    if activity.value or (activity.value is not None and not activity.text):
        yield _pressed(here, activity.value, title=activity.text or "")
        return
    yield here.event(
        here.message_id(activity.id or here.fingerprint()), _whole(here, Message), channel_data=_rest(here)
    )


def changed(here: Scene) -> Iterator[Event]:
    """An edit, or the end of a deletion."""
    activity = here.activity
    restored = activity.channel_data is not None and activity.channel_data.event_type == "undeleteMessage"
    fact = MessageRestored() if restored else _whole(here, MessageEdited)
    yield here.event(here.message_id(activity.id), fact, revision=here.stamp())


def _whole(here: Scene, kind: type[C]) -> C:
    """All that it says, and what of it could not be read."""
    said = content(kind, here.activity, here.us, here.chat)
    return msgspec.structs.replace(said, degraded=here.unread) if here.unread else said


def deleted(here: Scene) -> Iterator[Event]:
    """Who deleted it may undo that, so one message can be deleted twice."""
    yield here.event(here.message_id(here.activity.id), MessageDeleted(), revision=here.stamp())


def reacted(here: Scene) -> Iterator[Event]:
    """To a message of the bot; one activity may bring several."""
    activity = here.activity
    target = here.message_id(activity.reply_to_id)
    actor = (activity.sender and (activity.sender.aad_object_id or activity.sender.id)) or ""
    for each in dict.fromkeys(one.type for one in activity.reactions_removed or ()):
        fact = ReactionRemoved(target=target, symbol=symbol(each))
        yield here.event(f"{target}:{actor}:{each}", fact, revision=here.stamp())
    for each in dict.fromkeys(one.type for one in activity.reactions_added or ()):
        yield here.event(
            f"{target}:{actor}:{each}", ReactionAdded(target=target, symbol=symbol(each)), revision=here.stamp()
        )


def invoked(here: Scene) -> Iterator[Event]:
    """A button that waits for an answer, a dialogue, a thumb under a message."""
    activity = here.activity
    value = activity.value if isinstance(activity.value, dict) else {}
    given = value.get("actionValue") if value.get("actionName") == "feedback" else None
    if activity.name == "message/submitAction" and isinstance(given, dict) and str(given.get("reaction")) in THUMBS:
        yield _rated(here, given)
        return
    action = value.get("action")
    if isinstance(action, dict):  # adaptiveCard/action
        yield _pressed(
            here, action.get("data"), payload=str(action.get("verb") or ""), title=str(action.get("title") or "")
        )
        return
    payload = action if isinstance(action, str) else activity.name or ""
    yield _pressed(here, activity.value, payload=payload)


def symbol(name: str) -> str:
    """The emoji of a reaction; its name where that tells none."""
    code = CODE.match(name)
    if name in SYMBOLS or code is None:
        return SYMBOLS.get(name, name)
    try:
        text = "".join(chr(int(part, 16)) for part in code[1].split("-"))
        text.encode()
    except (ValueError, OverflowError):  # no character, or half of one
        return name
    return text


def _pressed(here: Scene, value: Any, *, payload: str = "", title: str = "") -> Event:
    activity = here.activity
    target = here.message_id(activity.reply_to_id) if activity.reply_to_id else ""
    values = {name: _text(each) for name, each in value.items()} if isinstance(value, dict) else {}
    sent = payload or ("" if values or value is None else _text(value))
    fact = Postback(payload=sent, title=title, target=target, values=values)
    data = {"invoke": activity.name} if activity.name else {}
    return here.event(here.own_id("postback"), fact, channel_data=data)


def _rated(here: Scene, given: dict[str, Any]) -> Event:
    reaction = str(given["reaction"])
    target = here.message_id(here.activity.reply_to_id) if here.activity.reply_to_id else ""
    fact = Rating(
        score=THUMBS[reaction],
        scale=1.0,
        text=_feedback(given.get("feedback")),
        target=target,
    )
    return here.event(here.own_id("feedback"), fact, channel_data={"reaction": reaction})


def _feedback(given: Any) -> str:
    """The words beside a thumb; they come as JSON in a text."""
    if not isinstance(given, str):
        return ""
    try:
        return msgspec.json.decode(given, type=_Feedback).words
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return given


class _Feedback(msgspec.Struct):
    """The form under a thumb."""

    words: str = msgspec.field(name="feedbackText")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _rest(here: Scene) -> dict[str, Any]:
    """What has no field of its own."""
    found = {"importance": here.activity.importance, "platform": device(here.activity).platform}
    return {name: value for name, value in found.items() if value and value != "normal"}
