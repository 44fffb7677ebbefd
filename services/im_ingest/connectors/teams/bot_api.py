"""Calls of the Bot Connector and of Microsoft Entra over the host's HTTP client. It knows addresses and tokens, and no activity.

Sources: Microsoft Learn, "Bot Framework authentication: bot to Connector" (client credentials), "Get Teams roster". What Entra says
of a refusal may hold ids; only its code is told.
"""

import re
from datetime import timedelta
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from im_ingest import jwt
from onethread.connector import Host, Token
from onethread.errors import Misconfigured, OnethreadError, Poison, Rejected, Retryable, Unauthorised

SCOPES = {"public": "https://api.botframework.com/.default", "us_gov": "https://api.botframework.us/.default"}
CODE = re.compile(r"AADSTS\d+")
Json = dict[str, Any]
T = TypeVar("T")


class _Metadata(msgspec.Struct):
    """Where the keys are."""

    jwks_uri: str


class _KeySet(msgspec.Struct):
    """The keys, undecoded: one of a later kind is nobody's business."""

    keys: list[Json]


class _Granted(msgspec.Struct):
    """An access token, and for how many seconds."""

    access_token: str
    expires_in: int = 3600


class _Refused(msgspec.Struct):
    """Entra's refusal."""

    error: str = ""
    error_description: str = ""


class BotApi:
    """One bot's calls. `grant_url`: where Entra gives tokens; `openid_url`: the metadata of the Bot Connector's keys."""

    def __init__(self, host: Host, *, app_id: str, secret: str, grant_url: str, scope: str, openid_url: str) -> None:
        self._host, self._app_id, self._secret = host, app_id, secret
        self._grant_url, self._scope, self._openid_url = grant_url, scope, openid_url

    async def keys(self) -> list[Json]:
        """All keys that are published now."""
        metadata = _decoded(await self._call("GET", self._openid_url, "the key's metadata"), _Metadata)
        return _decoded(await self._call("GET", metadata.jwks_uri, "the keys"), _KeySet).keys

    async def key(self, kid: str) -> bytes:
        """One key, as JSON. Raises Rejected where nobody has published it."""
        for key in await self.keys():
            if key.get("kid") == kid:
                return msgspec.json.encode(key)
        raise Rejected("no key of that name is published")

    async def member(self, service_url: str, conversation: str, user: str) -> bytes | None:
        """Somebody in a conversation; None who is no longer there."""
        url = f"{service_url.rstrip('/')}/v3/conversations/{_part(conversation)}/members/{_part(user)}"
        try:
            return await self._call("GET", url, "a member", headers=await self.headers())
        except Poison:
            return None

    async def headers(self) -> dict[str, str]:
        """What authorises a call, and the download of a picture."""
        return {"authorization": f"Bearer {await self._host.token('bot', self._renew)}"}

    async def _renew(self, _: Token | None) -> Token:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._app_id,
            "client_secret": self._secret,
            "scope": self._scope,
        }
        body = await self._call("POST", self._grant_url, "an access token", data=form)
        granted = _decoded(body, _Granted)
        return Token(granted.access_token, self._host.now() + timedelta(seconds=granted.expires_in - 60))

    async def _call(self, method: str, url: str, what: str, **content: Any) -> bytes:
        try:
            response = await self._host.http.request(method, url, **content)
        except httpx.HTTPStatusError as error:
            raise _failure(what, error.response) from error
        except httpx.HTTPError as error:
            raise Retryable(f"Microsoft did not answer for {what}: {type(error).__name__}") from error
        return response.content


def _failure(what: str, response: httpx.Response) -> OnethreadError:
    """What a refused call means."""
    status = response.status_code
    refused = _refusal(response)
    code = CODE.search(refused.error_description)
    said = f"Microsoft refused {what} ({status} {code.group() if code else refused.error})".rstrip()
    if refused.error in {"invalid_client", "unauthorized_client", "invalid_request"}:
        return Misconfigured(
            f"{said}. Compare `app_id` and `token_tenant` with the Azure Bot's configuration, and make a new `client_secret`."
        )
    if status in {401, 403}:
        return Unauthorised(said)
    if status in {408, 429} or status >= 500:
        return Retryable(said)
    return Poison(said)


def _refusal(response: httpx.Response) -> _Refused:
    try:
        return msgspec.json.decode(response.content, type=_Refused)
    except (ValueError, RecursionError, httpx.ResponseNotRead):
        return _Refused()  # the Bot Connector's own form, or a proxy's page: the status decides


def _decoded(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as error:
        raise Retryable("Microsoft answers in a form that is not known; see `openid_url` and `login_url`") from error


def _part(text: str) -> str:
    return quote(text, safe="")


def endorsed(keys: list[Json], channel: str) -> list[jwt.Key]:
    """The keys that may speak for a channel."""
    found = []
    for key in keys:
        try:
            read = msgspec.convert(key, jwt.Key)
        except msgspec.ValidationError:
            continue
        if channel in read.endorsements:
            found.append(read)
    return found
