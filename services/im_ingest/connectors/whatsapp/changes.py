"""A record of WhatsApp as events: the one way in for messages, statuses, calls and all that is told of the account.

No I/O, no clock, no secret. A kind that it does not know is counted, never lost.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Literal, TypeVar

import msgspec

from im_ingest.connectors.whatsapp.calls import call, called
from im_ingest.connectors.whatsapp.entities import (
    BookChange,
    Call,
    Change,
    Contact,
    History,
    Metadata,
    Preference,
    Status,
    Thread,
    ThreadContext,
    UserIdUpdate,
    Value,
)
from im_ingest.connectors.whatsapp.messages import completed, events
from im_ingest.connectors.whatsapp.scene import scene
from im_ingest.connectors.whatsapp.who import Ids, ids, person, phone
from im_ingest.meta import DAMAGED, moment, readable
from onethread.errors import Poison
from onethread.event import (
    ChannelState,
    Claim,
    ContactSubscribed,
    ContactUnsubscribed,
    Event,
    Failure,
    IdentityChanged,
    Party,
    Place,
    Receipt,
    Unknown,
)
from onethread.event import Contact as ContactFacts
from onethread.identity import digest

R = TypeVar("R", bound=msgspec.Struct)

ReceiptStatus = Literal["sent", "delivered", "read", "failed"]

RECEIPTS: dict[str, ReceiptStatus] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",
    "failed": "failed",
}
STATES = frozenset({"account_update", "account_alerts", "account_review_update", "phone_number_quality_update"})
"""Fields that say how our account stands there."""
SPARE = frozenset({"contacts", "errors", "event"})
"""Parts without which an element can be read."""


def normalised(data: bytes, about: Mapping[str, str]) -> Iterator[Event]:
    """The events of one record. msgspec's errors, and Poison, mean that it is none."""
    change = msgspec.json.decode(data, type=Change)
    value, lost = readable(change.value, Value)
    if strange := set(lost) - SPARE:
        raise Poison(f"of a strange form: {', '.join(sorted(strange))}")
    made = list(_of(change.field, value))
    yield from made or (_about_account(change.field, value, data, about),)


def _of(field: str, value: Value) -> Iterator[Event]:
    ours, contacts = value.metadata, _contacts(value)
    for message in (*(value.messages or ()), *(value.message_echoes or ())):
        here = scene(message, ours, contacts, imported=field == "history")
        yield from (completed(here),) if here.imported else events(here)
    for status in _read(value.statuses, Status):
        yield called(status, ours, contacts) if status.type == "call" else _receipt(status, contacts)
    yield from (call(record, ours, contacts) for record in _read(value.calls, Call))
    yield from (_preference(wish, contacts) for wish in _read(value.user_preferences, Preference))
    for update in _read(value.user_id_update, UserIdUpdate):
        yield from _renamed(update)
    yield from (_address(entry) for entry in _read(value.state_sync, BookChange))
    for chunk in value.history or ():
        yield from _history(msgspec.json.decode(chunk, type=History), ours)


def _read(elements: Iterable[msgspec.Raw] | None, kind: type[R]) -> Iterator[R]:
    return (readable(element, kind)[0] for element in elements or ())


def _contacts(value: Value) -> list[Contact]:
    """Those that can be read: a name of a strange form hides no message."""
    found = []
    for contact in value.contacts or ():
        with suppress(*DAMAGED):
            found.append(readable(contact, Contact)[0])
    return found


def _receipt(status: Status, contacts: list[Contact]) -> Event:
    """What became of a message of ours. `conversation` is what Meta bills by, not a thread, so it is left alone."""
    group = status.recipient_type == "group"
    known, party = person(_recipient(status, group=group), contacts)
    reader = f"{status.id}:{known.best}" if group else status.id
    fact = _outcome(status)
    return Event(
        reader,
        fact,
        revision=status.status,
        external_thread_id=(status.recipient_id or "") if group else known.best,
        place=Place(id=status.recipient_id or "", kind="group") if group else Place(),
        sender=party,
        received_at=moment(status.timestamp),
        channel_data={"pricing": status.pricing} if status.pricing else {},
    )


