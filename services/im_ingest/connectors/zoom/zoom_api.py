"""Calls of Zoom's API over the host's HTTP client, by Server-to-Server OAuth. It knows addresses, tokens and error codes; no event.

Source: Zoom's documentation, "Server-to-Server OAuth" (tokens of one hour) and "Errors" (codes 124, 200, 300, 1001, 4711).
"""

from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from onethread.connector import Host, Token
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable, Unauthorised

T = TypeVar("T")

BAD_TOKEN = 124
NO_SCOPE = frozenset({200, 4700, 4711})
MISSING = frozenset({1001, 5301, 300})


class Refusal(msgspec.Struct):
    """The body of a refusal: of the API, or of the token server."""

    code: int = 0
    message: str = ""
    error: str = ""
    reason: str = ""


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int = 3600


class NotThere(Poison):
    """The object is not there, or not for this app."""


class ZoomApi:
    """One app's calls. `api_url` ends with the version; `login_url` gives tokens."""

    def __init__(self, host: Host, api_url: str, login_url: str, account: str, client: tuple[str, str]) -> None:
        self._host, self._account, self._client = host, account, client
        self._api, self._login = api_url.rstrip("/"), login_url.rstrip("/")

    def trusts(self, url: str) -> bool:
        """Whether an address may be given the token: Zoom's own by https, or the very server that `api_url` names."""
        asked, ours = urlsplit(url), urlsplit(self._api)
        if (asked.scheme, asked.netloc) == (ours.scheme, ours.netloc):
            return True
        host = asked.hostname or ""
        return asked.scheme == "https" and (host.endswith(".zoom.us") or host == "zoom.us")

    async def headers(self) -> dict[str, str]:
        """What authorises a call, and the download of a file. Raises Misconfigured without an app's id and secret."""
        if not all(self._client):
            raise Misconfigured("set `client_id` and `client_secret` to those of a Server-to-Server OAuth app of Zoom")
        return {"authorization": f"Bearer {await self._host.token('zoom', self._renew)}"}

    async def get(self, path: str, kind: type[T], **query: str) -> T:
        """An object. Raises NotThere where there is none, ours for every other error."""
        body = await self._call("GET", f"{self._api}/{path}", path, headers=await self.headers(), params=query)
        return _decoded(body, kind)

    async def raw(self, path: str) -> bytes:
        """An object as it comes."""
        return await self._call("GET", f"{self._api}/{path}", path, headers=await self.headers())

    async def _renew(self, _: Token | None) -> Token:
        form = {"grant_type": "account_credentials", "account_id": self._account}
        body = await self._call("POST", f"{self._login}/oauth/token", "oauth/token", data=form, auth=self._client)
        granted = _decoded(body, _Granted)
        return Token(granted.access_token, self._host.now() + timedelta(seconds=granted.expires_in - 60))

    async def _call(self, method: str, url: str, what: str, **content: Any) -> bytes:
        try:
            response = await self._host.http.request(method, url, **content)
        except httpx.HTTPStatusError as error:
            raise _failure(what, error.response) from error
        except httpx.HTTPError as error:
            raise Retryable(f"Zoom did not answer {what}: {type(error).__name__}") from error
        return response.content


def part(text: str) -> str:
    """One part of a path. Zoom asks for ids that hold a slash to be encoded twice."""
    once = quote(text, safe="")
    return quote(once, safe="") if "/" in text else once


def _failure(what: str, response: httpx.Response) -> OnethreadError:
    """What a refused call means."""
    status, refusal = response.status_code, _refusal(response)
    said = f"Zoom refused {what} ({status}, code {refusal.code}): {refusal.message or refusal.reason or refusal.error}"
    if refusal.error in {"invalid_client", "invalid_request", "unsupported_grant_type"}:
        return Misconfigured(f"{said}. Compare `account`, `client_id` and `client_secret` with the app's credentials.")
    if refusal.code in NO_SCOPE:
        return Misconfigured(f"{said}. Give the app the scopes that the README names.")
    if refusal.code in MISSING or status == 404:
        return NotThere(said)
    if refusal.code == BAD_TOKEN or status in {401, 403}:
        return Unauthorised(said)
    if status in {408, 429} or status >= 500:
        return Retryable(said)
    return Poison(said)


def _refusal(response: httpx.Response) -> Refusal:
    try:
        return msgspec.json.decode(response.content, type=Refusal)
    except (ValueError, RecursionError, httpx.ResponseNotRead):
        return Refusal()  # a proxy's page, say: the status decides


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as error:
        raise Poison("Zoom answers in a form that is not known; see `api_url` and `login_url`") from error
