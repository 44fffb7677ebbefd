"""What people do at an Official Account besides talking, and what WeChat tells of our own messages. It knows no message."""

from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from im_ingest.connectors.wechat.messages import point
from im_ingest.connectors.wechat.scene import Scene
from onethread.errors import Poison
from onethread.event import (
    ChannelState,
    ContactSubscribed,
    ContactUnsubscribed,
    Event,
    Failure,
    Postback,
    Receipt,
    SessionEnded,
    SessionStarted,
    System,
    Unknown,
)

SCENE = "qrscene_"
"""Before the parameter of a QR code, where somebody followed the account by it."""
DELIVERED, SENT = frozenset({"success"}), frozenset({"send success", "sendsuccess"})
BLOCKED = "failed:user block"
COUNTS = {
    "total_count": "followers",
    "filter_count": "meant",
    "sent_count": "sent",
    "error_count": "not_sent",
}
"""Of a message to many: how many people."""
NOTIFICATION = "SubscribeMsgSentEvent.List."
CHANGED = {
    "USER_AUTHORIZATION_REVOKE": "The customer took back what pages of this account may know.",
    "USER_INFO_MODIFIED": "WeChat cleared the customer's name or picture, and asks to do so here.",
    "USER_AUTHORIZATION_CANCELLATION": "The customer closed the WeChat account: WeChat asks to delete what is known of them.",
}
"""WeChat Developers, "Authorised user information change"."""
STATES = (
    "QUALIFICATION_VERIFY_SUCCESS", "QUALIFICATION_VERIFY_FAIL", "NAMING_VERIFY_SUCCESS", "NAMING_VERIFY_FAIL",
    "ANNUAL_RENEW", "VERIFY_EXPIRED",
)  # fmt: skip
"""WeChat Developers, "Verification event push". An account whose verification ended may call few APIs."""
VALUES = {
    "ScanCodeInfo.ScanType": "scan_type",
    "ScanCodeInfo.ScanResult": "scan_result",
    "SendPicsInfo.Count": "pictures",
    "SendLocationInfo.Location_X": "lat",
    "SendLocationInfo.Location_Y": "lon",
    "SendLocationInfo.Label": "address",
    "SendLocationInfo.Poiname": "name",
}
"""What a button of the menu may bring along."""


def happened(here: Scene) -> Iterator[Event]:
    """An event of the platform. WeChat spells some kinds in capitals."""
    yield HANDLERS.get(here.record.event.upper(), _unknown)(here)


def _followed(here: Scene) -> Event:
    scene = here.record.event_key.removeprefix(SCENE)
    data = {"scene": scene} if scene else {}
    return here.event(here.event_id(), ContactSubscribed(reason="follow"), tokens=_tokens(scene), channel_data=data)


def _left(here: Scene) -> Event:
    return here.event(here.event_id(), ContactUnsubscribed(reason="opt_out"), look_up=False)


def _scanned(here: Scene) -> Event:
    """A QR code with a parameter, by somebody who follows already."""
    scene = here.record.event_key
    return here.event(here.event_id(), SessionStarted(ref=scene, reason="scan"), tokens=_tokens(scene))


def _tokens(scene: str) -> tuple[str, ...]:
    """The parameter may be a token of ours; the host finds out."""
    return (scene,) if scene else ()


def _whereabouts(here: Scene) -> Event:
    """Sent by WeChat itself when the chat is opened, if the person allowed it: nobody said it."""
    place = point(here.record.latitude, here.record.longitude)
    data = {"lat": place.lat, "lon": place.lon} if place else {}
    return here.event(here.event_id(), System(text="WeChat reported where the customer is."), channel_data=data)


def _pressed(here: Scene) -> Event:
    record = here.record
    values = {name: record.rest[path] for path, name in VALUES.items() if path in record.rest}
    return here.event(here.event_id(), Postback(payload=record.event_key, values=values))


def _opened(here: Scene) -> Event:
    data = {"opened": here.record.event_key}
    return here.event(here.event_id(), System(text="A page of the menu was opened."), channel_data=data)


def _taken(here: Scene) -> Event:
    return here.event(here.event_id(), SessionStarted(agent=here.record.kf_account, reason="agent"))


