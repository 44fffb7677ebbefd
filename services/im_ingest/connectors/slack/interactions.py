"""Buttons, menus, forms, shortcuts and commands of Slack as postbacks. It knows no message and no entrance."""

from collections.abc import Iterator, Mapping

import msgspec

from im_ingest.connectors.slack.forms import Action, Command, Interaction, Label, View
from im_ingest.connectors.slack.scene import USER
from im_ingest.connectors.slack.who import Us, moment, place, thread, user
from onethread.connector import utc
from onethread.errors import Poison
from onethread.event import AnyFact, Claim, Event, Party, Place, Postback, Unknown
from onethread.identity import digest

SHORTCUTS = frozenset({"message_action", "shortcut"})


def interaction(data: bytes, us: Us) -> Iterator[Event]:
    """What somebody did with a part of a message, a form or a shortcut."""
    found = msgspec.json.decode(data, type=Interaction)
    if not found.user.id:
        raise Poison("an interaction of nobody")
    if found.type == "block_actions" and found.actions:
        for action in found.actions:
            yield _pressed(found, action, us)
    elif found.type == "view_submission" and found.view:
        yield _submitted(found, found.view, us)
    elif found.type in SHORTCUTS:
        yield _shortcut(found, us)
    else:
        counted = _event(found, us, _stamp(found.type, data), Unknown(label=found.type))
        yield msgspec.structs.replace(
            counted, external_thread_id=""
        )  # nothing was said: a menu asked for its options, say


def command(data: bytes, about: Mapping[str, str], us: Us) -> Event:
    """A slash command: nothing of it is shown in the channel. `about`: `at`, Unix seconds; `trigger`, what tells two apart."""
    found = msgspec.json.decode(data, type=Command)
    at = about.get("at", "")
    fact = Postback(payload=found.command, values={"text": found.text} if found.text else {})
    party = _party(found.user_id, found.team_id, found.user_name, us)
    where = place(found.channel_id) if found.channel_id else Place()
    ours = party.is_us
    return Event(
        f"command:{about.get('trigger') or digest(at, data.decode())}",
        fact,
        external_thread_id=where.id if where.kind == "direct" else "",
        place=where,
        sender=party,
        direction="outbound" if ours else "inbound",
        echo=ours,
        received_at=utc(int(at)) if at.isascii() and at.isdecimal() and len(at) < 12 else None,
        lookups=() if ours else (f"{USER}{found.user_id}",),
    )


def _pressed(found: Interaction, action: Action, us: Us) -> Event:
    title = _label(action.text) or _label(action.selected_option.text if action.selected_option else None)
    root = found.container.message_ts if found.container else None
    channel = _channel(found)
    fact = Postback(
        payload=_value(action) or action.action_id or "",
        title=title,
        target=f"{channel}:{root}" if channel and root else "",
        values={"action": action.action_id} if action.action_id else {},
    )
    key = (
        channel,
        root or "",
        found.user.id or "",
        action.block_id or "",
        action.action_id or "",
        action.action_ts or "",
    )
    return _event(found, us, _stamp("action", *key), fact, at=action.action_ts)


def _submitted(found: Interaction, view: View, us: Us) -> Event:
    blocks = (view.state.values if view.state else None) or {}
    values = {f"{block}.{name}": _value(action) for block, fields in blocks.items() for name, action in fields.items()}
    given = {name: value for name, value in values.items() if value}
    fact = Postback(payload=view.callback_id or "", title=_label(view.title), values=given)
    key = (view.id or "", view.hash or "", found.user.id or "", *given, *given.values())
    return _event(found, us, _stamp("view", *key), fact)


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
    ours = us.has(identifier, team)
    claims: tuple[Claim, ...] = (user(identifier, us),)
    return Party(claims=claims, username=username, kind="agent" if ours else "person", is_us=ours)


def _channel(found: Interaction) -> str:
    named = found.channel.id if found.channel else None
    return named or (found.container.channel_id if found.container else None) or ""


def _root(found: Interaction) -> str:
    """The thread of the message that it happened at."""
    message, container = found.message, found.container
    told = (message.thread_ts or message.ts) if message else None
    return told or (container.thread_ts or container.message_ts if container else None) or ""


def _value(action: Action) -> str:
    """What was chosen or entered: each kind of element has it in a field of its own."""
    chosen = action.selected_option.value if action.selected_option else None
    several = ", ".join(option.value for option in action.selected_options or () if option.value)
    plain = (action.value, chosen, several, action.selected_date, action.selected_time, action.selected_user)
    rest = (action.selected_channel, action.selected_conversation)
    return next((value for value in (*plain, *rest) if value), "")


def _label(label: Label | None) -> str:
    return (label.text if label else None) or ""


def _stamp(kind: str, *parts: str | bytes) -> str:
    """An id for what has none of its own."""
    return f"{kind}:{digest(*(part if isinstance(part, str) else part.decode('utf-8', 'replace') for part in parts))}"
