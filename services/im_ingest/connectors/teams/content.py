"""What a message says, as the fields of `message`. It knows no time and no kind of activity."""

import html
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec

from im_ingest.connectors.teams.entities import (
    Account,
    Activity,
    Attachment,
    ClientInfo,
    FileInfo,
    Mention,
    Quoted,
    QuotedReply,
)
from im_ingest.connectors.teams.markup import Markup, Quotation, read
from im_ingest.connectors.teams.who import Us, party, tenant_of
from onethread.event import Attachment as File
from onethread.event import AttachmentKind, Body, Content, Quote, WebLink
from onethread.event import Mention as Named

C = TypeVar("C", bound=Content)
E = TypeVar("E")

FILE = "application/vnd.microsoft.teams.file.download.info"
REFERENCE = "reference"
"""A link to a file (Microsoft Graph, "chatMessageAttachment resource type")."""
HTML = "text/html"
WITH_TOKEN = "token:"  # noqa: S105 -- a mark
"""Before the address of a picture in the text, which wants the bot's token."""
ENDINGS: dict[str, AttachmentKind] = {
    **dict.fromkeys(("jpg", "jpeg", "png", "gif", "webp", "heic", "bmp", "tiff"), "image"),
    **dict.fromkeys(("mp4", "mov", "webm", "mkv", "avi"), "video"),
    **dict.fromkeys(("mp3", "wav", "m4a", "ogg", "aac", "flac"), "audio"),
}
MEDIA: dict[str, AttachmentKind] = {"image": "image", "video": "video", "audio": "audio"}
READABLE = ("title", "subtitle", "text", "value", "altText")
"""Where cards keep words."""
DEEPEST = 12


AT = re.compile(r"<at\b[^<>]{0,200}>([^<]{0,512})</at>", re.IGNORECASE)
"""A mention in the text. What people type themselves has its angle brackets escaped."""


class Parts(NamedTuple):
    """The entities and the HTML of a message, read."""

    mentions: tuple[Mention, ...]
    quote: Quotation | None
    html: str
    markup: Markup


def parts(activity: Activity) -> Parts:
    """What is said beside the text."""
    bodies = [one.content for one in activity.attachments or () if one.content_type == HTML]
    source = next((body for body in bodies if isinstance(body, str)), "")
    markup = read(source) if source else Markup()
    told = next(iter(_entities(activity, "quotedReply", QuotedReply)), None)
    return Parts(
        tuple(_entities(activity, "mention", Mention)),
        _quotation(told.quoted_reply) if told and told.quoted_reply.message_id else markup.quotation,
        source,
        markup,
    )


def device(activity: Activity) -> ClientInfo:
    """What the sender's program tells of itself; at least the language, which the activity names as well."""
    return next(iter(_entities(activity, "clientInfo", ClientInfo)), ClientInfo(locale=activity.locale))


def content(kind: type[C], activity: Activity, us: Us, chat: str) -> C:
    """The whole message. `chat`: what its id, and that of what it answers, begin with."""
    said = parts(activity)
    full = _words(activity, said, us)
    text = _without_quote(full, said.quote)
    files, shown = tuple(_files(activity)), list(_cards(activity))
    cards = (words for _, words in shown if words and words not in text)
    body = Body(
        text="\n".join(filter(None, (text, *cards))),
        text_full=full if text and full != text else "",
        html=said.html,
    )
    return kind(
        body=body,
        attachments=files,
        quote=_quote(activity, said.quote, chat),
        mentions=tuple(_named(each, activity, us) for each in said.mentions),
        links=tuple(_links(activity, said)),
        unsupported=_unsupported(body, files, shown, said.markup.shown),
    )


def _entities(activity: Activity, name: str, kind: type[E]) -> Iterator[E]:
    """Those of one kind. One of another shape is passed over: the words stand without it."""
    for raw in activity.entities or ():
        with suppress(msgspec.ValidationError):
            if msgspec.json.decode(raw, type=_Typed).type == name:
                yield msgspec.json.decode(raw, type=kind)


class _Typed(msgspec.Struct):
    """What kind of entity it is."""

    type: str = ""


# --- words -----------------------------------------------------------------------------------------------------------


def _words(activity: Activity, said: Parts, us: Us) -> str:
    """The text without the mention of the bot that a bot needs to hear anything at all; other people keep their names.

    A name with `&` has no `text` in its mention (microsoft/BotFramework-Services issue 204), and one with a blank may be spelt with
    another one there: the mark around it is found all the same.
    """
    if not (activity.text or "").strip():
        return said.markup.text
    accounts = (*(one.mentioned for one in said.mentions), activity.recipient or Account())
    bots = {_spelt(one.name or "") for one in accounts if us.is_bot(one)}
    named = lambda found: "" if _spelt(found[1]) in bots else f"@{found[1]}"  # noqa: E731 -- used once
    return _spelt(AT.sub(named, activity.text or ""))


