"""A simulator of Microsoft's side of Teams for one bot: signed activities, rotating keys, tokens, members, files that expire.

It knows no connector. What it does was read in Microsoft's documentation and its Bot Framework SDKs: a key set behind metadata, keys
with endorsements, one token for an hour that names the service URL, an `invoke` that waits for its answer. How often a message is
sent again is not documented: it comes until it is taken. Differences: everything is on one server, over plain http.
"""

import asyncio
import base64
import itertools
import json
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onethread.testing.pushing import PushingServer
from onethread.testing.serving import Loopback

Json = dict[str, Any]

TENANT = "99999999-8888-4777-8666-555555555555"
APP_ID = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
SERVICE = "https://smba.trafficmanager.net/emea/"
ANA = {"id": "29:1anaXYZ", "name": "Ana Lima", "aadObjectId": "11111111-2222-4333-8444-555555555555"}


def growing(attempt: int) -> float:
    """Seconds before the next attempt."""
    return min(2.0**attempt, 60.0)


def activity(kind: str, *, tenant: str = TENANT, chat: str = "a:1convABC", **fields: Any) -> Json:
    """An activity of a personal chat, in the documented shape; `fields` replace what it says."""
    return {
        "type": kind,
        "id": "1767225600123",
        "timestamp": "2026-01-01T00:00:00.1234567Z",
        "serviceUrl": SERVICE,
        "channelId": "msteams",
        "from": ANA,
        "conversation": {"conversationType": "personal", "tenantId": tenant, "id": chat},
        "recipient": {"id": f"28:{APP_ID}", "name": "Support"},
        "channelData": {"tenant": {"id": tenant}},
        **fields,
    }


