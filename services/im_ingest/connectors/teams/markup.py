"""The HTML that Teams sends beside a message's text: what it quotes, links and shows. It knows no activity.

A reply quotes its parent in `<blockquote itemtype="http://schema.skype.com/Reply" itemid="…">`, with the sender's name and the
beginning of the text (Microsoft Graph, "chatMessage resource type", shows the same markup). Emoji are pictures whose `alt` is the
character; a picture that a bot is not given is `<img>` all the same, a file may be `<attachment>`.
"""

from contextlib import suppress
from html.parser import HTMLParser
from typing import NamedTuple

REPLY = "http://schema.skype.com/Reply"
EMOJI = frozenset({"http://schema.skype.com/Emoji", "http://schema.skype.com/emoji"})
PREVIEWS = frozenset({"preview", "copy"})
LINES = frozenset({"p", "div", "br", "li", "tr", "pre", "blockquote", "h1", "h2", "h3"})
"""Elements that begin a line."""
LONGEST = 256 * 1024
"""Characters of HTML that are read; Teams takes messages of about 100 kB."""


class Quotation(NamedTuple):
    """What is quoted. `id`: the message's id in the same chat."""

    id: str
    sender: str
    text: str


class Markup(NamedTuple):
    """What was found. `text`: the words outside the quotation; `links`: address and words; `shown`: "image", "attachment"."""

    quotation: Quotation | None = None
    text: str = ""
    links: tuple[tuple[str, str], ...] = ()
    shown: str = ""


def read(html: str) -> Markup:
    """All of it, in one go; the first message that is quoted, and the first thing that is shown."""
    reader = _Reader()
    with suppress(AssertionError):  # what it raises for `<![` without a name; what was read until there stands
        reader.feed(html[:LONGEST])
    quoted = Quotation(reader.id, "".join(reader.sender).strip(), "".join(reader.quoted).strip())
    lines = (" ".join(line.split()) for line in "".join(reader.text).splitlines())
    return Markup(quoted if reader.found else None, "\n".join(filter(None, lines)), tuple(reader.links), reader.shown)


class _Reader(HTMLParser):
    """Of quotations, the first counts; nothing in it is the message's own."""

    def __init__(self) -> None:
        super().__init__()
        self.found, self.id, self.shown = False, "", ""
        self.sender: list[str] = []
        self.quoted: list[str] = []
        self.text: list[str] = []
        self.links: list[tuple[str, str]] = []
        self._inside = 0
        self._part: tuple[str, list[str]] | None = None
        self._link: tuple[str, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if self._inside:
            self._inside += tag == "blockquote"
            self._begin(tag, said.get("itemprop", ""))
        elif tag == "blockquote" and said.get("itemtype") == REPLY:
            self._inside, self._link = 1, None
            if not self.found:
                self.found, self.id = True, said.get("itemid", "")
        else:
            self._own(tag, said)

    def _begin(self, tag: str, prop: str) -> None:
        if prop == "mri" and not self.sender:
            self._part = (tag, self.sender)
        elif prop in PREVIEWS and not self.quoted:
            self._part = (tag, self.quoted)

    def _own(self, tag: str, said: dict[str, str]) -> None:
        if tag in LINES:
            self.text.append("\n")
        if tag == "emoji" or (tag == "img" and said.get("itemtype") in EMOJI):
            self.text.append(said.get("alt", ""))
        elif tag in {"img", "attachment"}:
            self.shown = self.shown or ("image" if tag == "img" else tag)
        elif tag == "a" and said.get("href", "").startswith(("https://", "http://")):
            self._link = (said["href"], len(self.text))

    def handle_endtag(self, tag: str) -> None:
        if tag == "blockquote" and self._inside:
            self._inside -= 1
            self._part = self._part if self._inside else None
        if self._part and self._part[0] == tag:
            self._part = None
        if tag == "a" and self._link:
            url, begin = self._link
            self.links.append((url, " ".join("".join(self.text[begin:]).split())))
            self._link = None

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.text.append(data)
        elif self._part:
            self._part[1].append(data)
