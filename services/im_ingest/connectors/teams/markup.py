"""The HTML that Teams sends beside a message's text: what it quotes. It knows no activity.

A reply quotes its parent in `<blockquote itemtype="http://schema.skype.com/Reply" itemid="…">`, with the sender's name and the
beginning of the text (Microsoft Graph, "chatMessage resource type", shows the same markup).
"""

from contextlib import suppress
from html.parser import HTMLParser
from typing import NamedTuple

REPLY = "http://schema.skype.com/Reply"
PREVIEWS = frozenset({"preview", "copy"})
LONGEST = 256 * 1024
"""Characters of HTML that are read; Teams takes messages of about 100 kB."""


class Quotation(NamedTuple):
    """What is quoted. `id`: the message's id in the same chat."""

    id: str
    sender: str
    text: str


def quotation(html: str) -> Quotation | None:
    """The first message that is quoted."""
    if REPLY not in html:
        return None
    reader = _Reader()
    with suppress(AssertionError):  # what it raises for `<![` without a name; what was read until there stands
        reader.feed(html[:LONGEST])
    return Quotation(reader.id, "".join(reader.sender).strip(), "".join(reader.text).strip()) if reader.found else None


class _Reader(HTMLParser):
    """Looks into the first quotation, and at nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.found, self.id = False, ""
        self.sender: list[str] = []
        self.text: list[str] = []
        self._inside = 0
        self._part: tuple[str, list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        if self._inside:
            self._inside += tag == "blockquote"
            self._begin(tag, said.get("itemprop") or "")
        elif tag == "blockquote" and not self.found and said.get("itemtype") == REPLY:
            self.found, self.id, self._inside = True, said.get("itemid") or "", 1

    def _begin(self, tag: str, prop: str) -> None:
        if prop == "mri":
            self._part = (tag, self.sender)
        elif prop in PREVIEWS:
            self._part = (tag, self.text)

    def handle_endtag(self, tag: str) -> None:
        if tag == "blockquote" and self._inside:
            self._inside -= 1
        if self._part and self._part[0] == tag:
            self._part = None

    def handle_data(self, data: str) -> None:
        if self._inside and self._part:
            self._part[1].append(data)
