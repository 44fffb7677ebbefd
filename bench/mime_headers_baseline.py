"""Headers of a mail by the standard library's classes, for the baseline of `mime`. It knows no body and no event."""

import re
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import Any

from email_ingest.mime import Delivery
from onethread.event import MailFacts

_ID = re.compile(r"<([^<>\s]+)>")


def ids(value: object) -> list[str]:
    """The Message-IDs in a header, each once."""
    return list(dict.fromkeys(_ID.findall(str(value))))


def date(value: Any) -> datetime | None:
    """A Date header in UTC."""
    found = getattr(value, "datetime", None)
    return found.astimezone(UTC) if found and found.tzinfo else found.replace(tzinfo=UTC) if found else None


def received_at(mail: EmailMessage, delivery: Delivery) -> datetime | None:
    """When the last hop had it."""
    if delivery.internal_date or "received" not in mail:
        return delivery.internal_date
    return parsedate_to_datetime(str(mail["received"]).rpartition(";")[2]).astimezone(UTC)


def automatic(mail: EmailMessage, author: Address) -> str:
    """RFC 3834's word, or what programs write instead."""
    said = str(mail.get("auto-submitted", "no")).partition(";")[0].strip().lower()
    if said != "no":
        return said
    if any(name in mail for name in ("x-autoreply", "x-autorespond", "x-auto-reply")):
        return "auto-replied"
    bulk = str(mail.get("precedence", "")).strip().lower() in ("bulk", "junk", "list")
    listed = any(name in mail for name in ("list-id", "list-unsubscribe", "feedback-id", "x-auto-response-suppress"))
    robot = author.username.lower().startswith(("mailer-daemon", "postmaster", "no-reply", "noreply"))
    return "auto-generated" if bulk or listed or robot else ""


def facts(mail: EmailMessage) -> MailFacts:
    """What only mail has."""
    types = [part.get_content_type() for part in mail.walk()]
    calendar = next((part for part in mail.walk() if part.get_content_type() == "text/calendar"), None)
    return MailFacts(
        list_id=str(mail.get("list-id", "")).rpartition("<")[2].partition(">")[0],
        bounce="x-failed-recipients" in mail,
        calendar=str(calendar.get_param("method", "PUBLISH")) if calendar else "",
        spam=str(mail.get("x-spam-flag", "")).lower().startswith("yes"),
        protection="encrypted" if "multipart/encrypted" in types else "signed" if "multipart/signed" in types else "",
    )
