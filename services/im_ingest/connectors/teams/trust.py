"""Whether a call comes from the Bot Connector, on behalf of Teams, for our bot. It knows tokens and two fields of an activity.

The checks are those of Microsoft Learn, "Bot Framework authentication: Connector to bot": signature by a published key, issuer,
audience, time, the claim `serviceurl`, and that the key's holder is endorsed for the channel it speaks for. The body is not signed.
"""

from typing import NamedTuple

import msgspec

from im_ingest import jwt
from onethread.connector import Request
from onethread.errors import Rejected

CHANNEL = "msteams"
CLOUDS = {
    "public": ("https://api.botframework.com", "https://login.botframework.com/v1/.well-known/openidconfiguration"),
    "us_gov": ("https://api.botframework.us", "https://login.botframework.azure.us/v1/.well-known/openidconfiguration"),
}
"""Issuer of tokens, and where its keys are named."""


class Trust(NamedTuple):
    """Whose tokens are taken, and for whom."""

    issuer: str
    app_id: str

    def claimed(self, request: Request) -> jwt.Token:
        """The token, if it would pass once its signature does. It keeps strangers from making us fetch keys. Raises Rejected."""
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not text:
            raise Rejected("there is no bearer token")
        token = jwt.parse(text)
        jwt.check(token.claims, issuer=self.issuer, audience=self.app_id, at=request.arrived_at)
        return token

    def authenticate(self, request: Request) -> None:
        """All checks. Raises Rejected."""
        token = self.claimed(request)
        key = _key(request.keys.get(token.header.kid, b""))
        jwt.verify(token, key)
        activity = _said(request.body)
        if not activity.service_url or _service(token.payload) != activity.service_url:
            raise Rejected("the bearer token is for another serviceUrl than the activity's")
        if activity.channel_id not in key.endorsements:
            raise Rejected("the signing key is not endorsed for the activity's channel")
        if activity.channel_id != CHANNEL:
            raise Rejected("the activity is of another channel of the bot, not of Teams", status=403)


class _Said(msgspec.Struct, rename="camel"):
    """What the token must agree with."""

    service_url: str = ""
    channel_id: str = ""


class _Service(msgspec.Struct):
    """The claim that RFC 7519 does not know."""

    serviceurl: str = ""


def _key(data: bytes) -> jwt.Key:
    try:
        return msgspec.json.decode(data, type=jwt.Key)
    except (ValueError, RecursionError) as error:
        raise Rejected("the key that the bearer token names is not there, or no RSA key") from error


def _said(body: bytes) -> _Said:
    try:
        return msgspec.json.decode(body, type=_Said)
    except (ValueError, RecursionError) as error:
        raise Rejected("the body is no activity") from error


def _service(payload: bytes) -> str:
    try:
        return msgspec.json.decode(payload, type=_Service).serviceurl
    except (ValueError, RecursionError) as error:
        raise Rejected("the bearer token names no serviceurl") from error
