"""The tree of MIME parts in the bytes of a mail. It knows RFC 5322 and 2045-2046 syntax, and no part's meaning. Pure.

Our own splitter, because the stdlib's parser cannot give an attached mail back byte for byte, nor refuse deep nesting (1,000
nested multiparts end in a RecursionError). Depth, parts and header bytes are bounded before anything is built; what lies
beyond a bound stays in its parent as opaque bytes, and a note says so.
"""

import binascii
import io
import re
from itertools import islice
from typing import NamedTuple

from email_ingest.headers import base64, parameters

MAX_DEPTH = 30
MAX_PARTS = 500
MAX_SPLIT_BYTES = 250_000_000
"""Bytes looked through for boundaries, over all levels of nesting; five levels of the largest mail that is fetched."""
MAX_LINES = 1_000_000
"""Lines of uuencode, which have 45 bytes each."""
MAX_FIELDS = 1_000
MAX_FIELD_BYTES = 64_000
"""One unfolded header; 500 recipients with their names fit."""
MAX_HEADER_BYTES = 1_000_000
MAX_BOUNDARY = 200
MAX_CONTENT_FIELD_BYTES = 4_000
"""Content-Type and its kin: 8,000 parameters are nobody's."""

_FIELD = re.compile(rb"([\x21-\x39\x3b-\x7e]{1,200})[ \t]*:")
_BOUNDARY_REST = re.compile(rb"(--)?[ \t]{0,100}(?:\r?\n|\Z)")


class Part(NamedTuple):
    """One part: its header fields (lower-case names, unfolded values, otherwise as they came), its body, its children."""

    fields: tuple[tuple[str, bytes], ...]
    body: bytes
    media_type: str
    parameters: dict[str, bytes]
    children: tuple["Part", ...] = ()

    def all(self, name: str) -> list[bytes]:
        """The values of every field of that name, topmost first."""
        return [value for found, value in self.fields if found == name]

    def first(self, name: str) -> bytes:
        """The topmost value, b"" where there is none."""
        return next((value for found, value in self.fields if found == name), b"")

    @property
    def main_type(self) -> str:
        """What precedes the slash."""
        return self.media_type.partition("/")[0]

    def content(self) -> bytes:
        """The body with its transfer encoding undone; damage is forgiven. Never longer than the body."""
        match self.first("content-transfer-encoding").strip().lower():
            case b"base64":
                return base64(self.body)
            case b"quoted-printable":
                return binascii.a2b_qp(self.body)
            case b"x-uuencode" | b"uuencode" | b"x-uue" | b"uue":
                return _uudecoded(self.body)
            case _:
                return self.body


def _uudecoded(body: bytes) -> bytes:
    out = io.BytesIO()
    for line in islice(io.BytesIO(body), MAX_LINES):
        if line.startswith((b"begin ", b"end")):
            continue
        try:
            out.write(binascii.a2b_uu(line))
        except binascii.Error:
            continue
    return out.getvalue()


class Tree(NamedTuple):
    """A mail as parts, and what was left alone: one note for each bound that was met."""

    root: Part
    notes: tuple[str, ...]


def parse(raw: bytes) -> Tree:
    """The parts of a mail. Bytes that are no mail become one text part without fields."""
    if b"\n" not in raw[:MAX_HEADER_BYTES]:
        raw = raw.replace(b"\r", b"\n")
    builder = _Builder()
    root = builder.part(raw.lstrip(b"\r\n"), 0, "text/plain")
    return Tree(root, tuple(builder.notes))


