"""The corpus of mails, and how the tests read it."""

from datetime import datetime
from pathlib import Path

from email_ingest.mime import Delivery, Mailstore, events
from onethread.event import Event, Message

FOLDER = Path(__file__).parents[2] / "fixtures" / "mail"
NAMES = sorted(path.stem for path in FOLDER.glob("*.eml"))
STORE = Mailstore(
    "support@shop.example",
    addresses=frozenset({"help@shop.example"}),
    authserv_ids=frozenset({"mx.shop.example"}),
)


def raw(name: str) -> bytes:
    return (FOLDER / f"{name}.eml").read_bytes()


def read(data: bytes, *, sent: bool = False, internal_date: datetime | None = None) -> tuple[Event, ...]:
    return events(data, STORE, Delivery(sent=sent, internal_date=internal_date))


def event(name: str) -> Event:
    (only,) = read(raw(name))
    return only


def message(name: str) -> Message:
    fact = event(name).fact
    assert isinstance(fact, Message)
    return fact


def message_of(data: bytes) -> Message:
    (only,) = read(data)
    assert isinstance(only.fact, Message)
    return only.fact


def evidence(name: str) -> tuple[str, str]:
    claim = event(name).sender.claims[0]
    return claim.value, claim.evidence


def mail(body: str | bytes = "Hello\n", **headers: str) -> bytes:
    """A small mail; underscores in header names stand for hyphens."""
    given = {"From": "mia@example.com", "Message_ID": "<m@example.com>", **headers}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in given.items())
    return head.encode() + b"\r\n" + (body.encode() if isinstance(body, str) else body)


def unparsed(found: tuple[Event, ...]) -> bool:
    """Whether the last resort was needed: that would be a bug."""
    return any(isinstance(one.fact, Message) and one.fact.degraded.startswith("not parsed") for one in found)
