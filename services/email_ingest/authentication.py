"""What our own receiving server says about a mail's sender (Authentication-Results, RFC 8601). It judges nothing itself.

Anybody can write such a header into a mail. One counts only if its authserv-id is ours, and of those the topmost: ours is
added last, above what came in.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

from email_ingest.addresses import Mailbox, plain
from email_ingest.charsets import guess, one_line

MAX_RESULTS = 50
_RESULT = re.compile(r"\s*([A-Za-z][A-Za-z0-9-]{0,40})(?:\s*/\s*\d{1,3})?\s*=\s*([A-Za-z]{1,20})")
_HEADER_FROM = re.compile(r"\bheader\.from\s*=\s*\"?([^\s\";]{1,320})")


class Verdict(NamedTuple):
    """Method to result ("dmarc" to "pass"), and the domain that DMARC was asked about, "" where it is not said."""

    results: dict[str, str]
    header_from: str


NONE = Verdict({}, "")


def verdict(values: Iterable[bytes], ours: frozenset[str]) -> Verdict:
    """That of the topmost header whose authserv-id is one of ours, compared without case."""
    for value in values:
        first, *rest = _without_comments(one_line(guess(value))).split(";")[: MAX_RESULTS + 1]
        if "=" in first:  # Microsoft 365 writes no id at all; the setting names it by an empty string
            first, rest = "", [first, *rest]
        name = (first.split() or [""])[0]
        if name.casefold() in ours:
            return _results(rest)
    return NONE


def _results(items: list[str]) -> Verdict:
    results: dict[str, str] = {}
    header_from = ""
    for item in items:
        match = _RESULT.match(item)
        if match is None:
            continue
        method, result = match[1].lower(), match[2].lower()
        if results.get(method, result) != result and method == "dmarc":
            result = "conflict"
        if method == "dmarc":
            domain = _HEADER_FROM.search(item)
            header_from = domain[1] if domain else header_from
        if results.get(method) != "pass" or result == "conflict":
            results[method] = result
    return Verdict(results, header_from)


def _without_comments(text: str) -> str:
    """The text without `( … )`, nested ones too, and without the quoted strings a parenthesis could hide in."""
    out, depth, quoted = [], 0, False
    for char in text:
        if char == '"' and not depth:
            quoted = not quoted
        elif quoted:
            continue
        elif char == "(":
            depth += 1
        elif char == ")":
            depth = max(depth - 1, 0)
        elif not depth:
            out.append(char)
    return "".join(out)


def proves(given: Verdict, sender: Mailbox) -> bool:
    """Whether DMARC (RFC 7489) vouches for this sender: it passed, for the domain of the one address From can mean."""
    if given.results.get("dmarc") != "pass" or not sender.sound or not plain(sender.address):
        return False
    domain = sender.address.rpartition("@")[2].rstrip(".").lower()
    about = given.header_from.rpartition("@")[2].rstrip(".").lower()
    return not about or about == domain
