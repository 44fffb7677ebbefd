"""The HTML of a status as plain text. It knows the few elements that Mastodon lets through, and passes over all others.

https://docs.joinmastodon.org/spec/activitypub/#sanitization. The time is linear in the length, whatever the markup: the
parser of the standard library is not used, since it is quadratic on unclosed tags (100 kB of `<a ` take it minutes).
"""

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

from onethread.event import WebLink

LONGEST = 200_000
"""Characters that are read; servers allow statuses of 500 to a few thousand."""

TOKEN = re.compile(r"<(?P<end>/?)(?P<tag>[A-Za-z][A-Za-z0-9]*)(?P<attributes>[^<>]*)>|(?P<text>[^<]+|<)")
"""A tag, or words. What follows a `<` is read once only: a tag ends before the next `<`."""

ATTRIBUTE = re.compile(r"""\b(class|href)\s*+=\s*+(?:"([^"]*)"|'([^']*)')""")
REFERENCE_TOO_LONG = re.compile(r"&#[0-9A-Fa-fxX]{10,}")
"""No character has such a number; `unescape` would raise for thousands of digits."""

BLOCK = frozenset({"p", "blockquote", "ul", "ol", "pre", "h1", "h2", "h3", "h4", "h5", "h6"})
NOT_TEXT = frozenset({"script", "style"})
FALLBACK = "quote-inline"
"""Class of the paragraph that names a quoted status for programs that know no quotes."""


class Plain(NamedTuple):
    """The words, the addresses in them (without people and hashtags), and whether something was cut off."""

    text: str
    links: tuple[WebLink, ...]
    truncated: bool


def plain(html: str) -> Plain:
    """The text of a status. It never fails."""
    reader = _Reader()
    for token in TOKEN.finditer(html[:LONGEST]):
        if token["text"] is not None:
            reader.words(token["text"])
        elif token["end"]:
            reader.ends(token["tag"].lower())
        else:
            reader.begins(token["tag"].lower(), dict(_attributes(token["attributes"])))
    return Plain(reader.text(), tuple(reader.links), len(html) > LONGEST)


def _attributes(text: str) -> Iterator[tuple[str, str]]:
    return ((found[1], _unescaped(found[2] or found[3] or "")) for found in ATTRIBUTE.finditer(text))


def _unescaped(text: str) -> str:
    return unescape(REFERENCE_TOO_LONG.sub("\N{REPLACEMENT CHARACTER}", text)) if "&" in text else text


class _Reader:
    """Collects words; blocks are apart by an empty line."""

    def __init__(self) -> None:
        self.links: list[WebLink] = []
        self._parts: list[str] = []
        self._left_out = ""
        """The element whose content is not read."""
        self._link: tuple[str, int] | None = None

    def text(self) -> str:
        """What was collected, without the space around it."""
        kept: list[str] = []
        for line in "".join(self._parts).split("\n"):
            if line.strip() or (kept and kept[-1]):
                kept.append(line.strip())
        return "\n".join(kept).strip()

    def words(self, text: str) -> None:
        """Words; line ends in the markup are space."""
        if not self._left_out:
            self._parts.append(_unescaped(text.replace("\r", " ").replace("\n", " ")))

    def begins(self, tag: str, attributes: dict[str, str]) -> None:
        """A block begins, a line ends, or a link opens."""
        classes = attributes.get("class", "").split()
        if self._left_out:
            return
        if tag in NOT_TEXT or FALLBACK in classes:
            self._left_out = tag
        elif tag == "br":
            self._parts.append("\n")
        elif tag == "li":
            self._parts.append("\n- ")
        elif tag in BLOCK:
            self._parts.append("\n\n")
        elif tag == "a" and not {"mention", "hashtag"} & set(classes):
            self._link = (attributes.get("href", ""), len(self._parts))

    def ends(self, tag: str) -> None:
        """A block or a link ends."""
        if self._left_out:
            self._left_out = "" if tag == self._left_out else self._left_out
        elif tag in BLOCK:
            self._parts.append("\n\n")
        elif tag == "a" and self._link is not None:
            (url, begin), self._link = self._link, None
            title = "".join(self._parts[begin:]).strip()
            if url:
                self.links.append(WebLink(url=url, title="" if title == url else title))