def _closed(here: Scene) -> Event:
    record = here.record
    return here.event(here.event_id(), SessionEnded(agent=record.kf_account, reason=record.close_type or "agent"))


def _passed_on(here: Scene) -> Event:
    record = here.record
    data = {"from": record.from_kf_account, "to": record.to_kf_account}
    return here.event(here.event_id(), System(text="The chat was passed on to another agent."), channel_data=data)


def _told(here: Scene) -> Event:
    """Whether a template message reached its reader."""
    status = here.record.status
    fact = _receipt(here.sent_id(), status, "delivered" if status in DELIVERED else "failed")
    return here.event(fact.target, fact, revision=fact.status, look_up=False)


def _notified(here: Scene) -> Event:
    """The same of a subscription notification."""
    rest = here.record.rest
    target, status = rest.get(f"{NOTIFICATION}MsgID", ""), rest.get(f"{NOTIFICATION}ErrorStatus", "")
    reached = rest.get(f"{NOTIFICATION}ErrorCode") == "0"
    fact = _receipt(target, status, "delivered" if reached else "failed")
    return here.event(fact.target, fact, revision=fact.status, look_up=False)


def _sent_to_many(here: Scene) -> Event:
    """Of a message to many: it has no reader of its own."""
    record = here.record
    fact = _receipt(here.sent_id(), record.status, "sent" if record.status in SENT else "failed")
    told = {name: getattr(record, field) for field, name in COUNTS.items()}
    return here.of_the_platform(fact.target, fact, revision=fact.status, channel_data={**told})


def _receipt(target: str, told: str, status: Literal["sent", "delivered", "failed"]) -> Receipt:
    if not target:
        raise Poison("a result that names no message")
    if status != "failed":
        return Receipt(status=status, target=target)
    error = Failure(code=told, text=told, permanent=told.replace(": ", ":") == BLOCKED)
    return Receipt(status="failed", target=target, error=error)


def _changed(here: Scene) -> Event:
    """The sender that is named is WeChat's own machine; whom it is about has a field of its own."""
    record = here.record
    if not record.open_id:
        raise Poison("a change that names nobody")
    theirs = here._replace(record=msgspec.structs.replace(record, from_user_name=record.open_id))
    words = CHANGED[record.event.upper()]
    data = {"what": record.revoke_info}
    return theirs.event(theirs.event_id(), System(text=words), look_up=False, channel_data=data)


def _state(here: Scene) -> Event:
    fact = ChannelState(state=here.record.event, reason=here.record.fail_reason)
    return here.of_the_platform(here.event_id(), fact)


def _published(here: Scene) -> Event:
    """An article of ours came out, or not. It concerns no customer, so it is counted and not shown."""
    data = {name.removeprefix("PublishEventInfo."): text for name, text in here.record.rest.items()}
    name = data.get("publish_id") or here.event_id()
    return here.of_the_platform(name, Unknown(label=f"event {here.record.event}"), channel_data={**data})


def _unknown(here: Scene) -> Event:
    return here.event(here.event_id(), Unknown(label=f"event {here.record.event}"), look_up=False)


HANDLERS: dict[str, Callable[[Scene], Event]] = {
    "SUBSCRIBE": _followed,
    "UNSUBSCRIBE": _left,
    "SCAN": _scanned,
    "LOCATION": _whereabouts,
    "CLICK": _pressed,
    **dict.fromkeys(
        ("SCANCODE_PUSH", "SCANCODE_WAITMSG", "PIC_SYSPHOTO", "PIC_PHOTO_OR_ALBUM", "PIC_WEIXIN"), _pressed
    ),
    "LOCATION_SELECT": _pressed,
    "VIEW": _opened,
    "VIEW_MINIPROGRAM": _opened,
    "KF_CREATE_SESSION": _taken,
    "KF_CLOSE_SESSION": _closed,
    "KF_SWITCH_SESSION": _passed_on,
    "TEMPLATESENDJOBFINISH": _told,
    "SUBSCRIBE_MSG_SENT_EVENT": _notified,
    "MASSSENDJOBFINISH": _sent_to_many,
    **dict.fromkeys(CHANGED, _changed),
    **dict.fromkeys(STATES, _state),
    "PUBLISHJOBFINISH": _published,
}
