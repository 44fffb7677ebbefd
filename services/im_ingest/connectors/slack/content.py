"""What a Slack message says, as the fields of `message`. It knows no sender."""

from collections.abc import Iterator
from typing import TypeVar

from im_ingest.connectors.slack.entities import File, Legacy, Said
from im_ingest.connectors.slack.markup import Plain, kinds, plain, words
from im_ingest.connectors.slack.who import Us, moment, user
from onethread.event import Attachment, AttachmentKind, Body, Content, Forwarded, Mention, Party, Quote, WebLink

C = TypeVar("C", bound=Content)

FILE = "file:"
"""Before a file's id, the locator of its bytes: its address needs our token, and may be missing in shared channels."""
KINDS: dict[str, AttachmentKind] = {"image": "image", "video": "video", "audio": "audio"}
CLIPS: dict[str, AttachmentKind] = {"slack_audio": "voice", "slack_video": "video"}
GONE = frozenset({"tombstone", "hidden_by_limit"})
KNOWN = frozenset({"", "file_share", "thread_broadcast", "bot_message", "me_message", "assistant_app_thread"})
"""Subtypes of messages that are shown as any other."""


def content(said: Said, us: Us, kind: type[C]) -> C:
    """The whole message."""
    found = _written(said)
    files = [
        *(said.files or ()),
        *(file for each in said.attachments or () if each.is_share for file in each.files or ()),
    ]
    attachments = tuple(_file(file) for file in files if not _is_elsewhere(file))
    links = found.links + tuple(_links(files))
    subtype = said.subtype or ""
    empty = not (found.text or attachments or links)
    return kind(
        body=Body(text=found.text),
        attachments=attachments,
        links=links,
        quote=_quote(said, us),
        forwarded=_forwarded(said, us),
        mentions=tuple(_mention(identifier, us) for identifier in found.users),
        client_id=said.client_msg_id or "",
        unsupported=subtype if subtype not in KNOWN else _unreadable(said) if empty else "",
    )


def _unreadable(said: Said) -> str:
    return ", ".join(sorted(kinds(said.blocks))) or "message"


def _written(said: Said) -> Plain:
    """The words. What a bot shows are its blocks, and its text is for notifications; a person's text says the same as the blocks."""
    text, shown = said.text or "", words(said.blocks)
    main = shown or text if said.bot_id else text or shown
    return plain("\n".join(filter(None, (main, *_attached(said)))))


def _attached(said: Said) -> Iterator[str]:
    """Of what a bot attached, or of a message that somebody shared; previews of links are not the sender's words."""
    for each in said.attachments or ():
        if each.is_share or (said.bot_id and not each.from_url):
            cells = (f"{cell.title or ''}: {cell.value or ''}".strip(": ") for cell in each.fields or ())
            lines = [line for line in (each.pretext, each.title, each.text, words(each.blocks), *cells) if line]
            yield "\n".join(lines or [each.fallback or ""])


def _file(file: File) -> Attachment:
    family = (file.mimetype or "").partition("/")[0]
    words_of_it = file.transcription.preview if file.transcription else None
    said = (words_of_it or {}).get("content")
    return Attachment(
        kind=CLIPS.get(file.subtype or "") or KINDS.get(family, "file"),
        filename=file.name or file.title or "",
        media_type=file.mimetype or "",
        size_bytes=file.size,
        status="failed" if file.mode in GONE else "pending",
        external_id=file.id,
        locator="" if file.mode in GONE else f"{FILE}{file.id}",
        description=file.alt_txt or "",
        width=file.original_w,
        height=file.original_h,
        duration_ms=file.duration_ms,
        transcript=said if isinstance(said, str) else "",
    )


def _is_elsewhere(file: File) -> bool:
    """Whether Slack only knows an address of it (a document at another provider)."""
    return bool(file.is_external or file.mode == "external") and bool(file.url_private)


def _links(files: list[File]) -> Iterator[WebLink]:
    for file in files:
        if _is_elsewhere(file):
            yield WebLink(url=file.url_private or "", title=file.title or file.name or "")


def _quote(said: Said, us: Us) -> Quote | None:
    """An answer in a thread names the message that began it."""
    if not said.thread_ts or said.thread_ts == said.ts:
        return None
    starter = said.parent_user_id
    sender = Party(claims=(user(starter, us),), is_us=us.has(starter)) if starter else None
    return Quote(external_id=f"{said.channel}:{said.thread_ts}", sender=sender)


def _forwarded(said: Said, us: Us) -> Forwarded | None:
    shared = next((each for each in said.attachments or () if each.is_share), None)
    return Forwarded(sender=_first_author(shared, us), sent_at=moment(str(shared.ts))) if shared else None


def _first_author(shared: Legacy, us: Us) -> Party:
    claims = (user(shared.author_id, us),) if shared.author_id else ()
    return Party(claims=claims, name=shared.author_name or "", is_us=us.has(shared.author_id))


def _mention(identifier: str, us: Us) -> Mention:
    ours = us.has(identifier)
    return Mention(party=Party(claims=(user(identifier, us),), is_us=ours), is_us=ours)