def _outcome(status: Status) -> Receipt | Unknown:
    if status.status not in RECEIPTS:
        return Unknown(label=f"status {status.status}")
    error = status.errors[0] if status.errors else None
    failure = Failure(code=str(error.code) if error else "", text=_words(status), permanent=True)
    failed = status.status == "failed"
    return Receipt(status=RECEIPTS[status.status], target=status.id, error=failure if failed else None)


def _recipient(status: Status, *, group: bool) -> Ids:
    if group:
        participant = status.recipient_participant_user_id, status.recipient_participant_parent_user_id
        return ids(status.recipient_participant_id, *participant)
    return ids(status.recipient_id, status.recipient_user_id, status.recipient_parent_user_id)


def _words(status: Status) -> str:
    error = status.errors[0] if status.errors else None
    if error is None:
        return ""
    details = (error.error_data or {}).get("details")
    return details if isinstance(details, str) and details else error.title or error.message or ""


def _preference(wish: Preference, contacts: list[Contact]) -> Event:
    known, party = person(ids(wish.wa_id, wish.user_id), contacts)
    out = wish.value == "stop"
    return Event(
        f"preference:{known.best}:{wish.category}:{wish.timestamp}",
        ContactUnsubscribed(reason="opt_out") if out else ContactSubscribed(reason="opt_in"),
        sender=party,
        received_at=moment(wish.timestamp),
        channel_data={"category": wish.category, "value": wish.value},
    )


def _renamed(update: UserIdUpdate) -> Iterator[Event]:
    """The old id and the new one are one person."""
    changed = update.user_id
    if changed is None or not (changed.previous and changed.current):
        yield Event(f"user_id_update:{update.wa_id}:{update.timestamp}", Unknown(label="user_id_update"))
        return
    _, party = person(ids(update.wa_id, changed.current), [])
    yield Event(
        f"user_id_update:{changed.previous}:{changed.current}",
        IdentityChanged(old=Claim("whatsapp_user", changed.previous), new=Claim("whatsapp_user", changed.current)),
        external_thread_id=changed.current,
        sender=party,
        received_at=moment(update.timestamp),
    )


def _address(entry: BookChange) -> Event:
    """A name from the address book of our own app. It says how we call a number, so the number is all it claims."""
    book, at = entry.contact, moment(entry.metadata.timestamp if entry.metadata else None)
    number = ids(book.phone_number if book else "", None).number
    if not (book and number and entry.action == "add"):
        stamp = entry.metadata.timestamp if entry.metadata else ""
        return Event(f"state_sync:{number}:{stamp}", Unknown(label=f"state_sync {entry.action}"), received_at=at)
    party = Party(claims=(phone(number),), name=book.full_name or "")
    return Event(
        phone(number).value,
        ContactFacts(form="address_book"),
        revision=digest(book.full_name or ""),
        sender=party,
        received_at=at,
    )


def _history(chunk: History, ours: Metadata | None) -> Iterator[Event]:
    for thread in chunk.threads:
        for message in thread.messages:
            yield from events(scene(message, ours, [], partner=_partner(thread), imported=True))
    for error in chunk.errors or ():
        yield Event(f"history:{error.code}", ChannelState(state="no_history", reason=error.title or str(error.code)))


def _partner(thread: Thread) -> Ids:
    """The thread is called by the number, or by the id if that is all there is."""
    context = thread.context or ThreadContext(wa_id=thread.id)
    return ids(context.wa_id, context.user_id)


def _about_account(field: str, value: Value, data: bytes, about: Mapping[str, str]) -> Event:
    """What names nobody: how our account stands there, an error of the app, a field to come."""
    account, time = about.get("business_account", ""), about.get("entry_time", "")
    error = value.errors[0] if value.errors else None
    if error is not None:
        fact: ChannelState | Unknown = ChannelState(state="error", reason=f"{error.code} {error.title or ''}".strip())
    elif field in STATES:
        fact = ChannelState(state=value.event or field, reason=field)
    else:
        fact = Unknown(label=field)
    return Event(
        digest(field, account, time, data.decode("utf-8", "replace")),
        fact,
        received_at=moment(time),
        channel_data={"business_account": account} if account else {},
    )
