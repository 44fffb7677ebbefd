"""Zoom's chatbots: what people write to the bot, and the buttons and lists of its cards. It knows no other chat.

Source: "Chatbot" in the type definitions of Zoom Rivet.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from im_ingest.connectors.zoom.entities import Bot
from im_ingest.connectors.zoom.frame import USER, Frame, moment, person
from onethread.errors import Poison
from onethread.event import AnyFact, Body, ChannelState, Claim, Event, Message, Party, Place, Postback


def notified(frame: Frame) -> Iterator[Event]:
    """Somebody wrote to the bot, or called it by its command."""
    bot = frame.decoded(Bot)
    text = bot.cmd or ""
    fact = Message(body=Body(text=text), unsupported="" if text else "message")
    yield _event(frame, bot, bot.trigger_id or frame.own_id(), fact)


def pressed(frame: Frame) -> Iterator[Event]:
    """A button, a choice, a field, a form."""
    bot = frame.decoded(Bot)
    action = bot.action_item
    title = (action.text if action else None) or ""
    fact = Postback(payload=_payload(bot), title=title, target=bot.message_id or "", values=_values(bot))
    yield _event(frame, bot, frame.own_id(), fact, channel_data={"event": frame.name})


def installed(frame: Frame) -> Iterator[Event]:
    """The app was added to the account, or taken away: who did it is not a customer."""
    state = "installed" if frame.name == "bot_installed" else "deauthorized"
    yield Event(frame.own_id(), ChannelState(state=state, reason=frame.name), received_at=frame.at)


def _payload(bot: Bot) -> str:
    if bot.action_item:
        return bot.action_item.value or ""
    return ",".join(one.value for one in bot.selected_items or () if one.value)


def _values(bot: Bot) -> dict[str, str]:
    values = {}
    if bot.edit_item:
        values["text"] = bot.edit_item.target or ""
    if bot.field_edit_item and bot.field_edit_item.key:
        values[bot.field_edit_item.key] = bot.field_edit_item.new_value or ""
    return values


def _event(frame: Frame, bot: Bot, external_id: str, fact: AnyFact, **fields: Any) -> Event:
    thread = bot.to_jid or bot.user_jid or bot.user_id
    if not thread:
        raise Poison("an event for the bot that names nobody")
    thread = thread.partition("/")[0]  # buttons name the robot behind a slash, which talks in the same chat
    sender = _sender(frame, bot)
    channel = "@conference" in thread
    context = {"to_jid": bot.to_jid or bot.user_jid or "", "robot_jid": bot.robot_jid or ""}
    return Event(
        external_id,
        fact,
        external_thread_id=thread,
        place=Place(id=thread, kind="channel", name=bot.channel_name or "") if channel else Place(),
        direction="outbound" if sender.is_us else "inbound",
        echo=sender.is_us,
        sender=sender,
        received_at=moment(bot.timestamp) or frame.at,
        reply_context=context if all(context.values()) else {},
        lookups=(f"{USER}{bot.user_id}",) if bot.user_id and not sender.is_us else (),
        **fields,
    )


def _sender(frame: Frame, bot: Bot) -> Party:
    """A guest has no user id."""
    known = person(frame.us, bot.user_id, None, name=bot.user_name or "")
    if known.claims or not bot.user_jid:
        return known
    jid = Claim("zoom_jid", bot.user_jid, scope=frame.us.account)
    return msgspec.structs.replace(known, claims=(jid,), kind="person")


HANDLERS: dict[str, Callable[[Frame], Iterator[Event]]] = {
    "bot_notification": notified,
    "interactive_message_actions": pressed,
    "interactive_message_select": pressed,
    "interactive_message_editable": pressed,
    "interactive_message_fields_editable": pressed,
    "chat_message.submit": pressed,
    "bot_installed": installed,
    "app_deauthorized": installed,
}
