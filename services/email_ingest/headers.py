"""Header values: encoded words, parameters, Message-IDs, dates. It knows RFC 2047, 2231 and 5322, and no header's meaning.

The stdlib's header classes raise on some real mails and stall on hostile ones, so this is our own, linear and without
exceptions. Pure.
"""

import binascii
import re
from datetime import UTC, datetime
from email.utils import parsedate_tz
from urllib.parse import unquote_to_bytes

from email_ingest.charsets import decode, guess, one_line

MAX_PARAMETERS = 100
MAX_IDENTIFIERS = 50
"""Of a References header the oldest and the newest 49 are kept: each costs the unifier a key."""
MAX_IDENTIFIER = 500
"""Characters of a Message-ID; RFC 5322 allows a line of 998, nobody uses them."""

_WORD = re.compile(r"=\?([^?\s*]{1,64})(?:\*[^?\s]{0,64})?\?([bBqQ])\?([^?]*)\?=")
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def words(value: bytes) -> str:
    """A header value as text for people, on one line. Raw 8-bit bytes and encoded words are both decoded."""
    return decode_words(guess(value))


def decode_words(text: str) -> str:
    """The text with its encoded words (RFC 2047) decoded.

    Neighbours in one charset are joined before they are decoded, since senders split them inside a character.
    """
    out: list[str] = []
    pending, charset, end = b"", "", 0
    for match in _WORD.finditer(text):
        gap = text[end : match.start()]
        name = match[1].lower()
        if pending and (gap.strip() or name != charset):
            out.append(decode(pending, charset))
            pending = b""
        if gap.strip() or not end:
            out.append(gap)
        pending += _word_bytes(match[2], match[3])
        charset, end = name, match.end()
    if pending:
        out.append(decode(pending, charset))
    out.append(text[end:])
    return one_line("".join(out))


def _word_bytes(encoding: str, text: str) -> bytes:
    raw = text.encode("utf-8", "replace")
    if encoding in "bB":
        return base64(raw)
    return binascii.a2b_qp(raw.replace(b" ", b"_"), header=True)


def base64(data: bytes) -> bytes:
    """The bytes behind base64, as far as it goes: foreign characters, lost padding and a cut end are forgiven."""
    data = data.translate(None, _NOT_BASE64)
    whole = len(data) - (len(data) % 4 == 1)
    return binascii.a2b_base64(data if len(data) % 4 == 0 else data[:whole] + b"=" * (-whole % 4))


def parameters(value: bytes) -> tuple[str, dict[str, bytes]]:
    """What precedes the first `;` in lower case, and the parameters (RFC 2045), continuations (RFC 2231) joined.

    Values are bytes: a boundary is compared as bytes; `parameter_text` makes text of the others.
    """
    first, *rest = _split(value.decode("latin-1"))
    plain: dict[str, bytes] = {}
    pieces: dict[str, dict[int, bytes]] = {}
    for item in rest[:MAX_PARAMETERS]:
        name, equals, content = item.partition("=")
        name = name.strip().lower()
        if equals and name:
            _parameter(name, _unquoted(content.strip()), plain, pieces)
    for name, parts in pieces.items():
        plain[name] = b"".join(parts[index] for index in sorted(parts))
    return first.strip().lower(), plain


def _parameter(name: str, content: str, plain: dict[str, bytes], pieces: dict[str, dict[int, bytes]]) -> None:
    base, star, section = name.partition("*")
    raw = content.encode("latin-1")
    if not star:
        plain.setdefault(base, raw)
        return
    encoded = section.endswith("*") or not section
    index = section.rstrip("*") or "0"
    if not index.isdecimal() or len(index) > 3:  # MAX_PARAMETERS is below 1,000
        return
    if encoded:
        raw = unquote_to_bytes(raw)
        if not int(index) and raw.count(b"'") >= 2:  # charset'language'value
            charset, _, raw = raw.split(b"'", 2)
            pieces.setdefault(base + "*charset", {})[0] = charset
    pieces.setdefault(base, {}).setdefault(int(index), raw)


def parameter_text(given: dict[str, bytes], name: str) -> str:
    """A parameter as one line of text: RFC 2231, RFC 2047 inside quotes, and raw 8-bit bytes all occur."""
    raw = given.get(name, b"")
    charset = given.get(name + "*charset", b"").decode("latin-1")
    return one_line(decode(raw, charset)) if charset else decode_words(guess(raw))


def _split(text: str) -> list[str]:
    """The text cut at `;` outside quotes. Every character is looked at once."""
    out, start, quoted, escaped = [], 0, False, False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\" and quoted:
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif char == ";" and not quoted:
            out.append(text[start:index])
            start = index + 1
            if len(out) > MAX_PARAMETERS:
                break
    out.append(text[start:])
    return out


def _unquoted(text: str) -> str:
    if text[:1] != '"':
        return text
    end = text.rfind('"')
    text = text[1:end] if end > 0 else text[1:]
    return re.sub(r'\\(["\\])', r"\1", text)


def identifiers(*values: bytes) -> tuple[str, ...]:
    """The Message-IDs in some headers, without `<>`, in order, each once; wrong folding and phrases are forgiven."""
    found: dict[str, None] = {}
    for value in values:
        text = guess(value)
        if "<" in text:
            listed = [piece.partition(">")[0] for piece in text.split("<")[1:]]
        else:
            listed = [word for word in text.split() if "@" in word]
        for item in listed:
            name = "".join(one_line(item).split())
            if 0 < len(name) <= MAX_IDENTIFIER:
                found[name] = None
    names = tuple(found)
    return names if len(names) <= MAX_IDENTIFIERS else (names[0], *names[1 - MAX_IDENTIFIERS :])


def identifier(value: bytes) -> str:
    """The one Message-ID of a header, its case kept; "" where there is none."""
    text = one_line(guess(value))
    inside = text.partition("<")[2].partition(">")[0] if "<" in text else text.partition(" ")[0]
    name = "".join(inside.split())
    return name if len(name) <= MAX_IDENTIFIER else ""


def date(value: bytes) -> datetime | None:
    """A date (RFC 5322, with the usual deviations) in UTC; None for what is none or out of all reason."""
    text = one_line(guess(value[:200]))
    try:
        parsed = parsedate_tz(text)
        if parsed is None:
            return None
        moment = datetime(*parsed[:6], tzinfo=UTC).timestamp() - (parsed[9] or 0)
        found = datetime.fromtimestamp(moment, UTC)
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
    return found if 1970 <= found.year <= 2200 else None  # before mail, after everybody
