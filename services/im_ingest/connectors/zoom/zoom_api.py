"""Calls of Zoom's API, by Server-to-Server OAuth. It knows addresses and error codes; no event.

Source: Zoom's documentation, "Server-to-Server OAuth" (tokens of one hour) and "Errors" (codes 124, 200, 300, 1001, 4711).
"""

from typing import Any, TypeVar
from urllib.parse import quote

from im_ingest.api_calls import OAuthApi, Refusal, trusted
from onethread.connector import Host, Token
from onethread.errors import Misconfigured, OnethreadError, Poison, Unauthorised

T = TypeVar("T")

ZOOM_HOSTS = (".zoom.us", ".zoomgov.com")
"""Only these may see a token."""

BAD_TOKEN = 124
SCOPES = "`user:read:user:admin` (names) and `team_chat:read:user_message:admin` (messages and their files)"
NO_SCOPE = frozenset({200, 4700, 4711})
MISSING = frozenset({1001, 5301, 300})
SUBSCRIBING = {
    1601: "Compare `events` with Zoom's reference",
    1602: "Give the app the scope that this event needs, under Scopes",
    1701: "Zoom's challenge was not answered: the channel's URL must be public, and `secret_tokens` hold the secret token of this app",
}
"""What to do when Zoom refuses a subscription, by its code (its Marketplace reference)."""
WRONG_APP = frozenset({"invalid_client", "invalid_request", "unsupported_grant_type"})


class NotThere(Poison):
    """The object is not there, or not for this app."""


class ZoomApi(OAuthApi):
    """One app's calls. `api_url` ends with the version; `login_url` gives tokens."""

    platform = "Zoom"
    settings = "`api_url` and `login_url`"

    def __init__(self, host: Host, api_url: str, login_url: str, account: str, client: tuple[str, str]) -> None:
        super().__init__(host)
        self._account, self._client = account, client
        self._fresh = ""
        self._api, self._login = api_url.rstrip("/"), login_url.rstrip("/")

    def trusts(self, url: str) -> bool:
        """Whether an address may be given the token: Zoom's own by https, or the very server that `api_url` names."""
        return trusted(url, self._api, ZOOM_HOSTS)

    async def headers(self) -> dict[str, str]:
        """What authorises a call, and the download of a file. Raises Misconfigured without an app's id and secret."""
        self._look_for_an_app()
        return {"authorization": f"Bearer {self._fresh or await self._host.token('zoom', self._renew)}"}

    async def log_in(self) -> None:
        """Ask for an access token now, and use it from here on: a probe tests what the settings say, not what they once said.

        Raises ours for every error.
        """
        self._look_for_an_app()
        self._fresh = (await self._renew(None)).value

    def _look_for_an_app(self) -> None:
        if not all(self._client):
            raise Misconfigured("set `client_id` and `client_secret` to those of a Server-to-Server OAuth app of Zoom")

    async def get(self, path: str, kind: type[T], **query: str) -> T:
        """An object. Raises NotThere where there is none, ours for every other error."""
        return self.decoded(await self.raw(path, **query), kind)

    async def raw(self, path: str, **query: str) -> bytes:
        """An object as it comes."""
        return await self.call("GET", f"{self._api}/{path}", path, headers=await self.headers(), params=query)

    async def post(self, path: str, fields: dict[str, Any]) -> None:
        """Make an object."""
        await self.call("POST", f"{self._api}/{path}", path, headers=await self.headers(), json=fields)

    async def delete(self, path: str) -> None:
        """Take an object away."""
        await self.call("DELETE", f"{self._api}/{path}", path, headers=await self.headers())

    async def _renew(self, _: Token | None) -> Token:
        form = {"grant_type": "account_credentials", "account_id": self._account}
        return await self.grant(f"{self._login}/oauth/token", data=form, auth=self._client)

    def told(self, refusal: Refusal) -> str:
        """Zoom's code and words."""
        words = (refusal.message or refusal.reason or refusal.error).rstrip(".")
        return f"code {refusal.code}: {words}" if refusal.code else words  # its token server has no codes

    def meant(self, said: str, status: int, refusal: Refusal) -> OnethreadError | None:
        """By Zoom's codes, which its statuses do not follow."""
        if refusal.error in WRONG_APP:
            return Misconfigured(
                f"{said}. Compare `account`, `client_id` and `client_secret` with the app's credentials."
            )
        if refusal.code in NO_SCOPE:
            return Misconfigured(f"{said}. Under Scopes, add what is missing of {SCOPES}.")
        if refusal.code in SUBSCRIBING:
            return Misconfigured(f"{said}. {SUBSCRIBING[refusal.code]}.")
        if refusal.code in MISSING or status == 404:
            return NotThere(said)
        return Unauthorised(said) if refusal.code == BAD_TOKEN else None


def part(text: str) -> str:
    """One part of a path. Zoom asks for ids that hold a slash to be encoded twice."""
    once = quote(text, safe="")
    return quote(once, safe="") if "/" in text else once
