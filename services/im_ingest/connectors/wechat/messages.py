"""What people say to an Official Account, as messages. It knows no event of the platform."""

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

from im_ingest.connectors.wechat.entities import Record
from im_ingest.connectors.wechat.scene import Scene
from onethread.connector import utc
from onethread.event import Attachment, AttachmentKind, Body, Event, Location, Message, Postback, WebLink

KEPT = timedelta(days=3)
"""How long WeChat keeps a file ("Getting temporary materials")."""
FILES: dict[str, AttachmentKind] = {"image": "image", "voice": "voice", "video": "video", "shortvideo": "video"}
SHOWN = re.compile(r"https?://([a-z0-9-]+\.qpic\.cn/[!-~]+)")
"""An address on WeChat's hosts for pictures. In plain mode anybody can write one, so no other host is called."""
TYPES = {"amr": "audio/amr", "speex": "audio/x-speex"}


def said(here: Scene) -> Iterator[Event]:
    """A message; a menu item that was tapped comes as its words, with its id."""
    record = here.record
    if record.menu_item:
        yield here.event(here.message_id(), Postback(payload=record.menu_item, title=record.content))
        return
    content = CONTENT.get(record.msg_type, _unsupported)
    data = {"article": record.msg_data_id, "number": record.idx} if record.msg_data_id else {}
    yield here.event(here.message_id(), content(record), channel_data=data)


def _text(record: Record) -> Message:
    return Message(body=Body(text=record.content)) if record.content else _unsupported(record)


def _file(record: Record) -> Message:
    """Voice may be kept twice: in 8 and, which people understand better, in 16 kHz."""
    name = record.media_id_16k or record.media_id
    if not name:
        return _unsupported(record)
    attachment = Attachment(
        kind=FILES[record.msg_type],
        media_type=TYPES.get(record.format.lower(), ""),
        external_id=record.media_id,
        locator=f"{name} {picture}" if (picture := _picture(record.pic_url)) else name,
        transcript=record.recognition,
        expires_at=utc(record.create_time) + KEPT,
    )
    return Message(attachments=(attachment,))


def _picture(url: str) -> str:
    """Where WeChat shows a picture to everybody who has the address. It is told with http, but served with https, too."""
    shown = SHOWN.fullmatch(url)
    return f"https://{shown[1]}" if shown else ""


def fallback(locator: str) -> tuple[str, str]:
    """Media id, and where else a picture is, or ""."""
    name, _, picture = locator.partition(" ")
    return name, picture


def _point(record: Record) -> Message:
    place = point(record.location_x, record.location_y, record.label)
    return Message(location=place) if place else _unsupported(record)


def _link(record: Record) -> Message:
    return Message(body=Body(text=record.description), links=(WebLink(url=record.url, title=record.title),))


def _unsupported(record: Record) -> Message:
    """A kind of a later version, or one that lacks what makes it up, with what words there are."""
    return Message(body=Body(text=record.content or record.title or record.label), unsupported=record.msg_type)


def point(lat: str, lon: str, label: str = "") -> Location | None:
    """X is the latitude ("Receiving standard messages"). None for no place on the Earth."""
    try:
        place = Location(lat=float(lat), lon=float(lon), address=label)
    except ValueError:
        return None
    return place if -90 <= place.lat <= 90 and -180 <= place.lon <= 180 else None


CONTENT: dict[str, Callable[[Record], Message]] = {
    "text": _text,
    **dict.fromkeys(FILES, _file),
    "location": _point,
    "link": _link,
}