class _Builder:
    """One pass over one mail; counts parts and collects notes."""

    def __init__(self) -> None:
        self.count = 0
        self.split = 0
        self.notes: dict[str, None] = {}

    def part(self, data: bytes, depth: int, default: str) -> Part:
        self.count += 1
        fields, body = self._head(data)
        value = next((value for name, value in fields if name == "content-type"), b"")
        if len(value) > MAX_CONTENT_FIELD_BYTES:
            self.notes["an overlong Content-Type was cut"] = None
        kind, given = parameters(value[:MAX_CONTENT_FIELD_BYTES])
        kind = _media_type(kind, default)
        part = Part(fields, body, kind, given)
        if part.main_type != "multipart":
            return part
        sections = self._sections(part, depth)
        if not sections:
            return part
        part = part._replace(body=b"")
        del data, body  # large mails: no level of nesting keeps a copy
        return part._replace(children=self._children(sections, depth, part.media_type))

    def _sections(self, part: Part, depth: int) -> list[bytes]:
        """The bytes of the children, the first one last; none for what cannot, or must not, be split."""
        boundary = part.parameters.get("boundary", b"").rstrip()
        if not 0 < len(boundary) <= MAX_BOUNDARY:
            self.notes["a multipart without boundary"] = None
            return []
        if depth >= MAX_DEPTH:
            self.notes[f"nested deeper than {MAX_DEPTH} parts"] = None
            return []
        self.split += len(part.body)
        if self.split > MAX_SPLIT_BYTES:
            self.notes["nested deeper than its size allows"] = None
            return []
        room = max(MAX_PARTS - self.count, 0)
        sections = _sections(part.body, boundary, room + 1) or _sections(part.content(), boundary, room + 1)
        if not sections:
            self.notes["a multipart without its boundary"] = None
        if len(sections) > room:
            self.notes[f"more than {MAX_PARTS} parts"] = None
        return sections[:room][::-1]

    def _children(self, sections: list[bytes], depth: int, parent: str) -> tuple[Part, ...]:
        default = "message/rfc822" if parent == "multipart/digest" else "text/plain"
        children = []
        while sections:
            if self.count >= MAX_PARTS:
                self.notes[f"more than {MAX_PARTS} parts"] = None
                break
            children.append(self.part(sections.pop(), depth + 1, default))
        return tuple(children)

    def _head(self, data: bytes) -> tuple[tuple[tuple[str, bytes], ...], bytes]:
        """Header fields and what follows them. The first line that is neither field nor continuation begins the body."""
        fields: list[tuple[str, list[bytes]]] = []
        position, size = 0, len(data)
        while position < size:
            end = data.find(b"\n", position) + 1 or size
            line = data[position:end].rstrip(b"\r\n")
            if not line:
                position = end
                break
            if line[:1] in (b" ", b"\t"):
                if fields:
                    fields[-1][1].append(line)
            elif match := _FIELD.match(line):
                fields.append((match[1].decode("ascii").lower(), [line[match.end() :]]))
            elif not (position == 0 and line.startswith(b"From ")):
                break
            position = end
            if position > MAX_HEADER_BYTES or len(fields) > MAX_FIELDS:
                self.notes["a header over its bounds was cut"] = None
                blank = re.search(rb"\r?\n\r?\n", data[position - 1 :])
                position = position - 1 + blank.end() if blank else size
                break
        return tuple((name, self._unfolded(lines)) for name, lines in fields[:MAX_FIELDS]), data[position:]

    def _unfolded(self, lines: list[bytes]) -> bytes:
        value = b"".join(lines)
        if len(value) > MAX_FIELD_BYTES:
            self.notes["an overlong header was cut"] = None
        return value[:MAX_FIELD_BYTES].strip()


def _media_type(kind: str, default: str) -> str:
    kind = "".join(kind.partition("(")[0].split())
    main, slash, sub = kind.partition("/")
    if (
        slash and main and sub and "/" not in sub and kind.isascii() and kind.isprintable() and len(kind) <= 127
    ):  # RFC 6838: 127 each
        return kind
    return default if not kind or main == "text" else "application/octet-stream"


def _sections(body: bytes, boundary: bytes, most: int) -> list[bytes]:
    """What stands between the boundary lines, `most` at most; the line end before one belongs to it (RFC 2046, 5.1.1)."""
    needle = b"\n--" + boundary
    out: list[bytes] = []
    start = -1
    # The first line has no line end before it: as if there were one, at -1.
    hit = -1 if body.startswith(needle[1:]) else body.find(needle)
    found = hit >= 0 or body.startswith(needle[1:])
    while found:
        match = _BOUNDARY_REST.match(body, hit + len(needle))
        if match is not None:
            if start >= 0:
                end = hit - 1 if body[hit - 1 : hit] == b"\r" else hit
                out.append(body[start : max(start, end)])
            start = match.end()
            if match[1] or len(out) >= most:
                return out
        # The line end of one boundary may be the one before the next.
        hit = body.find(needle, hit + 1 if match is None else start - 1)
        found = hit >= 0
    if start >= 0:
        out.append(body[start:])
    return out
