"""What connectors are lent: the `Host` of `onethread.connector`, per channel and resource. It holds no loop of its own."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime

import httpx

from onethread.connector import Host, Misconfigured, Raw, Retryable, Token, WebSocket
from onethread.host.backoff import Backoff, Pace
from onethread.host.batch import Outcome, Streak
from onethread.host.channel import Channel
from onethread.host.faults import AccessRevoked
from onethread.host.http import LentClient
from onethread.host.ingest import Ingest, Stopped
from onethread.host.sockets import websocket
from onethread.shielded import finished
from onethread.state.tokens import Tokens

_NO_LONGER = frozenset({400, 401, 403})
"""What token endpoints answer to a grant that was revoked (RFC 6749 section 5.2: invalid_grant is a 400)."""
SaveCursor = Callable[[str], Awaitable[None]]
"""Saves a cursor under the holder's lease. Raises Conflict when the lease is lost."""


class Lent:
    """See `Host`. `used`: the names of tokens that were handed out since the last failure."""

    def __init__(
        self,
        lender: "Lender",
        channel: Channel,
        resource: str,
        *,
        hint: str,
        save: SaveCursor | None,
        streak: Streak | None,
    ) -> None:
        self.http: httpx.AsyncClient = lender.client(channel)
        self.url = channel.url(lender.public_url)
        self.since: datetime | None = channel.since
        self.hint = hint
        self.used: set[str] = set()
        self.emitted: Outcome | None = None
        self._lender, self._channel, self._resource, self._save, self._streak = lender, channel, resource, save, streak
        self._order = asyncio.Lock()

    def now(self) -> datetime:
        """See `Host`."""
        return self._lender.ingest.now()

    def websocket(self, url: str, headers: Mapping[str, str] = {}) -> AbstractAsyncContextManager[WebSocket]:
        """See `Host`."""
        return websocket(url, headers, self._channel.allow_networks)

    async def token(self, name: str, renew: Callable[[Token | None], Awaitable[Token]]) -> str:
        """See `Host`."""
        self.used.add(name)

        async def renewed(old: Token | None) -> Token:
            try:
                return await renew(old)
            except httpx.HTTPStatusError as error:
                if error.response.status_code in _NO_LONGER:
                    raise AccessRevoked(
                        "the provider does not renew our access; authorise this channel again"
                    ) from error
                raise

        return await self._lender.tokens.token(self._channel.id, name, renewed)

    async def emit(self, records: Sequence[Raw], cursor: str | None = None) -> None:
        """See `Host`. While the log is away it waits; raises Misconfigured, Stopped, and Conflict when the lease is lost."""
        if cursor is not None and self._save is None:
            raise Misconfigured("a cursor is only kept for streams: this edge has none")
        async with self._order:  # one after the other: a cursor says that everything before it is durable
            backoff = Backoff(self._lender.pace, self._lender.random)
            while True:
                try:
                    await finished(self._durable(records, cursor))
                except Stopped:
                    raise
                except Retryable as error:
                    await asyncio.sleep(backoff.failed(error))
                else:
                    return

    async def drop_tokens(self) -> bool:
        """The provider refuses what we hold: the tokens used are renewed with the next use. False: there were none."""
        used, self.used = self.used, set()
        for name in used:
            await self._lender.tokens.expire(self._channel.id, name)
        return bool(used)

    async def _durable(self, records: Sequence[Raw], cursor: str | None) -> None:
        self.emitted = await self._lender.ingest.records(self._channel, records, self._streak)
        self._lender.ingest.taps.records(self.emitted.seen)
        if cursor is not None and self._save is not None:
            await self._save(cursor)


class Lender:
    """Makes hosts; one HTTP client a channel, closed by `close`.

    `public_url`: as of the webhook entrance; `random_source`: for the waits of `emit`.
    """

    def __init__(
        self,
        ingest: Ingest,
        tokens: Tokens,
        *,
        public_url: str = "",
        pace: Pace | None = None,
        random_source: random.Random | None = None,
    ) -> None:
        self.ingest, self.tokens, self.public_url = ingest, tokens, public_url
        self.pace = pace or Pace()
        self.random = random_source or random.Random()  # noqa: S311 -- for waits, not for secrets
        self._clients: dict[str, tuple[Channel, LentClient]] = {}
        self._retired: list[LentClient] = []

    def lend(
        self,
        channel: Channel,
        resource: str = "",
        *,
        hint: str = "",
        save: SaveCursor | None = None,
        streak: Streak | None = None,
    ) -> Lent:
        """A host for this channel and resource. Without `save`, `emit` takes no cursor."""
        return Lent(self, channel, resource, hint=hint, save=save, streak=streak)

    def host(self, channel: Channel) -> Host:
        """A host for an ability that has no resource: keys, checks, mounted applications."""
        return self.lend(channel)

    def client(self, channel: Channel) -> LentClient:
        """The channel's HTTP client."""
        known, client = self._clients.get(channel.id, (None, None))
        if client is None or known is not channel:
            if client is not None:
                self._retired.append(client)  # somebody may still be using it
            client = LentClient(channel.allow_networks)
            self._clients[channel.id] = (channel, client)
        return client

    async def close(self) -> None:
        """Close all connections."""
        clients = [client for _, client in self._clients.values()] + self._retired
        self._clients, self._retired = {}, []
        for client in clients:
            with contextlib.suppress(httpx.HTTPError, OSError):  # nothing can be done about it any more
                await client.aclose()
