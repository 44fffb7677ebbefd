"""The event on the wire: ids, ordering key and CloudEvents 1.0. It knows the format; it does no I/O.

Kafka binary mode (CloudEvents Kafka protocol binding 1.0.2): attributes are `ce_*` headers, the value is the event's JSON,
`content-type` is `application/json`. Structured mode (`application/cloudevents+json`) is accepted on read.
"""

import base64
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from onethread.errors import Poison
from onethread.event import FILES_REVISION, KINDS, CallRecording, Event, Foreign, Unknown
from onethread.identity import digest
from onethread.log.port import Draft

TYPE_PREFIX = "io.onethread."
TYPE_SUFFIX = ".v1"
STRUCTURED = "application/cloudevents+json"

_Headers = tuple[tuple[str, bytes], ...]


class _Kind(msgspec.Struct):
    """Just enough of a fact to see whether this version knows it."""

    kind: str = ""


_PLACEHOLDER = b'"fact":{"kind":"unknown"}'
_NOT_FOREIGN = KINDS | {"", "foreign"}
"""What a fact of an unknown kind cannot be called."""

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw])
_kind = msgspec.json.Decoder(_Kind)


def event_id(tenant: str, network: str, account: str, kind: str, external_id: str, revision: str = "") -> str:
    """`evt_…`: the same for every connection, edge and import of one account."""
    return "evt_" + digest(tenant, network, account, kind, external_id, revision)


def message_id(event: Event, external_id: str) -> str:
    """The event id of the message that `external_id` names in the account of `event`."""
    return event_id(event.tenant, event.network, event.account, "message", external_id)


def recording_revision(recording: str, told: str) -> str:
    """The revision by which the host says what became of the file of a recording, named by its event id; `told`: a digest of it."""
    return f"{FILES_REVISION}{recording}:{told}"


def recording_id(event: Event) -> str:
    """The event id of the recording of whose file this one is the host's word; "" where it is none."""
    if not isinstance(event.fact, CallRecording) or not event.revision.startswith(FILES_REVISION):
        return ""
    name = event.revision.removeprefix(FILES_REVISION).partition(":")[0]
    return name if name.startswith("evt_") else ""


def ordering_key(event: Event) -> bytes:
    """One thread stays in order: account, then thread, else the customer's first claim, else the external id.

    A poor key costs a wait in the unifier, never correctness.
    """
    customer = customer_party_claim(event)
    last = event.external_thread_id or customer or event.external_id
    return msgspec.json.encode((event.tenant, event.network, event.account, last))


def customer_party_claim(event: Event) -> str:
    """The customer's first claim as text: of the sender inbound, of the first recipient who is not us outbound."""
    inbound = event.direction == "inbound"
    parties = [event.sender] if inbound else [party for party in event.recipients if not party.is_us]
    for party in parties[:1]:
        for claim in party.claims[:1]:
            return f"{claim.type}:{claim.scope}:{claim.canonical or claim.value}"
    return ""


def milliseconds(moment: datetime) -> datetime:
    """The moment in UTC, cut to what every store keeps."""
    utc = moment.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)


def encode_value(event: Event) -> bytes:
    """The event's JSON. Raises Poison for text that is not Unicode, numbers over 64 bits, data JSON cannot hold.

    Types are checked when it is read, not here: structs hold what they were given.
    """
    try:
        _check_numbers(event.channel_data)
        if isinstance(event.fact, Foreign):
            # Its own bytes, in the place of a stand-in: a quote within a text is escaped, so the first match is the fact.
            value = _encoder.encode(msgspec.structs.replace(event, fact=Unknown()))
            return value.replace(_PLACEHOLDER, b'"fact":' + event.fact.json, 1)
        return _encoder.encode(event)
    except (msgspec.MsgspecError, TypeError, OverflowError, ValueError, RecursionError) as error:
        raise Poison(f"an event of kind {event.kind} cannot be written as JSON: {type(error).__name__}") from error


