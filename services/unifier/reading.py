"""One event as the unifier reads it: who, when, which keys it names, whether it is free. Pure; it decides nothing.

The names of key documents are made here and nowhere else:
    <tenant>/id/<h>             a message that is named before it is stored, and a message's other ids
    <tenant>/acc_<h>/thread/<h> a provider's thread, owned by our account there
    <tenant>/idn_<h>/mid/<h>    a Message-ID, owned by each party of a mail that is not us
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from onethread.envelope import event_id
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
    MessageCompleted,
    MessageDeleted,
    MessageEdited,
    MessageHidden,
    MessageRestored,
    MessageShown,
    Party,
    Postback,
    Rating,
    ReactionAdded,
    ReactionRemoved,
    Receipt,
    ThreadLinked,
    Unknown,
)
from onethread.identity import digest, identity_id
from unifier.model import ClockId, Matched, scoped
from unifier.policy import Policy

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)

MAX_ADDRESSED = 10
"""Over so many addressed parties only the author owns a mail's keys."""
MAX_REFERENCES = 50
"""Message-IDs read of one mail: its own, its parent's, the newest references and the first."""

Role = Literal["entry", "about", "fact", "command", "ignored"]


class Naming(NamedTuple):
    """Something an event says it belongs to: `key` names the strand, or `entry` is the message itself, if it is stored."""

    rule: str
    matched: Matched
    key: str
    entry: str = ""


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
    target = _target(event)
    named = tuple(_named(event, target, own))
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
        known_as=tuple(_known_as(event, own)),
        claims=tuple(_claims(event, parties)),
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

_ABOUT_ITSELF = (MessageEdited, MessageCompleted, MessageDeleted, MessageRestored, MessageHidden, MessageShown)
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


def _target(event: Event) -> str:
    fact = event.fact
    if isinstance(fact, _ABOUT_ITSELF):
        return _message(event, event.external_id)
    if isinstance(fact, ReactionAdded | ReactionRemoved | Receipt | Postback | Rating) and fact.target:
        return _message(event, fact.target)
    if isinstance(fact, Receipt) and fact.until_id:
        return _message(event, fact.until_id)
    return ""


def _message(event: Event, external_id: str) -> str:
    return scoped(event.tenant, event_id(event.tenant, event.network, event.account, "message", external_id))


# --- keys ----------------------------------------------------------------------------------------------------------


def _id_key(message: str) -> str:
    tenant, _, plain = message.partition("/")
    return f"{tenant}/id/{plain.removeprefix('evt_')}"


def _thread_key(event: Event, thread: str) -> str:
    return f"{event.tenant}/acc_{digest(event.network, event.account)}/thread/{digest(thread)}"


def mail_key(owner: str, message_id: str) -> str:
    """The key under which a party of a mail finds it."""
    return f"{owner}/mid/{digest(message_id)}"


def _has_thread(event: Event) -> bool:
    return bool(event.external_thread_id) and event.place.kind != "direct"


def _references(event: Event) -> tuple[str, ...]:
    """The Message-IDs a mail names, nearest first."""
    fact = event.fact
    if not isinstance(fact, Content):
        return ()
    newest_first = tuple(reversed(fact.references))
    named = (*fact.in_reply_to, *newest_first[: MAX_REFERENCES - 1], *newest_first[-1:])
    return tuple(dict.fromkeys(name for name in named if name))


def _named(event: Event, target: str, own: str) -> Iterator[Naming]:
    if _has_thread(event):
        thread = event.external_thread_id
        yield Naming("thread", Matched(type="thread", value=thread), _thread_key(event, thread))
    if event.answers:
        answered = scoped(event.tenant, event.answers)
        yield Naming("reply_token", Matched(type="token", entry_id=answered), _id_key(answered), answered)
    if target:
        yield Naming("named", Matched(type="event", entry_id=target), _id_key(target), target)
    fact = event.fact
    if isinstance(fact, Content) and fact.quote and fact.quote.external_id:
        quoted = _message(event, fact.quote.external_id)
        yield Naming("named", Matched(type="event", entry_id=quoted), _id_key(quoted), quoted)
    if own:
        for name in _references(event):
            yield Naming("shared_reference", Matched(type="message_id", value=name), mail_key(own, name))


def own_keys(reading: Reading) -> Iterator[str]:
    """The keys by which others name this message: they go with it when a person moves it."""
    fact = reading.event.fact
    if isinstance(fact, Message):
        yield from (key for key in _own_ids(reading.event, fact) if key != _id_key(reading.id))
        if reading.event.network == "email":
            yield from (mail_key(party, reading.event.external_id) for party in reading.parties)


def _known_as(event: Event, own: str) -> Iterator[Naming]:
    """Where a reply that came first may have left word of it."""
    fact = event.fact
    if not isinstance(fact, Message):
        return
    for key in _own_ids(event, fact):
        yield Naming("named", Matched(type="event", value="own id"), key)
    if own and event.network == "email":
        matched = Matched(type="message_id", value=event.external_id)
        yield Naming("shared_reference", matched, mail_key(own, event.external_id))


def _own_ids(event: Event, fact: Message) -> Iterator[str]:
    yield _id_key(scoped(event.tenant, event.id))
    for alias in fact.aliases:
        yield _id_key(_message(event, alias))
    if event.revision and event.direction == "outbound":
        # A receipt names our mail by its Message-ID alone; its event id also covers the digest that tells copies apart.
        yield _id_key(_message(event, event.external_id))


def _claims(event: Event, parties: tuple[str, ...]) -> Iterator[str]:
    fact = event.fact
    if _has_thread(event):
        yield _thread_key(event, event.external_thread_id)
    if isinstance(fact, ThreadLinked):
        yield _thread_key(event, fact.thread)
    if isinstance(fact, Message):
        # Its own id needs no key: who looks for it finds the entry. Other ids do.
        yield from (key for key in _own_ids(event, fact) if key != _id_key(scoped(event.tenant, event.id)))
        if event.network == "email":
            for name in (event.external_id, *_references(event)):
                yield from (mail_key(party, name) for party in parties)


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
