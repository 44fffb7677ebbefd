"""Keys of the API: made, shown once, verified, revoked. It knows no route; scopes are words to it.

`otk_<id>_<43 random>_<CRC>`: prefix and check sum let scanners find leaks, and refuse typing errors unread. 43 characters of 62
are 256 bits, for which a fast hash is enough: nobody guesses them. Only that hash is stored.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib
from datetime import datetime

import msgspec

from onethread.errors import Conflict, Rejected
from onethread.state.port import StateStore

_COLLECTION = "api_keys"
_RANDOM = string.ascii_letters + string.digits
_FORM = re.compile(r"otk_([0-9a-z]{16})_([0-9A-Za-z]{43})_([0-9a-f]{8})")
_REFUSED = "this API key is not valid: unknown, expired or revoked. Ask your administrator for another."


class ApiKey(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A key without its secret. The tenant of a request comes from here alone."""

    id: str
    tenant: str
    name: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None


class _Stored(msgspec.Struct, frozen=True):
    key: ApiKey
    sha256: str


_decode = msgspec.json.Decoder(_Stored).decode


class ApiKeys:
    """Keys in the state store, by id. Times are passed in, with their zone."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def create(
        self, tenant: str, name: str, scopes: tuple[str, ...], *, now: datetime, expires_at: datetime | None = None
    ) -> tuple[str, ApiKey]:
        """The key's text, to be shown once and never again, and what is kept of it."""
        number = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(16))
        secret = "".join(secrets.choice(_RANDOM) for _ in range(43))
        key = ApiKey(id=f"key_{number}", tenant=tenant, name=name, scopes=scopes, created_at=now, expires_at=expires_at)
        await self._store.put(_COLLECTION, key.id, msgspec.json.encode(_Stored(key, _hash(secret))), 0)
        return f"otk_{number}_{secret}_{_check(number, secret)}", key

    async def verify(self, text: str, now: datetime) -> ApiKey:
        """The key that `text` is. Raises Rejected (401), without asking the store for what is no key at all."""
        number, secret = parse(text)
        document = await self._store.get(_COLLECTION, f"key_{number}")
        stored = _decode(document.value) if document else None
        # Compared also where there is none, so that an unknown id takes as long as a wrong secret.
        same = hmac.compare_digest(_hash(secret), stored.sha256 if stored else "0" * 64)
        if stored is None or not same or not _works(stored.key, now):
            raise Rejected(_REFUSED)
        return stored.key

    async def list(self, tenant: str) -> list[ApiKey]:
        """A tenant's keys, in order of creation, revoked ones too."""
        keys = [_decode(document.value).key for document in await self._store.scan(_COLLECTION)]
        return sorted((key for key in keys if key.tenant == tenant), key=lambda key: (key.created_at, key.id))

    async def revoke(self, tenant: str, key_id: str, now: datetime) -> ApiKey | None:
        """Refuse it from now on; a repeat changes nothing. None: this tenant has no such key."""
        while True:
            document = await self._store.get(_COLLECTION, key_id)
            stored = _decode(document.value) if document else None
            if document is None or stored is None or stored.key.tenant != tenant:
                return None
            if stored.key.revoked_at is not None:
                return stored.key
            revoked = msgspec.structs.replace(stored, key=msgspec.structs.replace(stored.key, revoked_at=now))
            try:
                await self._store.put(_COLLECTION, key_id, msgspec.json.encode(revoked), document.version)
            except Conflict:
                continue
            return revoked.key


def parse(text: str) -> tuple[str, str]:
    """Number and random part of a key. Raises Rejected (401) for a form or check sum that is wrong."""
    found = _FORM.fullmatch(text)
    if found is None or _check(found[1], found[2]) != found[3]:
        raise Rejected("this is no API key: copy it whole, as it was shown when it was created (otk_…).")
    return found[1], found[2]


def _works(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or now < key.expires_at)


def _check(number: str, secret: str) -> str:
    return f"{zlib.crc32(f'otk_{number}_{secret}'.encode()):08x}"


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
