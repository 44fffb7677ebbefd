"""A simulator of Zoom for one account: what people do, signed webhooks with their retries, the challenge every 72 hours.

It knows no connector. What it does was read in Zoom's webhook reference and sample app: an answer within three seconds, three more
attempts after 5, 20 and 60 minutes for 5xx and silence, none for 4xx; a URL that fails the challenge six times in a row is switched off.
The id of a request stays the same when it is repeated. Each attempt is signed with the time of its own sending unless `signs_once` is set: which
of the two Zoom does, is not documented.
"""

import asyncio
import hashlib
import hmac
import itertools
import json
import secrets
import time
from collections.abc import Callable
from typing import Any

import httpx
import msgspec
from starlette.applications import Starlette

from onethread.testing.pushing import PushingServer
from onethread.testing.serving import Loopback
from onethread.testing.zoom_web import ZoomWeb

Json = dict[str, Any]

WAITS = (300.0, 1200.0, 3600.0)
"""Seconds before each further attempt."""
MOST_FAILURES = 6
ANA = {"operator": "", "operator_id": "", "operator_member_id": "m_ana01", "by_external_user": True}
"""Somebody of another company: in channels Zoom tells the member id alone."""
BEN = {
    "operator": "ben@example.com",
    "operator_id": "u_ben01",
    "operator_member_id": "m_ben01",
    "by_external_user": False,
}
SUPPORT = {"channel_id": "ch_support", "channel_name": "Customer support"}


class Delivery(msgspec.Struct, frozen=True):
    """One attempt at the webhook. `status` 0: no answer in time."""

    body: bytes
    attempt: int
    status: int


class ZoomServer(PushingServer):
    """`async with ZoomServer() as zoom: await zoom.validate(url); zoom.say("Hello")`.

    `delay(attempt)`: seconds before the attempt after this one; `patience`: seconds that an answer may take.
    """

    def __init__(
        self,
        secret_token: str = "sample-secret-token",  # noqa: S107 -- a sample
        account: str = "aBcDeF123",
        *,
        delay: Callable[[int], float] = lambda attempt: WAITS[attempt],
        patience: float = 3.0,
    ) -> None:
        self.secret_token, self.account = secret_token, account
        self.endpoint = ""
        """The URL of the event subscription; "" once it is switched off."""
        self.signs_once = False
        self.deliveries: list[Delivery] = []
        self.lost: list[bytes] = []
        """Bodies that Zoom gave up on."""
        self._delay, self._failures = delay, 0
        self._ids, self._times = itertools.count(1), itertools.count(int(time.time() * 1000), 1000)
        super().__init__(patience)
        self.web = ZoomWeb(account, self.validate)
        self._served = Loopback(Starlette(routes=self.web.routes()))

    @property
    def url(self) -> str:
        """The `login_url`."""
        return self._served.url

    @property
    def api_url(self) -> str:
        """The API with its version."""
        return f"{self._served.url}/v2"

    # --- the app's page -------------------------------------------------------------------------------------------------

    async def validate(self, url: str) -> bool:
        """What the button does, and Zoom by itself every 72 hours. Whether the URL answered as it should."""
        plain = secrets.token_urlsafe(16)
        body = json.dumps({"event": "endpoint.url_validation", "payload": {"plainToken": plain}, "event_ts": _now()})
        expected = hmac.new(self.secret_token.encode(), plain.encode(), hashlib.sha256).hexdigest()
        status, answer = await self._post(url, body.encode(), int(time.time()), plain)
        try:
            right = status == 200 and json.loads(answer) == {"plainToken": plain, "encryptedToken": expected}
        except ValueError:
            right = False
        self._failures = 0 if right else self._failures + 1
        if right:
            self.endpoint = url
        elif self._failures >= MOST_FAILURES:
            self.endpoint = ""
        return right

    # --- what people do ------------------------------------------------------------------------------------------------

    def say(self, text: str, who: Json = ANA, **more: Any) -> bytes:
        """Somebody writes in the support channel, or in what `more` says. Returns the body."""
        at = next(self._times)
        where = {**SUPPORT, "channel_owner_account_id": self.account}
        message = {"message_id": self.next_id(), "timestamp": at, **where, "message": text, **more}
        return self.happen("team_chat.channel_message_posted", message, who, at=at)

    def tell(self, text: str, *, ours: bool = False, **more: Any) -> bytes:
        """Ana of another company and our Ben write to each other alone. Returns the body."""
        at = next(self._times)
        to = {"contact_id": "", "contact_email": "", "contact_member_id": ANA["operator_member_id"]}
        if not ours:
            names = {
                "contact_id": "operator_id",
                "contact_email": "operator",
                "contact_member_id": "operator_member_id",
            }
            to = {name: BEN[field] for name, field in names.items()} | {"contact_account_id": self.account}
        message = {"message_id": self.next_id(), "timestamp": at, **to, "message": text, **more}
        return self.happen("team_chat.dm_message_posted", message, BEN if ours else ANA, at=at)

    def happen(self, event: str, thing: Json, who: Json | None = None, *, at: int = 0, account: str = "") -> bytes:
        """Anything happens. Returns the body; the account is that of `who`, if they are of ours."""
        own = "" if who and who.get("by_external_user") else self.account
        payload = {"account_id": account or own, **(who or {}), "object": thing}
        made = {"event": event, "event_ts": at or next(self._times), "payload": payload}
        body = json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()
        self.repeat(body)
        return body

    def repeat(self, body: bytes) -> None:
        """The same body once more, as when our answer was lost. Without a URL nothing is sent."""
        if self.endpoint:
            self._push(self._until_taken(self.endpoint, body))

    def next_id(self) -> str:
        """An id that no message has yet."""
        return f"{{SIM-{next(self._ids):04}}}"

    def signature(self, body: bytes, at: int) -> dict[str, str]:
        """The headers of an attempt at this time, in Unix seconds."""
        message = f"v0:{at}:".encode() + body
        signed = hmac.new(self.secret_token.encode(), message, hashlib.sha256).hexdigest()
        return {"x-zm-request-timestamp": str(at), "x-zm-signature": f"v0={signed}"}

    def keep_file(self, name: str, content: bytes, media_type: str) -> str:
        """A file's address, which wants the token."""
        self.web.files[name] = (media_type, content)
        return f"{self._served.url}/files/{name}"

    def expire_files(self) -> None:
        """Addresses of files die."""
        self.web.files.clear()

    async def _until_taken(self, url: str, body: bytes) -> None:
        first, name = int(time.time()), secrets.token_hex(8)
        for attempt in range(len(WAITS) + 1):
            status, _ = await self._post(url, body, first if self.signs_once else int(time.time()), name)
            self.deliveries.append(Delivery(body, attempt, status))
            if 200 <= status < 500:
                break
            await self._tell()
            if attempt == len(WAITS):
                self.lost.append(body)
            else:
                await asyncio.sleep(self._delay(attempt))
        if 300 <= status < 500:
            self.lost.append(body)
        await self._pushed()

    async def _post(self, url: str, body: bytes, at: int, name: str) -> tuple[int, bytes]:
        headers = {"content-type": "application/json; charset=utf-8", "x-zm-request-id": name}
        headers |= self.signature(body, at)
        try:
            response = await self._client.post(url, content=body, headers=headers)
        except httpx.HTTPError:
            return 0, b""
        return response.status_code, response.content


def _now() -> int:
    return int(time.time() * 1000)