def _check_numbers(data: Any) -> None:
    # In what has no type, msgspec writes NaN as null and whole numbers of any size; no store holds those.
    match data:
        case Mapping():
            for part in data.values():
                _check_numbers(part)
        case list() | tuple():
            for part in data:
                _check_numbers(part)
        case int() if not -(2**63) <= data < 2**63:
            raise OverflowError("a whole number over 64 bits")
        case float() if not math.isfinite(data):
            raise ValueError("a number that is none")


def decode_value(value: bytes) -> Event:
    """An event from its JSON, types checked. A fact of an unknown kind becomes `Foreign`. Raises Poison."""
    try:
        try:
            event = _decoder.decode(value)
        except msgspec.ValidationError as error:
            event = _with_foreign_fact(value, error)
        else:
            if isinstance(event.fact, Foreign):
                raise Poison("not an event: `foreign` is no kind of fact")  # its bytes would be written unread
        _check_numbers(event.channel_data)
    except (msgspec.MsgspecError, OverflowError, ValueError, RecursionError) as error:
        raise Poison(f"not an event: {error}") from error
    return event


def _with_foreign_fact(value: bytes, refusal: msgspec.ValidationError) -> Event:
    """The event, if the kind of its fact was all that made it invalid."""
    parts = _parts.decode(value)
    fact = bytes(parts.get("fact", b"{}"))
    kind = _kind.decode(fact).kind
    if kind in _NOT_FOREIGN:
        raise refusal
    event = _decoder.decode(_encoder.encode({**parts, "fact": Unknown()}))
    return msgspec.structs.replace(event, fact=Foreign(name=kind, json=fact))


def draft(event: Event, value: bytes = b"") -> Draft:
    """A finished event as a record for the log; `value`: its JSON, if that is at hand. Raises Poison as `encode_value`."""
    if not event.id or event.received_at is None or event.ingested_at is None:
        raise Poison("an event must have id, received_at and ingested_at before it is written")
    value = value or encode_value(event)
    key = ordering_key(event)
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_source": f"/{quote(event.network)}/{quote(event.account, safe=_PATH)}",
        "ce_type": f"{TYPE_PREFIX}{event.kind}{TYPE_SUFFIX}",
        "ce_subject": event.external_thread_id or event.external_id,
        "ce_time": _rfc3339(event.received_at),
        "ce_tenant": event.tenant,
        "ce_channelid": event.channel_id,
        "ce_partitionkey": key.decode(),
        "ce_ingestedtime": _rfc3339(event.ingested_at),
        "content-type": "application/json",
    }
    return Draft(
        key, value or encode_value(event), tuple((name, text.encode()) for name, text in attributes.items() if text)
    )


_PATH = "@:!$&'()*+,;=~"
"""What may stand as it is in a part of a path (RFC 3986, 3.3); `ce_source` is a URI reference."""


def _rfc3339(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise Poison("a time without a zone")
    try:
        return milliseconds(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError as error:
        raise Poison("a time that no calendar holds in UTC") from error


def read(value: bytes, headers: _Headers) -> Event:
    """The event of a record, in binary or structured mode. Raises Poison."""
    attributes = {name.lower(): content for name, content in headers}
    named = attributes.get("ce_id")
    if attributes.get("content-type", b"").lower().startswith(STRUCTURED.encode()):
        value, named = _structured_data(value)
    event = decode_value(value)
    if named is not None and named.decode("utf-8", "replace") != event.id:
        raise Poison("the CloudEvent's id is not the id of the event in it")
    return event


class _Structured(msgspec.Struct):
    """A CloudEvent in the JSON event format. Empty `data`: there is none."""

    specversion: str
    id: str
    source: str
    type: str
    data: msgspec.Raw = msgspec.Raw()
    data_base64: str | None = None


_structured = msgspec.json.Decoder(_Structured)


def _structured_data(value: bytes) -> tuple[bytes, bytes]:
    """The data, and the id, of a CloudEvent in structured mode; its own attributes count, not the record's headers."""
    try:
        whole = _structured.decode(value)
        data = bytes(whole.data) or base64.b64decode(whole.data_base64 or "", validate=True)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Poison(f"not a CloudEvent in JSON format: {error}") from error
    return data, whole.id.encode()
