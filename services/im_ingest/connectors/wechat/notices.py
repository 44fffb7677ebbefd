"""What people do at an Official Account besides talking, and what WeChat tells of our own messages. It knows no message."""

from collections.abc import Callable, Iterator

from im_ingest.connectors.wechat.messages import point
from im_ingest.connectors.wechat.scene import Scene
from onethread.errors import Poison
from onethread.event import (
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
    data = {"lat": place.lat, "lon": place.lon}
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
    record = here.record
    fact = _receipt(here, "delivered" if record.status in DELIVERED else "failed")
    return here.event(fact.target, fact, revision=fact.status, look_up=False)


def _sent_to_many(here: Scene) -> Event:
    """Of a message to many: it has no reader of its own. The sender that is named is WeChat's own machine."""
    fact = _receipt(here, "sent" if here.record.status in SENT else "failed")
    return Event(fact.target, fact, revision=fact.status, received_at=here.at)


def _receipt(here: Scene, status: str) -> Receipt:
    record = here.record
    if not record.sent_id:
        raise Poison("a result that names no message")
    if status != "failed":
        return Receipt(status="sent" if status == "sent" else "delivered", target=record.sent_id)
    error = Failure(code=record.status, text=record.status, permanent=record.status == BLOCKED)
    return Receipt(status="failed", target=record.sent_id, error=error)


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
    "MASSSENDJOBFINISH": _sent_to_many,
}
