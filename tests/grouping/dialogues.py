"""Generated dialogues: what people said, in terms of the rules alone. It makes the events; it knows no unifier code."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import msgspec

from onethread.envelope import event_id
from onethread.event import (
    Body,
    Claim,
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

WINDOW_HOURS = 6
START = datetime(2026, 1, 5, tzinfo=UTC)
US = Party(claims=(Claim("email", "desk@example.com", canonical="desk@example.com"),), is_us=True)


@dataclass(frozen=True)
class Said:
    """One message, edit or reaction. `number` names it; `minutes` since START; addresses are `type:value`.

    `place`: mail, chat (direct), post (opens its own thread, or is a comment in another's), group. `quotes`: the number of
    another message of its account, which may never come. `about`: the number of the message it edits or reacts to.
    `also`: a further claim of the author and its evidence.
    """

    number: int
    place: str
    minutes: int
    author: str
    others: tuple[str, ...] = ()
    outbound: bool = False
    thread: str = ""
    references: tuple[int, ...] = ()
    quotes: int | None = None
    about: int | None = None
    reaction: bool = False
    also: tuple[str, str] | None = None
    automatic: bool = False

    @property
    def own(self) -> str:
        """The customer's side."""
        return self.others[0] if self.outbound and self.others else "" if self.outbound else self.author


@dataclass(frozen=True)
class Word:
    """A person's word on two addresses. `order` tells the later of two."""

    ends: tuple[str, str]
    state: str
    order: int


@dataclass(frozen=True)
class Dialogue:
    """A set of facts; any order of delivery must give the same grouping."""

    said: tuple[Said, ...]
    words: tuple[Word, ...] = field(default=())


def dialogue(seed: int) -> Dialogue:
    """A dialogue of a few people over a few channels, rich in edge cases of the rules."""
    chance = random.Random(seed)
    people = [
        [f"email:p{n}@example.com", f"phone:+1555010{n}", f"telegram_user:{n}"]
        for n in range(chance.choice((1, 2, 2, 3)))
    ]
    said: list[Said] = []
    for number in range(chance.randint(4, 16)):
        said.append(_say(chance, number, people, said))
    words = tuple(
        Word((first, second), chance.choice(("together", "apart", "auto")), order)
        for order in range(chance.choice((0, 0, 1, 2, 3)))
        for first, second in [chance.sample([address for person in people for address in person], 2)]
    )
    return Dialogue(tuple(said), words)


def encounter(seed: int) -> Dialogue:
    """A few messages of one person with two or three addresses, about to be linked or kept apart: dense in races."""
    chance = random.Random(f"encounter {seed}")
    addresses = ["email:p0@example.com", "phone:+15550100", "telegram_user:0"][: chance.choice((2, 2, 3))]
    said = []
    for number in range(chance.randint(2, 5)):
        author = chance.choice(addresses)
        place = "mail" if author.startswith("email") else "chat"
        minutes = chance.choice((0, 60, 300, 420, 780))
        other = chance.choice([one for one in addresses if one != author])
        also = (other, chance.choice(("own_contact", "own_contact", "profile"))) if chance.random() < 0.4 else None
        thread = f"chat-{author}" if place == "chat" else ""
        said.append(Said(number, place, minutes, author, thread=thread, also=also))
    pair = chance.sample(addresses, 2)
    states = chance.choice(
        ((), ("together",), ("apart",), ("together", "apart"), ("apart", "auto"), ("apart", "together"))
    )
    return Dialogue(tuple(said), tuple(Word((pair[0], pair[1]), state, order) for order, state in enumerate(states)))


def _say(chance: random.Random, number: int, people: list[list[str]], before: list[Said]) -> Said:
    person = chance.choice(people)
    minutes = chance.randrange(0, 40 * 60, 60)  # whole hours, so that gaps of exactly the window come up
    place = chance.choice(("mail", "mail", "chat", "chat", "chat", "post", "group"))
    author = {"mail": person[0], "chat": chance.choice(person[1:]), "post": person[2], "group": person[2]}[place]
    earlier = [other.number for other in before if other.place == place]
    unseen = 900 + chance.randrange(3)  # a message that never comes
    names = chance.choice([*earlier, unseen]) if chance.random() < 0.4 else None
    if earlier and names is not None and chance.random() < 0.35:
        return Said(number, place, minutes, author, about=names, reaction=chance.random() < 0.5)
    also = None
    if place == "chat" and chance.random() < 0.2:
        also = (chance.choice(person), chance.choice(("own_contact", "own_contact", "profile")))
        also = None if also[0] == author else also
    extra = tuple(
        chance.sample(
            [one[0] for one in people if one is not person], chance.choice((0, 0, 1)) if len(people) > 1 else 0
        )
    )
    base = Said(number, place, minutes, author, also=also, automatic=chance.random() < 0.07)
    outbound = chance.random() < 0.25
    match place:
        case "mail":
            references = tuple(
                dict.fromkeys(one for one in (names, *chance.sample(earlier, min(len(earlier), 1))) if one is not None)
            )
            chosen = {"references": references if names is not None else ()}
            if outbound:
                return _changed(base, outbound=True, author="us", others=(author, *extra), also=None, **chosen)
            return _changed(base, others=extra, **chosen)
        case "chat":
            chat = _changed(base, thread=f"chat-{author}", quotes=names)
            return _changed(chat, outbound=True, author="us", others=(author,), also=None) if outbound else chat
        case "post":
            fresh = names is None
            return _changed(base, thread=str(number) if fresh else "", quotes=names)
        case _:
            return _changed(base, thread=f"room-{chance.randrange(2)}", quotes=names)


def _changed(said: Said, **changes: object) -> Said:
    return replace(said, **changes)  # type: ignore[arg-type]


# --- as events -------------------------------------------------------------------------------------------------------

NETWORKS = {"mail": "email", "chat": "im", "post": "social", "group": "im"}


def external_id(number: int, place: str) -> str:
    """The provider's id."""
    return f"m{number}@example.com" if place == "mail" else f"{place}-{number}" if place != "post" else str(number)


def claim(address: str, evidence: str = "provider") -> Claim:
    """The claim of an address."""
    kind, _, value = address.partition(":")
    return Claim(kind, value, evidence=evidence, canonical=value)


def events(one: Dialogue, tenant: str) -> Iterator[Event]:
    """Every fact as the event a connector would have made of it."""
    for said in one.said:
        yield _event(said, tenant)
    for word in one.words:
        at = START + timedelta(minutes=word.order)
        ends = (LinkEnd(claim=claim(word.ends[0])), LinkEnd(claim=claim(word.ends[1])))
        fact = LinkSet(ends=ends, state=word.state, at=at)  # type: ignore[arg-type]
        event = Event(f"word-{word.order}", fact, received_at=at, ingested_at=at)
        yield _finished(event, tenant, "api", "")


def _party(address: str) -> Party:
    return US if address == "us" else Party(claims=(claim(address),))


def _event(said: Said, tenant: str) -> Event:
    at = START + timedelta(minutes=said.minutes)
    author = _party(said.author)
    if said.also:
        author = msgspec.structs.replace(author, claims=(*author.claims, claim(*said.also)))
    kinds = {"mail": "mailbox", "chat": "direct", "post": "post", "group": "group"}
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
        place=Place(id=said.thread, kind=kinds[said.place]),  # type: ignore[arg-type]
        direction="outbound" if said.outbound else "inbound",
        sender=author,
        recipients=tuple(_party(address) for address in said.others)
        if said.outbound
        else (US, *map(_party, said.others)),
        received_at=at,
        ingested_at=at,
    )
    return _finished(event, tenant, NETWORKS[said.place], said.place)


def _finished(event: Event, tenant: str, network: str, account: str) -> Event:
    identifier = event_id(tenant, network, account, event.kind, event.external_id, event.revision)
    return msgspec.structs.replace(
        event, id=identifier, tenant=tenant, channel_id=f"chn_{account}", network=network, account=account
    )
