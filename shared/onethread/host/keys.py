"""The providers' public keys that `authenticate` needs: fetched by the connector, kept for a day. It knows no algorithm.

Whoever calls the entrance names the key, so what nobody holds is remembered too: a flood of made-up names costs the provider
one request a name and half minute, and us no more memory than `_MOST`.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from onethread.connector import Host, Keys, Rejected, Request
from onethread.host.channel import Channel

_KEPT = timedelta(hours=24)
_REFUSED_FOR = timedelta(seconds=30)
_MOST = 1000


class KeyCache:
    """`lend` gives the host that `load_key` is called with."""

    def __init__(self, lend: Callable[[Channel], Host], now: Callable[[], datetime]) -> None:
        self._lend, self._now = lend, now
        self._keys: dict[tuple[str, str], tuple[bytes | None, datetime]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    async def with_keys(self, channel: Channel, request: Request, names: tuple[str, ...]) -> Request:
        """The request with the keys named. Raises Rejected for a key that is nobody's, and what `load_key` raises."""
        keys = {name: await self._key(channel, name) for name in names}
        return msgspec.structs.replace(request, keys=keys) if keys else request

    async def _key(self, channel: Channel, name: str) -> bytes:
        async with self._locks.setdefault(channel.id, asyncio.Lock()):  # one fetch for many deliveries
            key, until = self._keys.get((channel.id, name), (None, self._now()))
            if until <= self._now():
                key, until = await self._loaded(channel, name)
                while len(self._keys) >= _MOST:
                    self._keys.pop(next(iter(self._keys)))
                self._keys[channel.id, name] = (key, until)
        if key is None:
            raise Rejected("signed with a key that the provider does not publish")
        return key

    async def _loaded(self, channel: Channel, name: str) -> tuple[bytes | None, datetime]:
        assert isinstance(channel.connector, Keys)
        try:
            return await channel.connector.load_key(self._lend(channel), name), self._now() + _KEPT
        except Rejected:
            return None, self._now() + _REFUSED_FOR
