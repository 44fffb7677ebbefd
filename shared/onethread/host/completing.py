"""Which files of an event are to be fetched, and the event that says what became of them. Pure.

Of a message it is a `message.completed`: the whole message, with the files as they are now. Of a recording it is a further state of the
same recording, at the recording's own time: nobody said anything new. Made again it is the same event, so that a process may be killed at
any point.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from onethread import envelope
from onethread.envelope import recording_revision
from onethread.event import FILES_REVISION, Attachment, CallRecording, Content, Event, MessageCompleted
from onethread.host.media import Outcome
from onethread.identity import digest


def waiting(event: Event) -> dict[str, Attachment]:
    """The files of an event that are to be fetched, by their numbers."""
    if event.revision.startswith(FILES_REVISION):
        return {}
    files = enumerate(_files(event))
    return {str(number): file for number, file in files if file.status == "pending" and file.locator}


def completion(event: Event, outcomes: Mapping[str, Outcome], now: datetime) -> Event:
    """The event that says what became of the files of another."""
    files = tuple(
        outcomes[str(number)].on(file) if str(number) in outcomes else file for number, file in enumerate(_files(event))
    )
    told = digest(event.id, *(f"{file.status}:{file.sha256}" for file in files))
    fact, revision = _whole(event, files, told)
    moment = envelope.milliseconds(now)
    made = msgspec.structs.replace(
        event,
        fact=fact,
        revision=revision,
        received_at=event.received_at if isinstance(fact, CallRecording) else moment,
        ingested_at=moment,
        lookups=(),
        answers="",
        source=None,
    )
    name = envelope.event_id(event.tenant, event.network, event.account, made.kind, event.external_id, revision)
    return msgspec.structs.replace(made, id=name)


def _files(event: Event) -> tuple[Attachment, ...]:
    fact = event.fact
    if isinstance(fact, CallRecording):
        return (fact.attachment,)
    return fact.attachments if isinstance(fact, Content) else ()


def _whole(event: Event, files: tuple[Attachment, ...], told: str) -> tuple[MessageCompleted | CallRecording, str]:
    fact = event.fact
    if isinstance(fact, CallRecording):
        return msgspec.structs.replace(fact, attachment=files[0]), recording_revision(event.id, told)
    assert isinstance(fact, Content)
    fields = {name: getattr(fact, name) for name in Content.__struct_fields__}
    return MessageCompleted(**{**fields, "attachments": files}), FILES_REVISION + told