def _spelt(text: str) -> str:
    """As people see it."""
    return html.unescape(text).replace("\xa0", " ").strip()


def _named(mention: Mention, activity: Activity, us: Us) -> Named:
    return Named(party=party(mention.mentioned, us, tenant_of(activity)), is_us=us.owns(mention.mentioned))


def _quotation(told: Quoted) -> Quotation:
    return Quotation(told.message_id or "", told.sender_name or "", told.preview or "")


def _without_quote(text: str, quote: Quotation | None) -> str:
    """The new words: some clients begin the text with what is quoted, under its sender's name."""
    if quote is None or not quote.text:
        return text
    head, found, tail = text.partition(quote.text)
    return tail.strip() if found and head.strip() in {"", quote.sender} and tail.strip() else text


def _quote(activity: Activity, quote: Quotation | None, chat: str) -> Quote | None:
    """What is quoted; else what is answered: in a channel, the message that the thread is about."""
    if quote is not None and quote.id:
        return Quote(external_id=f"{chat}:{quote.id}", text=quote.text)
    _, _, root = (activity.conversation.id if activity.conversation else "").partition(";messageid=")
    parent = activity.reply_to_id or root
    return Quote(external_id=f"{chat}:{parent}") if parent and parent != activity.id else None


def _links(activity: Activity, said: Parts) -> Iterator[WebLink]:
    """Those in the words; and where people find a file themselves, when its own address is no longer good."""
    for url, words in said.markup.links:
        yield WebLink(url=url, title=words if words != url else "")
    for each in activity.attachments or ():
        if each.content_type in {FILE, REFERENCE} and each.content_url:
            yield WebLink(url=each.content_url, title=each.name or "")


# --- files and cards -------------------------------------------------------------------------------------------------


def _files(activity: Activity) -> Iterator[File]:
    for each in activity.attachments or ():
        if each.content_type in {FILE, REFERENCE}:
            yield _shared(each)
        elif _is_file(each):
            main = each.content_type.partition("/")[0]
            media_type = "" if "*" in each.content_type else each.content_type
            locator = _locator(each.content_url or "", activity.service_url or "")
            yield File(kind=MEDIA.get(main, "file"), filename=each.name or "", media_type=media_type, locator=locator)


def _is_file(attachment: Attachment) -> bool:
    """Whether it is somewhere else, and no card."""
    kind = attachment.content_type
    located = bool(attachment.content_url) and kind != HTML and not kind.startswith("application/vnd.microsoft.")
    return located or kind in {FILE, REFERENCE}


def _shared(attachment: Attachment) -> File:
    """A file of somebody's drive; its address holds what opens it. Without one, people open it by the link."""
    name, info = attachment.name or "", FileInfo()
    with suppress(msgspec.ValidationError):
        info = msgspec.convert(attachment.content or {}, FileInfo)
    ending = (info.file_type or name.rpartition(".")[2]).casefold()
    return File(
        kind=ENDINGS.get(ending, "file"),
        filename=name,
        external_id=info.unique_id or "",
        locator=info.download_url or "",
        status="pending" if info.download_url else "reference",
    )


def _locator(url: str, service: str) -> str:
    """Only the very server that the Bot Connector's token vouches for gets ours."""
    return f"{WITH_TOKEN}{url}" if service and _origin(url) == _origin(service) else url


def _origin(url: str) -> tuple[str, str]:
    try:
        return urlsplit(url)[:2]
    except ValueError:
        return ("", url)


def _cards(activity: Activity) -> Iterator[tuple[str, str]]:
    """Of each attachment that is neither file nor body: its type, and its words."""
    for each in activity.attachments or ():
        if each.content_type != HTML and not _is_file(each):
            yield each.content_type or "attachment", "\n".join(_readable(each.content, DEEPEST))


def _readable(node: Any, depth: int) -> Iterator[str]:
    if not depth:
        return
    if isinstance(node, dict):
        yield from (text for key in READABLE if isinstance(text := node.get(key), str) and text)
        for key, inner in node.items():
            if isinstance(key, str) and key not in {"actions", "data"}:
                yield from _readable(inner, depth - 1)
    elif isinstance(node, list):
        for inner in node:
            yield from _readable(inner, depth - 1)


def _unsupported(body: Body, files: tuple[File, ...], cards: list[tuple[str, str]], shown: str) -> str:
    """The provider's word for the first part that we cannot show; of a message without any part, "message".

    `shown`: what people see in the HTML, and a bot is perhaps not given, as files in channels.
    """
    hidden = next((kind for kind, words in cards if not words), "")
    if hidden or files or cards:
        return hidden
    return shown or ("" if body.text else "message")
