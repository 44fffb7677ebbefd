"""Small documents for the contract of the conversation store: only what a test names differs from one to the next."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from onethread.event import Body, Claim, Event, Message, Party, Source
from unifier.links import Evidence, Identity, LinkWish
from unifier.model import Entry, Head, Placement

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
MILLISECONDS = int(NOON.timestamp() * 1000)


def event(name: str, text: str = "Hello", **fields: Any) -> Event:
    """A message with its source."""
    return Event(
        external_id=name,
        fact=Message(body=Body(text=text)),
        sender=Party(claims=(Claim("email", "mia@example.com", canonical="mia@example.com"),), name="Mia Lang"),
        received_at=NOON + timedelta(microseconds=123_000),
        source=Source(text='{"raw": "' + text + '"}'),
        **fields,
    )


def entry(strand: str, seq: int, name: str = "", *, at: int | None = None, **fields: Any) -> Entry:
    """An entry of a strand; its id is made of strand and seq where no `name` is given."""
    tenant, plain = strand.split("/")
    name = name or f"{plain.removeprefix('cnv_')}_{seq}"
    given: dict[str, Any] = {"kind": "message", "event": event(name), "placement": Placement(rule="opened")} | fields
    return Entry(
        id=f"{tenant}/evt_{name}",
        strand=strand,
        seq=seq,
        at=MILLISECONDS + seq if at is None else at,
        own=f"{tenant}/idn_mia",
        **given,
    )


def lean(one: Entry) -> Entry:
    """The entry as all reads but `whole` give it: without its source."""
    if one.event is None:
        return one
    return msgspec.structs.replace(one, event=msgspec.structs.replace(one.event, source=None))


def head(strand: str, through: int, **fields: Any) -> Head:
    """A head with messages, its own root."""
    given: dict[str, Any] = {
        "root": strand,
        "message_count": through,
        "talk_count": through,
        "last_at": MILLISECONDS + through,
    } | fields
    return Head(id=strand, through=through, **given)


def identity(tenant: str, name: str, **fields: Any) -> Identity:
    """An identity that is its own customer."""
    one = f"{tenant}/idn_{name}"
    given: dict[str, Any] = {"customer": one, "since": MILLISECONDS} | fields
    return Identity(id=one, type="email", scope="", value=f"{name}@example.com", **given)


def wish(tenant: str, one: str, other: str, rule: str = "shared_reference", **fields: Any) -> LinkWish:
    """A link between two strands, by the names of its ends, for one reason."""
    low, high = sorted((f"{tenant}/cnv_{one}", f"{tenant}/cnv_{other}"))
    return LinkWish(f"{tenant}/lnk_{one}_{other}", "strand", (low, high), Evidence(rule=rule, **fields))


async def fill(insert: Any, strand: str, count: int, **fields: Any) -> list[Entry]:
    """A strand of so many entries, inserted."""
    entries = [entry(strand, seq, **fields) for seq in range(1, count + 1)]
    outcomes = await insert(entries)
    assert all(outcome.result == "inserted" for outcome in outcomes), outcomes
    return entries
