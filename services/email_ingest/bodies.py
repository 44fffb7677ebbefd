"""What the parts of a mail are: words to read, and files. It knows MIME's structure, and no header of the mail itself. Pure."""

import html
import re
from typing import Literal, NamedTuple

from email_ingest.charsets import clean, decode, one_line
from email_ingest.flowed import unflow
from email_ingest.headers import parameter_text, parameters
from email_ingest.markup import to_text
from email_ingest.parts import Part
from email_ingest.quotes import new_words
from onethread.event import Attachment, AttachmentKind, Body

MAX_TEXT = 120_000
"""Bytes of text in UTF-8, each of new words and full text: an event stays under the 1 MB that a broker takes by default."""
MAX_HTML = 360_000
MAX_DECODED = 1_500_000
"""Bytes of one text part that are read; a part over its bound is kept whole, as a file."""
MAX_EXCERPT = 20_000
MAX_FILENAME = 255

_RENDERINGS = frozenset({"text/x-amp-html", "text/watch-html"})
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
)
_TAG = re.compile(r"<[^<>]*>")
_GAP = re.compile(r"\n{3,}")
_VAGUE = frozenset({"application/octet-stream", "application/x-unknown", "application/download", "text/plain"})


class Segment(NamedTuple):
    """Words in one or two renderings; None where there is none of that sort."""

    text: str | None
    html: str | None


class Content(NamedTuple):
    """All that is in a mail's parts. `notes`: what was cut or left out."""

    body: Body
    attachments: tuple[Attachment, ...]
    calendar: str
    protection: Literal["", "signed", "encrypted"]
    notes: tuple[str, ...]


def read(root: Part, *, forward: bool = False) -> Content:
    """Body and attachments. `forward`: the subject says that what looks like a quote is the news."""
    collector = _Collector()
    segments = collector.walk(root)
    body = collector.body(segments, forward=forward)
    return Content(body, tuple(collector.attachments), collector.calendar, collector.protection, tuple(collector.notes))


def beginning(raw: bytes, root: Part, because: str) -> Content:
    """The first words of the mail `raw`, as they stand, and the whole of it as a file. None of the readers above is asked."""
    leaf = _first_words(root)
    text = ""
    if leaf is not None:
        text = clean(decode(leaf.content()[:MAX_EXCERPT], leaf.parameters.get("charset", b"").decode("latin-1")))
        if leaf.media_type == "text/html":
            text = html.unescape(_TAG.sub(" ", text))
    whole = Attachment(
        filename="original.eml",
        media_type="message/rfc822",
        size_bytes=len(raw),
        content=raw,
        description=because[:500],
    )
    body = Body(text=_GAP.sub("\n\n", clean(text)).strip(), truncated=True)
    return Content(body, (whole,), "", "", (because,))


def _first_words(root: Part) -> Part | None:
    """The first part that is plain text, else the first that is HTML."""
    found: Part | None = None
    waiting = [root]
    while waiting:
        part = waiting.pop()
        waiting.extend(reversed(part.children))
        if part.media_type == "text/plain" and part.body.strip():
            return part
        if part.media_type == "text/html" and found is None:
            found = part
    return found


