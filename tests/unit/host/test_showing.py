"""What is shown to who listens holds no secret, wherever it stands, and is never longer than it may be."""

import hostkit
import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from onethread.connector import Raw, Request, Wake
from onethread.event import Body, Event, Message
from onethread.host.showing import LARGEST, LONGEST, Seen, Showing, fitted, secrets_in

SECRETS = (hostkit.SECRET, hostkit.HOOK)
showing = Showing(hostkit.channel())


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"token": "abc", "text": "hi"}', '{"token": "***", "text": "hi"}'),
        ('{"a": {"client_secret" : "a\\"b"}}', '{"a": {"client_secret" : "***"}}'),
        ('{"a": "token", "b": "secret"}', '{"a": "token", "b": "secret"}'),
        ('{"password": "cut sho', '{"password": "***"'),
        ('{"url": "https://a.example/f?access_token=abc&size=1"}', '{"url": "https://a.example/f?access_token=***&size=1"}'),
        ("token=abc&text=hi&response_url=https%3A%2F%2Fa", "token=***&text=hi&response_url=***"),
        ("payload=%7B%7D&token=", "payload=%7B%7D&token="),
        ("<xml><Text>a=b</Text></xml>", "<xml><Text>a=b</Text></xml>"),
        (f"so {hostkit.SECRET} and {hostkit.HOOK}", "so *** and ***"),
    ],
)  # fmt: skip
def test_a_value_whose_name_sounds_secret_is_masked(body: str, shown: str) -> None:
    assert showing.body(body.encode()) == shown


def test_headers_and_query_are_masked_by_name_and_by_value() -> None:
    headers = {"authorization": "Bearer x", "x-acme-signature": "ab", "x-other": f"a{hostkit.SECRET}b"}
    request = Request("POST", "u", "/p", {"api_key": "1", "size": "2"}, headers, b"{}", hostkit.CREATED)
    shown = showing.request(request)
    assert shown["headers"] == {"authorization": "***", "x-acme-signature": "ab", "x-other": "a***b"}
    assert shown["query"] == {"api_key": "***", "size": "2"}


@given(
    before=st.integers(LONGEST - 200, LONGEST + 200), after=st.integers(0, 300), secret=st.sampled_from(SECRETS), many=st.integers(0, 9)
)  # fmt: skip
@example(before=LONGEST - 1, after=100, secret=hostkit.SECRET, many=500)
def test_no_part_of_a_secret_stands_where_a_body_is_cut(before: int, after: int, secret: str, many: int) -> None:
    text = showing.body((secret * many + "x" * (before - len(secret) * many) + secret + "y" * after).encode())
    assert not [part for part in SECRETS if part[:5] in text]
    assert len(text) <= LONGEST + 40


@pytest.mark.parametrize("unit", ['"\\"', "token", '"token', "&token", "?a", "=", "\\", '"a":', "{", "\u20ac", '"a" '])
def test_whatever_is_sent_is_shown_at_once(unit: str) -> None:
    """Each would be slow to a pattern that tries again from every place: the test would end by its time-out."""
    for start in ("", "{", "["):
        assert showing.body((start + unit * 2_000_000).encode()[:3_000_000])


def test_an_event_without_end_is_cut_and_many_give_way() -> None:
    event = Event("m1", Message(body=Body(text=f"{hostkit.SECRET} and " + "long " * LONGEST)), id="evt_1")
    (cut,) = showing.made([Seen("chn_acme", Raw(b""), (event,))])
    assert cut["id"] == "evt_1"
    assert hostkit.SECRET not in cut["cut"]
    value = fitted({"at": "now", "events": [cut] * 100})
    assert len(value) <= LARGEST
    shown = msgspec.json.decode(value)["events"]
    assert shown[-1]["not_shown"] + len(shown) - 1 == 100
    whole = fitted({"at": "now", "request": {"headers": {str(name): "h" * 1000 for name in range(100)}}, "events": []})
    assert msgspec.json.decode(whole).keys() == {"at", "events", "not_shown"}


def test_a_wake_and_a_record_of_no_event_are_told() -> None:
    assert showing.made([Seen("c", wake=Wake("inbox", "h")), Seen("c", Raw(b""))]) == [
        {"wake": {"resource": "inbox", "hint": "h"}},
        {"nothing": "this record makes no event"},
    ]
    record = showing.record(Raw(b'{"a": 1}', form="rest", about={"folder": "INBOX", "token": "t"}))
    assert record == {"form": "rest", "about": {"folder": "INBOX", "token": "***"}, "data": '{"a": 1}'}


def test_secrets_are_found_at_any_depth() -> None:
    class Inner(BaseModel):
        key: SecretStr = SecretStr("c")

    class Outer(BaseModel):
        one: SecretStr = SecretStr("a")
        many: list[SecretStr] = [SecretStr("b")]
        inner: dict[str, Inner] = {"x": Inner()}
        plain: str = "d"

    assert secrets_in(Outer()) == ["a", "b", "c"]
