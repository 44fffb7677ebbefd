"""What customers of a shop say over three entrances, and how the shop's connectors understand it."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from acme_ingest.connectors.acme.connector import Acme
from acme_ingest.connectors.acme_poll.connector import AcmePoll
from acme_ingest.connectors.acme_stream.connector import AcmeStream

from onethread.connector import Poison, Raw
from onethread.envelope import event_id
from onethread.event import (
    Body,
    Claim,
    EntriesMove,
    Event,
    LinkEnd,
    LinkSet,
    Message,
    MessageEdited,
    Party,
    Place,
    Quote,
)
from onethread.identity import canonicalised
from unifier.policy import HOUR, Policies, Policy

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
ACCOUNT = "shop1"
POLICIES = Policies(Policy(window=6 * HOUR))
PHONE = "+15550100"


class Item(msgspec.Struct, omit_defaults=True):
    """One record of the provider. `minutes` after the start; `quotes`: the id of another."""

    id: str
    minutes: int
    user: str
    text: str = ""
    type: str = "message"
    quotes: str = ""
    phone: str = ""
    name: str = ""


HOOKED = (
    (Item("w1", 0, "mia", "The kettle no longer heats."),),
    (Item("w2", 5, "mia", "The steel one.", quotes="w1"), Item("w3", 6, "tom", "Where is my order?")),
    (Item("w1", 7, "mia", "The kettle does not heat any longer.", type="edit"),),
    (Item("w4", 8, "mia", type="poison"), Item("w5", 60 * 24, "mia", "Long story. " * 8000, name="Mia Lang")),
)
"""By delivery. The first three are threaded before the others come."""
FIRST_ACT = 3
POLLED = (
    Item("p1", 1, "ann", "Do you ship to Norway?"),
    Item("p2", 20, "mia2", "Hello again", phone=PHONE),
    Item("p3", 60 * 48, "ann", "And to Sweden?"),
)
STREAMED = (
    Item("s1", 40, "zoe", "It is urgent", phone=PHONE),
    Item("s2", 41, "zoe", "Please call.", quotes="s1"),
)


def events_of(raw: Raw) -> Iterable[Event]:
    item = msgspec.json.decode(raw.data, type=Item)
    if item.type == "poison":
        raise Poison("a record that nobody can read")
    claims = [Claim("acme_user", item.user, scope=ACCOUNT)]
    if item.phone:
        claims.append(Claim("phone", item.phone, evidence="own_contact"))
    body = Body(text=item.text)
    fact: Message | MessageEdited = Message(body=body, quote=Quote(external_id=item.quotes) if item.quotes else None)
    if item.type == "edit":
        fact = MessageEdited(body=body)
    yield Event(
        item.id,
        fact,
        revision="2" if item.type == "edit" else "",
        external_thread_id=f"chat-{item.user}",
        place=Place(id=f"chat-{item.user}", kind="direct"),
        sender=Party(claims=tuple(claims), name=item.name or item.user.title()),
        received_at=START + timedelta(minutes=item.minutes),
    )


class Hooked(Acme):
    def normalize(self, raw: Raw) -> Iterable[Event]:
        return events_of(raw)


class Polled(AcmePoll):
    def normalize(self, raw: Raw) -> Iterable[Event]:
        return events_of(raw)


class Streamed(AcmeStream):
    def normalize(self, raw: Raw) -> Iterable[Event]:
        return events_of(raw)


def commands(tenant: str) -> list[Event]:
    """What persons command: two customers are one, a message goes elsewhere, two are kept apart."""
    mia, zoe, ann = (
        LinkEnd(claim=canonicalised(Claim("acme_user", name, scope=ACCOUNT))) for name in ("mia", "zoe", "ann")
    )
    at = START + timedelta(days=3)
    facts = [
        LinkSet(ends=(mia, zoe), state="together", at=at),
        EntriesMove(entry_ids=(message_id(tenant, "w5"),), to=message_id(tenant, "p1"), at=at),
        LinkSet(ends=(zoe, ann), state="apart", at=at),
    ]
    return [_command(tenant, fact, f"command-{number}", at) for number, fact in enumerate(facts)]


def _command(tenant: str, fact: LinkSet | EntriesMove, name: str, at: datetime) -> Event:
    event = Event(name, fact, received_at=at, ingested_at=at, tenant=tenant, network="onethread", account="commands")
    return msgspec.structs.replace(event, id=event_id(tenant, "onethread", "commands", event.kind, name))


def message_id(tenant: str, external_id: str) -> str:
    """As the host stamps it."""
    return event_id(tenant, "acme", ACCOUNT, "message", external_id)


def expected(tenant: str) -> set[str]:
    """The ids of all events that are to be stored."""
    items = [*(item for delivery in HOOKED for item in delivery), *POLLED, *STREAMED]
    said = {message_id(tenant, item.id) for item in items if item.type == "message"}
    return said | {event_id(tenant, "acme", ACCOUNT, "message.edited", "w1", "2")}
