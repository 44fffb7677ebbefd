"""A record of WeCom's customer service as events: the one way in for what is pulled, looked up, or came to the callback by itself.

No I/O, no clock, no secret. A kind that it does not know is a visible placeholder; it is never lost.
"""

from collections.abc import Iterator
from functools import partial

import msgspec

from im_ingest.connectors.wecom_kf.entities import read, read_customer
from im_ingest.connectors.wecom_kf.messages import content, rest
from im_ingest.connectors.wecom_kf.notices import happened
from im_ingest.connectors.wecom_kf.scene import Scene, person
from im_ingest.weixin import moment
from onethread.connector import Raw, utc
from onethread.errors import Poison
from onethread.event import ChannelState, Claim, Contact, Event, Party, Postback, Unknown
from onethread.identity import digest

GENDERS = {1: "male", 2: "female"}


def events(raw: Raw, corp: str) -> Iterator[Event]:
    """The event of one item. msgspec's errors mean that it is none."""
    item, degraded = read(raw.data)
    if not item.msgid or not item.msgtype:
        raise Poison("an item without id or kind")
    here = Scene(item, corp, moment(item.send_time, raw.about))
    return happened(here, degraded) if item.msgtype == "event" else _said(here, degraded)


def _said(here: Scene, degraded: str) -> Iterator[Event]:
    """A message, of either side; an item of a menu that was tapped comes as its words, with its id."""
    item = here.item
    if not here.customer:
        raise Poison("a message that names no customer")
    said = partial(here.event, item.msgid)
    if here.by_us:
        yield said(content(item, degraded), ours=True, servicer=item.servicer_userid, channel_data=rest(item))
    elif item.text and item.text.menu_id:
        yield said(Postback(payload=item.text.menu_id, title=item.text.content))
    else:
        yield said(content(item, degraded), channel_data=rest(item))


def profile(data: bytes, corp: str) -> Event:
    """What a look-up brought. The union id is there if the corporation bound a WeChat Open Platform account."""
    found = read_customer(data)
    union = (Claim("wechat_unionid", found.unionid),) if found.unionid else ()
    claims = (person(found.external_userid, corp), *union)
    sender = Party(claims=claims, name=found.nickname, avatar=found.avatar)
    values = {"gender": GENDERS[found.gender]} if found.gender in GENDERS else {}
    revision = digest(found.nickname, found.avatar, found.unionid, *values.values())
    return Event(found.external_userid, Contact(form="profile", values=values), revision=revision, sender=sender)


def notice(data: bytes) -> Event:
    """What came to the callback and is no notice of messages: an account taken from the app, say."""
    fields = msgspec.json.decode(data, type=dict[str, str])
    label = fields.get("Event") or fields.get("MsgType") or ""
    time = fields.get("CreateTime", "")
    if not label or not (time.isascii() and time.isdecimal() and len(time) < 12):
        raise Poison("a notice without kind or time")
    return Event(digest(data.decode()), _told(label, fields), received_at=utc(int(time)), channel_data={**fields})


def _told(label: str, fields: dict[str, str]) -> ChannelState | Unknown:
    """Accounts may have been given to the app, or taken away (document 97712)."""
    if label != "kf_account_auth_change":
        return Unknown(label=f"event {label}")
    changes = {"given": fields.get("AuthAddOpenKfId"), "taken away": fields.get("AuthDelOpenKfId")}
    return ChannelState(state=label, reason="; ".join(f"{how}: {which}" for how, which in changes.items() if which))