class _Collector:
    """One walk over the tree, whose depth the splitter has bounded."""

    def __init__(self) -> None:
        self.attachments: list[Attachment] = []
        self.notes: dict[str, None] = {}
        self.calendar = ""
        self.protection: Literal["", "signed", "encrypted"] = ""
        self.seen_words = False

    def walk(self, part: Part, *, related: bool = False) -> list[Segment]:
        if part.media_type in ("multipart/signed", "multipart/encrypted"):
            self.protection = "encrypted" if part.media_type.endswith("encrypted") else self.protection or "signed"
        if part.media_type == "multipart/alternative" and part.children:
            return self.alternative(part)
        if part.children:
            inside = part.media_type == "multipart/related"
            return [segment for child in part.children for segment in self.walk(child, related=inside or related)]
        return self.leaf(part, related=related)

    def alternative(self, part: Part) -> list[Segment]:
        """One segment: the first rendering in plain text, and the last, which is the richest (RFC 2046, 5.1.4), in HTML."""
        text = markup = None
        for child in part.children:
            before, self.seen_words = self.seen_words, False
            segments = self.walk(child)
            self.seen_words = before or bool(segments)
            plain = [segment.text for segment in segments if segment.text is not None]
            rich = [segment.html for segment in segments if segment.html is not None]
            text = "\n\n".join(plain) if plain and text is None else text
            markup = "\n".join(rich) if rich else markup
        return [] if text is None and markup is None else [Segment(text, markup)]

    def leaf(self, part: Part, *, related: bool) -> list[Segment]:
        disposition, given = parameters(part.first("content-disposition")[:4000])
        name = filename(part, given)
        if self._is_words(part, disposition, name):
            self.seen_words = True
            return [self.words(part, name)]
        if part.media_type in _RENDERINGS:
            return []
        self.attach(part, part.content(), disposition, name, related=related)
        return []

    def _is_words(self, part: Part, disposition: str, name: str) -> bool:
        """Text that is shown, not handed over. A name alone makes no file of the first text: some programs name the body."""
        if part.main_type == "multipart":
            return True
        if part.media_type not in ("text/plain", "text/html") or disposition == "attachment":
            return False
        return not name or (not disposition and not self.seen_words)

    def words(self, part: Part, name: str) -> Segment:
        content = part.content()
        is_html = part.media_type == "text/html"
        if len(content) > (MAX_HTML if is_html else MAX_TEXT):
            self.notes["a body over its bounds is kept whole as a file"] = None
            self.attach(part, content, "attachment", name or ("body.html" if is_html else "body.txt"), related=False)
        text = clean(decode(content[:MAX_DECODED], part.parameters.get("charset", b"").decode("latin-1")))
        if is_html:
            return Segment(None, text)
        if part.parameters.get("format", b"").lower() == b"flowed":
            text = unflow(text, delete_space=part.parameters.get("delsp", b"").lower() == b"yes")
        if text.lstrip().startswith("-----BEGIN PGP MESSAGE-----"):
            self.protection = "encrypted"
        elif text.lstrip().startswith("-----BEGIN PGP SIGNED MESSAGE-----"):
            self.protection = self.protection or "signed"
        return Segment(text, None)

    def attach(self, part: Part, content: bytes, disposition: str, name: str, *, related: bool) -> None:
        content_id = one_line(part.first("content-id").decode("latin-1")).strip("<> ")[:500]
        if part.media_type == "text/calendar":
            self.calendar = self.calendar or _calendar_method(part, content)
        if part.media_type in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
            signed = part.parameters.get("smime-type", b"").lower() == b"signed-data"
            self.protection = "signed" if signed else "encrypted"
        inline = disposition == "inline" or (related and bool(content_id) and disposition != "attachment")
        media_type = sniffed(part.media_type, content)
        self.attachments.append(
            Attachment(
                kind=_kind(media_type),
                filename=name,
                media_type=media_type,
                size_bytes=len(content),
                disposition="inline" if inline else "attachment",
                content_id=content_id,
                content=content,
                description=decoded_description(part),
            )
        )

    def body(self, segments: list[Segment], *, forward: bool) -> Body:
        """The segments put together: one text, and one HTML if any of them is HTML."""
        quoted_from: int | None = None
        texts: list[str] = []
        left = MAX_DECODED
        for segment in segments:
            if segment.text is not None and (segment.text.strip() or not segment.html):
                texts.append(segment.text.strip("\n"))
                continue
            if left <= 0:  # a hundred bodies of a megabyte: what is shown is full long before
                self.notes["more HTML than is read"] = None
                continue
            found = to_text((segment.html or "")[:left])
            left -= len(segment.html or "")
            if found.quoted_from is not None and quoted_from is None:
                quoted_from = sum(len(text) + 2 for text in texts) + found.quoted_from
            texts.append(found.text)
        full = clean("\n\n".join(texts)).strip("\n")
        markup = _joined_markup(segments)
        kept = _within(full, MAX_TEXT)
        new = new_words(kept, quoted_from=quoted_from, forward=forward)
        fits = len(markup.encode()) <= MAX_HTML
        return Body(
            text=new,
            text_full="" if kept.split() == new.split() else kept,
            html=markup if fits else "",
            truncated=not fits or kept != full,
        )


def _joined_markup(segments: list[Segment]) -> str:
    if all(segment.html is None for segment in segments):
        return ""
    return "\n".join(
        segment.html if segment.html is not None else f"<pre>{html.escape(segment.text or '')}</pre>"
        for segment in segments
    )


def _within(text: str, most: int) -> str:
    """The text, cut between characters so that it has at most so many bytes in UTF-8."""
    raw = text.encode()
    return text if len(raw) <= most else raw[:most].decode("utf-8", "ignore")


def filename(part: Part, disposition: dict[str, bytes]) -> str:
    """A name to show, never a path: the last component, one line, no control characters. "" is normal."""
    name = parameter_text(disposition, "filename") or parameter_text(part.parameters, "name")
    name = re.split(r"[/\\]", name)[-1].strip(" .")
    if len(name) > MAX_FILENAME:
        stem, dot, ending = name.rpartition(".")
        name = stem[:200] + dot + ending[:20] if dot else name[:MAX_FILENAME]
    return name


def decoded_description(part: Part) -> str:
    """Content-Description, which programs use as alternative text."""
    raw = part.first("content-description")[:1000]
    return one_line(decode(raw, ""))[:500] if raw else ""


def sniffed(media_type: str, content: bytes) -> str:
    """The type that the first bytes show, where the claimed one is vague or says image or PDF wrongly."""
    shown = next((found for magic, found in _MAGIC if content.startswith(magic)), "")
    if not shown or shown == media_type:
        return media_type
    known = any(media_type == found for _, found in _MAGIC)
    return shown if media_type in _VAGUE or known else media_type


def _kind(media_type: str) -> AttachmentKind:
    match media_type.partition("/")[0]:
        case "image":
            return "image"
        case "video":
            return "video"
        case "audio":
            return "audio"
        case _:
            return "file"


def _calendar_method(part: Part, content: bytes) -> str:
    """The iTIP method (RFC 5546): a parameter, else a line of the calendar."""
    method = part.parameters.get("method", b"").decode("latin-1")
    if not method:
        found = re.search(rb"(?im)^METHOD:([A-Za-z-]{1,20})", content[:10_000])
        method = found[1].decode("ascii") if found else "PUBLISH"
    return one_line(method).upper()[:20]
