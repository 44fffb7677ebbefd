"""RS256 tokens: what passes, and every way in which one may not. The attacks are those of RFC 8725 §2."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from im_ingest import jwt
from onethread.errors import Rejected

NOW = datetime(2026, 1, 1, tzinfo=UTC)
AT = int(NOW.timestamp())
CLAIMS = {"iss": "https://issuer.example.com", "aud": "our-bot", "nbf": AT - 60, "exp": AT + 3600}
HEADER = {"alg": "RS256", "typ": "JWT", "kid": "k1"}


@pytest.fixture(scope="module")
def private() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def other() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def published(private: RSAPrivateKey, **fields: Any) -> jwt.Key:
    numbers = private.public_key().public_numbers()
    n, e = (jwt.encoded(one.to_bytes((one.bit_length() + 7) // 8, "big")) for one in (numbers.n, numbers.e))
    return jwt.Key(**{"kty": "RSA", "n": n, "e": e, "kid": "k1", **fields})


def part(value: Any) -> str:
    return jwt.encoded(json.dumps(value).encode())


def made(private: RSAPrivateKey, claims: Any = CLAIMS, header: Any = HEADER) -> str:
    signed = f"{part(header)}.{part(claims)}"
    return f"{signed}.{jwt.encoded(private.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def accepted(text: str, key: jwt.Key, at: datetime = NOW) -> None:
    token = jwt.parse(text)
    jwt.check(token.claims, issuer="https://issuer.example.com", audience="our-bot", at=at)
    jwt.verify(token, key)


def test_a_token_passes(private: RSAPrivateKey) -> None:
    accepted(made(private), published(private))
    accepted(made(private, {**CLAIMS, "aud": ["another", "our-bot"]}), published(private))
    accepted(made(private, {name: value for name, value in CLAIMS.items() if name != "nbf"}), published(private))


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://issuer.example.org"},
        {"iss": "https://issuer.example.com/"},
        {"iss": None},
        {"aud": "another-bot"},
        {"aud": ""},
        {"aud": []},
        {"aud": ["another-bot"]},
        {"aud": None},
        {"exp": AT - 300},
        {"exp": 0},
        {"exp": "soon"},
        {"exp": None},
        {"nbf": AT + 301},
        {"nbf": "later"},
    ],
)
def test_claims_that_do_not_fit_are_refused(private: RSAPrivateKey, changed: dict[str, Any]) -> None:
    with pytest.raises(Rejected):
        accepted(made(private, {**CLAIMS, **changed}), published(private))


@pytest.mark.parametrize("missing", ["iss", "aud", "exp"])
def test_claims_that_are_needed_are_demanded(private: RSAPrivateKey, missing: str) -> None:
    with pytest.raises(Rejected):
        accepted(made(private, {name: value for name, value in CLAIMS.items() if name != missing}), published(private))


def test_clocks_may_differ_by_five_minutes(private: RSAPrivateKey) -> None:
    accepted(made(private, {**CLAIMS, "exp": AT - 299}), published(private))
    accepted(made(private, {**CLAIMS, "nbf": AT + 299}), published(private))


def test_an_empty_audience_of_ours_takes_nothing(private: RSAPrivateKey) -> None:
    token = jwt.parse(made(private, {**CLAIMS, "aud": ""}))
    with pytest.raises(Rejected):
        jwt.check(token.claims, issuer="https://issuer.example.com", audience="", at=NOW)


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "NONE", "", "HS256", "RS384", "RS512", "PS256", "ES256", "rs256"]
)
def test_no_other_algorithm_is_taken(private: RSAPrivateKey, algorithm: str) -> None:
    header = {**HEADER, "alg": algorithm}
    with pytest.raises(Rejected):
        jwt.parse(made(private, header=header))
    with pytest.raises(Rejected):
        jwt.parse(f"{part(header)}.{part(CLAIMS)}.")


@pytest.mark.parametrize("claimed", ["HS256", "RS256"])
def test_the_public_key_is_no_secret(private: RSAPrivateKey, claimed: str) -> None:
    """An HMAC keyed with what everybody knows (RFC 8725 §2.1), whatever the header calls it."""
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    signed = f"{part({**HEADER, 'alg': claimed})}.{part(CLAIMS)}"
    forged = jwt.encoded(hmac.new(public, signed.encode(), hashlib.sha256).digest())
    with pytest.raises(Rejected):
        accepted(f"{signed}.{forged}", published(private))


def test_another_key_another_hash_and_another_payload_are_refused(private: RSAPrivateKey, other: RSAPrivateKey) -> None:
    signed = f"{part(HEADER)}.{part(CLAIMS)}"
    longer = jwt.encoded(private.sign(signed.encode(), PKCS1v15(), SHA384()))
    whole = made(private)
    exchanged = ".".join((whole.split(".")[0], part({**CLAIMS, "sub": "x"}), whole.split(".")[2]))
    for text, key in (
        (made(other), published(private)),
        (f"{signed}.{longer}", published(private)),
        (f"{signed}.", published(private)),
        (exchanged, published(private)),
        (whole, published(private, kid="k2")),
    ):
        with pytest.raises(Rejected):
            accepted(text, key)


@pytest.mark.parametrize(
    "fields",
    [
        {"kty": "oct"},
        {"use": "enc"},
        {"alg": "RS512"},
        {"n": ""},
        {"n": "*"},
        {"n": jwt.encoded(b"\xff" * 128)},
        {"n": jwt.encoded(b"\xff" * 2000)},
        {"e": "AA"},
        {"e": "Ag"},
        {"e": "AQ=="},
    ],
)
def test_a_key_that_is_none_or_too_weak_verifies_nothing(private: RSAPrivateKey, fields: dict[str, str]) -> None:
    with pytest.raises(Rejected):
        accepted(made(private), msgspec.structs.replace(published(private), **fields))


def test_one_signature_has_one_spelling(private: RSAPrivateKey) -> None:
    """Base64 leaves bits unused at the end, and decoders skip strange letters: only the canonical text is taken."""
    whole = made(private)
    head, last = whole[:-1], whole[-1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    near = alphabet[alphabet.index(last) ^ 1]
    for text in (
        f"{head}{near}",
        f"{whole}=",
        f"{whole}==",
        f"{whole}\n",
        f"{whole}!",
        f" {whole}",
        whole.replace(".", "..", 1),
    ):
        with pytest.raises(Rejected):
            accepted(text, published(private))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "é.é.é",
        "\udcff.a.b",
        f"{part([])}.{part(CLAIMS)}.",
        f"{part({'alg': 'RS256'})}.{part(CLAIMS)}.",
        f"{part({**HEADER, 'kid': 5})}.{part(CLAIMS)}.",
        f"{part({**HEADER, 'crit': ['exp']})}.{part(CLAIMS)}.",
        f"{part(HEADER)}.{part('claims')}.",
        f"{part(HEADER)}.{base64.urlsafe_b64encode(b'[' * 5000).decode().rstrip('=')}.",
        "a" * 20_000,
        "." * 20_000,
    ],
)
def test_what_is_no_token_is_refused_and_breaks_nothing(text: str) -> None:
    with pytest.raises(Rejected):
        jwt.parse(text)


def test_the_example_of_the_standard_verifies() -> None:
    """RFC 7515, appendix A.2: the signature over its header and payload, by its key."""
    key = jwt.Key(
        kty="RSA",
        n="ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMs"
        "D1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdV"
        "MTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
        e="AQAB",
    )
    payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    signature = (
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZ"
        "cAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
        "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
    )
    claims = jwt.Claims(iss="joe", aud="", exp=1300819380)
    header = jwt.Header("RS256", "")
    jwt.verify(jwt.Token(header, claims, b"", f"eyJhbGciOiJSUzI1NiJ9.{payload}".encode(), jwt.decoded(signature)), key)
