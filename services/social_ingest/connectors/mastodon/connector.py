"""Mastodon: mentions, direct messages and reactions of one account, by its stream, with notifications as the truth behind.

The stream loses what happens while nobody listens, and sometimes a frame besides (it is a broadcast without memory). So a
frame is only handed on early; the cursor moves over what the list of notifications says, in its order.
"""

from collections.abc import AsyncIterator, Iterable
from typing import ClassVar

import httpx
import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from websockets.exceptions import WebSocketException

from onethread.connector import Checks, Connector, Host, Raw, Step, Stream
from onethread.errors import OnethreadError
from onethread.event import Event
from social_ingest.connectors.mastodon.api import Api
from social_ingest.connectors.mastodon.reading import Reading
from social_ingest.connectors.mastodon.records import events
from social_ingest.connectors.mastodon.who import full


class Settings(BaseModel):
    """One account."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(
        pattern=r"^[^@\s/]+@[^@\s/]+$",
        description="The account with its domain, without leading @: shop@social.example.",
    )
    base_url: str = Field(pattern=r"^https?://", description="Address of its server: https://social.example.")
    access_token: SecretStr = Field(
        description="Access token of an application of the account, with read:accounts, read:notifications, read:statuses."
    )


class Mastodon(Connector[Settings], Stream, Checks):
    """One account."""

    name = network = "mastodon"
    quiet: ClassVar[float] = 2.0
    """Seconds without a frame after which the list is read: at most half of the 300 requests allowed in 5 minutes."""
    idle: ClassVar[float] = 300.0
    """Seconds after which it is read anyway: a frame may be lost, and notifications held back are never streamed."""
    burst: ClassVar[int] = 40
    """Notifications after which it is read even if more come."""

    def normalize(self, raw: Raw) -> Iterable[Event]:
        return events(raw, self.settings.account)

    async def session(self, host: Host, resource: str, cursor: str | None) -> None:  # noqa: ARG002 -- one stream an account
        """Connect first, then fetch what was missed: what happens in between waits in the connection."""
        api = self._api(host)
        async with host.websocket(await api.streaming(), api.headers) as socket:
            if cursor is None:
                cursor = await api.last_before(host.since)
                await host.emit([], cursor)
            reading = Reading(host, api, self.settings.account, cursor)
            await reading.run(socket, quiet=self.quiet, idle=self.idle, burst=self.burst)

    async def check(self, host: Host) -> AsyncIterator[Step]:
        api = self._api(host)
        try:
            account = await api.account()
        except (httpx.HTTPError, OnethreadError, msgspec.MsgspecError) as error:
            todo = f"{describe(error)}. Check `base_url`; make a new `access_token` under Preferences, Development."
            yield Step("token", ok=False, todo=todo)
            return
        theirs, ours = full(account.acct, self.settings.account), self.settings.account
        same = theirs.casefold() == ours.casefold()
        yield Step("token", ok=same, todo="" if same else f"the token belongs to {theirs}: set `account` to it")
        yield await self._scope(api)
        yield await self._stream(host, api)

    async def _scope(self, api: Api) -> Step:
        try:
            await api.newest()
        except (httpx.HTTPError, OnethreadError, msgspec.MsgspecError) as error:
            return Step(
                "notifications", ok=False, todo=f"{describe(error)}. Give the token the scope read:notifications."
            )
        return Step("notifications", ok=True)

    async def _stream(self, host: Host, api: Api) -> Step:
        try:
            async with host.websocket(await api.streaming(), api.headers):
                return Step("stream", ok=True)
        except (httpx.HTTPError, WebSocketException, OSError, OnethreadError, msgspec.MsgspecError) as error:
            todo = f"{describe(error)}. Give the token the scope read:statuses; see that WebSockets get through."
            return Step("stream", ok=False, todo=todo)

    def _api(self, host: Host) -> Api:
        return Api(host, self.settings.base_url, self.settings.access_token)


def describe(error: Exception) -> str:
    """What went wrong, without an address."""
    if isinstance(error, httpx.HTTPStatusError):
        return f"the server answers {error.response.status_code}"
    return str(error) if isinstance(error, OnethreadError) else f"the server cannot be used: {type(error).__name__}"
