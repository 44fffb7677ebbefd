"""Rotating tokens of providers: encrypted at rest, renewed by one replica at a time, stored before use. It knows no OAuth.

A refresh token often works once. So a renewal holds a lease, and what it brought is stored before anybody uses it.
"""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from onethread.connector import Token
from onethread.errors import Conflict, Misconfigured, Retryable
from onethread.shielded import finished
from onethread.state.leases import Lease, Leases
from onethread.state.port import StateStore

T = TypeVar("T")
Renew = Callable[[Token | None], Awaitable[Token]]

_COLLECTION = "tokens"
_SHORTEST = 32
_LOOK_EVERY = 0.2  # seconds, while another replica renews


class _Sealed(msgspec.Struct, frozen=True):
    """`of`: whose it is, so that a document copied to another id is refused."""

    of: str
    token: Token


_decode = msgspec.json.Decoder(_Sealed).decode


class Tokens:
    """Tokens by (channel, name).

    `keys`: secrets of 32 characters or more, the newest first: it encrypts, all decrypt; so a key is replaced by putting a new
    one in front. `setting` names that list. `margin`: how long before its end a token is renewed. `patience`: seconds to
    wait for another replica's renewal; more than the leases' ttl, or a dead replica's is never taken over.
    """

    def __init__(
        self,
        store: StateStore,
        keys: Sequence[SecretStr],
        leases: Leases,
        *,
        setting: str = "keys",
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        margin: timedelta = timedelta(minutes=2),
        patience: float = 30.0,
    ) -> None:
        self._store = store
        self._leases = leases
        self._setting = setting
        self._now = now
        self._margin = margin
        self._patience = patience
        self._renewing: dict[str, asyncio.Lock] = {}
        if not keys or any(len(key.get_secret_value()) < _SHORTEST for key in keys):
            raise Misconfigured(f"{setting} needs at least one secret, each of {_SHORTEST} random characters or more.")
        self._fernet = MultiFernet([Fernet(_derived(key)) for key in keys])

    async def token(self, channel: str, name: str, renew: Renew) -> str:
        """The token's value, valid for a while; renewed first if it is missing or about to end.

        Raises what `renew` raises; Retryable when a renewal, here or in another replica, takes too long.
        """
        key = f"{channel}/{name}"
        token, _ = await self._load(key)
        if token is not None and self._lasts(token):
            return token.value
        async with self._renewing.setdefault(key, asyncio.Lock()):
            # Once the provider has answered, the old refresh token is used up: a cancelled caller must not lose the new one.
            return await finished(self._renewed(channel, name, renew))

    async def expire(self, channel: str, name: str) -> None:
        """The provider refuses the token before its time: whoever asks next renews it. What renews it is kept."""
        token, version = await self._load(f"{channel}/{name}")
        if token is None or not self._lasts(token):
            return
        ended = msgspec.structs.replace(token, expires_at=datetime.fromtimestamp(0, UTC))
        sealed = self._fernet.encrypt(msgspec.json.encode(_Sealed(f"{channel}/{name}", ended)))
        with contextlib.suppress(Conflict):  # renewed by another in between
            await self._store.put(_COLLECTION, f"{channel}/{name}", sealed, version)

    async def _renewed(self, channel: str, name: str, renew: Renew) -> str:
        key = f"{channel}/{name}"
        lease = await self._awaited(channel, f"token/{name}")
        try:
            token, version = await self._load(key)
            if token is None or not self._lasts(token):  # nobody renewed it while we waited
                token = await self._brought(key, partial(renew, token), version, self._leases.remaining(lease))
            return token.value
        finally:
            with contextlib.suppress(Retryable):  # it runs out by itself
                await self._leases.release(lease)

    async def _awaited(self, channel: str, resource: str) -> Lease:
        try:
            async with asyncio.timeout(self._patience):
                while (lease := await self._leases.acquire(channel, resource)) is None:  # noqa: ASYNC110 -- another process
                    await asyncio.sleep(_LOOK_EVERY)
                return lease
        except TimeoutError as error:
            raise Retryable(
                f"another replica has been renewing {channel}/{resource} for {self._patience:g} s."
            ) from error

    async def _brought(self, key: str, renew: Callable[[], Awaitable[Token]], version: int, within: float) -> Token:
        try:
            async with asyncio.timeout(within):  # another replica may begin after that
                token = await renew()
        except TimeoutError as error:
            raise Retryable(f"the provider did not renew the token {key} within {within:.0f} s.") from error
        sealed = self._fernet.encrypt(msgspec.json.encode(_Sealed(key, token)))
        try:
            await self._store.put(_COLLECTION, key, sealed, version)
        except Conflict:
            theirs, _ = await self._load(key)
            if theirs is None:
                raise
            return theirs
        return token

    async def _load(self, key: str) -> tuple[Token | None, int]:
        document = await self._store.get(_COLLECTION, key)
        if document is None:
            return None, 0
        try:
            sealed = _decode(self._fernet.decrypt(document.value))
        except (InvalidToken, msgspec.MsgspecError) as error:
            sentence = f"the stored token {key} opens with no key of {self._setting}: put the former key at its end."
            raise Misconfigured(sentence) from error
        if sealed.of != key:
            raise Misconfigured(
                f"the stored token {key} is that of {sealed.of}: documents were mixed up; authorise anew."
            )
        return sealed.token, document.version

    def _lasts(self, token: Token) -> bool:
        return token.expires_at - self._now() > self._margin


def _derived(key: SecretStr) -> bytes:
    """A key for this use alone: the same secrets also sign deep links."""
    derivation = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"onethread tokens")
    return base64.urlsafe_b64encode(derivation.derive(key.get_secret_value().encode()))
