"""Signatures and handshakes of Meta's products, with vectors, and all that must not pass.

Meta for Developers, "Webhooks from Meta: Getting Started": HMAC-SHA256 by the app secret over the raw body, in lower-case hex,
where letters beyond ASCII stand as escapes: who decodes and encodes anew computes another digest. The vector was made with OpenSSL.
"""

import hashlib
import hmac
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel, SecretStr

from im_ingest import meta
from im_ingest.connectors.messenger.connector import Messenger
from im_ingest.connectors.whatsapp.connector import WhatsApp
from onethread.connector import Connector, Request, Webhook
from onethread.errors import Poison, Rejected

SECRET = "meta-app-secret-0001"
BODY = (
    rb'{"object":"page","entry":[{"id":"100200300","time":1767225600123,"messaging":[{"message":{"text":'
    rb'"\u00e4\u00f6 caf\u00e9"}}]}]}'
)
RIGHT = "sha256=0bea2d4a4361dbecf40e44981336a3ec9ba9a93879bb7f24328b2068a53f27a9"
OVER_UTF8 = "sha256=345db814018dfa16404d6b036a736fc2564a1c10eea58a80262b3817561d3ee2"

CONNECTORS: list[type[Connector[Any]]] = [WhatsApp, Messenger]


def made(kind: type[Connector[Any]], *secrets: str, verify_token: str = "ours") -> Any:
    model: type[BaseModel] = kind.settings_model()
    given = {"account": "100200300", "app_secrets": secrets or [SECRET], "verify_token": verify_token}
    return kind(model.model_validate({**given, "access_token": "t"}))


def asked(body: bytes = BODY, method: str = "POST", query: dict[str, str] | None = None, **headers: str) -> Request:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(
        method, "https://hooks.example.com/in", "", query or {}, named, body, datetime(2026, 1, 1, tzinfo=UTC)
    )


@pytest.mark.parametrize("kind", CONNECTORS)
@pytest.mark.parametrize("secrets", [(SECRET,), ("new", SECRET), (SECRET, "old")])
def test_a_signature_by_any_of_the_secrets_passes(kind: type[Connector[Any]], secrets: tuple[str, ...]) -> None:
    made(kind, *secrets).authenticate(asked(x_hub_signature_256=RIGHT))


@pytest.mark.parametrize("kind", CONNECTORS)
@pytest.mark.parametrize(
    "given",
    [
        "",
        OVER_UTF8,
        RIGHT.removeprefix("sha256="),
        RIGHT.upper(),
        RIGHT.replace("sha256=", "sha1="),
        RIGHT[:-1],
        RIGHT + "0",
        "sha256=" + "0" * 64,
        "é" + RIGHT,
        "\udcff",
    ],
)
def test_any_other_signature_is_refused(kind: type[Connector[Any]], given: str) -> None:
    with pytest.raises(Rejected) as caught:
        made(kind).authenticate(asked(x_hub_signature_256=given))
    assert caught.value.status == 401


@pytest.mark.parametrize("kind", CONNECTORS)
def test_the_older_header_is_not_enough(kind: type[Connector[Any]]) -> None:
    with pytest.raises(Rejected):
        made(kind).authenticate(asked(x_hub_signature=RIGHT))


@pytest.mark.parametrize("kind", CONNECTORS)
def test_letters_written_out_are_another_body(kind: type[Connector[Any]]) -> None:
    written_out = msgspec.json.encode(msgspec.json.decode(BODY))
    assert written_out != BODY
    with pytest.raises(Rejected):
        made(kind).authenticate(asked(written_out, x_hub_signature_256=RIGHT))
    made(kind).authenticate(asked(written_out, x_hub_signature_256=OVER_UTF8))


@pytest.mark.parametrize("kind", CONNECTORS)
def test_an_empty_secret_signs_nothing(kind: type[Connector[Any]]) -> None:
    by_nothing = "sha256=" + hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    with pytest.raises(Rejected):
        made(kind, "", SECRET).authenticate(asked(x_hub_signature_256=by_nothing))


def test_channels_share_an_app_by_the_first_secret_alone() -> None:
    one, other, rotated = made(WhatsApp, SECRET), made(WhatsApp, SECRET, "old"), made(WhatsApp, "new", SECRET)
    assert one.app == other.app != ""
    assert rotated.app != one.app
    assert SECRET not in one.app


# --- handshake --------------------------------------------------------------------------------------------------------

ASKS = {"hub.mode": "subscribe", "hub.verify_token": "ours", "hub.challenge": "1158201444"}


@pytest.mark.parametrize("kind", CONNECTORS)
def test_the_challenge_comes_back_as_plain_text(kind: type[Connector[Any]]) -> None:
    connector = made(kind)
    assert isinstance(connector, Webhook)
    answer = connector.handshake(asked(method="GET", query=ASKS))
    assert answer is not None
    assert (answer.body, answer.status, answer.media_type) == (b"1158201444", 200, "text/plain")


