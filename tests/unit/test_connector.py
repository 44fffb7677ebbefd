"""The small things that every entrance needs: signatures, equal secrets, forms, moments, and the settings a class names."""

import contextlib
import hashlib
import hmac
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from onethread.connector import (
    Answer,
    Connector,
    Polling,
    Raw,
    Request,
    Webhook,
    fingerprint,
    same,
    signed,
    utc,
)
from onethread.errors import Misconfigured, Poison
from onethread.event import Event

OLD, NEW = SecretStr("old secret"), SecretStr("new secret")
BODY = b'{"text":"\xc3\xa9"}'


def signature(secret: SecretStr, algorithm: str = "sha256") -> str:
    return hmac.new(secret.get_secret_value().encode(), BODY, algorithm).hexdigest()


# --- signed ------------------------------------------------------------------------------------------------------------


def test_a_signature_of_hmac_as_published() -> None:
    # RFC 4231, test case 2.
    published = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    assert signed(published, [SecretStr("Jefe")], b"what do ya want for nothing?")


def test_any_of_the_secrets_signs_while_they_are_rotated() -> None:
    assert signed(signature(NEW), [NEW, OLD], BODY)
    assert signed(signature(OLD), [NEW, OLD], BODY)
    assert not signed(signature(OLD), [NEW], BODY)


@pytest.mark.parametrize(
    "given", ["", "x", "é", "\ud800", "\x00", signature(NEW)[:-1], signature(NEW).upper(), signature(OLD)]
)
def test_what_is_no_signature_is_refused(given: str) -> None:
    assert not signed(given, [NEW], BODY)


def test_a_changed_body_is_refused() -> None:
    assert not signed(signature(NEW), [NEW], BODY + b" ")


def test_prefix_and_algorithm_are_the_providers() -> None:
    assert signed("sha1=" + signature(NEW, "sha1"), [NEW], BODY, algorithm="sha1", prefix="sha1=")
    assert not signed(signature(NEW, "sha1"), [NEW], BODY, algorithm="sha1", prefix="sha1=")


def test_without_a_secret_nothing_is_signed() -> None:
    assert not signed("", [], BODY)
    assert not signed(signature(SecretStr("")), [SecretStr("")], BODY)


# --- same, fingerprint -------------------------------------------------------------------------------------------------


@given(st.text(st.characters(exclude_categories=())), st.text(st.characters(exclude_categories=())))
def test_same_is_equality_of_any_text(one: str, other: str) -> None:
    assert same(one, one)
    assert same(one, other) == (one == other)


def test_what_has_no_utf8_equals_no_stand_in() -> None:
    assert not same("\ud800", "?")


def test_a_fingerprint_tells_equal_secrets_and_no_secret() -> None:
    assert fingerprint(NEW) == fingerprint(SecretStr("new secret"))
    assert fingerprint(NEW) != fingerprint(OLD)
    assert fingerprint(NEW) not in (NEW.get_secret_value(), hashlib.sha256(b"new secret").hexdigest()[:32])
    assert fingerprint(NEW) == "2fff7d747c3bd445abae541a66880d04"


def test_no_secret_is_shared_by_nobody() -> None:
    assert fingerprint(SecretStr("")) == ""


# --- utc ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (1_772_452_800.25, datetime(2026, 3, 2, 12, 0, 0, 250_000, tzinfo=UTC)),
        (-1, datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_unix_seconds_are_a_moment(seconds: float, moment: datetime) -> None:
    assert utc(seconds) == moment


@pytest.mark.parametrize(
    "seconds", [float("nan"), float("inf"), float("-inf"), 1e30, -1e30, 10**400, None, "soon", [1]]
)
def test_what_no_calendar_holds_is_poison(seconds: Any) -> None:
    with pytest.raises(Poison):
        utc(seconds)


@given(st.floats() | st.integers())
def test_a_moment_or_poison(seconds: float) -> None:
    with contextlib.suppress(Poison):
        assert utc(seconds).tzinfo is UTC


# --- requests ----------------------------------------------------------------------------------------------------------


def request(body: bytes) -> Request:
    return Request("POST", "https://example.com/hooks/chn_a", "", {}, {}, body, datetime(2026, 3, 2, tzinfo=UTC))


@pytest.mark.parametrize(
    ("body", "form"),
    [
        (b"", {}),
        (b"From=%2B15550100&Body=Hi+there", {"From": "+15550100", "Body": "Hi there"}),
        (b"Body=&MediaUrl0=", {"Body": "", "MediaUrl0": ""}),
        (b"Body=%F0%9F%91%8D", {"Body": "👍"}),
        (b"a=1&a=2", {"a": "2"}),
        (b"Body=\xff%ff", {"Body": "\ufffd\ufffd"}),
        (b"alone&x=1", {"alone": "", "x": "1"}),
    ],
)
def test_a_form_keeps_blank_values(body: bytes, form: dict[str, str]) -> None:
    assert request(body).form() == form


@given(st.binary())
def test_no_body_breaks_a_form(body: bytes) -> None:
    assert isinstance(request(body).form(), dict)


# --- the class line ----------------------------------------------------------------------------------------------------


class Shop(BaseModel):
    account: str = "shop-1"
    secrets: list[SecretStr] = []


S = TypeVar("S", bound=BaseModel)


class Silent(Connector[S]):
    def normalize(self, raw: Raw) -> Iterable[Event]:
        return ()


class Acme(Silent[Shop], Webhook):
    name = network = "acme"

    def authenticate(self, request: Request) -> None:
        return None


class Tuned(Acme, Polling):
    async def fetch(self, host: Any, resource: str, cursor: str | None) -> Any:
        return None


class Direct(Connector[Shop]):
    def normalize(self, raw: Raw) -> Iterable[Event]:
        return ()


@pytest.mark.parametrize("connector", [Acme, Tuned, Direct])
def test_the_settings_model_is_that_of_the_class_line(connector: type[Connector[Any]]) -> None:
    assert connector.settings_model() is Shop


def test_a_class_line_without_settings_says_what_to_write() -> None:
    with pytest.raises(Misconfigured, match=r"Silent .*class …\(Connector\[Settings\]"):
        Silent.settings_model()


def test_a_connector_says_what_it_has() -> None:
    assert Acme(Shop()).edges == (Webhook,)
    assert Tuned(Shop()).edges == (Webhook, Polling)
    assert Direct(Shop()).edges == ()
    assert Acme(Shop()).account == "shop-1"
    assert Acme(Shop()).app == ""


def test_a_connector_shows_no_secret() -> None:
    connector = Acme(Shop(secrets=[NEW]))
    assert "new secret" not in repr(connector) + repr(connector.settings)


def test_an_entrance_has_defaults() -> None:
    entrance = Acme(Shop())
    asked = request(BODY)
    assert list(entrance.unpack(asked)) == [Raw(BODY)]
    assert entrance.handshake(asked) is None
    assert entrance.answer(asked) == Answer(b"", 200, "text/plain")


def test_a_class_without_normalize_is_no_connector() -> None:
    class Half(Connector[Shop]):
        pass

    with pytest.raises(TypeError, match="normalize"):
        Half(Shop())  # type: ignore[abstract]
