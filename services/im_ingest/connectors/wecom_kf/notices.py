"""Events of `sync_msg`: what happens to a chat and to its messages. It knows no message."""

from collections.abc import Callable, Iterator
from typing import Any

from im_ingest.connectors.wecom_kf.entities import Happening
from im_ingest.connectors.wecom_kf.scene import Scene
from onethread.errors import Poison
from onethread.event import (
    AnyFact,
    Event,
    Failure,
    MessageDeleted,
    Receipt,
    SessionEnded,
    SessionStarted,
    System,
    Unknown,
)

REASONS = {
    1: "the customer-service account was deleted",
    2: "the app was switched off",
    4: "the customer wrote more than 48 hours ago",
    5: "the session is closed",
    6: "five messages were sent since the customer wrote",
    8: "the corporation is not verified",
    10: "the customer refuses messages",
    11: "no member of the corporation has logged in to the app",
    12: "this kind of message is forbidden",
    13: "WeCom's security stopped it",
}
"""`fail_type` (document 94670)."""
NOT_FOR_GOOD = frozenset({0, 4, 5, 6})
"""A message can be sent again once the customer has written."""


def happened(here: Scene, degraded: str = "") -> Iterator[Event]:
    """An event of the platform. `degraded`: why it is without its content; then only its kind is told."""
    event = here.item.event
    if event is None:
        raise Poison("an event without content")
    handler = _unknown if degraded else HANDLERS.get(event.event_type, _unknown)
    yield handler(here, event)


def _entered(here: Scene, event: Happening) -> Event:
    """The chat was opened: by a link, whose parameter may be a token of ours, or from somewhere in WeChat."""
    shop = event.wechat_channels
    data = {"scene": event.scene, "channels": (shop.shop_nickname or shop.nickname) if shop else ""}
    known = {name: text for name, text in data.items() if text}
    tokens = (event.scene_param,) if event.scene_param else ()
    fact = SessionStarted(ref=event.scene_param or event.scene, reason=event.event_type)
    return here.event(here.item.msgid, fact, tokens=tokens, channel_data=known)


def _not_sent(here: Scene, event: Happening) -> Event:
    text = REASONS.get(event.fail_type, "")
    error = Failure(code=str(event.fail_type), text=text, permanent=event.fail_type not in NOT_FOR_GOOD)
    fact = Receipt(status="failed", target=_target(event.fail_msgid), error=error)
    return here.event(fact.target, fact, revision="failed", look_up=False)


def _withdrawn(here: Scene, event: Happening) -> Event:
    return here.event(_target(event.recall_msgid), MessageDeleted(), look_up=False)


def _withdrawn_by_us(here: Scene, event: Happening) -> Event:
    servicer = event.servicer_userid or here.item.servicer_userid
    return here.event(_target(event.recall_msgid), MessageDeleted(), ours=True, servicer=servicer)


def _target(message: str) -> str:
    if not message:
        raise Poison("an event that names no message")
    return message


def _session(here: Scene, event: Happening) -> Event:
    """An agent took the chat from the pool, passed it on, ended it, or took it up again."""
    facts: dict[int, AnyFact] = {
        1: SessionStarted(agent=event.new_servicer_userid, reason="agent"),
        2: System(text="The chat was passed on to another agent."),
        3: SessionEnded(agent=event.old_servicer_userid, reason="agent"),
        4: SessionStarted(agent=event.new_servicer_userid, reason="agent again"),
    }
    fact = facts.get(event.change_type, Unknown(label=f"session_status_change {event.change_type}"))
    data = {"from": event.old_servicer_userid, "to": event.new_servicer_userid}
    known = {name: text for name, text in data.items() if text}
    return here.event(here.item.msgid, fact, channel_data=known, look_up=False)


def _refused(here: Scene, event: Happening) -> Event:
    words = "What this customer writes is refused." if event.reject_switch else "This customer is heard again."
    return here.event(here.item.msgid, System(text=words), channel_data={"by": event.servicer_userid}, look_up=False)


def _on_duty(here: Scene, event: Happening) -> Event:
    """An agent begins (1) or stops (2) to take chats. It concerns no customer, so it is counted and not shown."""
    data: dict[str, Any] = {"open_kfid": here.account, "servicer_userid": event.servicer_userid, "status": event.status}
    data |= {"stop_type": event.stop_type} if event.stop_type else {}
    return here.event(here.item.msgid, Unknown(label=event.event_type), channel_data=data, look_up=False)


def _unknown(here: Scene, event: Happening) -> Event:
    return here.event(here.item.msgid, Unknown(label=f"event {event.event_type}"), look_up=False)


HANDLERS: dict[str, Callable[[Scene, Happening], Event]] = {
    "enter_session": _entered,
    "msg_send_fail": _not_sent,
    "user_recall_msg": _withdrawn,
    "servicer_recall_msg": _withdrawn_by_us,
    "session_status_change": _session,
    "servicer_status_change": _on_duty,
    "reject_customer_msg_switch_change": _refused,
}
