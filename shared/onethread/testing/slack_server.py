"""A simulator of Slack for one app: what people do, signed deliveries with their retries, or envelopes of Socket Mode.

It knows no connector. What it does was read in Slack's API docs: "Events API" (three seconds, retries at once, after one and after five minutes
with `x-slack-retry-num` and `-reason`; what people do with buttons, forms and commands is sent once), "Verifying requests from Slack", "Socket Mode
implementation". Differences: URLs may be plain http, events are never turned off, a retried delivery is signed anew.
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
from urllib.parse import urlencode

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.routing import Route, WebSocketRoute

from onethread.testing import slack_actions
from onethread.testing.pushing import PushingServer
from onethread.testing.serving import Loopback
from onethread.testing.slack_sockets import Sockets
from onethread.testing.slack_web import Web

Json = dict[str, Any]
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def retries(number: int) -> float:
    """Seconds before a retry: 1, 2 or 3."""
    return (0.0, 60.0, 300.0)[number - 1]


class Delivery(msgspec.Struct, frozen=True):
    """One attempt at the Request URL. `retry`: 0 to 3; `status` 0: no answer in time."""

    body: bytes
    retry: int
    reason: str
    status: int


class SlackServer(PushingServer):
    """`async with SlackServer() as slack: slack.say("Hello", "U0MIA")`. `url` is the `api_url`.

    `delay(n)`: seconds before retry n; `patience`: seconds that an answer may take; `began`: Unix seconds of the first message.
    """

    def __init__(
        self,
        signing_secret: str = "sample-signing-secret",  # noqa: S107 -- a sample
        app_token: str = "xapp-sample-token",  # noqa: S107 -- a sample
        *,
        delay: Callable[[int], float] = retries,
        patience: float = 3.0,
        began: int = 1767225600,
    ) -> None:
        self.signing_secret, self.app_token = signing_secret, app_token
        self.app, self.bot, self.team = "A0OURS", "U0BOT", "T0SHOP"
        self.teams = {self.team: "xoxb-sample-token"}
        """Bot tokens by workspace."""
        self.request_url = ""
        """Where deliveries go; empty: to the sockets."""
        self.deliveries: list[Delivery] = []
        self.lost: list[bytes] = []
        """Given up after the last retry."""
        self._delay, self._patience = delay, patience
        self._numbers, self._times = itertools.count(1), itertools.count(began)
        super().__init__(patience)
        self.sockets = Sockets(self.app, patience)
        self.web = Web(self.teams, self.bot, app_token, self.sockets)
        self._served = Loopback(
            Starlette(
                routes=[
                    Route("/api/{method}", self.web.call, methods=["GET", "POST"]),
                    Route("/files/{id}", self.web.file),
                    WebSocketRoute("/link", self.sockets.listen),
                ]
            )
        )

    @property
    def url(self) -> str:
        """The Web API."""
        return f"{self._served.url}/api"

    # --- what people do ------------------------------------------------------------------------------------------------

    def say(self, text: str, user: str, channel: str = "C0SUPPORT", **more: Any) -> Json:
        """Somebody writes. Returns the message; `thread_ts` in `more` makes it an answer."""
        ts = self.next_ts()
        kind = "im" if channel.startswith("D") else "channel"
        message: Json = {
            "type": "message",
            "channel": channel,
            "channel_type": kind,
            "user": user,
            "text": text,
            "ts": ts,
        }
        message |= {"event_ts": ts, "team": self.team, **more}
        self.happens(message)
        return message

    def bot_says(self, text: str, channel: str, **more: Any) -> Json:
        """Our app writes."""
        return self.say(text, self.bot, channel, bot_id="B0OURS", app_id=self.app, **more)

    def mentions(self, message: Json) -> Json:
        """What Slack sends besides a message that names the app: the same, without the kind of the channel."""
        mention = {name: message[name] for name in ("channel", "user", "text", "ts", "event_ts", "team")}
        return self.happens({"type": "app_mention", **mention})

    def edit(self, message: Json, text: str) -> Json:
        """The author changes a message; `edited` tells whole seconds."""
        ts = self.next_ts()
        inner = {name: value for name, value in message.items() if name not in {"channel", "channel_type", "event_ts"}}
        after = {**inner, "text": text, "edited": {"user": message["user"], "ts": f"{ts[:10]}.000000"}}
        return self.happens({**_about(message, "message_changed", ts), "message": after, "previous_message": inner})

    def delete(self, message: Json) -> Json:
        """Somebody deletes a message."""
        inner = {name: value for name, value in message.items() if name not in {"channel", "channel_type", "event_ts"}}
        about = _about(message, "message_deleted", self.next_ts())
        return self.happens({**about, "deleted_ts": message["ts"], "previous_message": inner})

    def react(self, message: Json, user: str, emoji: str, *, removed: bool = False) -> Json:
        """Somebody adds an emoji, or takes it away."""
        item = {"type": "message", "channel": message["channel"], "ts": message["ts"]}
        kind = "reaction_removed" if removed else "reaction_added"
        more = {"user": user, "reaction": emoji, "item_user": message["user"], "event_ts": self.next_ts()}
        return self.happens({"type": kind, "item": item, **more})

    def press(self, message: Json, user: str, action: str, value: str) -> bytes:
        """Somebody uses a button under a message. Returns the body."""
        act = {"type": "button", "action_id": action, "block_id": "b", "value": value, "action_ts": self.next_ts()}
        return self._interact(slack_actions.pressed(self.app, self.team, user, message, act))

    def submit(self, user: str, callback: str, **fields: str) -> bytes:
        """Somebody sends a form. Returns the body."""
        return self._interact(slack_actions.submitted(self.app, self.team, user, callback, fields))

    def command(self, user: str, command: str, text: str, channel: str = "C0SUPPORT") -> bytes:
        """Somebody calls a command. Returns the body."""
        form = slack_actions.commanded(self.app, self.team, user, channel, command, text)
        return self._send(form, "slash_commands", urlencode(form).encode(), FORM)

    def _interact(self, payload: Json) -> bytes:
        return self._send(payload, "interactive", urlencode({"payload": _json(payload).decode()}).encode(), FORM)

    def happens(self, event: Json, team: str = "") -> Json:
        """Anything that the app is subscribed to. Returns the envelope."""
        seen = {"team_id": team or self.team, "user_id": self.bot, "is_bot": True, "is_enterprise_install": False}
        envelope: Json = {"token": "legacy-token", "team_id": team or self.team, "api_app_id": self.app, "event": event}
        envelope |= {"type": "event_callback", "event_id": f"Ev{next(self._numbers):06}", "authorizations": [seen]}
        envelope |= {"event_time": int(float(event.get("event_ts", 1767225600))), "event_context": "4-sample"}
        self._send(envelope, "events_api", _json(envelope), JSON)
        return envelope

    def next_ts(self) -> str:
        """A time that no message has yet."""
        return f"{next(self._times)}.000100"

    def keep_file(self, name: str, content: bytes, media_type: str) -> Json:
        """A file, as a message holds it: its address needs a bot token."""
        return self.web.keep_file(self._served.url, name, content, media_type)

    # --- deliveries ----------------------------------------------------------------------------------------------------

    async def enter(self, url: str) -> bool:
        """Enter a Request URL: it must answer the challenge, which is signed as all else. Whether it was taken."""
        challenge = secrets.token_urlsafe(24)
        body = _json({"token": "legacy-token", "challenge": challenge, "type": "url_verification"})
        try:
            answer = await self._client.post(url, content=body, headers=self.headers(body))
        except httpx.HTTPError:
            return False
        taken = answer.status_code == 200 and challenge in {answer.text, _challenge_in(answer)}
        self.request_url = url if taken else self.request_url
        return taken

    def repeat(self, body: bytes, media_type: str = JSON) -> None:
        """The same body once more, as when our answer was lost."""
        self._begin(self._until_taken(body, media_type))

    def headers(self, body: bytes, media_type: str = JSON, *, age: float = 0.0) -> dict[str, str]:
        """Of a delivery that was signed so many seconds ago."""
        at = str(int(time.time() - age))
        digest = hmac.new(self.signing_secret.encode(), b"v0:" + at.encode() + b":" + body, hashlib.sha256).hexdigest()
        return {"content-type": media_type, "x-slack-request-timestamp": at, "x-slack-signature": f"v0={digest}"}

    def _send(self, payload: Json, kind: str, body: bytes, media_type: str) -> bytes:
        if self.request_url:
            self.repeat(body, media_type)
        else:
            self._begin(self.sockets.push(kind, payload))
        return body

    def _begin(self, sending: Any) -> None:
        task = asyncio.create_task(sending)
        self._pushing.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._pushing.discard(task)
        if not task.cancelled():
            telling = asyncio.ensure_future(self._tell())
            telling.add_done_callback(lambda done: done.exception())

    async def _until_taken(self, body: bytes, media_type: str) -> None:
        reason = ""
        for number in range(4 if media_type == JSON else 1):
            if number:
                await asyncio.sleep(self._delay(number))
            retry = {"x-slack-retry-num": str(number), "x-slack-retry-reason": reason} if number else {}
            answer, told = None, reason
            try:
                sent = {**self.headers(body, media_type), **retry}
                answer = await self._client.post(self.request_url, content=body, headers=sent)
                reason = "http_error"
            except httpx.TimeoutException:
                reason = "http_timeout"
            except httpx.HTTPError:
                reason = "connection_failed"
            self.deliveries.append(Delivery(body, number, told, answer.status_code if answer else 0))
            await self._tell()
            if answer is not None and (answer.is_success or answer.headers.get("x-slack-no-retry") == "1"):
                return
        self.lost.append(body)

    async def _close(self) -> None:
        await self.sockets.close()


def _json(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _about(message: Json, subtype: str, ts: str) -> Json:
    where = {name: message[name] for name in ("channel", "channel_type")}
    return {"type": "message", "subtype": subtype, "hidden": True, **where, "ts": ts, "event_ts": ts}


def _challenge_in(answer: httpx.Response) -> str:
    try:
        return msgspec.json.decode(answer.content, type=dict[str, str]).get("challenge", "")
    except msgspec.MsgspecError:
        return ""
