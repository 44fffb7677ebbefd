"""Who is asking: an API key, and through it the tenant. Nothing else in a request says whose data it is about."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from starlette.requests import Request

from onethread.errors import Rejected
from onethread.state.api_keys import ApiKey, ApiKeys
from onethread.state.port import StateStore
from unifier.api.problems import Problem
from unifier.reading import milliseconds, moment

REMEMBERED = 30_000
"""Milliseconds a key is believed without asking the store again; a revoked one is refused within 60 s."""
_MOST = 10_000

_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="onethread"'}


class Caller(NamedTuple):
    """Who asks."""

    tenant: str
    key_id: str
    scopes: tuple[str, ...]

    def may(self, scope: str) -> bool:
        """Whether the key has a scope."""
        return scope in self.scopes


class Authenticator:
    """Verifies keys and remembers them for a short while, by the hash of their text. `now`: Unix milliseconds."""

    def __init__(self, state: StateStore, now: Callable[[], int]) -> None:
        self._keys = ApiKeys(state)
        self._now = now
        self._known: dict[bytes, tuple[ApiKey, int]] = {}

    async def caller(self, request: Request) -> Caller:
        """The caller. Raises the problem `unauthenticated`; Retryable while the state store cannot be reached."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise _refused("Send `Authorization: Bearer otk_…`.")
        key = await self._key(text.strip())
        return Caller(key.tenant, key.id, key.scopes)

    async def _key(self, text: str) -> ApiKey:
        now = self._now()
        name = hashlib.sha256(text.encode("utf-8", "replace")).digest()
        known = self._known.get(name)
        if known and 0 <= now - known[1] < REMEMBERED and not _expired(known[0], now):
            return known[0]
        self._known.pop(name, None)
        try:
            key = await self._keys.verify(text, moment(now))
        except Rejected as error:
            raise _refused(str(error)) from error
        if len(self._known) >= _MOST:
            self._known.clear()
        self._known[name] = (key, now)
        return key


def _expired(key: ApiKey, now: int) -> bool:
    return key.expires_at is not None and milliseconds(key.expires_at) <= now


def _refused(detail: str) -> Problem:
    return Problem("unauthenticated", detail, headers=_CHALLENGE)


def need(caller: Caller, scope: str) -> None:
    """Raises the problem `insufficient-scope` where the key lacks a scope."""
    if not caller.may(scope):
        raise Problem("insufficient-scope", f"This needs the scope {scope}.", missing_scope=scope)
