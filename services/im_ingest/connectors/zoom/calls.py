"""Calls of Zoom Phone: their states, their recordings, voice mails and the words of these. It knows no text message.

Source: Zoom's reference of Phone events, and "Phone" in the type definitions of Zoom Rivet. Events about the caller are those of a call that
one of ours makes, events about the callee those of one that comes in; of colleagues who call each other both are sent.
"""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from im_ingest.connectors.zoom.frame import BY_URL, USER, Frame, iso
from onethread.errors import Poison
from onethread.event import (
    AnyFact,
    Attachment,
    Call,
    CallRecording,
    CallTranscript,
    Claim,
    Event,
    Party,
    Place,
    Whole,
)

FAILED = frozenset({"call failed", "blocked", "internal error", "service unavailable"})
"""Of what Zoom says about an end."""


class CallSide(msgspec.Struct):
    """One side of a call. Whoever is not of the account has no `user_id`; `phone_number` may be an extension's."""

    extension_id: str | None = None
    user_id: str | None = None
    name: str | None = None
    phone_number: str | None = None


class CallObject(msgspec.Struct):
    """A state of a call. `handup_result` is Zoom's spelling."""

    call_id: str | None = None
    caller: CallSide = msgspec.field(default_factory=CallSide)
    callee: CallSide = msgspec.field(default_factory=CallSide)
    ringing_start_time: str | None = None
    answer_start_time: str | None = None
    connected_start_time: str | None = None
    call_end_time: str | None = None
    handup_result: str | None = None


class Transcription(msgspec.Struct):
    """The words of a voice mail."""

    content: str | None = None


class Recorded(msgspec.Struct):
    """A recording or a voice mail. `duration`: seconds; `direction`: "inbound", "outbound", of recordings alone."""

    id: str
    call_id: str | None = None
    date_time: str | None = None
    download_url: str | None = None
    duration: Whole | None = None
    direction: str | None = None
    caller_user_id: str | None = None
    caller_number: str | None = None
    caller_name: str | None = None
    callee_user_id: str | None = None
    callee_number: str | None = None
    callee_name: str | None = None
    transcription: Transcription | None = None


class _Called(msgspec.Struct):
    object: CallObject


class _Kept(msgspec.Struct):
    object: Recorded


class _AllKept(msgspec.Struct):
    recordings: list[Recorded] = []


class _Recordings(msgspec.Struct):
    object: _AllKept


def _state(frame: Frame) -> Iterator[Event]:
    """One state of a call. Several telephones may ring for one call, each with its own events."""
    call = frame.decoded(_Called).object
    ours_called = frame.name.startswith("phone.caller_")
    own, other = (call.caller, call.callee) if ours_called else (call.callee, call.caller)
    if not call.call_id:
        raise Poison("a call without an id")
    fact = Call(
        status=_status(frame.name, call),
        started_at=iso(call.ringing_start_time),
        answered_at=iso(call.answer_start_time or call.connected_start_time),
        ended_at=iso(call.call_end_time),
        duration_seconds=_seconds(call),
    )
    revision = f"{frame.name}:{own.extension_id or own.phone_number or ''}:{frame.revision}"
    yield _event(frame, call.call_id, call.call_id, fact, own, other, ours=ours_called, revision=revision)


def _status(name: str, call: CallObject) -> Any:
    if name.endswith("_ringing"):
        return "ringing"
    if name.endswith(("_answered", "_connected")):
        return "in_progress"
    if (call.handup_result or "").casefold() in FAILED:
        return "failed"
    return "completed" if name.endswith("_ended") and call.answer_start_time else "missed"


def _seconds(call: CallObject) -> int | None:
    answered, ended = iso(call.answer_start_time), iso(call.call_end_time)
    return max(0, int((ended - answered).total_seconds())) if answered and ended else None


def _voicemail(frame: Frame) -> Iterator[Event]:
    """A message that somebody left; it is told to each who may hear it."""
    kept = frame.decoded(_Kept).object
    yield _recorded(frame, kept, voicemail=True)


def _recording(frame: Frame) -> Iterator[Event]:
    """The sound of a call, in one file or several."""
    for kept in frame.decoded(_Recordings).object.recordings:
        yield _recorded(frame, kept, voicemail=False)


def _recorded(frame: Frame, kept: Recorded, *, voicemail: bool) -> Event:
    url = kept.download_url
    sound = Attachment(
        kind="voice" if voicemail else "audio",
        external_id=kept.id,
        locator=f"{BY_URL}{url}" if url else "",
        status="pending" if url else "reference",
        duration_ms=kept.duration * 1000 if kept.duration is not None else None,
    )
    return _about(frame, kept, CallRecording(call=kept.call_id or kept.id, attachment=sound, voicemail=voicemail))


def _transcript(frame: Frame) -> Iterator[Event]:
    """What a voice mail says, as a machine heard it."""
    kept = frame.decoded(_Kept).object
    text = (kept.transcription.content if kept.transcription else None) or ""
    yield _about(frame, kept, CallTranscript(call=kept.call_id or kept.id, text=text, recording=kept.id))


def _about(frame: Frame, kept: Recorded, fact: AnyFact) -> Event:
    """Zoom says of a recording alone who called whom."""
    caller = CallSide(user_id=kept.caller_user_id, name=kept.caller_name, phone_number=kept.caller_number)
    callee = CallSide(user_id=kept.callee_user_id, name=kept.callee_name, phone_number=kept.callee_number)
    ours = kept.direction == "outbound"
    own, other = (caller, callee) if ours else (callee, caller)
    return _event(frame, kept.call_id or kept.id, kept.id, fact, own, other, ours=ours, at=kept.date_time)


def _event(
    frame: Frame,
    call: str,
    external_id: str,
    fact: AnyFact,
    own: CallSide,
    other: CallSide,
    *,
    ours: bool,
    at: str | None = None,
    revision: str = "",
) -> Event:
    customer, us = _customer(other, called=ours), _us(own)
    return Event(
        external_id,
        fact,
        revision=revision,
        external_thread_id=f"call:{call}",
        place=Place(id=call, kind="call"),
        direction="outbound" if ours else "inbound",
        echo=ours,
        sender=us if ours else customer,
        recipients=(customer if ours else us,),
        received_at=iso(at) or frame.at,
        lookups=(f"{USER}{other.user_id}",) if other.user_id else (),
    )


def _customer(side: CallSide, *, called: bool) -> Party:
    """The other side: a colleague by the user id, anybody else by the number, which a caller can forge."""
    claims: tuple[Claim, ...] = ()
    if side.user_id:
        claims = (Claim("zoom_user", side.user_id),)
    elif side.phone_number:
        claims = (Claim("phone", side.phone_number, evidence="network_phone" if called else "unattested_caller"),)
    return Party(claims=claims, name=side.name or "", kind="person" if claims else "anonymous")


def _us(side: CallSide) -> Party:
    claims = (Claim("zoom_user", side.user_id),) if side.user_id else ()
    return Party(claims=claims, name=side.name or "", kind="agent", is_us=True)


HANDLERS: dict[str, Callable[[Frame], Iterator[Event]]] = {
    **dict.fromkeys(
        (f"phone.callee_{what}" for what in ("ringing", "answered", "missed", "rejected", "ended")), _state
    ),
    **dict.fromkeys((f"phone.caller_{what}" for what in ("ringing", "connected", "ended")), _state),
    "phone.voicemail_received": _voicemail,
    "phone.voicemail_received_for_access_member": _voicemail,
    "phone.voicemail_transcript_completed": _transcript,
    "phone.recording_completed": _recording,
    "phone.recording_completed_for_access_member": _recording,
}
