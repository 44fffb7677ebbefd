"""Files of a Telegram message. It knows their fields; where the bytes are is asked later, by the file id."""

from collections.abc import Iterable, Iterator, Sequence

from telegram import (
    LivePhoto,
    Message,
    PaidMedia,
    PaidMediaLivePhoto,
    PaidMediaPhoto,
    PaidMediaVideo,
    PhotoSize,
    TelegramObject,
    Video,
)

from im_ingest.connectors.telegram.strict import known, whole, whole_or_none, words
from onethread.errors import Poison
from onethread.event import Attachment, AttachmentKind

MEDIA: dict[str, AttachmentKind] = {
    "live_photo": "video",
    "animation": "video",
    "video": "video",
    "audio": "audio",
    "voice": "voice",
    "video_note": "video",
    "sticker": "sticker",
    "document": "file",
}
"""Fields of a message that hold one file each. An animation is repeated as a document for old programs."""


def attachments(message: Message) -> tuple[Attachment, ...]:
    """The file of a message; Telegram sends one a message, and albums as several. Only paid media come together."""
    if message.paid_media is not None:
        return tuple(_paid(message.paid_media.paid_media))
    if message.photo:
        return (_photo(message.photo),)
    for field, kind in MEDIA.items():
        medium: TelegramObject | None = getattr(message, field)
        if medium is not None:
            return (_file(medium, kind),)
    return ()


def _paid(media: Iterable[PaidMedia]) -> Iterator[Attachment]:
    """What is paid for already; of the rest only a blurred preview exists."""
    for each in media:
        if isinstance(each, PaidMediaPhoto) and each.photo:
            yield _photo(each.photo)
        elif isinstance(each, PaidMediaVideo):
            yield _file(known(each.video, Video), "video")
        elif isinstance(each, PaidMediaLivePhoto):
            yield _file(known(each.live_photo, LivePhoto), "video")


def _photo(sizes: Sequence[PhotoSize]) -> Attachment:
    """The largest of the sizes; photos are always JPEG."""
    largest = max(sizes, key=lambda size: whole(size.width) * whole(size.height))
    return _file(largest, "image", media_type="image/jpeg")


def _file(medium: TelegramObject, kind: AttachmentKind, media_type: str = "") -> Attachment:
    # As a dictionary: the attribute `duration` warns of a change to come and reads the environment.
    fields = medium.to_dict(recursive=False)
    return Attachment(
        kind=kind,
        filename=words(fields.get("file_name")),
        media_type=words(fields.get("mime_type")) or media_type or _sticker_type(fields),
        size_bytes=whole_or_none(fields.get("file_size")),
        external_id=words(fields.get("file_unique_id")),
        locator=words(fields.get("file_id")),
        description=_description(fields),
        width=whole_or_none(fields.get("width", fields.get("length"))),
        height=whole_or_none(fields.get("height", fields.get("length"))),
        duration_ms=_milliseconds(fields.get("duration")),
    )


def _sticker_type(fields: dict[str, object]) -> str:
    """Stickers say what they are by two flags (Bot API, "Sticker"); other media say it, or nobody does."""
    if "is_animated" not in fields:
        return ""
    if fields.get("is_video"):
        return "video/webm"
    return "application/x-tgsticker" if fields["is_animated"] else "image/webp"


def _description(fields: dict[str, object]) -> str:
    """A sticker's emoji; performer and title of a piece of music."""
    parts = (words(fields.get(name)) for name in ("emoji", "performer", "title"))
    return " - ".join(filter(None, parts))


def _milliseconds(seconds: object) -> int | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise Poison(f"a duration was expected where the record has {type(seconds).__name__}")
    return round(seconds * 1000)
