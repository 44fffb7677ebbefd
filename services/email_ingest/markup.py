"""HTML to plain text, for mails that bring no text of their own. It knows tags, and nothing of safety: it sanitises nothing. Pure.

Our own scanner: every position is visited a bounded number of times whatever is in the HTML, which neither the stdlib's
parser (unclosed comments) nor the usual converters (nesting, attributes) can say.
"""

import html.entities
import re
from typing import NamedTuple

MAX_CHARACTERS = 2_000_000
MAX_WORDS = 150_000
"""Characters of text after which nothing more is read: whoever asks shows fewer."""
MAX_QUOTE_DEPTH = 10

_TAG_NAME = re.compile(r"/?([A-Za-z][A-Za-z0-9:-]{0,40})")
_TAG_STOP = re.compile(r"[>\"']")
_ENTITY = re.compile(r"&(#[0-9]{1,7}(?![0-9])|#[xX][0-9a-fA-F]{1,6}(?![0-9a-fA-F])|[A-Za-z][A-Za-z0-9]{1,30});?")
_MARKER = re.compile("divRplyFwdMsg|appendonsend|mail-editor-reference-message-container|yahoo_quoted|protonmail_quote")
"""What mail programs put before a quoted mail: Outlook (two), new Outlook, Yahoo, Proton."""
_BREAKS = frozenset(
    [
        "address",
        "article",
        "aside",
        "br",
        "center",
        "dd",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figure",
        "footer",
        "form",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
        "hr",
        "li",
        "main",
        "nav",
        "ol",
        "option",
        "pre",
        "section",
        "table",
        "tbody",
        "tfoot",
        "thead",
        "tr",
        "ul",
    ]
)
_PARAGRAPHS = frozenset(["blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "p", "pre"])
_UNSEEN = frozenset(["head", "script", "style", "template", "title", "xml"])
_BLANKS = re.compile(r"[ \t\n\r\f\xa0]+")
_MANY_BREAKS = re.compile(r"\n{3,}")


class Text(NamedTuple):
    """`quoted_from`: offset at which a mail program began to quote, None where it marked nothing."""

    text: str
    quoted_from: int | None


def to_text(source: str) -> Text:
    """The words of some HTML. Blockquotes become `> ` lines, so that the rules for quotes see them."""
    return _Converter(source[:MAX_CHARACTERS]).run()


class _Converter:
    """One pass from left to right."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines: list[str] = []
        self.line: list[str] = []
        self.size = 0
        self.depth = 0
        self.quoted_line: int | None = None
        self.naive = False
        self.never: set[str] = set()

    def run(self) -> Text:
        source, position = self.source, 0
        while position < len(source) and self.size < MAX_WORDS:
            start = source.find("<", position)
            if start < 0:
                start = len(source)
            self.words(source[position:start])
            position = self.markup(start) if start < len(source) else start
        self.end_line()
        return self.result()

    def markup(self, start: int) -> int:
        """Handle what begins at `<`; where to go on."""
        source = self.source
        if source.startswith("<!--", start):
            return self.after("-->", start + 4)
        if source.startswith(("<!", "<?"), start):
            return self.after(">", start + 2)
        name = _TAG_NAME.match(source, start + 1)
        if name is None:
            self.words("<")
            return start + 1
        end = self.tag_end(name.end())
        tag = name[1].lower()
        closing = source[start + 1] == "/"
        if not closing and tag in _UNSEEN:
            found = self.after(f"</{tag}", end)
            return self.tag_end(found) if found > end else end
        if not closing and self.quoted_line is None and _MARKER.search(source, name.end(), min(end, name.end() + 2000)):
            self.end_line()
            self.quoted_line = len(self.lines)
        self.tag(tag, closing=closing)
        return end

    def after(self, needle: str, start: int) -> int:
        """The position behind `needle`. One that never comes is looked for once in the whole text, then ignored."""
        if needle in self.never:
            return start
        found = re.compile(re.escape(needle), re.IGNORECASE).search(self.source, start)
        if found is None:
            self.never.add(needle)
            return start
        return found.end()

    def tag_end(self, position: int) -> int:
        """The position behind a tag's `>`, not one inside a quoted attribute.

        An attribute that is never closed would hide the rest of the mail and, met again and again, cost a scan each time:
        from the first one on quotes are not minded any more.
        """
        start, source = position, self.source
        while not self.naive:
            stop = _TAG_STOP.search(source, position)
            if stop is None:
                break
            if stop[0] == ">":
                return stop.end()
            position = source.find(stop[0], stop.end()) + 1
            if not position:
                break
        self.naive = True
        found = source.find(">", start)
        return found + 1 if found >= 0 else len(source)

    def tag(self, name: str, *, closing: bool) -> None:
        if name in ("td", "th"):
            self.line.append(" ")
        elif name in _PARAGRAPHS:
            self.end_line()
            self.blank_line()
        elif name in _BREAKS:
            self.end_line(empty=name == "br")
        if name == "blockquote":
            self.depth = max(self.depth - 1, 0) if closing else min(self.depth + 1, MAX_QUOTE_DEPTH)
        elif name == "li" and not closing:
            self.line.append("- ")

    def words(self, text: str) -> None:
        if text:
            shown = _BLANKS.sub(" ", _ENTITY.sub(_character, text))
            self.size += len(shown.strip())
            self.line.append(shown)

    def end_line(self, *, empty: bool = False) -> None:
        text = _BLANKS.sub(" ", "".join(self.line)).strip()
        self.line = []
        if text or empty:
            self.lines.append("> " * self.depth + text)

    def blank_line(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")

    def result(self) -> Text:
        if self.quoted_line is None:
            return Text(_MANY_BREAKS.sub("\n\n", "\n".join(self.lines)).strip(), None)
        before = _MANY_BREAKS.sub("\n\n", "\n".join(self.lines[: self.quoted_line])).strip()
        after = _MANY_BREAKS.sub("\n\n", "\n".join(self.lines[self.quoted_line :])).strip()
        return Text(f"{before}\n\n{after}".strip(), len(before))


def _character(match: re.Match[str]) -> str:
    name = match[1]
    if name[0] != "#":
        return html.entities.html5.get(name + ";", match[0])
    code = int(f"0{name[1:]}", 0) if name[1] in "xX" else int(name[1:])
    if 0x80 <= code < 0xA0:  # HTML reads these as Windows-1252
        return bytes((code,)).decode("cp1252", "replace")
    return chr(code) if 0 < code <= 0x10FFFF else ""  # Unicode's last
