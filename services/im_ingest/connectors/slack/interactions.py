"""Buttons, menus, forms, shortcuts and commands of Slack as postbacks. It knows no message and no entrance."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from im_ingest import salvage
from im_ingest.connectors.slack.forms import Command, Element, Interaction, Label, State, View
from im_ingest.connectors.slack.markup import plain, words
from im_ingest.connectors.slack.scene import USER
from im_ingest.connectors.slack.who import Us, moment, place, thread, user
from onethread.errors import Poison
from onethread.event import AnyFact, Claim, Event, Party, Place, Postback, Unknown
from onethread.identity import digest

SHORTCUTS = frozenset({"message_action", "shortcut"})
BUTTONS = frozenset({"block_actions", "interactive_message"})
VALUES = frozenset({"value", "rich_text_value", "files"})
"""Fields of elements that hold what was entered."""


def interaction(data: bytes, us: Us) -> Iterator[Event]:
    """What somebody did with a part of a message, a form or a shortcut."""
    found, _ = salvage.decoded(data, Interaction)
    if not found.user.id:
        raise Poison("an interaction of nobody")
    if found.type in BUTTONS and found.actions:
        for element in found.actions:
            yield _pressed(found, element, us)
    elif found.type == "view_submission" and found.view:
        yield _submitted(found, found.view, us)
    elif found.type == "dialog_submission":
        yield _dialog(found, us)
    elif found.type in SHORTCUTS:
        yield _shortcut(found, us)
    else:
        counted = _event(found, us, _stamp(found.type, data), Unknown(label=found.type))
        yield msgspec.structs.replace(
            counted, external_thread_id=""
        )  # nothing was said: a menu asked for its options, say


def command(data: bytes, about: Mapping[str, str], us: Us) -> Event:
    """A slash command: nothing of it is shown in the channel, and Slack tells no time. `about`: `trigger`, what tells two apart."""
    found, _ = salvage.decoded(data, Command)
    title = f"{found.command} {found.text}" if found.text else ""
    fact = Postback(payload=found.command, title=title, values={"text": found.text} if found.text else {})
    party = _party(found.user_id, found.team_id, found.user_name, us)
    where = place(found.channel_id) if found.channel_id else Place()
    ours = party.is_us
    return Event(
        f"command:{about.get('trigger') or digest(data.decode())}",
        fact,
        external_thread_id=where.id if where.kind == "direct" else "",
        place=where,
        sender=party,
        direction="outbound" if ours else "inbound",
        echo=ours,
        lookups=() if ours else (f"{USER}{found.user_id}",),
    )


def _pressed(found: Interaction, element: Element, us: Us) -> Event:
    chosen = element.get("selected_option")
    title = _text(element, "text") or (_text(chosen, "text") if isinstance(chosen, dict) else "")
    at = (found.container.message_ts if found.container else None) or found.message_ts or ""
    action = _text(element, "action_id") or _text(element, "name")
    when = _text(element, "action_ts") or found.action_ts or ""
    channel = _channel(found)
    fact = Postback(
        payload=_value(element) or action,
        title=title,
        target=f"{channel}:{at}" if channel and at else "",
        values={**({"action": action} if action else {}), **_given(found.state)},
    )
    key = (channel, at, found.user.id or "", _text(element, "block_id"), action, when)
    return _event(found, us, _stamp("action", *key), fact, at=when)


def _submitted(found: Interaction, view: View, us: Us) -> Event:
    given = _given(view.state)
    fact = Postback(payload=view.callback_id or "", title=_label(view.title), values=given)
    key = (view.id or "", view.hash or "", found.user.id or "", *given, *given.values())
    return _event(found, us, _stamp("view", *key), fact)


def _dialog(found: Interaction, us: Us) -> Event:
    given = {name: value for name, value in (found.submission or {}).items() if value}
    fact = Postback(payload=found.callback_id or "", values=given)
    key = (found.user.id or "", found.callback_id or "", found.action_ts or "")
    return _event(found, us, _stamp("dialog", *key), fact, at=found.action_ts)


def _shortcut(found: Interaction, us: Us) -> Event:
    channel, message = _channel(found), found.message
    target = f"{channel}:{message.ts}" if channel and message and message.ts else ""
    fact = Postback(payload=found.callback_id or "", target=target)
    key = (channel, found.user.id or "", found.callback_id or "", found.action_ts or "")
    return _event(found, us, _stamp("shortcut", *key), fact, at=found.action_ts)


def _event(found: Interaction, us: Us, external_id: str, fact: AnyFact, *, at: str | None = None) -> Event:
    who = found.user
    party = _party(who.id or "", who.team_id or "", who.name or who.username or "", us)
    channel = _channel(found)
    where = place(channel) if channel else Place()
    root = _root(found)
    ours = party.is_us
    return Event(
        external_id,
        fact,
        external_thread_id=thread(where, root) if channel and (root or where.kind == "direct") else "",
        place=where,
        sender=party,
        direction="outbound" if ours else "inbound",
        echo=ours,
        received_at=moment(at),
        lookups=() if ours else (f"{USER}{who.id}",),
    )


def _party(identifier: str, team: str, username: str, us: Us) -> Party:
    """Customers without the handle that is told here: as the newest word on them it would replace the profile that was looked up.

    That has the handle, too. Staff is not looked up.
    """
    ours = us.has(identifier, team)
    claims: tuple[Claim, ...] = (user(identifier, us),)
    return Party(claims=claims, username=username if ours else "", kind="agent" if ours else "person", is_us=ours)


def _channel(found: Interaction) -> str:
    named = found.channel.id if found.channel else None
    return named or (found.container.channel_id if found.container else None) or ""


def _root(found: Interaction) -> str:
    """The thread of the message that it happened at."""
    message, container = found.message or found.original_message, found.container
    told = (message.thread_ts or message.ts) if message else None
    return told or (container.thread_ts or container.message_ts if container else None) or ""


def _value(element: Element) -> str:
    """What was chosen or entered: its field is called `value`, or begins with `selected_`, or has a name of its own."""
    named = (each for name, each in element.items() if name in VALUES or name.startswith("selected_"))
    return next(filter(None, map(_spelled, named)), "")


def _spelled(value: Any) -> str:
    match value:
        case str():
            return value
        case int() if not isinstance(value, bool):
            return str(value)
        case list():
            return ", ".join(filter(None, map(_spelled, value)))
        case {"type": "rich_text"}:
            return plain(words([value])).text
        case {"value": str() as chosen} | {"name": str() as chosen} | {"id": str() as chosen}:
            return chosen
        case _:
            return ""


def _given(state: State | str | None) -> dict[str, str]:
    """What stands in the fields of a form, or beside a button."""
    blocks = (state.values if isinstance(state, State) else None) or {}
    values = {
        f"{block}.{name}": _value(element) for block, fields in blocks.items() for name, element in fields.items()
    }
    return {name: value for name, value in values.items() if value}


def _text(element: Element, name: str) -> str:
    """A word of an element, "" where it is none."""
    value = element.get(name)
    value = value.get("text") if isinstance(value, dict) else value
    return value if isinstance(value, str) else ""


def _label(label: Label | None) -> str:
    return (label.text if label else None) or ""


def _stamp(kind: str, *parts: str | bytes) -> str:
    """An id for what has none of its own."""
    return f"{kind}:{digest(*(part if isinstance(part, str) else part.decode('utf-8', 'replace') for part in parts))}"
