"""A simulator of the Bot API for one bot: webhook or long polling, retries, files. It knows no connector.

What it does was read in the open-source Bot API server: one queue a chat, a delivery that is not answered with 2xx is
repeated with a growing delay, an update is confirmed by a higher offset, and polling conflicts with a webhook. Differences:
a webhook may be plain http, and no update expires.
"""

import asyncio
import contextlib
import hmac
import itertools
import random
import re
from collections.abc import Callable
from typing import Any, Self

import httpx
import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from onethread.testing.serving import Loopback

Json = dict[str, Any]

SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 -- the header's name
LARGEST_FILE = 20 * 1024 * 1024
SILENT_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
"""Kinds that are sent only to who asks for them by name."""


def growing(attempt: int, retry_after: float | None) -> float:
    """Seconds before the next attempt: doubling to one or two minutes, or what the receiver asked for, up to an hour."""
    if retry_after is not None:
        return min(retry_after, 3600.0)
    return min(2.0**attempt, random.uniform(60, 120))  # noqa: S311 -- no secret


class Delivery(msgspec.Struct, frozen=True):
    """One attempt at the webhook. `status` 0: no answer."""

    update_id: int
    attempt: int
    status: int


class TelegramServer:
    """`async with TelegramServer() as telegram: telegram.url` is the `api_url`.

    `delay(attempt, retry_after)`: seconds between attempts at the webhook; `longest_poll`: seconds that getUpdates waits at
    most, whatever it is asked.
    """

    def __init__(
        self,
        token: str = "9000:sample-token",  # noqa: S107 -- a sample
        username: str = "shop_bot",
        *,
        delay: Callable[[int, float | None], float] = growing,
        longest_poll: float = 50.0,
    ) -> None:
        self.token, self.username, self.id = token, username, int(token.partition(":")[0])
        self.webhook: Json | None = None
        self.pending: list[Json] = []
        """Updates that nobody has confirmed, the oldest first."""
        self.deliveries: list[Delivery] = []
        self.calls: list[tuple[str, Json]] = []
        """Methods that were called, with their parameters."""
        self.file_faults: list[int] = []
        """Statuses that downloads get instead of the file, one each."""
        self.last_error = ""
        """Why the last delivery failed, as getWebhookInfo tells it."""
        self._delay, self._longest_poll = delay, longest_poll
        self._allowed: list[str] | None = None
        self._files: dict[str, tuple[str, bytes]] = {}
        self._update_ids, self._message_ids = itertools.count(731_000_001), itertools.count(5001)
        self._polls = 0
        self._changed = asyncio.Condition()
        self._queues: dict[str, asyncio.Task[None]] = {}
        self._client = httpx.AsyncClient(trust_env=False, timeout=60)
        self._served = Loopback(Starlette(routes=self._routes()))

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._served.url

    # --- what people do -----------------------------------------------------------------------------------------------

    async def deliver(self, kind: str = "message", **content: Any) -> Json:
        """Something happened: queue an update and send it to who listens. Returns it."""
        update = {"update_id": next(self._update_ids), kind: content}
        if self._wanted(kind):
            self.pending.append(update)
            await self._tell()
            self._push()
        return update

    async def say(
        self, text: str, user: Json, *, chat: Json | None = None, date: int = 1767225600, **more: Any
    ) -> Json:
        """A person writes to the bot, in their private chat or in `chat`. Returns the update."""
        where = chat or {"type": "private", **{name: user[name] for name in user if name in _OF_A_CHAT}}
        message = {
            "message_id": next(self._message_ids),
            "date": date,
            "from": user,
            "chat": where,
            "text": text,
            **more,
        }
        return await self.deliver("message", **message)

    async def repeat(self, update: Json) -> None:
        """The same update once more, as when our answer was lost."""
        self.pending.append(update)
        await self._tell()
        self._push()

    def keep_file(self, file_id: str, content: bytes, path: str) -> None:
        """A file that getFile finds."""
        self._files[file_id] = (path, content)

    def move_files(self) -> None:
        """An hour has passed: what getFile named is no longer good, and getFile names other paths."""
        self._files = {file_id: (f"again/{path}", content) for file_id, (path, content) in self._files.items()}

    async def confirmed(self, seconds: float = 10.0) -> None:
        """Wait until every update was taken. Raises TimeoutError."""
        await self.until(lambda: not self.pending, seconds)

    async def until(self, reached: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait for a state of this server. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(reached)

    def _wanted(self, kind: str) -> bool:
        return kind in self._allowed if self._allowed else kind not in SILENT_BY_DEFAULT

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # --- to the webhook -----------------------------------------------------------------------------------------------

    def _push(self) -> None:
        """One worker a chat, so that one chat's failing update delays no other chat."""
        if self.webhook is None:
            return
        for update in self.pending:
            queue = _queue(update)
            if queue not in self._queues:
                self._queues[queue] = asyncio.create_task(self._work(queue))

    async def _work(self, queue: str) -> None:
        try:
            while self.webhook is not None and (update := self._first(queue)) is not None:
                await self._until_taken(update, self.webhook)
        finally:
            del self._queues[queue]

    def _first(self, queue: str) -> Json | None:
        return next((update for update in self.pending if _queue(update) == queue), None)

    async def _until_taken(self, update: Json, webhook: Json) -> None:
        for attempt in itertools.count():
            status, retry_after = await self._post(update, webhook)
            self.deliveries.append(Delivery(update["update_id"], attempt, status))
            if 200 <= status < 300:
                self.pending.remove(update)
                await self._tell()
                return
            self.last_error = f"Wrong response from the webhook: {status}" if status else "Connection refused"
            await self._tell()
            await asyncio.sleep(self._delay(attempt, retry_after))
            if self.webhook is not webhook:
                return

    async def _post(self, update: Json, webhook: Json) -> tuple[int, float | None]:
        headers = {"content-type": "application/json"}
        if webhook["secret_token"]:
            headers[SECRET_HEADER] = webhook["secret_token"]
        try:
            answer = await self._client.post(webhook["url"], content=msgspec.json.encode(update), headers=headers)
        except httpx.HTTPError:
            return 0, None
        wait = answer.headers.get("retry-after", "")
        return answer.status_code, float(wait) if wait.isdigit() else None

    # --- the Bot API --------------------------------------------------------------------------------------------------

    def _routes(self) -> list[Route]:
        return [
            Route("/file/bot{token}/{path:path}", self._file),
            Route("/bot{token}/{method}", self._call, methods=["GET", "POST"]),
        ]

    async def _call(self, request: Request) -> Response:
        if not hmac.compare_digest(request.path_params["token"].encode(), self.token.encode()):
            return _error(401, "Unauthorized")
        method = request.path_params["method"]
        parameters: Json = dict(request.query_params)
        if request.headers.get("content-type", "").startswith("application/json"):
            parameters |= msgspec.json.decode(await request.body() or b"{}", type=dict[str, Any])
        self.calls.append((method, parameters))
        await self._tell()
        handler = getattr(self, f"_on_{method.lower()}", None)
        return await handler(parameters) if handler is not None else _error(404, "Not Found")

    async def _on_getme(self, _: Json) -> Response:
        about = {"can_join_groups": True, "can_read_all_group_messages": False, "supports_inline_queries": False}
        return _ok({"id": self.id, "is_bot": True, "first_name": "Shop", "username": self.username, **about})

    async def _on_setwebhook(self, parameters: Json) -> Response:
        url, secret = str(parameters.get("url", "")), str(parameters.get("secret_token", ""))
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", secret):
            return _error(400, "Bad Request: secret token contains unallowed characters")
        if url and not url.startswith(("http://", "https://")):
            return _error(400, "Bad Request: bad webhook: An HTTPS URL must be provided for webhook")
        self._allow(parameters)
        self.webhook = {"url": url, "secret_token": secret} if url else None
        self._push()
        return _ok(result=True, description="Webhook was set")

    async def _on_deletewebhook(self, parameters: Json) -> Response:
        self.webhook = None
        if parameters.get("drop_pending_updates"):
            self.pending.clear()
        return _ok(result=True, description="Webhook was deleted")

    async def _on_getwebhookinfo(self, _: Json) -> Response:
        info: Json = {"url": self.webhook["url"] if self.webhook else "", "has_custom_certificate": False}
        info |= {"pending_update_count": len(self.pending), "max_connections": 40}
        if self._allowed:
            info["allowed_updates"] = self._allowed
        if self.last_error:
            info |= {"last_error_date": 1767225600, "last_error_message": self.last_error}
        return _ok(info)

    async def _on_getupdates(self, parameters: Json) -> Response:
        if self.webhook is not None:
            reason = (
                "can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            )
            return _error(409, f"Conflict: {reason}")
        self._allow(parameters)
        self._polls += 1
        turn = self._polls
        self._confirm(int(parameters.get("offset") or 0))
        await self._tell()  # an older poll gives way
        wait = min(float(parameters.get("timeout") or 0), self._longest_poll)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait), self._changed:
                await self._changed.wait_for(lambda: bool(self.pending) or turn != self._polls)
        if turn != self._polls:
            reason = "terminated by other getUpdates request; make sure that only one bot instance is running"
            return _error(409, f"Conflict: {reason}")
        return _ok(self.pending[: min(int(parameters.get("limit") or 100), 100)])

    def _confirm(self, offset: int) -> None:
        """What is before the offset was handled; a negative one keeps so many from the end."""
        if offset < 0:
            self.pending = self.pending[offset:]
        elif offset > 0:
            self.pending = [update for update in self.pending if update["update_id"] >= offset]

    def _allow(self, parameters: Json) -> None:
        """The list last named stays; an empty one means the default."""
        if "allowed_updates" in parameters:
            self._allowed = list(parameters["allowed_updates"])

    async def _on_getfile(self, parameters: Json) -> Response:
        path, content = self._files.get(str(parameters.get("file_id")), ("", b""))
        if not path:
            return _error(400, "Bad Request: wrong file_id or the file is temporarily unavailable")
        if len(content) > LARGEST_FILE:
            return _error(400, "Bad Request: file is too big")
        file_id = parameters["file_id"]
        return _ok({"file_id": file_id, "file_unique_id": f"u{file_id}", "file_size": len(content), "file_path": path})

    async def _file(self, request: Request) -> Response:
        if not hmac.compare_digest(request.path_params["token"].encode(), self.token.encode()):
            return _error(401, "Unauthorized")
        if self.file_faults:
            return Response(status_code=self.file_faults.pop(0))
        for path, content in self._files.values():
            if path == request.path_params["path"]:
                return Response(content, media_type="application/octet-stream")
        return _error(404, "Not Found")

    # --- life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self._served.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._served.stop()  # first: what is asked of it may make it deliver
        self.webhook = None
        for task in list(self._queues.values()):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._client.aclose()


_OF_A_CHAT = frozenset({"id", "first_name", "last_name", "username"})


def _queue(update: Json) -> str:
    """The chat that an update is about; of those about none, the kind."""
    for kind, content in update.items():
        if isinstance(content, dict):
            chat = content.get("chat") or content.get("message", {}).get("chat") or {}
            return str(chat.get("id", kind))
    return ""


def _ok(result: Any, **more: Any) -> Response:
    return JSONResponse({"ok": True, "result": result, **more})


def _error(status: int, description: str) -> Response:
    return JSONResponse({"ok": False, "error_code": status, "description": description}, status)
