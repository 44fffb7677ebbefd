"""The one parser of mail addresses. It knows RFC 5322 address lists, and nothing of who they belong to. Pure, linear.

Identity rests on what this module returns, so it is strict where others guess: for `a@good.example <b@evil.example>` some
parsers return the decoy. Whatever can be read in two ways is returned with `sound` False and must never count as verified.
"""

from typing import NamedTuple

from email_ingest.charsets import guess, one_line
from email_ingest.headers import decode_words

MAX_MAILBOXES = 500
MAX_COMMENTS = 50
MAX_NAME = 300
_LOCAL_FORBIDDEN = frozenset(' \t<>()[],;:"\\@')


class Mailbox(NamedTuple):
    """One address with its display name. `address` "" where there is none; `sound` False where two readings exist."""

    address: str
    name: str
    sound: bool


def mailboxes(value: bytes) -> tuple[Mailbox, ...]:
    """The addresses of a header, groups flattened, `MAX_MAILBOXES` at most."""
    return _Scanner(guess(value)).run()


class _Scanner:
    """One pass, character by character, so that no input can make it look twice."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.out: list[Mailbox] = []
        self.reset()

    def reset(self) -> None:
        self.phrase: list[str] = []
        self.bare: list[str] = []
        self.comment: list[str] = []
        self.angle: list[str] = []
        self.angles = 0
        self.sound = True

    def run(self) -> tuple[Mailbox, ...]:
        state, depth, escaped = "phrase", 0, False
        for char in self.text:
            if escaped:
                self.take(char, state, literal=True)
                escaped = False
            elif char == "\\" and state in ("quoted", "comment"):
                escaped = True
            elif state == "quoted":
                state = "phrase" if char == '"' else self.take(char, state, literal=True)
            elif state == "comment":
                depth += (char == "(") - (char == ")")
                state = self.take(char, state, literal=False) if 0 < depth <= MAX_COMMENTS else "phrase"
            elif state == "angle":
                state = "phrase" if char == ">" else self.take(char, state, literal=False)
            else:
                state = self.outside(char)
                depth = int(state == "comment")
            if len(self.out) >= MAX_MAILBOXES:
                return tuple(self.out)
        self.sound = self.sound and state == "phrase"
        self.flush()
        return tuple(self.out[:MAX_MAILBOXES])

    def take(self, char: str, state: str, *, literal: bool) -> str:
        """Keep a character where it belongs; the state stays."""
        if state == "angle":
            self.angle.append(char)
        elif state == "comment":
            self.comment.append(char)
        else:
            self.phrase.append(char)
            if not literal:
                self.bare.append(char)
        return state

    def outside(self, char: str) -> str:
        """A character of a phrase; the state that follows."""
        match char:
            case '"':
                self.bare.append(char)
                return "quoted"
            case "(":
                self.comment.append(" ")
                return "comment"
            case "<":
                self.angles += 1
                self.sound = self.sound and self.angles == 1
                self.angle = []
                return "angle"
            case "," | ";":
                self.flush()
            case ":" if "@" not in self.bare and not self.angles:
                self.reset()  # the name of a group
            case _:
                self.sound = self.sound and (not self.angles or char.isspace())
                self.take(char, "phrase", literal=False)
        return "phrase"

    def flush(self) -> None:
        """One mailbox ended."""
        phrase, bare, comment = "".join(self.phrase).strip(), "".join(self.bare).strip(), "".join(self.comment).strip()
        if self.angles:
            sound = self.sound and "@" not in bare
            self.out.append(_found("".join(self.angle).strip(), phrase or comment, sound=sound))
        elif phrase or bare:
            self.out.append(_bare(bare, phrase, comment, sound=self.sound))
        self.reset()


def _bare(bare: str, phrase: str, comment: str, *, sound: bool) -> Mailbox:
    """A mailbox without angle brackets."""
    if valid(bare):
        return _found(bare, comment, sound=sound)
    # `Mia Lang mia@example.com`: read it if there is one address only, and trust nothing.
    likely = [word for word in bare.split() if valid(word)]
    if len(likely) == 1 and bare.count("@") == 1:
        return _found(likely[0], bare.replace(likely[0], ""), sound=False)
    return _found("", phrase or comment, sound=False)


def _found(address: str, name: str, *, sound: bool) -> Mailbox:
    address = one_line(address).removeprefix("mailto:")
    if not valid(address):
        address, sound = "", False
    name = decode_words(name)[:MAX_NAME].strip(" \"'")
    if "@" in name and address and name.casefold() != address.casefold():
        name = ""  # another address in the place of a name is a decoy
    return Mailbox(address, "" if name.casefold() == address.casefold() else name, sound)


def valid(address: str) -> bool:
    """Whether this is one plain `local@domain`. No quoted local parts, routes or white space: each has two readings."""
    local, at, domain = address.partition("@")
    if not at or not 0 < len(local) <= 128 or not 0 < len(domain) <= 255:  # RFC 5321: 64, mail has more; 255
        return False
    if any(char in _LOCAL_FORBIDDEN or not char.isprintable() for char in local) or "=?" in local:
        return False
    if domain.startswith("[") and domain.endswith("]"):
        return all(char in "0123456789abcdefABCDEF.:IPv" for char in domain[1:-1])
    labels = domain.removesuffix(".").split(".")
    return all(0 < len(label) <= 63 and all(_domain_char(char) for char in label) for label in labels)  # RFC 1035


def _domain_char(char: str) -> bool:
    return char in "-_" or char.isalnum()


def plain(address: str) -> bool:
    """Whether the address has one spelling only: ASCII. Others may be folded into a look-alike on the way."""
    return address.isascii()


def split_plus(address: str) -> tuple[str, str]:
    """The address without its `+…`, and what followed the plus sign."""
    local, _, domain = address.rpartition("@")
    base, _, extra = local.partition("+")
    return f"{base}@{domain}", extra
