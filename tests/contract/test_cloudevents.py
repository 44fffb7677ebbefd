"""Records as readers take them: kinds of later versions, and CloudEvents as an outside library understands them."""

import json
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings import kafka
from cloudevents.core.v1.event import CloudEvent

from onethread import envelope, schemas
from onethread.errors import Poison
from onethread.event import Event, Foreign
from onethread.schemas import golden

EXAMPLES = {path.stem: json.loads(path.read_bytes()) for path in sorted((schemas.FOLDER / "examples").glob("*.json"))}


def wire(name: str) -> tuple[bytes, tuple[tuple[str, bytes], ...], bytes]:
    record = EXAMPLES[name]["record"]
    headers = tuple((key, text.encode()) for key, text in record["headers"].items())
    return record["key"].encode(), headers, record["value"].encode()


each_example = pytest.mark.parametrize("name", sorted(EXAMPLES))


# --- readers and later versions ----------------------------------------------------------------------------------------

LATER = b'{"kind":"poll.opened", "choices":["a", {"kind":"message"}],  "big":1.50e3}'


def later(**more: bytes) -> bytes:
    """An event whose fact is of a kind that this version does not know, its fields in any order."""
    fields = {name: json.dumps(value).encode() for name, value in EXAMPLES["system"]["event"].items()}
    fields |= {"fact": LATER} | more
    return b"{" + b",".join(b'"%s":%s' % (name.encode(), value) for name, value in fields.items()) + b"}"


@pytest.mark.parametrize("value", [later(), later(channel_data=b'{"fact":' + LATER + b"}"), later(aaa=LATER)])
def test_a_fact_of_an_unknown_kind_passes_untouched(value: bytes) -> None:
    event = envelope.decode_value(value)
    assert event.fact == Foreign(name="poll.opened", json=LATER)
    assert event.kind == "poll.opened"
    written = envelope.encode_value(event)
    assert b'"fact":' + LATER in written
    assert envelope.decode_value(written) == event
    headers = dict(envelope.draft(event).headers)
    assert headers["ce_type"] == b"io.onethread.poll.opened.v1"


def test_an_unknown_kind_before_what_looks_like_it_is_told_apart() -> None:
    data = b'{"channel_data":{"x":' + LATER + b"}," + later()[1:]
    event = envelope.decode_value(data)
    assert event.fact == Foreign(name="poll.opened", json=LATER)
    assert event.channel_data["x"]["choices"] == ["a", {"kind": "message"}]


@pytest.mark.parametrize("spoilt", [b'"external_id":7', b'"received_at":"yesterday"'])
def test_an_unknown_kind_excuses_nothing_else(spoilt: bytes) -> None:
    with pytest.raises(Poison):
        envelope.decode_value(
            b"{" + spoilt + b"," + later()[1:].replace(b'"external_id"', b'"x"').replace(b'"received_at"', b'"y"')
        )


@pytest.mark.parametrize(
    "fact", [b'{"kind":"foreign","name":"message","json":"e30="}', b'{"kind":"foreign"}', b'{"kind":""}', b"{}"]
)
def test_how_a_reader_holds_an_unknown_kind_is_never_taken_from_the_wire(fact: bytes) -> None:
    with pytest.raises(Poison):
        envelope.decode_value(later(fact=fact))


# --- CloudEvents, as an outside library understands them ----------------------------------------------------------------


def message(name: str) -> kafka.KafkaMessage:
    key, headers, value = wire(name)
    return kafka.KafkaMessage(headers=dict(headers), key=key, value=value)


@each_example
def test_the_cloudevents_library_reads_our_records(name: str) -> None:
    event = golden.examples()[name]
    read = kafka.from_binary_event(message(name))
    assert isinstance(read, CloudEvent)
    assert read.get_attributes() == {
        "specversion": "1.0",
        "id": event.id,
        "source": f"/{event.network}/{event.account}",
        "type": f"io.onethread.{event.kind}.v1",
        "subject": event.external_thread_id or event.external_id,
        "time": event.received_at,
        "tenant": "default",
        "partitionkey": message(name).key.decode(),
        "ingestedtime": "2026-03-02T12:00:00.250Z",
        "datacontenttype": "application/json",
    } | ({"channelid": event.channel_id} if event.channel_id else {})
    assert read.get_data() == EXAMPLES[name]["event"]


@each_example
def test_we_read_what_the_library_writes_in_either_mode(name: str) -> None:
    read = kafka.from_binary_event(message(name))
    for written in (kafka.to_structured_event(read), kafka.to_binary_event(read)):
        assert envelope.read(written.value, tuple(written.headers.items())) == golden.examples()[name]
        assert written.key == message(name).key.decode()


def structured(data: bytes, content_type: str = "application/cloudevents+json", **more: Any) -> Event:
    event_id = json.loads(data).get("id", "evt_1") if data.startswith(b"{") else "evt_1"
    attributes = {"specversion": "1.0", "id": event_id, "source": "/acme/T1", "type": "io.onethread.system.v1"} | more
    value = json.dumps(attributes).encode()[:-1] + b',"data":' + data + b"}"
    return envelope.read(value, (("Content-Type", content_type.encode()),))


@pytest.mark.parametrize(
    "content_type",
    ["application/cloudevents+json", "application/cloudevents+json; charset=UTF-8", "Application/CloudEvents+JSON"],
)
def test_structured_mode_keeps_unknown_kinds_byte_for_byte(content_type: str) -> None:
    event = structured(later(), content_type)
    assert event.fact == Foreign(name="poll.opened", json=LATER)
    assert b'"fact":' + LATER in envelope.encode_value(event)


def test_structured_mode_takes_data_in_base64() -> None:
    read = kafka.from_binary_event(message("system"))
    written = kafka.to_structured_event(CloudEvent(read.get_attributes(), wire("system")[2]))
    assert b"data_base64" in written.value
    assert envelope.read(written.value, tuple(written.headers.items())) == golden.examples()["system"]


@pytest.mark.parametrize(
    "value",
    [b"", b"{}", b"[]", b"\xff", b'{"specversion":"1.0","id":"a","source":"b","type":"c"}']
    + [
        b'{"specversion":"1.0","id":"a","source":"b","type":"c","data_base64":"%s"}' % data
        for data in (b"%", b"e30=", b"\xc3\xa9", b"AA")
    ],
)
def test_structured_mode_that_is_none_is_poison(value: bytes) -> None:
    with pytest.raises(Poison):
        envelope.read(value, (("content-type", b"application/cloudevents+json"),))


def test_an_id_that_is_another_events_is_poison() -> None:
    _, headers, value = wire("system")
    with pytest.raises(Poison, match="id"):
        envelope.read(value, (*headers[:1], ("ce_id", b"evt_other"), *headers[2:]))
    with pytest.raises(Poison, match="id"):
        structured(value, id="evt_other")


def test_a_source_is_a_uri_reference_whatever_the_account_is_called() -> None:
    event = msgspec.structs.replace(golden.examples()["system"], account="büro/a b#1?@example.com")
    headers = dict(envelope.draft(event).headers)
    assert headers["ce_source"] == b"/acme/b%C3%BCro%2Fa%20b%231%3F@example.com"
