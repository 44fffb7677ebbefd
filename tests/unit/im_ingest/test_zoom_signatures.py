"""Zoom's signatures and challenges, by worked examples: HMAC-SHA256 over `v0:<time>:<body>`, and over the challenge's token.

Recipe: Zoom, "Using webhooks: Verify webhook events", and Zoom's webhook sample app. OpenSSL gives the same values
(`openssl dgst -sha256 -hmac`).
"""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from im_ingest.connectors.zoom.connector import Settings, Zoom
from onethread.connector import Raw, Request
from onethread.errors import Rejected

SECRET = "zoom-secret-token-0001"
AT = "1767225600"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
BODY = b'{"event":"team_chat.dm_message_posted","event_ts":1767225600123,"payload":{"account_id":"abc"}}'
SIGNATURE = "v0=212ead341c80c44b2d89815d39c18fcd4c10ea9d2cc569a72331954d96aaea6e"
PLAIN = "qgg8vlvZRS6UYooatFL8Aw"
ENCRYPTED = "4d38b48547a16d68b514aa94630c49d70633d2801f1818a04cca41f9576176a7"


def connector(*secrets: str) -> Zoom:
    return Zoom(Settings.model_validate({"account": "abc", "secret_tokens": list(secrets or (SECRET,))}))


def request(body: bytes = BODY, signature: str = SIGNATURE, at: str = AT, arrived: datetime = NOW) -> Request:
    headers = {"x-zm-request-timestamp": at, "x-zm-signature": signature}
    return Request("POST", "https://hooks.example.com/in", "", {}, headers, body, arrived)


def signed(body: bytes, secret: str = SECRET, at: str = AT) -> Request:
    digest = hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
    return request(body, f"v0={digest}", at)


def challenge(plain: Any) -> bytes:
    return json.dumps({"event": "endpoint.url_validation", "payload": {"plainToken": plain}, "event_ts": 1}).encode()


def test_the_worked_example_passes() -> None:
    connector().authenticate(request())


def test_either_of_two_secrets_passes_while_one_is_rotated() -> None:
    connector("the-new-one", SECRET).authenticate(request())
    connector(SECRET, "the-old-one").authenticate(request())
    with pytest.raises(Rejected):
        connector("the-new-one", "another").authenticate(request())


@pytest.mark.parametrize(
    "signature", ["", "v0=", SIGNATURE[3:], SIGNATURE.upper(), "v1=" + SIGNATURE[3:], SIGNATURE + "0", "é", "\udcff"]
)
def test_another_signature_is_refused(signature: str) -> None:
    with pytest.raises(Rejected):
        connector().authenticate(request(signature=signature))


def test_another_body_and_another_time_are_refused() -> None:
    for forged in (request(BODY + b" "), request(b""), request(at="1767225601")):
        with pytest.raises(Rejected):
            connector().authenticate(forged)


@pytest.mark.parametrize(
    "at", ["", "soon", "-1", "1e9", "\u0661\u0667", "1767225600.0", " 1767225600", "9" * 12, "9" * 4000]
)
def test_a_time_that_is_none_is_refused_though_it_is_signed(at: str) -> None:
    with pytest.raises(Rejected):
        connector().authenticate(signed(BODY, at=at))


def test_the_window_reaches_over_all_retries_and_no_further() -> None:
    for late in (timedelta(minutes=-5), timedelta(), timedelta(minutes=85), timedelta(minutes=100)):
        connector().authenticate(request(arrived=NOW + late))
    for late in (timedelta(minutes=-5, seconds=-1), timedelta(minutes=100, seconds=1), timedelta(days=1)):
        with pytest.raises(Rejected):
            connector().authenticate(request(arrived=NOW + late))


def test_an_empty_secret_signs_nothing() -> None:
    with pytest.raises(Rejected):
        connector("").authenticate(signed(BODY, secret=""))


def test_the_challenge_is_answered_by_the_secret_that_signed_it() -> None:
    for lent in (connector(), connector("the-new-one", SECRET)):
        answer = lent.handshake(signed(challenge(PLAIN)))
        assert answer is not None
        assert answer.status == 200
        assert json.loads(answer.body) == {"plainToken": PLAIN, "encryptedToken": ENCRYPTED}


@pytest.mark.parametrize("plain", ["", "v0:1767225600:{}", "a b", "a" * 129, "<script>", "a\n", "é"])
def test_the_answer_is_no_oracle_for_signatures(plain: str) -> None:
    """The same secret signs deliveries; what is signed there begins with `v0:`, which no token may."""
    with pytest.raises(Rejected):
        connector().handshake(signed(challenge(plain)))


@pytest.mark.parametrize(
    "body",
    [
        BODY,
        challenge(5),
        challenge(None),
        b"endpoint.url_validation",
        b'{"event":"endpoint.url_validation","payload":[]}',
    ],
)
def test_what_is_no_challenge_is_answered_by_nobody(body: bytes) -> None:
    assert connector().handshake(signed(body)) is None


def test_an_unsigned_challenge_is_refused() -> None:
    unsigned = request(challenge(PLAIN), "")
    with pytest.raises(Rejected):
        connector().authenticate(unsigned)
    with pytest.raises(Rejected):
        connector().handshake(unsigned)
    assert connector().handshake(msgspec.structs.replace(unsigned, method="GET")) is None


@pytest.mark.parametrize(
    ("payload", "account"),
    [
        ({"account_id": "abc", "object": {"contact_account_id": "other"}}, "abc"),
        ({"accountId": "abc"}, "abc"),
        ({"account_id": "", "object": {"contact_account_id": "abc", "channel_owner_account_id": ""}}, "abc"),
        ({"account_id": "", "object": {"contact_account_id": 7, "channel_owner_account_id": "abc"}}, "abc"),
        ({"account_id": "", "object": []}, ""),
        ({"account_id": 7}, ""),
        ({}, ""),
    ],
)
def test_a_record_is_for_the_account_whose_chat_it_is(payload: dict[str, Any], account: str) -> None:
    """Events of people of other companies name no account."""
    (raw,) = connector().unpack(signed(json.dumps({"event": "x", "payload": payload}).encode()))
    assert isinstance(raw, Raw)
    assert raw.account == account


def test_secrets_inside_a_body_are_dropped() -> None:
    secrets = {"download_token": "s1", "response_url": "s2", "callback_url": "s7", "callback_token": "s8"}
    payload = {
        "account_id": "abc",
        "signature": "s3",
        "triggerId": "s4",
        "object": {"trigger_id": "s5", "link": "kept", "download_token": "s6"},
    }
    (raw,) = connector().unpack(signed(json.dumps({"event": "x", **secrets, "payload": payload}).encode()))
    assert isinstance(raw, Raw)
    assert b"kept" in raw.data
    assert not [
        one for one in (b"s1", b"s2", b"s3", b"s4", b"s5", b"s6", b"s7", b"s8") if b'"' + one + b'"' in raw.data
    ]
