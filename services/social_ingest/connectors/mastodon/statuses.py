"""A status as the content of a message, and as an event about it. It knows nothing of notifications and streams."""

from typing import TypeVar

import msgspec

from onethread.event import (
    AnyFact,
    Attachment,
    AttachmentKind,
    Body,
    Content,
    Event,
    MessageEdited,
    Party,
    Quote,
)
from social_ingest.connectors.mastodon.entities import Media, Size, Status
from social_ingest.connectors.mastodon.markup import plain
from social_ingest.connectors.mastodon.who import full, is_us, mentions, party, place

C = TypeVar("C", bound=Content)

KINDS: dict[str, AttachmentKind] = {"image": "image", "gifv": "video", "video": "video", "audio": "audio"}


def content(status: Status, ours: str, kind: type[C]) -> C:
    """The whole message as it reads now. The warning in front is what other channels call the subject."""
    read = plain(status.content)
    options = "".join(f"\n- {option.title}" for option in status.poll.options) if status.poll is not None else ""
    return kind(
        subject=status.spoiler_text,
        body=Body(
            text=read.text + options, html=status.content, language=status.language or "", truncated=read.truncated
        ),
        attachments=tuple(_attachment(media) for media in status.media_attachments),
        quote=_quote(status, ours),
        mentions=mentions(status.mentions, ours),
        links=read.links,
        aliases=(status.uri,) if status.uri else (),
        unsupported="poll" if status.poll is not None else "",
    )


def _attachment(media: Media) -> Attachment:
    size = media.meta.original if media.meta is not None and media.meta.original is not None else Size()
    locator = media.url or media.remote_url or ""
    return Attachment(
        kind=KINDS.get(media.type, "file"),
        status="pending" if locator else "reference",
        external_id=media.id,
        locator=locator,
        description=media.description or "",
        width=size.width,
        height=size.height,
        duration_ms=None if size.duration is None else round(size.duration * 1000),
    )


def _quote(status: Status, ours: str) -> Quote | None:
    """What it answers, or else the post it quotes. A quote that its author has not allowed names no post."""
    if status.in_reply_to_id:
        return Quote(external_id=status.in_reply_to_id)
    quoted = status.quote.quoted_status if status.quote is not None else None
    if quoted is None:
        return None
    author = party(quoted.account, ours) if quoted.account is not None else None
    return Quote(external_id=quoted.id, text=plain(quoted.content).text, sender=author)


def thread(status: Status, ours: str) -> str:
    """A fresh post opens its own; one that names a parent is placed by that, as the record does not name the root."""
    return "" if _quote(status, ours) else status.id


def event(status: Status, ours: str, fact: AnyFact) -> Event:
    """The event about a status of either side; ours are echoes of what staff wrote elsewhere."""
    outbound = is_us(status.account.acct, ours)
    others = tuple(named for named in status.mentions if not is_us(named.acct, ours))
    to = tuple(Party(username=full(named.acct, ours), profile_url=named.url or "") for named in others)
    return Event(
        external_id=status.id,
        fact=fact,
        external_thread_id=thread(status, ours),
        place=place(status, ours),
        direction="outbound" if outbound else "inbound",
        echo=outbound,
        sender=party(status.account, ours),
        recipients=to if outbound else (),
        sent_at=status.created_at,
        reply_context={"in_reply_to_id": status.id, "visibility": status.visibility},
        channel_data={"visibility": status.visibility},
    )


def edited(status: Status, ours: str) -> Event:
    """The status after a change; `edited_at` has milliseconds and tells one change from the next."""
    at = status.edited_at or status.created_at
    whole = event(status, ours, content(status, ours, MessageEdited))
    return msgspec.structs.replace(whole, revision=at.isoformat(timespec="milliseconds"), sent_at=at)