@pytest.mark.parametrize(
    "change",
    [
        {"hub.verify_token": "theirs"},
        {"hub.verify_token": ""},
        {"hub.verify_token": "öurs"},
        {"hub.mode": "unsubscribe"},
        {"hub.challenge": ""},
        {"hub.challenge": "<script>alert(1)</script>"},
        {"hub.challenge": "1" * 513},
    ],
)
def test_any_other_question_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(Rejected) as caught:
        made(WhatsApp).handshake(asked(method="GET", query={**ASKS, **change}))
    assert caught.value.status == 403


@pytest.mark.parametrize("query", [{}, {"hub_mode": "subscribe"}])
def test_what_is_no_question_of_metas_is_no_handshake(query: dict[str, str]) -> None:
    assert made(WhatsApp).handshake(asked(method="GET", query=query)) is None


def test_a_delivery_is_no_handshake() -> None:
    assert made(WhatsApp).handshake(asked(query=ASKS)) is None


def test_an_empty_verify_token_lets_nobody_in() -> None:
    with pytest.raises(Rejected):
        meta.handshake(asked(method="GET", query={**ASKS, "hub.verify_token": ""}), SecretStr(""))
    with pytest.raises(ValueError, match="verify_token"):
        made(WhatsApp, verify_token="")


# --- bodies and times ---------------------------------------------------------------------------------------------------


def test_each_item_of_each_entry_is_given_in_order() -> None:
    entries = [
        {"id": "1", "time": 5, "changes": [{"n": 1}, {"n": 2}], "messaging": [{"n": 3}]},
        {"id": "2", "standby": [{"n": 4}]},
        {"id": "3"},
        7,
        {"id": "4", "changes": None, "messaging": [{"n": 5}], "standby": {"n": 6}, "time": {}},
        {"id": {}, "messaging": [{"n": 7}]},
    ]
    found = list(meta.items(msgspec.json.encode({"object": "page", "entry": entries}), "page"))
    assert [(item.owner, item.time, item.kind, item.data) for item in found] == [
        ("1", "5", "changes", b'{"n":1}'),
        ("1", "5", "changes", b'{"n":2}'),
        ("1", "5", "messaging", b'{"n":3}'),
        ("2", "", "standby", b'{"n":4}'),
        ("3", "", "entry", b'{"id":"3"}'),
        ("", "", "entry", b"7"),
        ("4", "", "messaging", b'{"n":5}'),
        ("4", "", "standby", b'{"n":6}'),
        ("", "", "entry", b'{"id":{},"messaging":[{"n":7}]}'),
    ]
    assert list(meta.items(b'{"object":"page","entry":null}', "page")) == []


def test_a_body_about_another_product_says_where_the_url_belongs() -> None:
    with pytest.raises(Poison, match="under `page`"):
        list(meta.items(b'{"object":"instagram","entry":[]}', "page"))


@pytest.mark.parametrize(
    ("stamp", "per_second", "expected"),
    [
        ("1767225600", 1, datetime(2026, 1, 1, tzinfo=UTC)),
        (1767225600, 1, datetime(2026, 1, 1, tzinfo=UTC)),
        (1767225600123, 1000, datetime(2026, 1, 1, 0, 0, 0, 123000, tzinfo=UTC)),
        (None, 1, None),
        ("", 1, None),
        (0, 1, datetime(1970, 1, 1, tzinfo=UTC)),
        (1767225600.5, 1, datetime(2026, 1, 1, 0, 0, 0, 500000, tzinfo=UTC)),
    ],
)
def test_times_are_read_as_numbers_or_text(stamp: Any, per_second: int, expected: datetime | None) -> None:
    assert meta.moment(stamp, per_second=per_second) == expected


@pytest.mark.parametrize("stamp", ["soon", "9" * 30, "nan", 10**30, 1e300, "1" * 5000])
def test_what_is_no_time_hides_no_message(stamp: Any) -> None:
    assert meta.moment(stamp) is None


class Sample(msgspec.Struct):
    id: str
    text: str = ""
    parts: list[int] = []


@pytest.mark.parametrize(
    ("data", "expected", "lost"),
    [
        (b'{"id":"1","text":"Hi","more":{}}', Sample("1", "Hi"), ()),
        (b'{"id":"1","text":7,"parts":[1]}', Sample("1", "", [1]), ("text",)),
        (b'{"id":"1","text":null,"parts":[[]]}', Sample("1"), ("text", "parts")),
    ],
)
def test_a_part_of_a_strange_form_is_left_out_and_named(data: bytes, expected: Sample, lost: tuple[str, ...]) -> None:
    assert meta.readable(data, Sample) == (expected, lost)


@pytest.mark.parametrize("data", [b'{"id":7,"text":"Hi"}', b"{}", b"7", b"[]", b"", b'{"id":"1"'])
def test_without_what_makes_it_one_it_is_none(data: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        meta.readable(data, Sample)
