"""Calls of the Mastodon API over the host's HTTP client. It knows addresses and paging; it knows no meaning of a record."""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

import msgspec
from pydantic import SecretStr

from onethread.connector import Host
from onethread.errors import Misconfigured
from social_ingest.connectors.mastodon.entities import Account, Dated, Instance

PAGE = 80
"""Notifications a page at most (https://docs.joinmastodon.org/methods/notifications/)."""


class Api:
    """One account's calls. Errors of the HTTP client are the host's to translate; none names the token."""

    def __init__(self, host: Host, base_url: str, token: SecretStr) -> None:
        self._http = host.http
        self._base = base_url.rstrip("/")
        self.headers = {"authorization": f"Bearer {token.get_secret_value()}"}

    async def _get(self, path: str, **parameters: str | int) -> bytes:
        response = await self._http.get(f"{self._base}{path}", params=parameters, headers=self.headers)
        return response.content

    async def account(self) -> Account:
        """Whose token it is."""
        return msgspec.json.decode(await self._get("/api/v1/accounts/verify_credentials"), type=Account)

    async def streaming(self) -> str:
        """Where the user's stream is. Raises Misconfigured when it would carry the token unencrypted, while we are not."""
        instance = msgspec.json.decode(await self._get("/api/v2/instance"), type=Instance)
        url = instance.configuration.urls.streaming.rstrip("/")
        if not url:
            raise Misconfigured(f"{self._base} names no streaming server: is it Mastodon 4 or what speaks its API?")
        if urlsplit(self._base).scheme == "https" and urlsplit(url).scheme != "wss":
            raise Misconfigured(
                f"{self._base} names a streaming server without encryption; its operator must mend that"
            )
        return f"{url}/api/v1/streaming?stream=user"

    async def after(self, last: str) -> Sequence[bytes]:
        """The page of notifications that follows next on an id, oldest first; empty at the end.

        `min_id` gives the page immediately newer, the newest first in it. Filtered ones are asked for: a stranger's first
        message is such a one where the account holds strangers back.
        """
        page = await self._get("/api/v1/notifications", min_id=last, limit=PAGE, include_filtered="true")
        return [bytes(record) for record in reversed(msgspec.json.decode(page, type=list[msgspec.Raw]))]

    async def newest(self, before: str = "") -> Sequence[Dated]:
        """A page of notifications from the newest, or from before an id, backwards."""
        parameters: dict[str, str | int] = {"limit": PAGE, "include_filtered": "true"}
        if before:
            parameters["max_id"] = before
        page = await self._get("/api/v1/notifications", **parameters)
        return msgspec.json.decode(page, type=list[Dated])

    async def last_before(self, since: datetime | None) -> str:
        """The id of the newest notification; or of the newest that is older than `since`. "0" where there is none."""
        before = ""
        while page := await self.newest(before):
            for notification in page:
                if since is None or notification.created_at < since:
                    return notification.id
            before = page[-1].id
        return "0"
