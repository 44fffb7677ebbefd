"""A record of an Official Account as events: the one way in for what is delivered and what is looked up.

No I/O, no clock, no secret. A kind that it does not know is a visible placeholder; it is never lost.
"""

from collections.abc import Iterator

import msgspec

from im_ingest.connectors.wechat.entities import User, read
from im_ingest.connectors.wechat.messages import said
from im_ingest.connectors.wechat.notices import happened
from im_ingest.connectors.wechat.scene import Scene, person
from im_ingest.weixin import moment
from onethread.connector import Raw
from onethread.errors import Poison
from onethread.event import Claim, Contact, Event, Party
from onethread.identity import digest


def events(raw: Raw, account: str) -> Iterator[Event]:
    """The event of one record. Raises Poison and msgspec's errors for what is none."""
    record = read(raw.data)
    if not record.from_user_name or not record.msg_type:
        raise Poison("a record that names no sender, or no kind")
    here = Scene(record, account, moment(record.create_time, raw.about))
    return happened(here) if record.msg_type == "event" else said(here)


def profile(data: bytes, account: str) -> Event:
    """What a look-up brought. The union id is the same at every account of one company (WeChat, "UnionID mechanism")."""
    user = msgspec.json.decode(data, type=User)
    union = (Claim("wechat_unionid", user.unionid),) if user.unionid else ()
    sender = Party(claims=(person(user.openid, account), *union), locale=user.language)
    told = {"remark": user.remark, "subscribe_scene": user.subscribe_scene}
    values = {name: text for name, text in told.items() if text}
    revision = digest(user.unionid, user.language, *values.values())
    fact = Contact(form="profile", values=values)
    return Event(user.openid, fact, revision=revision, external_thread_id=user.openid, sender=sender)
