"""Calls of the WeChat and WeCom APIs over the host's HTTP client. It knows addresses, tokens and error codes; it knows no message.

The access token travels in the address of every call. So no error leaves this module with an address in it. Refusals come with
status 200 and an `errcode`: WeChat Developers, "Global return codes"; WeCom Developers, "Global error codes" (document 90313).
"""

from datetime import timedelta
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode

import httpx
import msgspec

from onethread.connector import Host, Media, Token
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable, Unauthorised

T = TypeVar("T")

STALE = frozenset({40001, 40014, 41001, 42001})
WRONG_SECRET = frozenset({40001, 40013, 40125, 41002, 41004})
ADDRESS = frozenset({40164, 60020})
"""The caller's address is not on the list that the platform keeps."""
RIGHTS = frozenset({48001, 48002, 48004, 60011, 95011, 95016, 95017})
BUSY = {-1: None, 6000: None, 45009: 60.0, 45011: 60.0, 45033: 5.0}
"""With the seconds to wait; None: our own back-off."""


class Grant(NamedTuple):
    """The call that gives an access token; `content` as httpx takes it."""

    method: str
    path: str
    content: dict[str, Any]


class Refusal(msgspec.Struct):
    """What every answer may hold. The text is for people, and changes."""

    errcode: int = 0
    errmsg: str = ""


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int


class WeixinError(Poison):
    """A call that is refused for good, with the platform's code."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class WeixinApi:
    """One app's calls. `url`: the API's server; `platform`: what people call it."""

    def __init__(self, host: Host, url: str, platform: str, grant: Grant) -> None:
        self._host, self._base, self._platform, self._grant = host, url.rstrip("/"), platform, grant

    async def get(self, path: str, kind: type[T], **query: str) -> T:
        """Raises ours for every error."""
        return self._decoded(path, await self._authorised("GET", path, query), kind)

    async def post(self, path: str, kind: type[T], **content: Any) -> T:
        """Raises ours for every error."""
        return self._decoded(path, await self._authorised("POST", path, {}, json=content), kind)

    async def media(self, media_id: str, *unexpected: str) -> Media:
        """Where a file is for three days. `unexpected`: media types of a refusal."""
        query = urlencode({"access_token": await self._token(), "media_id": media_id})
        return Media(f"{self._base}/cgi-bin/media/get?{query}", unexpected=unexpected)

    async def _authorised(self, method: str, path: str, query: dict[str, str], **content: Any) -> bytes:
        body = await self._call(method, path, params={"access_token": await self._token(), **query}, **content)
        refusal = self._decoded(path, body, Refusal)
        if refusal.errcode:
            raise failure(f"{self._platform} refused {path}", refusal)
        return body

    async def _token(self) -> str:
        return await self._host.token("access_token", self._renew)

    async def _renew(self, _: Token | None) -> Token:
        """Another program's token of the same app stays good: both calls give everybody the same one while it lasts."""
        method, path, content = self._grant
        body = await self._call(method, path, **content)
        refusal = self._decoded(path, body, Refusal)
        if refusal.errcode:
            raise failure(f"{self._platform} gives no access token", refusal, granting=True)
        granted = self._decoded(path, body, _Granted)
        return Token(granted.access_token, self._host.now() + timedelta(seconds=granted.expires_in))

    async def _call(self, method: str, path: str, **content: Any) -> bytes:
        # `from None`: the client's own text names the address, and with it the token.
        try:
            response = await self._host.http.request(method, f"{self._base}/cgi-bin/{path}", **content)
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            raise Retryable(f"{self._platform} answers {path} with status {status}") from None
        except httpx.HTTPError as error:
            raise Retryable(f"{self._platform} did not answer {path}: {type(error).__name__}") from None
        return response.content

    def _decoded(self, path: str, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Poison(f"{self._platform} answers {path} in a form that is not known; see `api_url`") from error


def failure(what: str, refusal: Refusal, *, granting: bool = False) -> OnethreadError:
    """What an `errcode` means. `granting`: of the call for an access token."""
    code = refusal.errcode
    said = f"{what} (errcode {code}): {refusal.errmsg or 'no text'}"
    if granting and code in WRONG_SECRET:
        return Misconfigured(f"{said}. Copy the app's id and secret again from the platform into the settings.")
    if code in STALE:
        return Unauthorised(said)
    if code in ADDRESS:
        return Misconfigured(f"{said}. Add the address that is named there to the platform's list of allowed IPs.")
    if code in RIGHTS:
        return Misconfigured(f"{said}. Give the app this permission at the platform; the README names those needed.")
    if code in BUSY:
        return Retryable(said, after=BUSY[code])
    return WeixinError(said, code)
