"""Calls of the WeChat and WeCom APIs over the host's HTTP client. It knows addresses, tokens and error codes; it knows no message.

The access token travels in the address of every call. So no error leaves this module with an address in it. Refusals come with
status 200 and an `errcode`: WeChat Developers, "Global return codes"; WeCom Developers, "Global error codes" (document 90313).
"""

from collections.abc import Iterator
from contextlib import contextmanager
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
ADDRESS = frozenset({40164, 60020, 61004, 89501, 89503, 89506, 89507})
"""The caller's address is not on the list that the platform keeps, or an administrator has not confirmed it."""
FROZEN = frozenset({40243, 50004, 50007})
"""The platform froze the secret, or shut the account out."""
RIGHTS = frozenset({48001, 48002, 48004, 48007, 60011, 60030, 95011, 95012, 95017})
USED_UP = 45009
"""The calls that are allowed in a time, which is another one on each platform."""
BUSY = {-1: None, 6000: None, 45011: 60.0, 45033: 5.0}
"""With the seconds to wait; None: our own back-off."""
NO_FILE = 40007
INSTEAD = frozenset({"application/json", "text/plain"})
"""Media types of what comes in place of a file: a refusal, or where a video is."""
LONGEST = 64 * 1024
"""Bytes of it that are read."""


class Platform(NamedTuple):
    """What people call it, and where on its website there is what: sentences that say what to change.

    `refills`: seconds after which it is worth a try whether calls are allowed again.
    """

    name: str
    refills: float
    settings: str
    addresses: str
    rights: str


class Grant(NamedTuple):
    """The call that gives an access token; `content` as httpx takes it."""

    method: str
    path: str
    content: dict[str, Any]


class Refusal(msgspec.Struct):
    """What every answer may hold. The text is for people, and changes."""

    errcode: int = 0
    errmsg: str = ""


class _Instead(Refusal):
    """`video_url`: where the bytes of a video are (WeChat, "Getting temporary materials")."""

    video_url: str = ""


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int


class WeixinError(Poison):
    """A call that is refused for good, with the platform's code."""

    def __init__(self, reason: str, code: int) -> None:
        super().__init__(reason)
        self.code = code


class NoFile(Retryable):
    """The platform has no such file: not yet, or no longer."""


class NotAllowed(Misconfigured):
    """The app or account may not make this call."""


class WeixinApi:
    """One app's calls. `url`: the API's server."""

    def __init__(self, host: Host, url: str, platform: Platform, grant: Grant) -> None:
        self._host, self._base, self._platform, self._grant = host, url.rstrip("/"), platform, grant
        self._fresh = ""

    async def get(self, path: str, kind: type[T], **query: str) -> T:
        """Raises ours for every error."""
        return self._decoded(path, await self._authorised("GET", path, query), kind)

    async def post(self, path: str, kind: type[T], **content: Any) -> T:
        """Raises ours for every error."""
        return self._decoded(path, await self._authorised("POST", path, {}, json=content), kind)

    async def log_in(self) -> None:
        """Ask for an access token now, and use it from here on: a probe tests what the settings say, not what they once said."""
        self._fresh = (await self._renew(None)).value

    async def media(self, media_id: str) -> Media:
        """Where a file is, for three days. Raises ours for every error.

        The answer is begun, to see what it is: a refusal comes with status 200, as JSON, and so does the place of an Official Account's
        video. What is a file is left to the host.
        """
        path = "media/get"
        query = urlencode({"access_token": await self._token(), "media_id": media_id})
        begun = await self._begun(path, f"{self._base}/cgi-bin/{path}?{query}")
        if isinstance(begun, Media):
            return begun
        instead = self._decoded(path, begun, _Instead)
        if instead.errcode == NO_FILE:
            raise NoFile(f"{self._platform.name} has no such file (errcode {NO_FILE})")
        if instead.errcode:
            raise failure(self._platform, path, instead)
        if not instead.video_url.startswith(("https://", "http://")):
            raise Poison(f"{self._platform.name} answers {path} with neither a file, nor a refusal, nor a place")
        return Media(instead.video_url)

    async def _begun(self, path: str, url: str) -> Media | bytes:
        """The file, or what was said in its place. Files have a name in their header, whatever their type."""
        with self._translated(path):
            async with self._host.http.stream("GET", url) as answer:
                told = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
                if told not in INSTEAD:
                    return Media(url, unexpected=tuple(sorted(INSTEAD)))
                if "content-disposition" in answer.headers:
                    return Media(url)
                said = bytearray()
                async for chunk in answer.aiter_bytes():
                    said += chunk
                    if len(said) > LONGEST:
                        break
        return bytes(said)

    async def _authorised(self, method: str, path: str, query: dict[str, str], **content: Any) -> bytes:
        body = await self._call(method, path, params={"access_token": await self._token(), **query}, **content)
        refusal = self._decoded(path, body, Refusal)
        if refusal.errcode:
            raise failure(self._platform, path, refusal)
        return body

    async def _token(self) -> str:
        return self._fresh or await self._host.token("access_token", self._renew)

    async def _renew(self, _: Token | None) -> Token:
        """Another program's token of the same app stays good: both calls give everybody the same one while it lasts."""
        method, path, content = self._grant
        body = await self._call(method, path, **content)
        refusal = self._decoded(path, body, Refusal)
        if refusal.errcode:
            raise failure(self._platform, path, refusal, granting=True)
        granted = self._decoded(path, body, _Granted)
        return Token(granted.access_token, self._host.now() + timedelta(seconds=granted.expires_in))

    async def _call(self, method: str, path: str, **content: Any) -> bytes:
        with self._translated(path):
            return (await self._host.http.request(method, f"{self._base}/cgi-bin/{path}", **content)).content

    @contextmanager
    def _translated(self, path: str) -> Iterator[None]:
        # `from None`: the client's own text names the address, and with it the token.
        try:
            yield
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            raise Retryable(f"{self._platform.name} answers {path} with status {status}") from None
        except httpx.HTTPError as error:
            raise Retryable(
                f"{self._platform.name} did not answer {path}: {type(error).__name__}; see `api_url`"
            ) from None

    def _decoded(self, path: str, body: bytes, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Retryable(
                f"{self._platform.name} answers {path} in a form that is not known; see `api_url`"
            ) from error


def failure(platform: Platform, path: str, refusal: Refusal, *, granting: bool = False) -> OnethreadError:
    """What an `errcode` means. `granting`: of the call for an access token."""
    code = refusal.errcode
    said = f"{platform.name} refused {path} (errcode {code}): {refusal.errmsg or 'no text'}"
    if granting and code in WRONG_SECRET:
        return Misconfigured(f"{said}. {platform.settings}")
    if code in STALE:
        return Unauthorised(said)
    if code in BUSY or code == USED_UP:
        return Retryable(said, after=platform.refills if code == USED_UP else BUSY[code])
    if code in RIGHTS:
        return NotAllowed(f"{said}. {platform.rights}")
    todo = {
        **dict.fromkeys(ADDRESS, platform.addresses),
        **dict.fromkeys(FROZEN, f"Log in at {platform.name}'s website, and have what is frozen there released."),
    }
    return Misconfigured(f"{said}. {todo[code]}") if code in todo else WeixinError(said, code)
