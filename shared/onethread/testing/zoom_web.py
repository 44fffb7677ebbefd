"""The API of the simulator of Zoom: tokens, people, messages, files that expire, and event subscriptions. It knows no event.

What it does was read in Zoom's documentation: "Server-to-Server OAuth", "Errors", and the Marketplace reference of event subscriptions.
"""

import base64
import itertools
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Json = dict[str, Any]


class ZoomWeb:
    """What one app may ask. `validate`: challenges a URL before it is taken."""

    def __init__(self, account: str, validate: Callable[[str], Awaitable[bool]]) -> None:
        self.client = ("sample-client-id", "sample-client-secret")
        self.users: dict[str, Json] = {}
        """By id, as the API shows them."""
        self.messages: dict[str, Json] = {}
        """By id, as the API shows them."""
        self.files: dict[str, tuple[str, bytes]] = {}
        """Media type and content, by name."""
        self.subscriptions: dict[str, Json] = {}
        """By id, those that were made by the API."""
        self.allowed: set[str] | None = None
        """Events that the app's scopes allow; None: all."""
        self.scopeless = False
        """The app lacks the scope for users."""
        self.account = account
        self._validate = validate
        self._granted: set[str] = set()
        self._numbers = itertools.count(1)

    def routes(self) -> list[Route]:
        """Of a server that holds it."""
        return [
            Route("/oauth/token", self._grant, methods=["POST"]),
            Route("/v2/marketplace/app/event_subscription", self._subscriptions, methods=["GET", "POST"]),
            Route("/v2/marketplace/app/event_subscription/{id}", self._unsubscribed, methods=["DELETE"]),
            Route("/v2/users/{user}", self._user),
            Route("/v2/chat/users/{user}/messages/{message}", self._message),
            Route("/files/{name}", self._file),
        ]

    async def _grant(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        pair = base64.b64encode(":".join(self.client).encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            return JSONResponse({"reason": "Invalid client_id or client_secret", "error": "invalid_client"}, 400)
        if form != {"grant_type": "account_credentials", "account_id": self.account}:
            return JSONResponse({"reason": "Bad Request", "error": "invalid_request"}, 400)
        self._granted.add(token := secrets.token_urlsafe(12))
        return JSONResponse(
            {"access_token": token, "token_type": "bearer", "expires_in": 3599, "scope": "user:read:admin"}
        )

    async def _subscriptions(self, request: Request) -> Response:
        if request.method == "GET":
            if not {"user_id", "account_id"} <= set(request.query_params):
                return JSONResponse({"code": 300, "message": "user_id and account_id are needed."}, 400)
            mine = [{"event_subscription_id": key, **one} for key, one in self.subscriptions.items()]
            return self._found(request, {"page_size": 30, "event_subscriptions": mine}, 0, "")
        asked = json.loads(await request.body())
        wrong = sorted(set(asked["events"]) - (self.allowed if self.allowed is not None else set(asked["events"])))
        if not self._may(request):
            return self._found(request, None, 0, "")
        if wrong:
            return JSONResponse({"code": 1602, "message": f"The event is not allowed for the app: {wrong[0]}"}, 400)
        if not await self._validate(asked["event_webhook_url"]):
            return JSONResponse({"code": 1701, "message": "The event webhook url validate failed."}, 404)
        self.subscriptions[key := f"es_{next(self._numbers)}"] = asked
        return JSONResponse({"event_subscription_id": key}, 201)

    async def _unsubscribed(self, request: Request) -> Response:
        if not self._may(request):
            return self._found(request, None, 0, "")
        gone = self.subscriptions.pop(request.path_params["id"], None)
        return Response(status_code=204) if gone else JSONResponse({"code": 1601, "message": "It is invalid."}, 404)

    async def _user(self, request: Request) -> Response:
        if self.scopeless and self._may(request):
            return JSONResponse({"code": 4711, "message": "Invalid access token, does not contain scopes."}, 400)
        return self._found(request, self.users.get(unquote(request.path_params["user"])), 1001, "User does not exist.")

    async def _message(self, request: Request) -> Response:
        if not {"to_channel", "to_contact"} & set(request.query_params):
            return JSONResponse({"code": 300, "message": "to_channel or to_contact is needed."}, 400)
        found = self.messages.get(unquote(request.path_params["message"]))
        return self._found(request, found, 5301, "The message does not exist.")

    async def _file(self, request: Request) -> Response:
        media_type, content = self.files.get(request.path_params["name"], ("", b""))
        if not self._may(request):
            return Response(status_code=401)
        return Response(content, media_type=media_type) if media_type else Response(status_code=404)

    def _found(self, request: Request, found: Json | None, code: int, message: str) -> Response:
        if not self._may(request):
            return JSONResponse({"code": 124, "message": "Invalid access token."}, 401)
        return JSONResponse(found) if found is not None else JSONResponse({"code": code, "message": message}, 404)

    def _may(self, request: Request) -> bool:
        return request.headers.get("authorization", "").removeprefix("Bearer ") in self._granted
