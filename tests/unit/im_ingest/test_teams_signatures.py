"""The Bot Connector's tokens at the entrance of Teams: which of Microsoft's checks each forgery fails.

The checks are those of Microsoft Learn, "Bot Framework authentication: Connector to bot". Keys are made here; Microsoft publishes no
sample token.
"""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from im_ingest.connectors.teams.connector import Settings, Teams
from onethread.connector import Request
from onethread.errors import Rejected
from onethread.testing.recording_host import RecordingHost
from onethread.testing.teams_server import APP_ID, SERVICE, TENANT, SigningKey, activity

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GOV = "https://api.botframework.us"


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey("k1", generate_private_key(public_exponent=65537, key_size=2048))


def connector(**settings: Any) -> Teams:
    return Teams(Settings.model_validate({"account": TENANT, "app_id": APP_ID, "client_secret": "x", **settings}))


def request(
    key: SigningKey,
    token: str | None = None,
    *,
    scheme: str = "Bearer",
    endorsements: Any = ("msteams",),
    **fields: Any,
) -> Request:
    given = token or key.token(APP_ID, SERVICE, at=NOW)
    published = {**key.published(), "endorsements": list(endorsements)}
    keys = {"k1": json.dumps(published).encode()}
    body = json.dumps({**activity("message", text="Hi"), **fields}).encode()
    headers = {"authorization": f"{scheme} {given}"}
    return Request("POST", "https://hooks.example.com/in", "", {}, headers, body, NOW, keys)


def refusal(request: Request, **settings: Any) -> str:
    with pytest.raises(Rejected) as caught:
        connector(**settings).authenticate(request)
    return str(caught.value)


def test_a_call_of_the_bot_connector_passes(key: SigningKey) -> None:
    lent = connector()
    for scheme in ("Bearer", "bearer"):
        lent.authenticate(request(key, scheme=scheme))
    assert list(lent.key_names(request(key))) == ["k1"]
    connector(app_id=APP_ID.upper()).authenticate(request(key))
    gov = request(key, key.token(APP_ID, SERVICE, at=NOW, iss=GOV))
    connector(cloud="us_gov").authenticate(gov)
    assert "issuer" in refusal(gov)


@pytest.mark.parametrize(
    ("claims", "because"),
    [
        ({"iss": "https://sts.windows.net/99999999-8888-4777-8666-555555555555/"}, "issuer"),
        ({"iss": "https://login.microsoftonline.com/common/v2.0"}, "issuer"),
        ({"iss": GOV}, "issuer"),
        ({"aud": "bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee"}, "audience"),
        ({"exp": NOW.timestamp() - 301}, "expired"),
        ({"nbf": NOW.timestamp() + 301}, "not valid yet"),
        ({"serviceurl": "https://smba.example.com/"}, "serviceUrl"),
        ({"serviceurl": ""}, "serviceUrl"),
        ({"serviceurl": None}, "serviceurl"),
        ({"serviceurl": SERVICE.rstrip("/")}, "serviceUrl"),
    ],
)
def test_each_claim_is_checked(key: SigningKey, claims: dict[str, Any], because: str) -> None:
    assert because in refusal(request(key, key.token(APP_ID, SERVICE, at=NOW, **claims)))


def test_a_stranger_makes_us_fetch_no_key(key: SigningKey) -> None:
    """What would be refused in any case is refused before the keys are asked for."""
    for token in ("abc", key.token("another-bot", SERVICE, at=NOW), key.token(APP_ID, SERVICE, at=NOW, exp=1)):
        with pytest.raises(Rejected):
            list(connector().key_names(request(key, token)))


def test_a_key_speaks_only_for_channels_that_it_is_endorsed_for(key: SigningKey) -> None:
    assert "endorsed" in refusal(request(key, endorsements=["webchat"]))
    assert "endorsed" in refusal(request(key, endorsements=[]))
    assert "endorsed" in refusal(request(key, channelId="webchat"))
    assert "another channel" in refusal(request(key, endorsements=["msteams", "webchat"], channelId="webchat"))
    assert "endorsed" in refusal(request(key, channelId=""))


def test_a_key_that_was_not_fetched_or_is_none_is_refused(key: SigningKey) -> None:
    sound = request(key)
    for keys in ({}, {"k1": b""}, {"k1": b"{}"}, {"k1": b"[]"}, {"k2": sound.keys["k1"]}):
        assert refusal(msgspec.structs.replace(sound, keys=keys))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dTpw", "Bearer  a.b.c", "a.b.c"])
def test_no_token_is_no_entry(key: SigningKey, header: str) -> None:
    assert refusal(msgspec.structs.replace(request(key), headers={"authorization": header}))
    assert refusal(msgspec.structs.replace(request(key), headers={}))


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{", b"\xff", b"[" * 5000, b'{"serviceUrl": 1}'])
def test_a_body_that_is_no_activity_is_refused(key: SigningKey, body: bytes) -> None:
    assert refusal(msgspec.structs.replace(request(key), body=body))


@pytest.mark.parametrize(
    ("settings", "server"),
    [
        ({}, "https://login.microsoftonline.com/"),
        ({"cloud": "us_gov"}, "https://login.microsoftonline.us/"),
        ({"cloud": "us_gov", "login_url": "https://login.example.com/"}, "https://login.example.com/"),
    ],
)
async def test_the_bots_own_token_is_asked_for_in_its_cloud(settings: dict[str, Any], server: str) -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})

    lent = connector(**settings)
    async with RecordingHost(lent) as host:
        await host.http.aclose()
        host.http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
        await lent.download(host, f"token:{SERVICE}v3/attachments/x/views/original")
    assert asked == [f"{server}{TENANT}/oauth2/v2.0/token"]
