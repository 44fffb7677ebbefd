"""Ids never change, order keeps to a thread, and what cannot be written or read is poison and nothing else."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import msgspec.inspect as info
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from onethread import envelope
from onethread.errors import Poison
from onethread.event import Attachment, Body, Claim, Event, Foreign, Message, Party, Place, Rating, Source

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def finished(event: Event, **more: Any) -> Event:
    host = {
        "id": "evt_1",
        "tenant": "default",
        "network": "acme",
        "account": "T1",
        "received_at": NOON,
        "ingested_at": NOON,
    }
    return msgspec.structs.replace(event, **(host | more))


def said(text: str = "Hello", **more: Any) -> Event:
    return finished(Event("m1", Message(body=Body(text=text))), **more)


# --- ids ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "pinned"),
    [
        (
            ("default", "email", "support@example.com", "message", "CAF1@example.com", "abc"),
            "evt_2jswqvle5obp5lutlqq67wszegw2kisk",
        ),
        (("default", "acme", "T1", "message", "1700000000.000100"), "evt_iozuyjvp6snj4fwscer5qrcrv774fuqz"),
        (("default", "acme", "T1", "message.edited", "1700000000.000100", "2"), "evt_6lqq6qtc7rtmul4vfso4hj5x7ptexrte"),
        (("acme-1", "acme", "", "reaction.added", "1|U42|👍", ""), "evt_hx6naoo7vlunuo4rel6klzvzmdxaukap"),
        (("default", "acme", 'T"1\\', "unknown", "\n\x00", "é"), "evt_cpetebyemcl3sc3vj6kts7n6bqdnyhrn"),
    ],
)
def test_ids_are_the_same_for_ever(parts: tuple[str, ...], pinned: str) -> None:
    assert envelope.event_id(*parts) == pinned


def test_an_id_differs_by_every_part() -> None:
    parts = ["t", "n", "a", "k", "e", "r"]
    ids = {envelope.event_id(*parts)}
    for place in range(6):
        ids.add(envelope.event_id(*(part + "x" * (place == index) for index, part in enumerate(parts))))
    assert len(ids) == 7


def test_the_channel_and_the_clock_are_no_part_of_an_id() -> None:
    one, other = said(channel_id="chn_a"), said(channel_id="chn_b", received_at=NOON + timedelta(days=1))
    assert envelope.message_id(one, "m1") == envelope.message_id(other, "m1")
    assert envelope.message_id(one, "m1") == envelope.event_id("default", "acme", "T1", "message", "m1")


# --- ordering key ------------------------------------------------------------------------------------------------------

MIA = Party(claims=(Claim("acme_user", "U42", "T1"), Claim("email", "mia@example.com")))
BEN = Party(claims=(Claim("phone", "+1 555 0100", canonical="+15550100"),))
US = Party(claims=(Claim("email", "support@example.com"),), is_us=True)


@pytest.mark.parametrize(
    ("about", "last"),
    [
        ({"external_thread_id": "C9", "sender": MIA}, "C9"),
        ({"sender": MIA}, "acme_user:T1:U42"),
        ({"sender": BEN}, "phone::+15550100"),
        ({"sender": US, "recipients": (US, MIA, BEN), "direction": "outbound"}, "acme_user:T1:U42"),
        ({"sender": Party(name="nobody"), "recipients": (MIA,)}, "m1"),
        ({"sender": US, "recipients": (US,), "direction": "outbound"}, "m1"),
        ({}, "m1"),
    ],
)
def test_the_key_is_the_thread_else_the_customer_else_the_message(about: dict[str, Any], last: str) -> None:
    assert msgspec.json.decode(envelope.ordering_key(said(**about))) == ["default", "acme", "T1", last]


def test_keys_of_two_accounts_differ() -> None:
    keys = {
        envelope.ordering_key(said(external_thread_id="C9", **who))
        for who in ({}, {"account": "T2"}, {"network": "other"}, {"tenant": "other"})
    }
    assert len(keys) == 4


def test_a_question_and_its_answer_in_a_direct_chat_share_a_key() -> None:
    asked = said(sender=MIA)
    answered = said(sender=US, recipients=(MIA,), direction="outbound")
    assert envelope.ordering_key(asked) == envelope.ordering_key(answered)


# --- there and back ----------------------------------------------------------------------------------------------------

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
whole = st.integers(-(2**63), 2**63 - 1)
numbers = st.floats(allow_nan=False, allow_infinity=False)
moments = st.integers(0, 4 * 10**12).map(lambda ms: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
json_values = st.recursive(
    st.none() | st.booleans() | whole | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


made: dict[type, st.SearchStrategy[Any]] = {}


def structs(kind: Any) -> st.SearchStrategy[Any]:
    if kind.cls not in made:
        fields = {field.name: values(field.type) for field in kind.fields}
        required = {field.name: fields.pop(field.name) for field in kind.fields if field.required}
        made[kind.cls] = st.fixed_dictionaries(required, optional=fields).map(lambda given: kind.cls(**given))
    return made[kind.cls]


def unions(kind: Any) -> st.SearchStrategy[Any]:
    return st.one_of([values(each) for each in kind.types if getattr(each, "cls", None) is not Foreign])


def dictionaries(kind: Any) -> st.SearchStrategy[Any]:
    inner = json_values if isinstance(kind.value_type, info.AnyType) else values(kind.value_type)
    return st.dictionaries(texts, inner, max_size=3)


STRATEGIES: dict[type[info.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    info.StrType: lambda _: texts,
    info.IntType: lambda _: whole,
    info.FloatType: lambda _: numbers,
    info.BoolType: lambda _: st.booleans(),
    info.BytesType: lambda _: st.binary(max_size=16),
    info.DateTimeType: lambda _: moments,
    info.NoneType: lambda _: st.none(),
    info.LiteralType: lambda kind: st.sampled_from(kind.values),
    info.VarTupleType: lambda kind: st.lists(values(kind.item_type), max_size=2).map(tuple),
    info.TupleType: lambda kind: st.tuples(*(values(item) for item in kind.item_types)),
    info.Metadata: lambda kind: values(kind.type),
    info.StructType: structs,
    info.UnionType: unions,
    info.DictType: dictionaries,
}


def values(kind: info.Type) -> st.SearchStrategy[Any]:
    """Any value of a type, as msgspec describes it."""
    return STRATEGIES[type(kind)](kind)


events = values(info.type_info(Event)).map(finished)
slow = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], max_examples=200
)


@slow
@given(events)
def test_every_event_comes_back_as_it_was(event: Event) -> None:
    record = envelope.draft(event)
    again = envelope.read(record.value, record.headers)
    assert again == event
    assert envelope.draft(again) == record


@slow
@given(events)
def test_headers_say_what_the_event_says(event: Event) -> None:
    record = envelope.draft(event)
    headers = {name: content.decode() for name, content in record.headers}
    assert headers.pop("ce_specversion") == "1.0"
    assert headers.pop("ce_type") == f"io.onethread.{event.kind}.v1"
    assert headers.pop("ce_subject", "") == event.external_thread_id or event.external_id
    assert headers.pop("ce_partitionkey").encode() == record.key
    assert headers == {
        "ce_id": "evt_1",
        "ce_source": "/acme/T1",
        "ce_time": "2026-03-02T12:00:00.000Z",
        "ce_ingestedtime": "2026-03-02T12:00:00.000Z",
        "ce_tenant": "default",
        "content-type": "application/json",
    } | ({"ce_channelid": event.channel_id} if event.channel_id else {})


def test_times_are_written_in_utc_with_milliseconds() -> None:
    berlin = timezone(timedelta(hours=1))
    event = said(received_at=datetime(2026, 3, 2, 13, 0, 0, 123_999, berlin))
    assert (b"ce_time", b"2026-03-02T12:00:00.123Z") in [
        (name.encode(), text) for name, text in envelope.draft(event).headers
    ]
    assert envelope.milliseconds(datetime(2026, 3, 2, 13, 0, 0, 123_999, berlin)) == NOON.replace(microsecond=123_000)


# --- what is hostile ---------------------------------------------------------------------------------------------------


def nested(depth: int) -> Any:
    inner: Any = "x"
    for _ in range(depth):
        inner = [inner]
    return inner


def endless() -> dict[str, Any]:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    return loop


HOSTILE: dict[str, Any] = {
    "a lone surrogate in a text": lambda: said("\ud800"),
    "a lone surrogate in an id": lambda: finished(Event("\udfff", Message())),
    "a lone surrogate in a thread": lambda: said(external_thread_id="\ud800"),
    "a lone surrogate in an address": lambda: said(sender=Party(claims=(Claim("acme_user", "\ud800"),))),
    "a lone surrogate in a name of data": lambda: said(channel_data={"\ud800": 1}),
    "a lone surrogate in the account": lambda: said(account="\ud800"),
    "a huge whole number": lambda: said(channel_data={"big": 2**63}),
    "a huge whole number deep down": lambda: said(channel_data={"a": [{"big": -(2**63) - 1}]}),
    "a gigantic whole number": lambda: said(channel_data={"big": 10**5000}),
    "no number": lambda: said(channel_data={"speed": float("nan")}),
    "an endless number": lambda: said(channel_data={"speed": (1.0, float("-inf"))}),
    "deep data": lambda: said(channel_data={"deep": nested(100_000)}),
    "data that holds itself": lambda: said(channel_data=endless()),
    "data that is no JSON": lambda: said(channel_data={"what": object()}),
    "names of data that are no text": lambda: said(channel_data={(1, 2): 3}),
    "a time without a zone": lambda: said(received_at=NOON.replace(tzinfo=None)),
    "another time without a zone": lambda: said(ingested_at=NOON.replace(tzinfo=None)),
    "a time before all calendars": lambda: said(received_at=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))),
    "no id": lambda: said(id=""),
    "no time": lambda: said(received_at=None),
    "no time of ours": lambda: said(ingested_at=None),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_what_cannot_be_written_is_poison(what: str) -> None:
    event = HOSTILE[what]()
    with pytest.raises(Poison):
        envelope.draft(event)


UNREADABLE: dict[str, Event] = {
    "a time without a zone": said(sent_at=NOON.replace(tzinfo=None)),
    "a huge whole number": finished(Event("m1", Message(attachments=(Attachment(size_bytes=2**63),)))),
    "no number": finished(Event("m1", Rating(score=float("nan"), scale=5.0))),
    "text in the place of a truth": said(echo="yes"),
    "a kind of place that is none": said(place=Place(kind="moon")),  # type: ignore[arg-type]
    "a number in the place of a text": said(text=7),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_has_a_wrong_type_is_poison_when_it_is_read(what: str) -> None:
    value = envelope.encode_value(UNREADABLE[what])
    with pytest.raises(Poison):
        envelope.decode_value(value)


VALUE = envelope.encode_value(said(channel_data={"x": "HERE"}, source=Source(text="raw")))


@pytest.mark.parametrize(
    "value",
    [
        b"", b"null", b"[]", b"{}", b"\xff\xfe", b'{"external_id":"m1"}', VALUE[:-1], VALUE + b"x",
        VALUE.replace(b"HERE", b"\xff"), VALUE.replace(b"HERE", b"\\ud800"), VALUE.replace(b'"HERE"', b"NaN"),
        VALUE.replace(b'"HERE"', b"1" * 5000), VALUE.replace(b'"HERE"', b"9223372036854775808"),
        VALUE.replace(b'"HERE"', b"1e999"), VALUE.replace(b'"HERE"', b"[" * 100_000 + b"]" * 100_000),
        VALUE.replace(b'"fact":{', b'"fact":[' * 100_000), VALUE.replace(b'"kind":"message"', b'"kind":7'),
        VALUE.replace(b"12:00:00Z", b"12:00:00"), VALUE.replace(b"2026-03", b"9999-99"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_poison(value: bytes) -> None:
    with pytest.raises(Poison):
        envelope.read(value, ())


@slow
@given(
    st.binary()
    | st.builds(
        lambda at, byte: VALUE[:at] + bytes([byte]) + VALUE[at + 1 :],
        st.integers(0, len(VALUE) - 1),
        st.integers(0, 255),
    )
)
def test_no_bytes_break_a_reader(value: bytes) -> None:
    try:
        event = envelope.read(value, (("content-type", b"application/json"),))
    except Poison:
        return
    assert envelope.decode_value(envelope.encode_value(event)) == event


@given(st.lists(st.tuples(st.sampled_from(["ce_id", "content-type", "CE_ID", "x"]), st.binary())))
def test_no_headers_break_a_reader(headers: list[tuple[str, bytes]]) -> None:
    try:
        assert envelope.read(VALUE, tuple(headers)).external_id == "m1"
    except Poison:
        assert any(name.lower() == "ce_id" for name, _ in headers)