class SigningKey(NamedTuple):
    """A key of the Bot Connector."""

    kid: str
    private: RSAPrivateKey

    def published(self) -> Json:
        """The public half, as a key set shows it."""
        numbers = self.private.public_key().public_numbers()
        n, e = (_b64(one.to_bytes((one.bit_length() + 7) // 8, "big")) for one in (numbers.n, numbers.e))
        return {"kty": "RSA", "use": "sig", "kid": self.kid, "n": n, "e": e, "endorsements": ["msteams", "webchat"]}

    def token(self, audience: str, service_url: str, *, at: datetime, **claims: Any) -> str:
        """A token as the Bot Connector makes it, good for an hour; `claims` replace its own."""
        now = int(at.timestamp())
        whole = {
            "iss": "https://api.botframework.com",
            "aud": audience,
            "nbf": now - 300,
            "exp": now + 3600,
            "serviceurl": service_url,
            **claims,
        }
        header = {"alg": "RS256", "kid": self.kid, "x5t": self.kid, "typ": "JWT"}
        signed = ".".join(_b64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, whole))
        return f"{signed}.{_b64(self.private.sign(signed.encode(), PKCS1v15(), SHA256()))}"


class Delivery(msgspec.Struct, frozen=True):
    """One attempt at the endpoint. `status` 0: no answer in time; `answer`: the body of ours."""

    activity: Json
    attempt: int
    status: int
    answer: bytes = b""


class TeamsServer(PushingServer):
    """`async with TeamsServer() as teams: teams.endpoint = …; teams.say("Hello")`.

    `delay(attempt)`: seconds between attempts; `patience`: seconds that an answer may take.
    """

    def __init__(
        self,
        client_secret: str = "sample-client-secret",  # noqa: S107 -- a sample
        *,
        delay: Callable[[int], float] = growing,
        patience: float = 15.0,
    ) -> None:
        self.client_secret = client_secret
        self.endpoint = ""
        """The bot's messaging endpoint."""
        self.keys: list[SigningKey] = []
        """What is published; the last one signs."""
        self.members: dict[str, Json] = {}
        """The roster, by id."""
        self.left: set[str] = set()
        """Conversations and teams that the bot was taken out of."""
        self.deliveries: list[Delivery] = []
        self.asked: list[str] = []
        """Paths that were asked for."""
        self.rotate()
        self._delay = delay
        self._granted: set[str] = set()
        self._files: dict[str, tuple[str, bytes, bool]] = {}
        self._ids = itertools.count(1767225600123, 1000)
        super().__init__(patience)
        self._served = Loopback(Starlette(routes=self._routes()))

    @property
    def url(self) -> str:
        """The `login_url`."""
        return self._served.url

    @property
    def openid_url(self) -> str:
        """The metadata of the keys."""
        return f"{self._served.url}/v1/.well-known/openidconfiguration"

    @property
    def service_url(self) -> str:
        """What activities name."""
        return f"{self._served.url}/emea/"

    # --- what people and Microsoft do ----------------------------------------------------------------------------------

    def rotate(self, *, keep: int = 1) -> SigningKey:
        """A new key signs from now on; of the old ones, `keep` stay published."""
        fresh = SigningKey(secrets.token_urlsafe(9), generate_private_key(public_exponent=65537, key_size=2048))
        self.keys = [*self.keys[max(len(self.keys) - keep, 0) :], fresh] if keep else [fresh]
        return fresh

    def say(self, text: str, **more: Any) -> Json:
        """A person writes. Returns the activity."""
        return self.happen("message", text=text, **more)

    def happen(self, kind: str, **fields: Any) -> Json:
        """Anything happens. Returns the activity."""
        number = next(self._ids)
        at = datetime.fromtimestamp(number / 1000, UTC).isoformat().replace("+00:00", "Z")
        made = activity(kind, **{"id": str(number), "timestamp": at, "serviceUrl": self.service_url, **fields})
        self.repeat(made)
        return made

    def repeat(self, made: Json) -> None:
        """The same activity once more, as when our answer was lost."""
        self._push(self._until_taken(made))

    def token(self) -> str:
        """One as deliveries carry it."""
        return self.keys[-1].token(APP_ID, self.service_url, at=datetime.now(UTC))

    def keep_file(self, name: str, content: bytes, media_type: str, *, wants_token: bool) -> str:
        """A file's address: of a drive (whoever has it may read), or of a picture in the text (only the bot may)."""
        self._files[name] = (media_type, content, wants_token)
        folder = "emea/v3/attachments" if wants_token else "drive"
        return f"{self._served.url}/{folder}/{name}"

    def expire_files(self) -> None:
        """Addresses of files die."""
        self._files.clear()

    async def _until_taken(self, made: Json) -> None:
        body = json.dumps(made, ensure_ascii=False).encode()
        for attempt in itertools.count():
            status, answer = await self._attempt(body)
            self.deliveries.append(Delivery(made, attempt, status, answer))
            if 200 <= status < 300 or made["type"] == "invoke":
                break
            await self._tell()
            await asyncio.sleep(self._delay(attempt))
        await self._pushed()

    async def _attempt(self, body: bytes) -> tuple[int, bytes]:
        headers = {"authorization": f"Bearer {self.token()}", "content-type": "application/json; charset=utf-8"}
        try:
            response = await self._client.post(self.endpoint, content=body, headers=headers)
        except httpx.HTTPError:
            return 0, b""
        return response.status_code, response.content

    # --- what the bot asks ---------------------------------------------------------------------------------------------

    def _routes(self) -> list[Route]:
        return [
            Route("/v1/.well-known/openidconfiguration", self._metadata),
            Route("/v1/.well-known/keys", self._key_set),
            Route("/{tenant}/oauth2/v2.0/token", self._grant, methods=["POST"]),
            Route("/emea/v3/conversations/{chat}/members/{user}", self._member),
            Route("/emea/v3/attachments/{name}", self._file),
            Route("/drive/{name}", self._file),
        ]

    async def _metadata(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return JSONResponse(
            {
                "issuer": "https://api.botframework.com",
                "jwks_uri": f"{self._served.url}/v1/.well-known/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _key_set(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        return JSONResponse({"keys": [key.published() for key in self.keys]})

    async def _grant(self, request: Request) -> Response:
        self.asked.append(request.url.path)
        form = dict(parse_qsl((await request.body()).decode()))
        if request.path_params["tenant"].endswith(".invalid"):
            return _refused("invalid_request", "AADSTS90002: Tenant not found.", 400)
        if request.path_params["tenant"] not in {TENANT, "botframework.com"} or form.get("client_id") != APP_ID:
            return _refused("unauthorized_client", "AADSTS700016: the application was not found in the directory", 400)
        if form.get("client_secret") != self.client_secret:
            return _refused("invalid_client", "AADSTS7000215: Invalid client secret provided.")
        self._granted.add(token := secrets.token_urlsafe(12))
        return JSONResponse({"token_type": "Bearer", "expires_in": 3599, "access_token": token})

    async def _member(self, request: Request) -> Response:
        if not self._may(request):
            return Response(status_code=401)
        chat, found = request.path_params["chat"], self.members.get(request.path_params["user"])
        self.asked.append(request.url.path)
        if chat in self.left:
            return _failed(403, "BotNotInConversationRoster", "The bot is not part of the conversation roster.")
        if ";messageid=" in chat:
            return _failed(404, "ThreadNotFound", "Thread not found.")
        return JSONResponse(found) if found else _failed(404, "MemberNotFoundInConversation", "Member not found.")

    async def _file(self, request: Request) -> Response:
        media_type, content, wants_token = self._files.get(request.path_params["name"], ("", b"", False))
        if wants_token and not self._may(request):
            return Response(status_code=401)
        if not wants_token and "authorization" in request.headers:
            return Response(status_code=400)  # drives refuse a second way of authorisation
        return Response(content, media_type=media_type) if media_type else Response(status_code=404)

    def _may(self, request: Request) -> bool:
        return request.headers.get("authorization", "").removeprefix("Bearer ") in self._granted


def _refused(error: str, description: str, status: int = 401) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status)


def _failed(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
