"""A record of WhatsApp as events: the one way in for messages, statuses, calls and all that is told of the account.

No I/O, no clock, no secret. A kind that it does not know is counted, never lost.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from im_ingest.connectors.whatsapp.entities import (
    BookChange,
    Change,
    History,
    Metadata,
    Preference,
    Status,
    Thread,
    ThreadContext,
    UserIdUpdate,
    Value,
)
from im_ingest.connectors.whatsapp.entities import Call as CallRecord
from im_ingest.connectors.whatsapp.messages import completed, events, scene
from im_ingest.connectors.whatsapp.who import Ids, ids, person, phone, us
from im_ingest.meta import moment
from onethread.event import (
    Call,
    ChannelState,
    Claim,
    Contact,
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
from onethread.identity import digest

ReceiptStatus = Literal["sent", "delivered", "read", "failed"]
CallStatus = Literal["ringing", "in_progress", "completed", "missed", "failed"]

RECEIPTS: dict[str, ReceiptStatus] = {
    "sent": "sent",
    "delivered": "delivered",
    "read": "read",
    "played": "read",
    "failed": "failed",
}
CALLS: dict[str, CallStatus] = {
    "connect": "ringing",
    "RINGING": "ringing",
    "ACCEPTED": "in_progress",
    "REJECTED": "missed",
    "COMPLETED": "completed",
    "FAILED": "failed",
}
STATES = frozenset({"account_update", "account_alerts", "account_review_update", "phone_number_quality_update"})
"""Fields that say how our account stands there."""


def normalised(data: bytes, about: Mapping[str, str]) -> Iterator[Event]:
    """The events of one record. msgspec's errors mean that it is none."""
    change = msgspec.json.decode(data, type=Change)
    made = list(_of(change))
    yield from made or (_about_account(change, data, about),)


def _of(change: Change) -> Iterator[Event]:
    value, ours = change.value, change.value.metadata
    for message in (*value.messages, *value.message_echoes):
        here = scene(message, ours, value.contacts)
        if change.field == "history":
            yield completed(here)
        else:
            yield from events(here)
    for status in value.statuses:
        yield _called_status(status, value) if status.type == "call" else _receipt(status, value)
    yield from (_call(call, value) for call in value.calls)
    yield from (_preference(wish, value) for wish in value.user_preferences)
    for update in value.user_id_update:
        yield from _renamed(update)
    yield from (_address(entry) for entry in value.state_sync)
    for chunk in value.history:
        yield from _history(chunk, ours)


def _receipt(status: Status, value: Value) -> Event:
    """What became of a message of ours. `conversation` is what Meta bills by, not a thread, so it is left alone."""
    group = status.recipient_type == "group"
    known, party = person(_recipient(status, group=group), value.contacts)
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


def _call(call: CallRecord, value: Value) -> Event:
    outbound = call.direction == "BUSINESS_INITIATED"
    known, party = person(
        ids(call.to, call.to_user_id) if outbound else ids(call.from_, call.from_user_id), value.contacts
    )
    state = call.status or call.event
    fact = Call(
        status=CALLS.get(state, "completed" if call.event == "terminate" else "in_progress"),
        started_at=moment(call.start_time),
        ended_at=moment(call.end_time),
        duration_seconds=call.duration,
    )
    event = _of_call(call.id, fact, state, known, party)
    event = msgspec.structs.replace(event, received_at=moment(call.timestamp))
    if not outbound:
        return event
    return msgspec.structs.replace(event, sender=us(value.metadata), recipients=(party,), direction="outbound")


def _called_status(status: Status, value: Value) -> Event:
    """How a call of ours goes on."""
    known, party = person(ids(status.recipient_id, status.recipient_user_id), value.contacts)
    fact = Call(status=CALLS.get(status.status, "in_progress"))
    event = _of_call(status.id, fact, status.status, known, party)
    return msgspec.structs.replace(
        event,
        sender=us(value.metadata),
        recipients=(party,),
        direction="outbound",
        received_at=moment(status.timestamp),
    )


def _of_call(call: str, fact: Call, state: str, known: Ids, party: Party) -> Event:
    return Event(call, fact, revision=state, external_thread_id=known.best, place=Place(kind="call"), sender=party)


def _preference(wish: Preference, value: Value) -> Event:
    known, party = person(ids(wish.wa_id, wish.user_id), value.contacts)
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
        Contact(form="address_book"),
        revision=digest(book.full_name or ""),
        sender=party,
        received_at=at,
    )


def _history(chunk: History, ours: Metadata | None) -> Iterator[Event]:
    for thread in chunk.threads:
        for message in thread.messages:
            yield from events(scene(message, ours, [], partner=_partner(thread)))
    for error in chunk.errors or ():
        yield Event(f"history:{error.code}", ChannelState(state="no_history", reason=error.title or str(error.code)))


def _partner(thread: Thread) -> Ids:
    """The thread is called by the number, or by the id if that is all there is."""
    context = thread.context or ThreadContext(wa_id=thread.id)
    return ids(context.wa_id, context.user_id)


def _about_account(change: Change, data: bytes, about: Mapping[str, str]) -> Event:
    """What names nobody: how our account stands there, an error of the app, a field to come."""
    value, time = change.value, about.get("entry_time", "")
    external_id = digest(change.field, about.get("business_account", ""), time, data.decode("utf-8", "replace"))
    error = value.errors[0] if value.errors else None
    if error is not None:
        fact: ChannelState | Unknown = ChannelState(state="error", reason=f"{error.code} {error.title or ''}".strip())
    elif change.field in STATES:
        fact = ChannelState(state=value.event or change.field, reason=change.field)
    else:
        fact = Unknown(label=change.field)
    account = about.get("business_account")
    return Event(
        external_id, fact, received_at=moment(time), channel_data={"business_account": account} if account else {}
    )
