"""The event on the wire: ids, ordering key and CloudEvents 1.0. It knows the format; it does no I/O.

Kafka binary mode (CloudEvents Kafka protocol binding 1.0.2): attributes are `ce_*` headers, the value is the event's JSON,
`content-type` is `application/json`. Structured mode (`application/cloudevents+json`) is accepted on read.
"""

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

import msgspec

from onethread.errors import Poison
from onethread.event import KINDS, Event, Foreign
from onethread.identity import digest
from onethread.log.port import Draft

TYPE_PREFIX = "io.onethread."
TYPE_SUFFIX = ".v1"
STRUCTURED = "application/cloudevents+json"

_Headers = tuple[tuple[str, bytes], ...]


class _Kind(msgspec.Struct):
    """Just enough of a fact to see whether this version knows it."""

    kind: str = ""


class _Peek(msgspec.Struct):
    """Just enough of an event's JSON to keep a fact of an unknown kind byte for byte."""

    fact: msgspec.Raw


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)
_peek = msgspec.json.Decoder(_Peek)
_kind = msgspec.json.Decoder(_Kind)


def event_id(tenant: str, network: str, account: str, kind: str, external_id: str, revision: str = "") -> str:
    """`evt_…`: the same for every connection, edge and import of one account."""
    return "evt_" + digest(tenant, network, account, kind, external_id, revision)


def message_id(event: Event, external_id: str) -> str:
    """The event id of the message that `external_id` names in the account of `event`."""
    return event_id(event.tenant, event.network, event.account, "message", external_id)


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
    """The event's JSON. Raises Poison for text that is not Unicode, numbers over 64 bits, data JSON cannot hold."""
    try:
        if isinstance(event.fact, Foreign):
            return _encoder.encode(_with_raw_fact(event, event.fact))
        return _encoder.encode(event)
    except (msgspec.MsgspecError, UnicodeError, TypeError, OverflowError, ValueError, RecursionError) as error:
        raise Poison(f"an event of kind {event.kind} cannot be written as JSON: {type(error).__name__}") from error


def _with_raw_fact(event: Event, fact: Foreign) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field in event.__struct_fields__:
        value = getattr(event, field)
        fields[field] = msgspec.Raw(fact.json) if field == "fact" else value
    return fields


def decode_value(value: bytes) -> Event:
    """An event from its JSON, types checked. A fact of an unknown kind becomes `Foreign`. Raises Poison."""
    try:
        try:
            event = _decoder.decode(value)
        except msgspec.ValidationError:
            fact = _peek.decode(value).fact
            kind = _kind.decode(fact).kind
            if not kind or kind in KINDS:
                raise
            placeholder = value.replace(bytes(fact), b'{"kind":"unknown"}', 1)
            return msgspec.structs.replace(_decoder.decode(placeholder), fact=Foreign(kind, bytes(fact)))
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise Poison(f"not an event: {error}") from error
    if isinstance(event.fact, Foreign):
        raise Poison("not an event: `foreign` is no kind of fact")  # its bytes would be written unread
    return event


def draft(event: Event) -> Draft:
    """A finished event as a record for the log. Raises Poison as `encode_value`."""
    if not event.id or event.received_at is None or event.ingested_at is None:
        raise Poison("an event must have id, received_at and ingested_at before it is written")
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event.id,
        "ce_source": f"/{event.network}/{event.account}",
        "ce_type": f"{TYPE_PREFIX}{event.kind}{TYPE_SUFFIX}",
        "ce_subject": event.external_thread_id or event.external_id,
        "ce_time": _rfc3339(event.received_at),
        "ce_tenant": event.tenant,
        "ce_channelid": event.channel_id,
        "ce_partitionkey": ordering_key(event).decode(),
        "ce_ingestedtime": _rfc3339(event.ingested_at),
        "content-type": "application/json",
    }
    headers = tuple((name, text.encode()) for name, text in attributes.items() if text)
    return Draft(ordering_key(event), encode_value(event), headers)


def _rfc3339(moment: datetime) -> str:
    return milliseconds(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def read(value: bytes, headers: _Headers) -> Event:
    """The event of a record, in binary or structured mode. Raises Poison."""
    attributes = {name.lower(): content for name, content in headers}
    if attributes.get("content-type", b"").startswith(STRUCTURED.encode()):
        value = _structured_data(value)
    event = decode_value(value)
    named = attributes.get("ce_id")
    if named is not None and named.decode("utf-8", "replace") != event.id:
        raise Poison("the record's ce_id is not the id of the event in it")
    return event


class _Structured(msgspec.Struct):
    """A CloudEvent in the JSON event format."""

    specversion: str
    id: str
    source: str
    type: str
    data: msgspec.Raw | None = None
    data_base64: str | None = None


_structured = msgspec.json.Decoder(_Structured)


def _structured_data(value: bytes) -> bytes:
    try:
        whole = _structured.decode(value)
        if whole.data is not None:
            return bytes(whole.data)
        return base64.b64decode(whole.data_base64 or "", validate=True)
    except (msgspec.MsgspecError, UnicodeError, binascii.Error, RecursionError) as error:
        raise Poison(f"not a CloudEvent in JSON format: {error}") from error
