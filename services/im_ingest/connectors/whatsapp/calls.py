"""Calls of WhatsApp, state by state: those that people make, and those that we make. It knows no envelope and no message.

Meta for Developers, "WhatsApp Business Platform: Calls webhook reference".
"""

from collections.abc import Sequence
from typing import Literal

import msgspec

from im_ingest.connectors.whatsapp.entities import Call, Contact, Metadata, Status
from im_ingest.connectors.whatsapp.who import Ids, ids, person, us
from im_ingest.meta import moment
from onethread.event import Call as CallFact
from onethread.event import Event, Party, Place

CallStatus = Literal["ringing", "in_progress", "completed", "missed", "failed"]

CALLS: dict[str, CallStatus] = {
    "CONNECT": "ringing",
    "RINGING": "ringing",
    "ACCEPTED": "in_progress",
    "REJECTED": "missed",
    "COMPLETED": "completed",
    "TERMINATE": "completed",
    "FAILED": "failed",
}


def call(record: Call, ours: Metadata | None, contacts: Sequence[Contact]) -> Event:
    """A call began or ended."""
    outbound = record.direction == "BUSINESS_INITIATED"
    known, party = person(
        ids(record.to, record.to_user_id) if outbound else ids(record.from_, record.from_user_id), contacts
    )
    state = record.status or record.event
    fact = CallFact(
        status=_status(state),
        started_at=moment(record.start_time),
        ended_at=moment(record.end_time),
        duration_seconds=record.duration,
    )
    event = _event(record.id, fact, state, known, party)
    event = msgspec.structs.replace(event, received_at=moment(record.timestamp))
    return _from_us(event, ours) if outbound else event


def called(status: Status, ours: Metadata | None, contacts: Sequence[Contact]) -> Event:
    """How a call of ours goes on."""
    known, party = person(ids(status.recipient_id, status.recipient_user_id), contacts)
    event = _event(status.id, CallFact(status=_status(status.status)), status.status, known, party)
    return _from_us(msgspec.structs.replace(event, received_at=moment(status.timestamp)), ours)


def _status(state: str) -> CallStatus:
    return CALLS.get(state.upper(), "in_progress")


def _event(call_id: str, fact: CallFact, state: str, known: Ids, party: Party) -> Event:
    return Event(call_id, fact, revision=state, external_thread_id=known.best, place=Place(kind="call"), sender=party)


def _from_us(event: Event, ours: Metadata | None) -> Event:
    return msgspec.structs.replace(event, sender=us(ours), recipients=(event.sender,), direction="outbound")
