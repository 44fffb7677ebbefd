"""Our own signed tokens: a deep link that proves who opens it, a reply address that proves what is answered. No store.

A token is 56 characters of a-z and 2-7, in either case: mail servers may change the case of a local part, which holds 64
characters at most (RFC 5321 section 4.5.3.1.1), so `support+<token>` just fits. In base32 (RFC 4648 section 6):

    1 byte kind | 4 bytes expiry, Unix seconds | 20 bytes hash of what it names | 10 bytes HMAC-SHA256 over these,
                                                                                  the tenant and the network
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import msgspec
from pydantic import SecretStr

from onethread.errors import Misconfigured
from onethread.event import Claim
from onethread.identity import identity_id

LIFETIME = timedelta(days=7)
_SIZE = 56
_MAC_BYTES = 10
_HEAD_BYTES = 25
_MIN_KEY = 16
_KINDS: dict[int, Literal["link", "reply"]] = {1: "link", 2: "reply"}
_PREFIX = {"link": "idn_", "reply": "evt_"}


class Proof(NamedTuple):
    """What a token proves. `link`: `id` is the identity it was made for; `reply`: the event that is answered."""

    kind: Literal["link", "reply"]
    id: str
    expires_at: datetime


class OwnTokens:
    """Issues under the first key, accepts under all; keep an older key for as long as tokens live (7 days).

    Raises Misconfigured for keys that are missing or short.
    """

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._keys = tuple(key.get_secret_value().encode() for key in keys)
        if not self._keys or any(len(key) < _MIN_KEY for key in self._keys):
            raise Misconfigured(
                f"tokens.keys: give at least one key of {_MIN_KEY} characters or more, the newest first"
            )

    def issue(self, claim: Claim, tenant: str, network: str, now: datetime) -> str:
        """A token that proves, when it comes back on `network`, that its bearer holds `claim`."""
        return self._made(1, identity_id(tenant, claim), tenant, network, now)

    def issue_reply(self, event_id: str, tenant: str, network: str, now: datetime) -> str:
        """A token that proves, when it comes back on `network`, that the event is what is answered."""
        return self._made(2, event_id, tenant, network, now)

    def verify(self, token: str, tenant: str, network: str, at: datetime) -> Proof | None:
        """What the token proves to a message received `at`; None if it is not ours, of another network, or expired."""
        content = _decoded(token)
        if content is None:
            return None
        head, given = content[:_HEAD_BYTES], content[_HEAD_BYTES:]
        genuine = False
        for key in self._keys:  # all of them, so that time tells nothing
            genuine |= hmac.compare_digest(given, _mac(key, head, tenant, network))
        kind = _KINDS.get(head[0])
        expires_at = datetime.fromtimestamp(int.from_bytes(head[1:5], "big"), UTC)
        if not genuine or kind is None or at >= expires_at:
            return None
        return Proof(kind, _PREFIX[kind] + base64.b32encode(head[5:]).decode("ascii").lower(), expires_at)

    def _made(self, kind: int, named: str, tenant: str, network: str, now: datetime) -> str:
        expires = int((now + LIFETIME).timestamp())
        head = bytes([kind]) + expires.to_bytes(4, "big") + base64.b32decode(named[4:].upper())
        return base64.b32encode(head + _mac(self._keys[0], head, tenant, network)).decode("ascii").lower()


def _mac(key: bytes, head: bytes, tenant: str, network: str) -> bytes:
    # JSON keeps the parts apart; the label keeps the key's other uses apart.
    signed = msgspec.json.encode(("onethread token 1", tenant, network, head))
    return hmac.new(key, signed, hashlib.sha256).digest()[:_MAC_BYTES]


def _decoded(token: str) -> bytes | None:
    if len(token) != _SIZE or not token.isascii():
        return None
    try:
        return base64.b32decode(token.upper())
    except binascii.Error:
        return None
