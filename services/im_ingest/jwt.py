"""Signed JSON Web Tokens as Microsoft's Bot Connector makes them: RS256 alone. It knows no issuer, fetches no key, and reads no clock.

The algorithm is pinned here, never taken from the token: neither `none` (RFC 7519 §6, RFC 8725 §3.1) nor an HMAC keyed with the
public key can pass. Sources: RFC 7515 (compact form §3.1, base64url without padding §2, `crit` §4.1.11), RFC 7517 and RFC 7518 §6.3
(RSA keys as JSON), RFC 7518 §3.3 (RS256, keys of 2048 bits or more), RFC 7519 §4.1 (registered claims).
"""

import base64
from datetime import datetime
from typing import NamedTuple

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from onethread.errors import Rejected

ALGORITHM = "RS256"
LONGEST = 16_384
"""Characters. The Bot Connector's tokens have about one thousand."""
LEEWAY = 300.0
"""Seconds by which clocks may differ."""
SHORTEST_KEY, LONGEST_KEY = 2048, 8192
"""Bits of the modulus; a longer one only costs time."""


class Header(msgspec.Struct, frozen=True):
    """The JOSE header, as far as it is read."""

    alg: str
    kid: str
    crit: msgspec.Raw | None = None


class Claims(msgspec.Struct, frozen=True):
    """The registered claims. Times are Unix seconds."""

    iss: str
    aud: str | list[str]
    exp: float
    nbf: float | None = None


class Key(msgspec.Struct, frozen=True):
    """A public key of a key set; `endorsements` is Microsoft's: for which channels its holder may speak."""

    kty: str
    n: str
    e: str
    kid: str = ""
    use: str = "sig"
    alg: str = ALGORITHM
    endorsements: list[str] = []


class Token(NamedTuple):
    """A token that was taken apart, and is not verified."""

    header: Header
    claims: Claims
    payload: bytes
    signed: bytes
    signature: bytes


def parse(text: str) -> Token:
    """Take a token apart. Raises Rejected for what is none, or is signed by another algorithm. Nothing in it is to be trusted yet."""
    parts = text.split(".")
    if len(text) > LONGEST or len(parts) != 3:
        raise Rejected("the bearer token is no JSON Web Signature of three parts")
    try:
        header, payload, signature = (decoded(part) for part in parts)
        token = Token(
            msgspec.json.decode(header, type=Header),
            msgspec.json.decode(payload, type=Claims),
            payload,
            f"{parts[0]}.{parts[1]}".encode("ascii"),
            signature,
        )
    except (ValueError, RecursionError) as error:  # msgspec's errors, binascii's and Unicode's are ValueErrors
        raise Rejected("the bearer token cannot be read") from error
    if token.header.alg != ALGORITHM:
        raise Rejected(f"the bearer token is not signed by {ALGORITHM}")
    if token.header.crit is not None:
        raise Rejected("the bearer token demands an extension")
    return token


def verify(token: Token, key: Key) -> None:
    """The signature, by this key. Raises Rejected."""
    if key.kid != token.header.kid:
        raise Rejected("the key is not the one that the bearer token names")
    try:
        _public(key).verify(token.signature, token.signed, PKCS1v15(), SHA256())
    except InvalidSignature as error:
        raise Rejected("the bearer token's signature does not match") from error


def check(claims: Claims, *, issuer: str, audience: str, at: datetime) -> None:
    """Who made the token, for whom, and for what time. Raises Rejected."""
    if claims.iss != issuer:
        raise Rejected("the bearer token is of another issuer")
    if not audience or audience not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
        raise Rejected("the bearer token is for another audience")
    now = at.timestamp()
    if now >= claims.exp + LEEWAY:
        raise Rejected("the bearer token has expired")
    if claims.nbf is not None and now < claims.nbf - LEEWAY:
        raise Rejected("the bearer token is not valid yet")


def decoded(part: str) -> bytes:
    """Base64url without padding, in its one canonical spelling. Raises ValueError."""
    data = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    if encoded(data) != part:
        raise ValueError("not base64url in its canonical form")
    return data


def encoded(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _public(key: Key) -> RSAPublicKey:
    if key.kty != "RSA" or key.use != "sig" or key.alg != ALGORITHM:
        raise Rejected(f"the key is not meant for {ALGORITHM}")
    try:
        modulus, exponent = (int.from_bytes(decoded(part)) for part in (key.n, key.e))
        if not SHORTEST_KEY <= modulus.bit_length() <= LONGEST_KEY:
            raise Rejected("the key is too short, or far too long")
        return RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError as error:
        raise Rejected("the key is no RSA key") from error
