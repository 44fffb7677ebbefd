"""Finished chat messages, as a connector's host leaves them in the log: which customer writes when. It knows no unifier."""

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache

import msgspec

from onethread.envelope import draft, event_id
from onethread.event import Body, Claim, Event, Message, Party, Place, Source
from onethread.log.port import Draft

TENANT, NETWORK, ACCOUNT = "acme", "acme", "shop-1"
_START = datetime(2026, 1, 5, 8, tzinfo=UTC)
_TEXT = "The kettle leaks from below. Where can I send it back? "


class Traffic(msgspec.Struct, frozen=True):
    """`messages` a round, `burst` of each customer, written within one batch's length of each other.

    `known`: from the second round on everybody has written before (the steady state); else all are new in each round.
    """

    messages: int
    burst: int = 1
    known: bool = True

    @property
    def customers(self) -> int:
        """Different customers in a round."""
        return self.messages // self.burst

    def drafts(self, number: int) -> list[Draft]:
        """The records of round `number`; rounds are a minute apart, so that each customer's conversation goes on."""
        first = 0 if self.known else number * self.customers
        order = [first + index for index in range(self.customers) for _ in range(self.burst)]
        chance = random.Random(number)
        for begin in range(0, len(order), BLOCK):
            block = order[begin : begin + BLOCK]
            chance.shuffle(block)
            order[begin : begin + BLOCK] = block
        return drafts_of(order, number)


def drafts_of(customers: Iterable[int], number: int) -> list[Draft]:
    """A message of each of these, in this order, in round `number`."""
    start = _START + timedelta(minutes=number)
    return [
        draft(message(customer, f"m{number}-{place}", start + timedelta(milliseconds=place)))
        for place, customer in enumerate(customers)
    ]


BLOCK = 500
"""Messages within which bursts are mixed: the unifier's batch."""


@cache
def customer_name(customer: int) -> str:
    """As the provider calls them."""
    return f"customer-{customer:06d}"


def message(customer: int, name: str, at: datetime) -> Event:
    """A message of 0.9 kB; `name` is what the provider calls it."""
    user = customer_name(customer)
    claim = Claim("acme_user", user, scope=ACCOUNT, evidence="provider", canonical=user)
    text = _TEXT * 3
    record = {"type": "message", "id": name, "at": int(at.timestamp() * 1000), "chat": user, "user": user, "text": text}
    return Event(
        name,
        Message(body=Body(text=text)),
        external_thread_id=f"chat-{user}",
        place=Place(kind="direct"),
        sender=Party(claims=(claim,), name="Mia Lang"),
        received_at=at,
        id=event_id(TENANT, NETWORK, ACCOUNT, "message", name),
        tenant=TENANT,
        channel_id="chn_acme",
        network=NETWORK,
        account=ACCOUNT,
        ingested_at=at + timedelta(milliseconds=200),
        source=Source(text=msgspec.json.encode(record).decode()),
    )
