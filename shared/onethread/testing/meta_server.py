"""What the simulators of Meta's products share: the app's URL and its handshake, signed deliveries, retries, the Graph API's manners.

It knows no connector and no product. What it does was read in Meta's documentation ("Webhooks from Meta: Getting Started"): letters
beyond ASCII are escaped before the body is signed, what is not answered with 2xx in time comes again with a growing delay, and
deliveries may come twice. Differences: URLs may be plain http, a subscription is switched off by the test alone (`active`).
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import secrets
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onethread.testing.pushing import PushingServer
from onethread.testing.serving import Loopback

Json = dict[str, Any]

VERSION = "v24.0"
BAD_TOKEN = {"message": "Invalid OAuth access token.", "type": "OAuthException", "code": 190}


def growing(attempt: int) -> float:
    """Seconds before the next attempt: at once, then ever later, up to an hour."""
    return min(2.0**attempt - 1, 3600.0)


class Delivery(msgspec.Struct, frozen=True):
    """One attempt at a webhook. `status` 0: no answer in time."""

    body: bytes
    attempt: int
    status: int


class MetaServer(PushingServer):
    """`async with` a subclass: `server.url` is the `api_url`. Its parts: an app with its secret and URL, and one access token.

    `delay(attempt)`: seconds between attempts; `patience`: seconds that an answer may take.
    """

    product = ""
    """The `object` of its bodies."""
    permissions: tuple[str, ...] = ()
    """What an access token needs."""

    def __init__(
        self,
        app_secret: str = "sample-app-secret",  # noqa: S107 -- a sample
        access_token: str = "sample-access-token",  # noqa: S107 -- a sample
        *,
        delay: Callable[[int], float] = growing,
        patience: float = 5.0,
    ) -> None:
        self.app_secret, self.access_token = app_secret, access_token
        self.app = "4711"
        self.callback = ""
        """The URL in the app's dashboard."""
        self.active = True
        """False: Meta gave the URL up."""
        self.dashboard_fields = {"messages"}
        """The fields that are subscribed to there."""
        self.scopes: set[str] = set(self.permissions)
        """Permissions of the access token: without the one that a call needs, it is refused."""
        self.token_ends = 0
        """When the access token expires, in Unix seconds; 0: never."""
        self.deliveries: list[Delivery] = []
        self.calls: list[tuple[str, str, Json]] = []
        """Calls of the Graph API: method, path, parameters."""
        self._delay = delay
        super().__init__(patience)
        self._served = Loopback(
            Starlette(
                routes=[
                    *self._routes(),
                    Route(f"/{VERSION}/{{path:path}}", self._call, methods=["GET", "POST", "DELETE"]),
                ]
            )
        )

    @property
    def url(self) -> str:
        """The Graph API, with its version."""
        return f"{self._served.url}/{VERSION}"

    # --- the dashboard -------------------------------------------------------------------------------------------------

    async def enter(self, url: str, verify_token: str) -> bool:
        """What "Verify and save" does in the app's dashboard. Whether the URL was taken."""
        taken = await self.verified(url, verify_token)
        self.callback = url if taken else self.callback
        return taken

    async def verified(self, url: str, verify_token: str) -> bool:
        """Whether the URL answers the handshake: the challenge, as plain text, and nothing else."""
        challenge = str(secrets.randbelow(10**10))
        query = {"hub.mode": "subscribe", "hub.verify_token": verify_token, "hub.challenge": challenge}
        try:
            answer = await self._client.get(url, params=query)
        except httpx.HTTPError:
            return False
        return answer.status_code == 200 and answer.text == challenge

    # --- deliveries ----------------------------------------------------------------------------------------------------

    def deliver(self, *entries: Json, to: str = "") -> bytes:
        """Send entries as one body to `to`, else to the app's URL, until it is taken; the body. Without a URL nothing is sent."""
        body = json.dumps({"object": self.product, "entry": entries}, ensure_ascii=True, separators=(",", ":")).encode()
        self.repeat(body, to=to)
        return body

    def repeat(self, body: bytes, *, to: str = "") -> None:
        """The same body once more, as when our answer was lost."""
        url = to or self.callback
        if url:
            self._push(self._until_taken(url, body))

    def signature(self, body: bytes) -> str:
        """The header of a delivery."""
        return "sha256=" + hmac.new(self.app_secret.encode(), body, hashlib.sha256).hexdigest()

    async def _until_taken(self, url: str, body: bytes) -> None:
        headers = {"content-type": "application/json", "x-hub-signature-256": self.signature(body)}
        for attempt in itertools.count():
            try:
                status = (await self._client.post(url, content=body, headers=headers)).status_code
            except httpx.HTTPError:
                status = 0
            self.deliveries.append(Delivery(body, attempt, status))
            if 200 <= status < 300:
                break
            await self._tell()
            await asyncio.sleep(self._delay(attempt))
        await self._pushed()

    # --- the Graph API -------------------------------------------------------------------------------------------------

    def _routes(self) -> list[Route]:
        """Addresses beside the Graph API."""
        return []

    def authorised(self, request: Request) -> bool:
        """Whether a call carries the token."""
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self.access_token}".encode())

    async def _call(self, request: Request) -> Response:
        path, method = request.path_params["path"], request.method
        parameters: Json = dict(request.query_params)
        if request.headers.get("content-type", "").startswith("application/json"):
            parameters |= msgspec.json.decode(await request.body() or b"{}", type=dict[str, Any])
        if path in (f"{self.app}/subscriptions", "debug_token"):
            return await self._asked_by_the_app(request, path, parameters)
        if not self.authorised(request):
            return error(401, **BAD_TOKEN)
        if path == "app":
            return found(id=self.app)
        self.calls.append((method, path, parameters))
        await self._tell()
        needed = self._needed(path)
        if needed and needed not in self.scopes:
            message = f"(#200) Requires {needed} permission to manage the object"
            return error(403, message=message, type="OAuthException", code=200)
        return await self._answer(method, path, parameters)

    async def _asked_by_the_app(self, request: Request, path: str, parameters: Json) -> Response:
        """Its own view of its webhooks and of a token, for its own token alone."""
        given, expected = request.headers.get("authorization", ""), f"Bearer {self.app}|{self.app_secret}"
        if not hmac.compare_digest(given.encode(), expected.encode()):
            return error(400, message="Invalid OAuth access token signature.", type="OAuthException", code=190)
        if path == "debug_token":
            valid = parameters.get("input_token") == self.access_token
            return found(
                data={
                    "app_id": self.app,
                    "is_valid": valid,
                    "expires_at": self.token_ends,
                    "scopes": sorted(self.scopes) if valid else [],
                }
            )
        if request.method == "POST":
            return await self._register(parameters)
        fields = [{"name": name, "version": VERSION} for name in sorted(self.dashboard_fields)]
        own = {"object": self.product, "callback_url": self.callback, "active": self.active, "fields": fields}
        return found(data=[own] if self.callback else [])

    async def _register(self, parameters: Json) -> Response:
        """What entering the URL in the dashboard does, by a call: the fields are those of the call alone."""
        if parameters.get("object") != self.product:
            return error(400, message="(#100) object must be one of the products", type="OAuthException", code=100)
        if not await self.enter(str(parameters.get("callback_url", "")), str(parameters.get("verify_token", ""))):
            return unverified()
        self.active, self.dashboard_fields = True, set(str(parameters.get("fields", "")).split(","))
        return found(success=True)

    def _needed(self, path: str) -> str:
        """The permission that a call takes; "" for none."""
        raise NotImplementedError

    async def _answer(self, method: str, path: str, parameters: Json) -> Response:
        """The product's own objects."""
        raise NotImplementedError


def found(**fields: Any) -> Response:
    """An object of the graph."""
    return JSONResponse(fields)


def error(status: int, **fields: Any) -> Response:
    """A refusal."""
    return JSONResponse({"error": fields}, status)


def unverified() -> Response:
    """What the Graph API says when a URL does not answer the challenge."""
    return error(400, message="(#2200) Callback verification failed", type="OAuthException", code=2200)


def missing(path: str) -> Response:
    """What the Graph API says of objects that are not there, or not for this token."""
    message = f"Unsupported request. Object with ID '{path}' does not exist"
    return error(400, message=message, type="GraphMethodException", code=100, error_subcode=33)
