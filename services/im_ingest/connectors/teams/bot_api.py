"""Calls of the Bot Connector and of Microsoft Entra. It knows addresses and error codes, and no activity.

Sources: Microsoft Learn, "Bot Framework authentication: bot to Connector" (client credentials), "Get Teams roster". What Entra says
of a refusal may hold ids; only its code is told.
"""

import re
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from im_ingest import jwt
from im_ingest.api_calls import OAuthApi, Refusal
from onethread.connector import Host, Token
from onethread.errors import Misconfigured, OnethreadError, Poison, Rejected, Unauthorised

LOGINS = {"public": "https://login.microsoftonline.com", "us_gov": "https://login.microsoftonline.us"}
"""Entra's token servers (Bot Framework SDKs, "AuthenticationConstants", "GovernmentAuthenticationConstants")."""
SCOPES = {"public": "https://api.botframework.com/.default", "us_gov": "https://api.botframework.us/.default"}
CODE = re.compile(r"AADSTS\d+")
MISTAKES = {
    "AADSTS7000215": "`client_secret` must be the secret's Value, not its Secret ID: it is shown only once, so make a new one.",
    "AADSTS7000222": "The client secret has expired: make a new one at Entra, App registrations, Certificates & secrets.",
    "AADSTS700016": "Entra knows no app `app_id` in this tenant: for an app that is registered elsewhere set `token_tenant`.",
    "AADSTS90002": "There is no such tenant: compare `account`, or `token_tenant`, with Entra, Overview, Tenant ID.",
    "AADSTS7000112": "The app is disabled: enable it at Entra, Enterprise applications, Properties.",
}
"""What Entra's codes mean here (Microsoft Learn, "Microsoft Entra authentication and authorization error codes")."""
WRONG_APP = frozenset({"invalid_client", "unauthorized_client", "invalid_request"})
Json = dict[str, Any]


class _Metadata(msgspec.Struct):
    """Where the keys are."""

    jwks_uri: str


class _KeySet(msgspec.Struct):
    """The keys, undecoded: one of a later kind is nobody's business."""

    keys: list[Json]


class BotApi(OAuthApi):
    """One bot's calls. `grant_url`: where Entra gives tokens; `openid_url`: the metadata of the Bot Connector's keys."""

    platform = "Microsoft"
    settings = "`openid_url` and `login_url`"

    def __init__(self, host: Host, *, app_id: str, secret: str, grant_url: str, scope: str, openid_url: str) -> None:
        super().__init__(host)
        self._app_id, self._secret = app_id, secret
        self._grant_url, self._scope, self._openid_url = grant_url, scope, openid_url

    async def keys(self) -> list[Json]:
        """All keys that are published now."""
        metadata = self.decoded(await self.call("GET", self._openid_url, "the key's metadata"), _Metadata)
        return self.decoded(await self.call("GET", metadata.jwks_uri, "the keys"), _KeySet).keys

    async def key(self, kid: str) -> bytes:
        """One key, as JSON. Raises Rejected where nobody has published it."""
        for key in await self.keys():
            if key.get("kid") == kid:
                return msgspec.json.encode(key)
        raise Rejected("no key of that name is published")

    async def member(self, service_url: str, conversation: str, user: str) -> bytes | None:
        """Somebody in a conversation; None who is no longer there, or where the bot is not any more."""
        url = f"{service_url.rstrip('/')}/v3/conversations/{_part(conversation)}/members/{_part(user)}"
        try:
            return await self.call("GET", url, "a member", headers=await self.headers())
        except Poison:
            return None
        except Unauthorised as error:
            if _forbidden(error):
                return None
            raise

    async def headers(self) -> dict[str, str]:
        """What authorises a call, and the download of a picture."""
        return {"authorization": f"Bearer {await self._host.token('bot', self._renew)}"}

    async def _renew(self, _: Token | None) -> Token:
        return await self.fresh()

    async def fresh(self) -> Token:
        """A new token, by the secret as it is set now: one that is kept may have been given for an older one."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self._app_id,
            "client_secret": self._secret,
            "scope": self._scope,
        }
        return await self.grant(self._grant_url, data=form)

    def told(self, refusal: Refusal) -> str:
        """The code: the words may hold ids."""
        code = CODE.search(refusal.error_description)
        return code.group() if code else refusal.error

    def meant(self, said: str, status: int, refusal: Refusal) -> OnethreadError | None:  # noqa: ARG002 -- the status is the base's
        """By Entra's words."""
        if refusal.error not in WRONG_APP:
            return None
        return Misconfigured(
            f"{said}. Compare `app_id` and `token_tenant` with the Azure Bot's configuration, and make a new `client_secret`."
        )


def explained(said: str) -> str:
    """A refusal of Entra's, with what its code asks for."""
    return " ".join(filter(None, (said, *(todo for code, todo in MISTAKES.items() if f"{code})" in said))))


def _forbidden(error: Unauthorised) -> bool:
    """403, as for a conversation that the bot was taken out of (`BotNotInConversationRoster`); a bad token is 401."""
    return isinstance(error.__cause__, httpx.HTTPStatusError) and error.__cause__.response.status_code == 403


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
