"""A record of WeCom's customer service as events: the one way in for what is pulled, looked up, or came to the callback by itself.

No I/O, no clock, no secret. A kind that it does not know is a visible placeholder; it is never lost.
"""

from collections.abc import Iterator

import msgspec

from im_ingest.connectors.wecom_kf.entities import Customer, Item
from im_ingest.connectors.wecom_kf.messages import content, rest
from im_ingest.connectors.wecom_kf.notices import happened
from im_ingest.connectors.wecom_kf.scene import STAFF, Scene, person
from im_ingest.weixin import moment
from onethread.connector import Raw, utc
from onethread.errors import Poison
from onethread.event import Claim, Contact, Event, Party, Postback, Unknown
from onethread.identity import digest


def events(raw: Raw, corp: str) -> Iterator[Event]:
    """The event of one item. msgspec's errors mean that it is none."""
    item = msgspec.json.decode(raw.data, type=Item, strict=False)
    if not item.msgid or not item.msgtype:
        raise Poison("an item without id or kind")
    here = Scene(item, corp, moment(item.send_time, raw.about))
    return happened(here) if item.msgtype == "event" else _said(here)


def _said(here: Scene) -> Iterator[Event]:
    """A message, of either side; an item of a menu that was tapped comes as its words, with its id."""
    item = here.item
    if not here.customer:
        raise Poison("a message that names no customer")
    if item.origin == STAFF:
        yield here.event(item.msgid, content(item), ours=True, servicer=item.servicer_userid, channel_data=rest(item))
    elif item.text and item.text.menu_id:
        yield here.event(item.msgid, Postback(payload=item.text.menu_id, title=item.text.content))
    else:
        yield here.event(item.msgid, content(item), channel_data=rest(item))


def profile(data: bytes, corp: str) -> Event:
    """What a look-up brought. The union id is there if the corporation bound a WeChat Open Platform account."""
    found = msgspec.json.decode(data, type=Customer)
    union = (Claim("wechat_unionid", found.unionid),) if found.unionid else ()
    claims = (person(found.external_userid, corp), *union)
    sender = Party(claims=claims, name=found.nickname, avatar=found.avatar)
    revision = digest(found.nickname, found.avatar, found.unionid)
    return Event(found.external_userid, Contact(form="profile"), revision=revision, sender=sender)


def notice(data: bytes) -> Event:
    """What came to the callback and is no notice of messages: an account taken from the app, say."""
    fields = msgspec.json.decode(data, type=dict[str, str])
    label = fields.get("Event") or fields.get("MsgType") or ""
    time = fields.get("CreateTime", "")
    if not label or not (time.isascii() and time.isdecimal() and len(time) < 12):
        raise Poison("a notice without kind or time")
    return Event(
        digest(data.decode()), Unknown(label=f"event {label}"), received_at=utc(int(time)), channel_data=fields
    )
