"""The providers' public keys that `authenticate` needs: fetched by the connector, kept for a day. It knows no algorithm.

Whoever calls the entrance names the key, so names that nobody holds are remembered too, apart from the keys; and only so many of
them are asked for in a while. Deliveries whose key is here wait for nobody.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from onethread.connector import Host, Keys, Rejected, Request, Retryable
from onethread.host.channel import Channel

_KEPT = timedelta(hours=24)
_REFUSED_FOR = timedelta(seconds=30)
_STRANGE = 20
"""Names that nobody holds, asked for within `_REFUSED_FOR`, a channel."""
_NOBODYS = "signed with a key that the provider does not publish"


class KeyCache:
    """`lend` gives the host that `load_key` is called with."""

    def __init__(self, lend: Callable[[Channel], Host], now: Callable[[], datetime]) -> None:
        self._lend, self._now = lend, now
        self._rings: dict[str, _Ring] = {}

    async def with_keys(self, channel: Channel, request: Request, names: tuple[str, ...]) -> Request:
        """The request with the keys named. Raises Rejected for a key that is nobody's, and what `load_key` raises.

        Raises Retryable for a name that is new while too many others were nobody's: it may be the provider's newest.
        """
        ring = self._rings.setdefault(channel.id, _Ring())
        keys = {name: ring.key(name, self._now()) or await self._fetched(channel, ring, name) for name in names}
        return msgspec.structs.replace(request, keys=keys) if keys else request

    async def _fetched(self, channel: Channel, ring: "_Ring", name: str) -> bytes:
        assert isinstance(channel.connector, Keys)
        async with ring.lock:  # one fetch for many deliveries
            known = ring.key(name, self._now())
            if known is not None:
                return known
            if ring.is_refused(name, self._now()):
                raise Rejected(_NOBODYS)
            if len(ring.refused) >= _STRANGE and name not in ring.keys:
                raise Retryable("many requests name keys that the provider does not publish", after=30.0)
            try:
                key = await channel.connector.load_key(self._lend(channel), name)
            except Rejected as error:
                ring.refused[name] = self._now() + _REFUSED_FOR
                raise Rejected(_NOBODYS) from error
            ring.keys[name] = (key, self._now() + _KEPT)
            return key


class _Ring:
    """One channel's keys, and the names that nobody holds; each until a time."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[bytes, datetime]] = {}
        self.refused: dict[str, datetime] = {}
        self.lock = asyncio.Lock()

    def key(self, name: str, now: datetime) -> bytes | None:
        key, until = self.keys.get(name, (None, now))
        return key if until > now else None

    def is_refused(self, name: str, now: datetime) -> bool:
        self.refused = {each: until for each, until in self.refused.items() if until > now}
        return name in self.refused
