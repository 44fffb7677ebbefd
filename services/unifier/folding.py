"""The head of a strand as a fold of its entries, in seq order. Pure: the same entries always give the same head."""

from collections.abc import Iterable

import msgspec

from onethread.event import Content, Message
from unifier.model import EntriesMoved, Entry, Head, Participant

MAX_PARTICIPANTS = 100
"""A head stays small however large a group is; the rest is in the entries."""

TALK = frozenset({"message", "call", "call.recording", "postback", "session.started", "rating"})
"""Kinds that make a conversation active."""
SHOWN = TALK - {"session.started"}
"""Kinds one of which makes a conversation that is listed: who only opened a chat has said nothing yet."""


def talks(entry: Entry) -> bool:
    """Whether it makes a conversation that is listed; that the file of a recording has come is nothing new said."""
    return entry.kind in SHOWN and not (entry.kind == "call.recording" and entry.target)


def fold(head: Head | None, strand: str, entries: Iterable[Entry]) -> Head:
    """The head after `entries`, which must follow its `through` without a gap."""
    folded = head or Head(id=strand, root=strand)
    for entry in entries:
        folded = _step(folded, entry)
    return folded


def _step(head: Head, entry: Entry) -> Head:
    if entry.seq != head.through + 1:
        raise AssertionError(f"strand {head.id}: entry {entry.seq} does not follow {head.through}")
    head = msgspec.structs.replace(head, through=entry.seq)
    if entry.joined:
        return msgspec.structs.replace(head, root=entry.joined.root)
    if entry.moved_entries:
        return _moved(head, entry, entry.moved_entries)
    if entry.event is None:
        return head
    return _said(head, entry)


def _moved(head: Head, entry: Entry, moved: EntriesMoved) -> Head:
    if moved.to != head.id:
        return msgspec.structs.replace(
            head,
            message_count=max(head.message_count - moved.messages, 0),
            talk_count=max(head.talk_count - moved.talks, 0),
        )
    return msgspec.structs.replace(
        head,
        identity=head.identity or entry.own,  # a strand split off is its customer's too
        message_count=head.message_count + moved.messages,
        talk_count=head.talk_count + moved.talks,
        created_at=min(head.created_at or entry.at, entry.at),
        last_at=max(head.last_at, entry.at),
    )


def _said(head: Head, entry: Entry) -> Head:
    event = entry.event
    assert event is not None
    is_message = isinstance(event.fact, Message)
    talk = entry.kind in TALK
    subject = event.fact.subject if isinstance(event.fact, Content) else ""
    waiting = head.waiting_since
    if is_message:
        waiting = (waiting or entry.at) if event.direction == "inbound" else 0
    return msgspec.structs.replace(
        head,
        identity=head.identity or entry.own,
        created_at=min(head.created_at or entry.at, entry.at) if talk else head.created_at,
        last_at=max(head.last_at, entry.at) if talk else head.last_at,
        waiting_since=waiting,
        answered_at=max(head.answered_at, entry.at)
        if is_message and event.direction == "outbound"
        else head.answered_at,
        message_count=head.message_count + is_message,
        talk_count=head.talk_count + talks(entry),
        subject=head.subject or subject,
        networks=_with(head.networks, event.network),
        channel_ids=_with(head.channel_ids, event.channel_id),
        place_kinds=_with(head.place_kinds, event.place.kind),
        participants=_people(head.participants, entry),
    )


def _with(known: tuple[str, ...], one: str) -> tuple[str, ...]:
    return known if not one or one in known else (*known, one)


def _people(known: tuple[Participant, ...], entry: Entry) -> tuple[Participant, ...]:
    assert entry.event is not None
    here = {participant.identity for participant in known}
    ours = entry.event.direction == "outbound"
    sender = [(entry.sender, "us" if ours else "customer")]
    us = {index for index, party in enumerate(p for p in entry.event.recipients if p.claims) if party.is_us}
    others = [
        (who, "us" if index in us else "customer" if who == entry.own else "other")
        for index, who in enumerate(entry.recipients)
    ]
    new = [
        Participant(identity=who, role=role)  # type: ignore[arg-type]  # one of the three literals above
        for who, role in dict([*others, *sender]).items()
        if who and who not in here
    ]
    return (*known, *new)[:MAX_PARTICIPANTS]
