"""Facts as the events that a connector, or the API, would have made of them. It knows the event schema and no unifier code."""

from datetime import UTC, datetime, timedelta

import msgspec
from grouping.facts import Dialogue, Fact, Move, Said, Word

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
    ReactionAdded,
)
from onethread.identity import KNOWN_IDENTITY, identity_id

START = datetime(2026, 1, 5, tzinfo=UTC)
_ON_ITS_WAY = timedelta(seconds=1)
US = Party(claims=(Claim("email", "desk@example.com", canonical="desk@example.com"),), is_us=True)
NETWORKS = {"mail": "email", "chat": "im", "post": "social", "group": "im"}
KINDS = {"mail": "mailbox", "chat": "direct", "post": "post", "group": "group"}


def event_of(fact: Fact, dialogue: Dialogue, tenant: str) -> Event:
    """The event of one fact."""
    match fact:
        case Said():
            return _said(fact, tenant)
        case Word():
            return _word(fact, dialogue, tenant)
        case Move():
            return _move(fact, dialogue, tenant)


def external_id(number: int, place: str) -> str:
    """The provider's id."""
    return f"m{number}@example.com" if place == "mail" else f"{place}-{number}" if place != "post" else str(number)


def claim(address: str, evidence: str = "provider") -> Claim:
    """The claim of an address."""
    kind, _, value = address.partition(":")
    return Claim(kind, value, evidence=evidence, canonical=value)


def further(address: str, evidence: str, tenant: str) -> Claim:
    """A further claim of a party. Where our own token came back it is the identity's id, and says nothing of the address."""
    if evidence != "link_nonce":
        return claim(address, evidence)
    named = identity_id(tenant, claim(address))
    return Claim(KNOWN_IDENTITY, named, evidence=evidence, canonical=named)


def _party(address: str) -> Party:
    return US if address == "us" else Party(claims=(claim(address),))


def _said(said: Said, tenant: str) -> Event:
    at = START + timedelta(minutes=said.minutes)
    author = _party(said.author)
    if said.also:
        author = msgspec.structs.replace(author, claims=(*author.claims, further(*said.also, tenant)))
    about = external_id(said.about, said.place) if said.about is not None else ""
    own = external_id(said.number, said.place)
    fact: Message | MessageEdited | ReactionAdded
    if about and said.reaction:
        fact = ReactionAdded(target=about, symbol="+")
    elif about:
        own, fact = about, MessageEdited(body=Body(text=f"edit {said.number}"))
    else:
        quote = Quote(external_id=external_id(said.quotes, said.place)) if said.quotes is not None else None
        fact = Message(
            body=Body(text=f"text {said.number}"),
            references=tuple(external_id(n, "mail") for n in said.references),
            in_reply_to=tuple(external_id(n, "mail") for n in said.references[-1:]),
            quote=quote,
            auto_submitted="auto-replied" if said.automatic else "",
        )
    event = Event(
        own,
        fact,
        revision=str(said.number) if about else "",
        external_thread_id=said.thread,
        place=Place(id=said.thread, kind=KINDS[said.place]),  # type: ignore[arg-type]
        direction="outbound" if said.outbound else "inbound",
        sender=author,
        recipients=tuple(_party(address) for address in said.others)
        if said.outbound
        else (US, *map(_party, said.others)),
        received_at=at,
        ingested_at=at + _ON_ITS_WAY,
    )
    if said.answers is not None:
        answered = event_id(tenant, NETWORKS["mail"], "mail", "message", external_id(said.answers, "mail"))
        event = msgspec.structs.replace(event, answers=answered)
    return _finished(event, tenant, NETWORKS[said.place], said.place)


def _word(word: Word, dialogue: Dialogue, tenant: str) -> Event:
    at = START + timedelta(minutes=word.order)
    ends = tuple(_end(end, dialogue, tenant) for end in word.ends)
    fact = LinkSet(ends=ends, state=word.state, at=at)  # type: ignore[arg-type]
    return _command(f"word-{word.order}", fact, at, tenant)


def _end(end: str | int, dialogue: Dialogue, tenant: str) -> LinkEnd:
    if isinstance(end, str):
        return LinkEnd(claim=claim(end))
    return LinkEnd(entry_id=_said(dialogue.fact(end), tenant).id)


def _move(move: Move, dialogue: Dialogue, tenant: str) -> Event:
    at = START + timedelta(minutes=move.order)
    ids = tuple(_said(dialogue.fact(number), tenant).id for number in move.numbers)
    to = "" if move.to is None else _said(dialogue.fact(move.to), tenant).id
    return _command(f"move-{move.order}", EntriesMove(entry_ids=ids, at=at, to=to), at, tenant)


def _command(name: str, fact: LinkSet | EntriesMove, at: datetime, tenant: str) -> Event:
    return _finished(Event(name, fact, received_at=at, ingested_at=at), tenant, "api", "")


def _finished(event: Event, tenant: str, network: str, account: str) -> Event:
    identifier = event_id(tenant, network, account, event.kind, event.external_id, event.revision)
    return msgspec.structs.replace(
        event, id=identifier, tenant=tenant, channel_id=f"chn_{account}", network=network, account=account
    )
