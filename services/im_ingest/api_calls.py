"""What calls of providers' APIs share: access tokens by OAuth 2.0, what a refusal means, who may see a token. It knows no provider.

Sources: RFC 6749, sections 4.4 (client credentials), 5.1 (the token) and 5.2 (a refusal); RFC 9110, section 10.2.3 (Retry-After).
"""

from abc import ABC, abstractmethod
from datetime import timedelta
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from onethread.connector import Host, Token
from onethread.errors import OnethreadError, Poison, Retryable, Unauthorised

T = TypeVar("T")

EARLY = 60
"""Seconds that a token is renewed before its end."""


class Refusal(msgspec.Struct):
    """The body of a refusal: `error` and `error_description` are OAuth's, the rest is what APIs add."""

    error: str = ""
    error_description: str = ""
    code: int = 0
    message: str = ""
    reason: str = ""


class _Granted(msgspec.Struct):
    """An access token, and for how many seconds."""

    access_token: str
    expires_in: int = 3600


class OAuthApi(ABC):
    """One app's calls of a platform. Every error that leaves it is one of ours, without an address or a secret in it."""

    platform: ClassVar[str]
    """What people call it."""
    settings: ClassVar[str]
    """Those to look at when answers are of a strange form."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @abstractmethod
    async def headers(self) -> dict[str, str]:
        """What authorises a call, and the download of a file."""

    @abstractmethod
    def told(self, refusal: Refusal) -> str:
        """What people may read of a refusal."""

    @abstractmethod
    def meant(self, said: str, status: int, refusal: Refusal) -> OnethreadError | None:
        """What a refusal means; None where its status says it all. `said`: what happened, for people."""

    async def call(self, method: str, url: str, what: str, **content: Any) -> bytes:
        """The body of an answer. `what`: how errors call it; `content` as httpx takes it."""
        try:
            response = await self._host.http.request(method, url, **content)
        except httpx.HTTPStatusError as error:
            raise self._failure(what, error.response) from error
        except httpx.HTTPError as error:
            raise Retryable(
                f"{self.platform} did not answer {what}: {type(error).__name__}; see {self.settings}"
            ) from error
        return response.content

    async def grant(self, url: str, **content: Any) -> Token:
        """A new access token."""
        granted = self.decoded(await self.call("POST", url, "an access token", **content), _Granted)
        return Token(granted.access_token, self._host.now() + timedelta(seconds=granted.expires_in - EARLY))

    def decoded(self, body: bytes, kind: type[T]) -> T:
        """An answer. What cannot be read is a proxy's page as a rule, so it is asked for again."""
        try:
            return msgspec.json.decode(body, type=kind)
        except (ValueError, RecursionError) as error:
            raise Retryable(f"{self.platform} answers in a form that is not known; see {self.settings}") from error

    def _failure(self, what: str, response: httpx.Response) -> OnethreadError:
        refusal = _refusal(response)
        verdict = f"{response.status_code} {self.told(refusal)}".rstrip()
        said = f"{self.platform} refused {what} ({verdict})"
        return self.meant(said, response.status_code, refusal) or by_status(said, response)


def by_status(said: str, response: httpx.Response) -> OnethreadError:
    """What a status means by itself."""
    status = response.status_code
    if status in {401, 403}:
        return Unauthorised(said)
    if status in {408, 429} or status >= 500:
        after = response.headers.get("retry-after", "")
        return Retryable(said, after=float(after) if after.isascii() and after.isdecimal() and len(after) < 6 else None)
    return Poison(said)


def trusted(url: str, server: str, hosts: tuple[str, ...]) -> bool:
    """Whether an address may be given a token: one under `hosts` by https, or on the very server that is called."""
    asked, ours = urlsplit(url), urlsplit(server)
    if (asked.scheme, asked.netloc) == (ours.scheme, ours.netloc):
        return True
    return asked.scheme == "https" and f".{asked.hostname or ''}".endswith(hosts)


def _refusal(response: httpx.Response) -> Refusal:
    try:
        return msgspec.json.decode(response.content, type=Refusal)
    except (ValueError, RecursionError, httpx.ResponseNotRead):
        return Refusal()  # another form, or a proxy's page: the status decides
