"""Calls of Meta's Graph API over the host's HTTP client. It knows addresses and error codes; it knows no product.

The access token travels in a header, so no address holds it. Error codes: Meta for Developers, "Graph API: Handle Errors",
and "WhatsApp Cloud API: Error Codes".
"""

from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
import msgspec

from onethread.connector import Host
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable

T = TypeVar("T")

DEFAULT_URL = "https://graph.facebook.com/v24.0"
META_HOSTS = (".facebook.com", ".fbsbx.com", ".fbcdn.net", ".whatsapp.net")
"""Only these may see the token."""

BAD_TOKEN = frozenset({102, 190, 463, 467})
BUSY = frozenset({1, 2, 4, 17, 32, 341, 368, 613, 80007, 130429, 131056})
"""Limits of the app, the page or the account, and faults that Meta calls temporary."""


class Refusal(msgspec.Struct):
    """The `error` of an answer. Its message may quote what was sent, so it is told to people and never logged by us."""

    message: str = ""
    code: int = 0
    error_subcode: int = 0
    is_transient: bool = False


class _Refused(msgspec.Struct):
    error: Refusal = msgspec.field(default_factory=Refusal)


class GraphError(Poison):
    """A call that is refused for good, with Meta's codes."""

    def __init__(self, reason: str, refusal: Refusal) -> None:
        super().__init__(reason)
        self.code, self.subcode = refusal.code, refusal.error_subcode


class GraphApi:
    """One token's calls. `url`: the API with its version; `made_at`: where at Meta people make such a token."""

    def __init__(self, host: Host, url: str, token: str, made_at: str) -> None:
        self._http = host.http
        self.made_at = made_at
        self.url = url.rstrip("/")
        self._token = token

    @property
    def headers(self) -> dict[str, str]:
        """What authorises a call, and the download of a file."""
        return {"authorization": f"Bearer {self._token}"}

    def trusts(self, url: str) -> bool:
        """Whether an address may be given the token: Meta's own by https, or the very server that `url` names."""
        asked, ours = urlsplit(url), urlsplit(self.url)
        if (asked.scheme, asked.netloc) == (ours.scheme, ours.netloc):
            return True
        return asked.scheme == "https" and (asked.hostname or "").endswith(META_HOSTS)

    async def get(self, path: str, kind: type[T], **parameters: str) -> T:
        """An object of the graph. Raises ours for every error."""
        answer = await self._call("GET", path, params=parameters)
        try:
            return msgspec.json.decode(answer, type=kind)
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
            raise Retryable(f"the Graph API answers GET {path} in a form that is not known; see `api_url`") from error

    async def post(self, path: str, **fields: Any) -> None:
        """Change an object of the graph. Raises ours for every error."""
        await self._call("POST", path, json=fields)

    async def delete(self, path: str) -> None:
        """Take an edge of the graph away. Raises ours for every error."""
        await self._call("DELETE", path)

    async def _call(self, method: str, path: str, **content: Any) -> bytes:
        try:
            response = await self._http.request(method, f"{self.url}/{path}", headers=self.headers, **content)
            status, body = response.status_code, response.content
        except httpx.HTTPStatusError as error:
            status, body = error.response.status_code, _body(error.response)
        except httpx.HTTPError as error:
            raise Retryable(
                f"the Graph API did not answer {method} {path}: {type(error).__name__}; see `api_url`"
            ) from error
        if status >= 400:
            raise failure(f"{method} {path}", status, _refusal(body), self.made_at)
        return body


def _body(response: httpx.Response) -> bytes:
    try:
        return response.content
    except httpx.ResponseNotRead:  # the client gave up on the status alone
        return b""


def _refusal(body: bytes) -> Refusal:
    try:
        return msgspec.json.decode(body, type=_Refused).error
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return Refusal()  # a proxy's page, say: the status decides


def failure(call: str, status: int, refusal: Refusal, made_at: str) -> OnethreadError:
    """What a refused call means. `made_at`: where people make the token that it was called with."""
    said = f"Meta refused {call} ({status}, code {refusal.code}): {refusal.message.rstrip('.') or 'no message'}"
    if refusal.code in BAD_TOKEN or (status == 401 and not refusal.code):
        return Misconfigured(f"{said}. Make a new `access_token`, at {made_at}.")
    if refusal.code in {3, 10} or 200 <= refusal.code <= 299:
        return Misconfigured(f"{said}. Make a new `access_token`, with that permission too, at {made_at}.")
    if refusal.is_transient or refusal.code in BUSY or status in {408, 429} or status >= 500:
        return Retryable(said)
    return GraphError(said, refusal)
