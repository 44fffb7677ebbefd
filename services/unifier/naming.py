"""What an event names, and by which keys others find it. Pure; who it is about and where it goes is decided elsewhere.

The names of key documents are made here and nowhere else:
    <tenant>/id/<h>             a message that is named before it is stored, and a message's other ids
    <tenant>/acc_<h>/thread/<h> a provider's thread, owned by our account there; or the receipts of one, where hours make conversations
    <tenant>/idn_<h>/mid/<h>    a Message-ID, owned by each party of a mail that is not us
"""

from collections.abc import Iterator
from typing import NamedTuple

from onethread.envelope import event_id, recording_id
from onethread.event import (
    CallRecording,
    Content,
    Event,
    Message,
    MessageCompleted,
    MessageDeleted,
    MessageEdited,
    MessageHidden,
    MessageRestored,
    MessageShown,
    Postback,
    Rating,
    ReactionAdded,
    ReactionRemoved,
    Receipt,
    ThreadLinked,
)
from onethread.identity import digest
from unifier.model import Matched, scoped

MAX_REFERENCES = 50
"""Message-IDs read of one mail: its own, its parent's, the newest references and the first."""

_ABOUT_ITSELF = (MessageEdited, MessageCompleted, MessageDeleted, MessageRestored, MessageHidden, MessageShown)


class Naming(NamedTuple):
    """Something an event says it belongs to: `key` names the strand, or `entry` is the message itself, if it is stored."""

    rule: str
    matched: Matched
    key: str
    entry: str = ""


# --- what it is about ----------------------------------------------------------------------------------------------


def target_of(event: Event) -> str:
    """The scoped id that it is about; "" if it stands for itself."""
    fact = event.fact
    if isinstance(fact, _ABOUT_ITSELF):
        return _message(event, event.external_id)
    if isinstance(fact, ReactionAdded | ReactionRemoved | Receipt | Postback | Rating) and fact.target:
        return _message(event, fact.target)
    if isinstance(fact, Receipt) and fact.until_id:
        return _message(event, fact.until_id)
    if recording := recording_id(event):
        return scoped(event.tenant, recording)
    return receipts_of(event) if up_to_a_time(event) else ""


def up_to_a_time(event: Event) -> bool:
    """Whether it is a receipt about all messages of its thread up to a time, and names none."""
    fact = event.fact
    if not isinstance(fact, Receipt) or fact.target or fact.until_id:
        return False
    return fact.until is not None and bool(event.external_thread_id)


def receipts_of(event: Event) -> str:
    """The target of receipts up to a time in the event's thread: no entry has this id."""
    name = event_id(event.tenant, event.network, event.account, "receipts", event.external_thread_id)
    return scoped(event.tenant, name)


def _message(event: Event, external_id: str) -> str:
    return scoped(event.tenant, event_id(event.tenant, event.network, event.account, "message", external_id))


# --- keys ----------------------------------------------------------------------------------------------------------


def id_key(message: str) -> str:
    """The key of a message by its scoped id."""
    tenant, _, plain = message.partition("/")
    return f"{tenant}/id/{plain.removeprefix('evt_')}"


def _thread_key(event: Event, *thread: str) -> str:
    return f"{event.tenant}/acc_{digest(event.network, event.account)}/thread/{digest(*thread)}"


def mail_key(owner: str, message_id: str) -> str:
    """The key under which a party of a mail finds it."""
    return f"{owner}/mid/{digest(message_id)}"


def _receipts_key(event: Event) -> str:
    return _thread_key(event, "receipts", event.external_thread_id)


def has_thread(event: Event) -> bool:
    """Whether the provider's thread is a conversation: a direct chat goes on for ever, so hours divide it."""
    return bool(event.external_thread_id) and event.place.kind != "direct"


def _references(event: Event) -> tuple[str, ...]:
    """The Message-IDs a mail names, nearest first."""
    fact = event.fact
    if not isinstance(fact, Content):
        return ()
    newest_first = tuple(reversed(fact.references))
    named = (*fact.in_reply_to, *newest_first[: MAX_REFERENCES - 1], *newest_first[-1:])
    return tuple(dict.fromkeys(name for name in named if name))


def named(event: Event, target: str, own: str) -> Iterator[Naming]:
    """What it says it belongs to, strongest first; `own`: the customer's side."""
    if has_thread(event):
        thread = event.external_thread_id
        yield Naming("thread", Matched(type="thread", value=thread), _thread_key(event, thread))
    elif up_to_a_time(event):
        yield Naming("thread", Matched(type="thread", value=event.external_thread_id), _receipts_key(event))
    if event.answers:
        answered = scoped(event.tenant, event.answers)
        yield Naming("reply_token", Matched(type="token", entry_id=answered), id_key(answered), answered)
    fact = event.fact
    if target and not up_to_a_time(event):
        yield Naming("named", Matched(type="event", entry_id=target), id_key(target), target)
    if isinstance(fact, Content) and fact.quote and fact.quote.external_id:
        quoted = _message(event, fact.quote.external_id)
        yield Naming("named", Matched(type="event", entry_id=quoted), id_key(quoted), quoted)
    if own:
        for name in _references(event):
            yield Naming("shared_reference", Matched(type="message_id", value=name), mail_key(own, name))


def known_as(event: Event, own: str) -> Iterator[Naming]:
    """Keys under which others may have named it before it came."""
    fact = event.fact
    if isinstance(fact, CallRecording):
        yield Naming("named", Matched(type="event", value="own id"), id_key(scoped(event.tenant, event.id)))
    if not isinstance(fact, Message):
        return
    for key in own_ids(event, fact):
        yield Naming("named", Matched(type="event", value="own id"), key)
    if own and event.network == "email":
        matched = Matched(type="message_id", value=event.external_id)
        yield Naming("shared_reference", matched, mail_key(own, event.external_id))


def own_ids(event: Event, fact: Message) -> Iterator[str]:
    """The keys of its own ids: by these others name it."""
    yield id_key(scoped(event.tenant, event.id))
    for alias in fact.aliases:
        yield id_key(_message(event, alias))
    if event.revision and event.direction == "outbound":
        # A receipt names our mail by its Message-ID alone; its event id also covers the digest that tells copies apart.
        yield id_key(_message(event, event.external_id))


def claims(event: Event, parties: tuple[str, ...]) -> Iterator[str]:
    """Keys that it always claims; `parties`: whose."""
    fact = event.fact
    if has_thread(event):
        yield _thread_key(event, event.external_thread_id)
    elif up_to_a_time(event):
        yield _receipts_key(event)
    if isinstance(fact, ThreadLinked):
        yield _thread_key(event, fact.thread)
    if isinstance(fact, Message):
        # Its own id needs no key: who looks for it finds the entry. Other ids do.
        yield from (key for key in own_ids(event, fact) if key != id_key(scoped(event.tenant, event.id)))
        if event.network == "email":
            for name in (event.external_id, *_references(event)):
                yield from (mail_key(party, name) for party in parties)
