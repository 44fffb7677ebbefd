"""What the simulators of WeChat and WeCom share: callback with its handshake, sealed deliveries, three attempts, access tokens, files.

It knows no connector and no product. What it does was read in the platforms' documentation: WeChat Developers, "Message encryption and
decryption", "Access guide", "Get stable access token"; WeCom Developers, documents 90968 (envelope), 90930 (callback), 91039 (token).
Differences: URLs may be plain http, and nobody's address is refused unless it is told to.
"""

import asyncio
import base64
import hashlib
import itertools
import secrets
import time
from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import httpx
import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onethread.testing.pushing import PushingServer
from onethread.testing.serving import Loopback

Json = dict[str, Any]

ATTEMPTS, PATIENCE, BLOCK = 3, 5.0, 32


class Delivery(msgspec.Struct, frozen=True):
    """One attempt. `status` 0: no answer in time."""

    body: bytes
    attempt: int
    status: int


class WeixinServer(PushingServer):
    """`async with` a subclass: `server.url` is the `api_url`. One app with its secret, and one callback.

    `elsewhere`: media types of files that `media/get` only tells the place of.
    `delay(attempt)`: seconds between attempts; `patience`: seconds that an answer may take; `now`: the clock that is signed.
    """

    elsewhere: frozenset[str] = frozenset()

    def __init__(
        self,
        receiver: str,
        *,
        token: str = "sampleToken0001",  # noqa: S107 -- a sample
        aes_key: str = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
        secret: str = "sample-secret",  # noqa: S107 -- a sample
        delay: Callable[[int], float] = lambda _: 0.0,
        patience: float = PATIENCE,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.receiver, self.token, self.aes_key, self.secret, self.now = receiver, token, aes_key, secret, now
        self.callback = ""
        """The URL that was entered on the platform's website."""
        self.deliveries: list[Delivery] = []
        self.lost: list[bytes] = []
        """What nobody took in three attempts."""
        self.calls: list[tuple[str, Json]] = []
        """Calls of the API: path and parameters."""
        self.refusals: dict[str, Json] = {}
        """Errors to answer, by path."""
        self.access_token = ""
        self._files: dict[str, tuple[str, bytes]] = {}
        self._delay = delay
        self._numbers = itertools.count(1)
        super().__init__(patience)
        calls = Route("/cgi-bin/{path:path}", self._call, methods=["GET", "POST"])
        routes = [calls, Route("/elsewhere/{name}", self._show)]
        self._served = Loopback(Starlette(routes=routes))

    @property
    def url(self) -> str:
        """The API's server."""
        return self._served.url

    # --- signature and envelope ----------------------------------------------------------------------------------------

    def signature(self, *parts: str) -> str:
        """SHA-1 over token and parts, sorted."""
        return hashlib.sha1("".join(sorted((self.token, *parts))).encode(), usedforsecurity=False).hexdigest()

    def sealed(self, message: str) -> str:
        """The message in its envelope."""
        key, content = base64.b64decode(self.aes_key + "="), message.encode()
        plain = secrets.token_bytes(16) + len(content).to_bytes(4, "big") + content + self.receiver.encode()
        padding = BLOCK - len(plain) % BLOCK
        encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
        return base64.b64encode(encryptor.update(plain + bytes([padding]) * padding) + encryptor.finalize()).decode()

    def query(self, *sealed: str, name: str = "msg_signature") -> dict[str, str]:
        """The parameters of a delivery that is sent now."""
        timestamp, nonce = str(int(self.now())), str(secrets.randbelow(10**10))
        return {name: self.signature(timestamp, nonce, *sealed), "timestamp": timestamp, "nonce": nonce}

    # --- the website ---------------------------------------------------------------------------------------------------

    async def enter(self, url: str) -> bool:
        """What submitting the callback does on the website. Whether the URL was taken."""
        echo = str(secrets.randbelow(10**18))
        try:
            answer = await self._client.get(url, params=self._question(echo))
        except httpx.HTTPError:
            return False
        taken = answer.status_code == httpx.codes.OK and answer.text == echo
        self.callback = url if taken else self.callback
        return taken

    def _question(self, echo: str) -> dict[str, str]:
        sealed = self.sealed(echo)
        return {**self.query(sealed), "echostr": sealed}

    # --- deliveries ----------------------------------------------------------------------------------------------------

    def deliver(self, message: str) -> None:
        """Send a message to the callback, three times at most. Without a callback nothing is sent."""
        if self.callback:
            self._push(self._until_taken(message))

    def _delivery(self, message: str) -> tuple[dict[str, str], str]:
        """Query and body; signed anew with each attempt."""
        sealed = self.sealed(message)
        return self.query(sealed), xml(ToUserName=self.receiver, Encrypt=sealed)

    async def _until_taken(self, message: str) -> None:
        for attempt in range(ATTEMPTS):
            query, body = self._delivery(message)
            try:
                answer = await self._client.post(
                    self.callback, params=query, content=body, headers={"content-type": "text/xml"}
                )
                status = answer.status_code
                shown = status == httpx.codes.OK and answer.content not in {b"", b"success"}
                status = 0 if shown else status  # the platform would take it for an answer to the person
            except httpx.HTTPError:
                status = 0
            self.deliveries.append(Delivery(body.encode(), attempt, status))
            if status == httpx.codes.OK:
                break
            await self._tell()
            await asyncio.sleep(self._delay(attempt))
        else:
            self.lost.append(message.encode())
        await self._pushed()

    # --- the API -------------------------------------------------------------------------------------------------------

    def keep_file(self, content: bytes, media_type: str) -> str:
        """A file; its media id."""
        name = f"media_{next(self._numbers)}"
        self._files[name] = (media_type, content)
        return name

    def expire_files(self) -> None:
        """Three days go by."""
        self._files.clear()

    def expire_token(self) -> None:
        """The access token ends before its time."""
        self.access_token = ""

    def grants(self, parameters: Json) -> Json:
        """An access token; the same one for everybody, while it lasts."""
        if parameters.get("secret", parameters.get("corpsecret")) != self.secret:
            return refusal(40001, "invalid credential")
        self.access_token = self.access_token or f"access-token-{next(self._numbers)}"
        return {"errcode": 0, "errmsg": "ok", "access_token": self.access_token, "expires_in": 7200}

    async def _call(self, request: Request) -> Response:
        path: str = request.path_params["path"]
        parameters: Json = dict(request.query_params)
        if request.method == "POST":
            parameters |= msgspec.json.decode(await request.body() or b"{}", type=dict[str, Any])
        self.calls.append((path, parameters))
        await self._tell()
        if path in self.refusals:
            return JSONResponse(self.refusals[path])
        if path in {"gettoken", "stable_token"}:
            return JSONResponse(self.grants(parameters))
        if not self.access_token or parameters.get("access_token") != self.access_token:
            return JSONResponse(refusal(42001, "access_token expired"))
        if path == "media/get":
            return self._file(str(parameters.get("media_id")))
        return JSONResponse(self.answer(path, parameters))

    def _file(self, name: str) -> Response:
        """Files are named; a refusal is not."""
        if name not in self._files:
            return JSONResponse(refusal(40007, "invalid media_id"))
        media_type, content = self._files[name]
        if media_type in self.elsewhere:
            return JSONResponse({"video_url": f"{self.url}/elsewhere/{name}"})
        return _named(name, media_type, content)

    async def _show(self, request: Request) -> Response:
        name = request.path_params["name"]
        return _named(name, *self._files[name]) if name in self._files else Response(status_code=404)

    def answer(self, path: str, parameters: Json) -> Json:
        """The product's own calls."""
        raise NotImplementedError


def _named(name: str, media_type: str, content: bytes) -> Response:
    return Response(content, media_type=media_type, headers={"content-disposition": f'attachment; filename="{name}"'})


def refusal(code: int, text: str) -> Json:
    """An error, which comes with status 200."""
    return {"errcode": code, "errmsg": text}


def xml(**fields: str | float) -> str:
    """A document of theirs: text as CDATA, numbers bare."""
    return f"<xml>{''.join(_element(name, value) for name, value in fields.items())}</xml>"


def _element(name: str, value: str | float) -> str:
    if not isinstance(value, str):
        return f"<{name}>{value}</{name}>"
    text = escape(value) if "]]>" in value else f"<![CDATA[{value}]]>"
    return f"<{name}>{text}</{name}>"
