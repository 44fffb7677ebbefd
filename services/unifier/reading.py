"""One event as the unifier reads it: who, when, which keys it names, whether it is free. Pure; it decides nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from onethread.event import (
    ChannelState,
    Claim,
    Contact,
    ContactSubscribed,
    ContactUnsubscribed,
    Content,
    EntriesMove,
    Event,
    IdentityChanged,
    LinkSet,
    Message,
    Party,
    Receipt,
    Unknown,
)
from onethread.identity import identity_id
from unifier import naming as names
from unifier.model import ClockId, scoped
from unifier.naming import Naming, id_key, mail_key, own_ids, target_of
from unifier.policy import Policy

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

MAX_ADDRESSED = 10
"""Over so many addressed parties only the author owns a mail's keys."""

Role = Literal["entry", "about", "fact", "command", "ignored"]


class Reading(NamedTuple):
    """What the rules need of an event, and nothing else. Ids are scoped; `at` in ms.

    `role`: `entry` goes the way of a message, `about` has a target, `fact` concerns identities only.
    `own`: the customer's side, "" without one. `parties`: everybody but us whose keys the event may claim.
    `named`: what it names, strongest first. `known_as`: keys under which others may have named it before it came.
    `claims`: keys it always claims. `clock`: None where it is on no clock.
    """

    event: Event
    id: str
    tenant: str
    at: int
    role: Role
    own: str
    parties: tuple[str, ...]
    people: tuple[tuple[str, Claim, Party], ...]
    target: str
    named: tuple[Naming, ...]
    known_as: tuple[Naming, ...]
    claims: tuple[str, ...]
    free: bool
    clock: ClockId | None
    policy: Policy

    @property
    def kind(self) -> str:
        """The event's kind."""
        return self.event.kind


def milliseconds(moment: datetime) -> int:
    """Unix milliseconds."""
    return (moment - _EPOCH) // _MILLISECOND


def moment(at: int) -> datetime:
    """The moment of Unix milliseconds."""
    return _EPOCH + timedelta(milliseconds=at)


def read(event: Event, policy: Policy) -> Reading:
    """The reading of a finished event."""
    at = milliseconds(event.received_at) if event.received_at else 0
    own = _identity(event.tenant, customer_party(event))
    people = tuple(_people(event))
    parties = _parties(event, people)
    target = target_of(event)
    named = tuple(names.named(event, target, own))
    role = _role(event, target)
    free = role == "entry" and _is_free(event, named, policy)
    return Reading(
        event=event,
        id=scoped(event.tenant, event.id),
        tenant=event.tenant,
        at=at,
        role=role,
        own=own,
        parties=parties,
        people=people,
        target=target,
        named=named,
        known_as=tuple(names.known_as(event, own)),
        claims=tuple(names.claims(event, parties)),
        free=free,
        clock=ClockId(own, policy.window, at // policy.window, policy.grouping)
        if own and role == "entry" and not _automatic(event)
        else None,
        policy=policy,
    )


# --- people --------------------------------------------------------------------------------------------------------


def customer_party(event: Event) -> Party:
    """The customer's side: the sender inbound, outbound the first recipient who is not us."""
    if event.direction == "inbound":
        return event.sender
    return next((party for party in event.recipients if not party.is_us), Party())


def identity_of(tenant: str, claim: Claim) -> str:
    """The scoped identity id of a claim. Whoever writes once writes again, and is in many places of one event."""
    return _identity_of(tenant, claim.type, claim.value, claim.scope, claim.canonical)


@lru_cache(maxsize=20_000)
def _identity_of(tenant: str, kind: str, value: str, scope: str, canonical: str) -> str:
    return scoped(tenant, identity_id(tenant, Claim(kind, value, scope, canonical=canonical)))


def _identity(tenant: str, party: Party) -> str:
    return identity_of(tenant, party.claims[0]) if party.claims and not party.is_us else ""


def _people(event: Event) -> Iterator[tuple[str, Claim, Party]]:
    """Everybody with an address, us too: they are shown. The sender comes first."""
    for party in (event.sender, *event.recipients):
        if party.claims:
            yield identity_of(event.tenant, party.claims[0]), party.claims[0], party


def _parties(event: Event, people: tuple[tuple[str, Claim, Party], ...]) -> tuple[str, ...]:
    ours = event.direction == "outbound"
    author = people[0][0] if people and event.sender.claims and not event.sender.is_us and not ours else ""
    addressed = [who for who, _, party in people if not party.is_us and party is not event.sender]
    if len(addressed) > MAX_ADDRESSED:
        addressed = []
    return tuple(dict.fromkeys(who for who in (author, *addressed) if who))


# --- roles and targets ---------------------------------------------------------------------------------------------

_FACTS = (Contact, IdentityChanged, ContactSubscribed, ContactUnsubscribed)


def _role(event: Event, target: str) -> Role:
    fact = event.fact
    if isinstance(fact, LinkSet | EntriesMove):
        return "command"
    if isinstance(fact, _FACTS):
        return "fact"
    if isinstance(fact, ChannelState):
        return "ignored"
    if target:
        return "about"
    if isinstance(fact, Unknown) and not (event.sender.claims and event.external_thread_id):
        return "ignored"
    return "entry"


# --- its own keys -------------------------------------------------------------------------------------------------


def own_keys(reading: Reading) -> Iterator[str]:
    """The keys by which others name this message: they go with it when a person moves it."""
    fact = reading.event.fact
    if isinstance(fact, Message):
        yield from (key for key in own_ids(reading.event, fact) if key != id_key(reading.id))
        if reading.event.network == "email":
            yield from (mail_key(party, reading.event.external_id) for party in reading.parties)


# --- free messages -------------------------------------------------------------------------------------------------


def _automatic(event: Event) -> bool:
    """What no person said just now: it neither opens nor keeps open a customer's hours."""
    fact = event.fact
    return isinstance(fact, Receipt) or (isinstance(fact, Content) and bool(fact.auto_submitted))


def _is_free(event: Event, named: tuple[Naming, ...], policy: Policy) -> bool:
    """Whether only the clock says where it belongs: every message of a direct chat, and what names nothing but itself."""
    if event.place.kind in ("direct", "call"):
        return not _automatic(event)
    if policy.grouping == "threads" or _automatic(event):
        return False
    opens_its_thread = event.external_thread_id in ("", event.external_id)
    return opens_its_thread and all(naming.rule == "thread" for naming in named)
