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
    Preference,
    Status,
    Thread,
    ThreadContext,
    UserIdUpdate,
    Value,
)
from im_ingest.connectors.whatsapp.messages import completed, events
from im_ingest.connectors.whatsapp.people import address, handed_over, preference, renamed
from im_ingest.connectors.whatsapp.scene import Setting, scene
from im_ingest.connectors.whatsapp.who import Ids, ids, person
from im_ingest.meta import DAMAGED, moment, readable
from onethread.errors import Poison
from onethread.event import (
    ChannelState,
    Event,
    Failure,
    Place,
    Receipt,
    Unknown,
)
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
SPARE = frozenset({"contacts", "errors", "event", "conversation_context", "sender", "type", "timestamp"})
"""Parts without which an element can be read."""


def normalised(data: bytes, about: Mapping[str, str]) -> Iterator[Event]:
    """The events of one record. msgspec's errors, and Poison, mean that it is none."""
    change = msgspec.json.decode(data, type=Change)
    value, lost = readable(change.value, Value)
    if strange := set(lost) - SPARE:
        raise Poison(f"of a strange form: {', '.join(sorted(strange))}")
    made = list(_of(change.field, value, about))
    yield from made or (_about_account(change.field, value, data, about),)


def _of(field: str, value: Value, about: Mapping[str, str]) -> Iterator[Event]:
    contacts, context = _contacts(value), value.conversation_context
    summary = (context.summary.text if context and context.summary else None) or ""
    found = Setting(
        value.metadata, contacts, field == "history", standby=field == "standby", summary=summary, came=about
    )
    for messages, setting in ((value.messages, found), (value.message_echoes, found._replace(echoes=True))):
        for message in messages or ():
            here = scene(message, setting)
            yield from (completed(here),) if setting.imported else events(here)
    for status in _read(value.statuses, Status):
        event = called(status, found.ours, contacts) if status.type == "call" else _receipt(status, contacts)
        yield msgspec.structs.replace(event, standby=found.standby)
    yield from (call(record, found.ours, contacts) for record in _read(value.calls, Call))
    yield from (preference(wish, contacts) for wish in _read(value.user_preferences, Preference))
    for update in _read(value.user_id_update, UserIdUpdate):
        yield from renamed(update)
    yield from (address(entry) for entry in _read(value.state_sync, BookChange))
    for chunk in value.history or ():
        yield from _history(msgspec.json.decode(chunk, type=History), Setting(found.ours, imported=True, came=about))
    if handover := value.control_passed or value.control_taken:
        yield handed_over(value, handover, contacts)


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


def _history(chunk: History, setting: Setting) -> Iterator[Event]:
    for thread in chunk.threads:
        for message in thread.messages:
            yield from events(scene(message, setting, _partner(thread)))
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
