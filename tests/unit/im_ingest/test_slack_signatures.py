"""Slack's signatures and its handshake, with vectors, and all that must not pass.

Slack API docs, "Verifying requests from Slack": HMAC-SHA256 by the signing secret over `v0:`, the time, `:` and the raw body. The first vector
is the one that Slack publishes there; the others were made with OpenSSL.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from pydantic import ValidationError

from im_ingest.connectors.slack.connector import Settings, Slack
from onethread.connector import Mounted, Raw, Request, Stream, Webhook
from onethread.errors import Rejected

PUBLISHED_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&"
    b"user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F"
    b"commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
    b"803a0bc887a14d10d2c447fce8b6703c"
)
PUBLISHED = (
    "8f742231b10e8888abcd99yyyzzz85a5",
    "1531420618",
    PUBLISHED_BODY,
    "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
)
OURS = (
    "slack-signing-secret-0001",
    "1767225600",
    b'{"type":"event_callback","team_id":"T0UNIFY01","event_id":"Ev0EXAMPLE1","event_time":1767225600}',
    "v0=2c96793ff34f58f20c3b4a712ada8771b39506843fa205d85a4139e7247304cd",
)
SECRET, AT, BODY, RIGHT = OURS
Vector = tuple[str, str, bytes, str]


def made(*secrets: str, **settings: object) -> Slack:
    given = {"account": "T0UNIFY01", "signing_secrets": secrets or [SECRET], "bot_token": "xoxb-t", **settings}
    return Slack(Settings.model_validate(given))


def asked(body: bytes = BODY, signature: str = RIGHT, at: str = AT, *, later: float = 0.0) -> Request:
    headers = {"x-slack-signature": signature, "x-slack-request-timestamp": at}
    arrived = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=later)
    return Request("POST", "https://hooks.example.com/in", "", {}, headers, body, arrived)


def over(body: bytes, secret: str = SECRET, at: str = AT) -> str:
    return "v0=" + hmac.new(secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("vector", [PUBLISHED, OURS])
@pytest.mark.parametrize("others", [((), ()), (("new",), ()), ((), ("old",))])
def test_a_signature_by_any_of_the_secrets_passes(
    vector: Vector, others: tuple[tuple[str, ...], tuple[str, ...]]
) -> None:
    secret, at, body, signature = vector
    request = asked(body, signature, at)
    request = msgspec.structs.replace(request, arrived_at=datetime.fromtimestamp(int(at), UTC))
    made(*others[0], secret, *others[1]).authenticate(request)


@pytest.mark.parametrize(
    "given",
    ["", RIGHT.removeprefix("v0="), RIGHT.upper(), RIGHT.replace("v0", "v1"), RIGHT[:-1], RIGHT + "0", "v0=" + "0" * 64, "é" + RIGHT, "\udcff"],
)  # fmt: skip
def test_any_other_signature_is_refused(given: str) -> None:
    with pytest.raises(Rejected) as caught:
        made().authenticate(asked(signature=given))
    assert caught.value.status == 401


@pytest.mark.parametrize("at", ["", "soon", "-1767225600", "1767225600.5", " 1767225600", "1" * 5000, "٣٣٣", "\udcff"])
def test_a_time_of_another_form_is_refused_whatever_it_is_signed_with(at: str) -> None:
    signature = over(BODY, at=at.encode("utf-8", "surrogatepass").decode("utf-8", "replace"))
    with pytest.raises(Rejected):
        made().authenticate(asked(signature=signature, at=at))


@pytest.mark.parametrize(("later", "passes"), [(0, True), (300, True), (-300, True), (300.5, False), (-301, False)])
def test_a_signature_is_good_for_five_minutes(later: float, passes: bool) -> None:
    if passes:
        made().authenticate(asked(later=later))
        return
    with pytest.raises(Rejected, match="five minutes"):
        made().authenticate(asked(later=later))


def test_the_time_is_signed() -> None:
    with pytest.raises(Rejected):
        made().authenticate(asked(at="1767225601"))


def test_the_token_in_the_body_is_not_enough_and_is_not_kept() -> None:
    body = b'{"token":"legacy-token","type":"event_callback","team_id":"T0UNIFY01","event":{"type":"message"}}'
    with pytest.raises(Rejected):
        made().authenticate(asked(body, ""))
    (raw,) = made().unpack(asked(body, over(body)))
    assert isinstance(raw, Raw)
    assert (raw.account, b"legacy-token" in raw.data) == ("T0UNIFY01", False)


def test_an_empty_secret_signs_nothing() -> None:
    with pytest.raises(Rejected):
        made("", SECRET).authenticate(asked(signature=over(BODY, "")))


def test_what_an_edge_needs_is_asked_for() -> None:
    assert made().edges == (Webhook,)
    assert made(edge="socket", app_token="xapp-t").edges == (Stream,)
    assert not isinstance(made(), Mounted)
    with pytest.raises(ValidationError, match="app_token"):
        made(edge="socket")
    with pytest.raises(ValidationError, match="signing_secrets"):
        Settings.model_validate({"account": "T0UNIFY01", "bot_token": "xoxb-t"})


def test_workspaces_share_an_app_by_its_secret() -> None:
    one, other = made(), made(SECRET, "old", account="T0OTHER")
    assert one.app == other.app != made("new", SECRET).app
    assert SECRET not in one.app
    socket = {"edge": "socket", "app_token": "xapp-t", "signing_secrets": []}
    assert made(**socket).app == made(**socket, account="T0OTHER").app != ""


# --- handshake --------------------------------------------------------------------------------------------------------


def test_the_challenge_comes_back_as_plain_text() -> None:
    answer = made().handshake(asked(b'{"token":"t","challenge":"3eZbrw1aBm2rZgRNFdxV","type":"url_verification"}'))
    assert answer is not None
    assert (answer.body, answer.status, answer.media_type) == (b"3eZbrw1aBm2rZgRNFdxV", 200, "text/plain")


@pytest.mark.parametrize("challenge", [b'""', b'"<b> </b>"', b'"' + b"a" * 513 + b'"', b'"\\u00e9"'])
def test_a_strange_challenge_is_refused(challenge: bytes) -> None:
    with pytest.raises(Rejected) as caught:
        made().handshake(asked(b'{"type":"url_verification","challenge":' + challenge + b"}"))
    assert caught.value.status == 400


def test_a_delivery_is_no_handshake_and_neither_is_a_get() -> None:
    assert made().handshake(asked()) is None
    question = msgspec.structs.replace(asked(b'{"type":"url_verification","challenge":"a"}'), method="GET")
    assert made().handshake(question) is None


def test_a_look_at_the_certificate_is_answered() -> None:
    assert made().handshake(asked(b"token=t&ssl_check=1")) is not None
    assert made().handshake(asked(b"token=t&command=%2Fx")) is None
