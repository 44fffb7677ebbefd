"""Delivery reports (DSN, RFC 3464) and read receipts (MDN, RFC 8098). It knows their fields, and nothing of events. Pure."""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

from email_ingest.addresses import mailboxes
from email_ingest.charsets import guess, one_line
from email_ingest.headers import identifier, identifiers
from email_ingest.parts import Part, parse
from onethread.event import Failure

MAX_RECIPIENTS = 50
MAX_REPORT_BYTES = 200_000

Status = Literal["sent", "delayed", "delivered", "read", "failed"]
_ACTIONS: dict[str, Status] = {
    "failed": "failed",
    "delayed": "delayed",
    "delivered": "delivered",
    "relayed": "sent",
    "expanded": "delivered",
}


class Report(NamedTuple):
    """What became of one mail for one recipient. `target`: Message-ID of the mail; `recipient`: an address or ""."""

    target: str
    recipient: str
    status: Status
    error: Failure | None = None


def read(root: Part) -> tuple[Report, ...]:
    """The reports in a mail; none for other mail, and for reports that do not say which mail they are about."""
    if root.main_type != "multipart":
        return ()
    for part in root.children:
        if part.media_type in ("message/delivery-status", "message/global-delivery-status"):
            target = _returned_id(root) or next(iter(identifiers(*root.all("in-reply-to"))), "")
            return _each_once(_deliveries(part, target)) if target else ()
        if part.media_type == "message/disposition-notification":
            return tuple(_disposition(part))
    return ()


def _each_once(found: Iterator[Report]) -> tuple[Report, ...]:
    """One report per recipient and status: a second one would have the same id."""
    once: dict[tuple[str, str], Report] = {}
    for report in found:
        once.setdefault((report.recipient, report.status), report)
    return tuple(once.values())


def _returned_id(root: Part) -> str:
    """The Message-ID in the mail, or its header, that a report returns."""
    for part in root.children:
        if part.media_type in ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"):
            return identifier(parse(part.content()[:MAX_REPORT_BYTES]).root.first("message-id"))
    return ""


def _blocks(part: Part) -> Iterator[Part]:
    """The blocks of fields, which blank lines part."""
    for block in re.split(rb"\r?\n[ \t]*\r?\n", part.content()[:MAX_REPORT_BYTES])[: MAX_RECIPIENTS + 1]:
        if block.strip():
            yield parse(block).root


def _deliveries(part: Part, target: str) -> Iterator[Report]:
    for block in _blocks(part):
        status = _ACTIONS.get(_field(block, "action").lower())
        if status is None:
            continue
        recipient = _address(block, "original-recipient") or _address(block, "final-recipient")
        error = None
        if status in ("failed", "delayed"):
            code = _field(block, "status").partition(" ")[0]
            text = _field(block, "diagnostic-code").partition(";")[2].strip() or _field(block, "diagnostic-code")
            permanent = status == "failed" and not code.startswith("4")
            error = Failure(code=code[:20], text=text[:1000], permanent=permanent)
        yield Report(target, recipient, status, error)


def _disposition(part: Part) -> Iterator[Report]:
    for block in _blocks(part):
        target = identifier(block.first("original-message-id"))
        if target:
            kind = _field(block, "disposition").partition(";")[2].strip().lower()
            recipient = _address(block, "original-recipient") or _address(block, "final-recipient")
            yield Report(target, recipient, "read" if kind.startswith("displayed") else "delivered")
            return


def _field(block: Part, name: str) -> str:
    return one_line(guess(block.first(name)))


def _address(block: Part, name: str) -> str:
    """`rfc822; mia@example.com` without its address type."""
    found = mailboxes(_field(block, name).partition(";")[2].encode())
    return found[0].address if found else ""
