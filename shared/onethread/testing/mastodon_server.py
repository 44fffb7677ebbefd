"""A simulator of a Mastodon server with one account of ours: notifications with their paging, and the user's stream.

It knows no connector. Paging and streams follow https://docs.joinmastodon.org/methods/notifications/ and /methods/streaming/:
`min_id` gives the page immediately newer than it, every page has the newest first, a stream has no memory. Edits and deletions
are streamed for every status, as for people whom the account follows.
"""

import contextlib
import html
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import urlencode

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from onethread.testing.serving import Loopback

Json = dict[str, Any]

STREAMS = {
    "user": frozenset({"notification", "update", "status.update", "delete"}),
    "user:notification": frozenset({"notification"}),
    "direct": frozenset[str](),
}
"""The streams there are, with the events that each carries here."""


class MastodonServer:
    """`async with MastodonServer() as mastodon: mastodon.url` is the `base_url`.

    `account` is ours, without the domain; other people are named by `acct`, with or without one.
    """

    def __init__(
        self,
        account: str = "shop",
        domain: str = "social.example",
        token: str = "sample-access-token",  # noqa: S107 -- a sample
        *,
        begins: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ) -> None:
        self.domain, self.token = domain, token
        self.acct = f"{account}@{domain}"
        self.notifications: list[Json] = []
        """Those there are, the oldest first."""
        self.requests: list[str] = []
        """Paths with their queries, in the order they were asked."""
        self.page = 80
        """Notifications a page at most."""
        self._us = account
        self._clock = (begins + timedelta(seconds=n) for n in itertools.count())
        self._notification_ids = itertools.count(95, 3)  # with gaps, and soon one digit longer
        self._status_ids = itertools.count(108914327388663283, 65536)
        self._statuses: dict[str, Json] = {}
        self._sockets: dict[WebSocket, str] = {}
        self._down = self._deaf = False
        self._served = Loopback(Starlette(routes=self._routes()))

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._served.url

    # --- what people do -----------------------------------------------------------------------------------------------

    async def mention(
        self, acct: str, text: str, *, visibility: str = "public", in_reply_to: str | None = None, **more: Any
    ) -> Json:
        """Somebody writes to us; `in_reply_to` is a status id. Returns the status."""
        status = self._status(acct, f"@{self._us} {text}", visibility, in_reply_to, [self.account(self._us)], more)
        await self._notify("mention", acct, status)
        return status

    async def post(
        self, text: str, *, to: str = "", visibility: str = "public", in_reply_to: str | None = None
    ) -> Json:
        """We write, by the web interface say; `to` is whom the text names. Returns the status."""
        named = [self.account(to)] if to else []
        status = self._status(self._us, f"@{to} {text}" if to else text, visibility, in_reply_to, named, {})
        await self._stream("update", status)
        return status

    async def favourite(self, acct: str, status: Json) -> Json:
        """Somebody marks a post of ours. Returns the notification."""
        return await self._notify("favourite", acct, status)

    async def reblog(self, acct: str, status: Json) -> Json:
        """Somebody boosts a post of ours. Returns the notification."""
        return await self._notify("reblog", acct, status)

    async def follow(self, acct: str) -> Json:
        """Somebody follows us. Returns the notification."""
        return await self._notify("follow", acct, None)

    async def edit(self, status: Json, text: str) -> Json:
        """The author changes a status. Returns it as it is now."""
        content = _markup(f"@{self._us} {text}" if status["mentions"] else text, status["mentions"])
        status |= {"content": content, "edited_at": self._now()}
        await self._stream("status.update", status)
        return status

    async def delete(self, status: Json) -> None:
        """The author deletes a status, and what the server told about it goes too."""
        del self._statuses[status["id"]]
        kept = [each for each in self.notifications if (each["status"] or {}).get("id") != status["id"]]
        self.notifications[:] = kept
        await self._stream("delete", status["id"])

    # --- faults -------------------------------------------------------------------------------------------------------

    async def repeat(self, notification: Json) -> None:
        """Stream a notification once more."""
        await self._stream("notification", notification)

    async def say(self, frame: str) -> None:
        """Send a frame as it is, to everybody who listens."""
        for socket in tuple(self._sockets):
            await socket.send_text(frame)

    async def drop_sockets(self) -> None:
        """Close every stream."""
        for socket in tuple(self._sockets):
            self._sockets.pop(socket, None)
            await socket.close(1012)

    @contextlib.contextmanager
    def while_down(self) -> Iterator[None]:
        """Inside, every request is answered with 503; what people do meanwhile is kept. Drop the sockets yourself."""
        self._down = True
        try:
            yield
        finally:
            self._down = False

    @contextlib.contextmanager
    def while_frames_are_lost(self) -> Iterator[None]:
        """Inside, connections stay, and nothing is streamed."""
        self._deaf = True
        try:
            yield
        finally:
            self._deaf = False

    @property
    def listeners(self) -> int:
        """Streams that are open."""
        return len(self._sockets)

    # --- what there is ------------------------------------------------------------------------------------------------

    def account(self, acct: str) -> Json:
        """An account. People of this server have no domain in their `acct`."""
        local, _, domain = acct.partition("@")
        home = domain or self.domain
        return {
            "id": str(sum(acct.encode()) + 10_000),
            "username": local,
            "acct": local if home == self.domain else acct,
            "uri": f"https://{home}/users/{local}",
            "url": f"https://{home}/@{local}",
            "display_name": local.capitalize(),
            "bot": False,
            "fields": [],
        }

    def _status(
        self, acct: str, text: str, visibility: str, in_reply_to: str | None, named: list[Json], more: Json
    ) -> Json:
        author, identifier = self.account(acct), str(next(self._status_ids))
        mentions = [{name: person[name] for name in ("id", "username", "acct", "url")} for person in named]
        status = {
            "id": identifier,
            "uri": f"{author['uri']}/statuses/{identifier}",
            "url": f"{author['url']}/{identifier}",
            "created_at": self._now(),
            "edited_at": None,
            "account": author,
            "in_reply_to_id": in_reply_to,
            "visibility": visibility,
            "spoiler_text": "",
            "language": "en",
            "content": _markup(text, mentions),
            "media_attachments": [],
            "mentions": mentions,
            "poll": None,
            **more,
        }
        self._statuses[identifier] = status
        return status

    async def _notify(self, kind: str, acct: str, status: Json | None) -> Json:
        identifier, created_at = str(next(self._notification_ids)), self._now()
        notification = {"id": identifier, "type": kind, "created_at": created_at}
        whole: Json = {**notification, "account": self.account(acct), "status": status}
        self.notifications.append(whole)
        await self._stream("notification", whole)
        return whole

    def _now(self) -> str:
        return next(self._clock).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    # --- the API ------------------------------------------------------------------------------------------------------

    def _routes(self) -> list[Route | WebSocketRoute]:
        return [
            Route("/api/v2/instance", self._instance),
            Route("/api/v1/accounts/verify_credentials", self._credentials),
            Route("/api/v1/notifications", self._list),
            WebSocketRoute("/api/v1/streaming", self._listen),
        ]

    def _refusal(self, request: Request, *, anybody: bool = False) -> Response | None:
        self.requests.append(f"{request.url.path}?{request.url.query}".removesuffix("?"))
        if self._down:
            return Response(status_code=503)
        if not anybody and request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"error": "The access token is invalid"}, 401)
        return None

    async def _instance(self, request: Request) -> Response:
        streaming = self.url.replace("http://", "ws://")
        about = {"domain": self.domain, "version": "4.5.0", "configuration": {"urls": {"streaming": streaming}}}
        return self._refusal(request, anybody=True) or JSONResponse(about)

    async def _credentials(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse(self.account(self._us))

    async def _list(self, request: Request) -> Response:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        found = self._found(request)
        return JSONResponse(found, headers=self._links(found))

    def _found(self, request: Request) -> list[Json]:
        query = request.query_params
        limit = min(int(query.get("limit", 40)), self.page)
        low = int(query.get("min_id") or query.get("since_id") or 0)
        high = int(query.get("max_id") or 2**63)
        matching = [each for each in self.notifications if low < int(each["id"]) < high]
        some = matching[:limit] if "min_id" in query else matching[-limit:]
        return some[::-1]

    def _links(self, found: list[Json]) -> dict[str, str]:
        if not found:
            return {}
        base = f"{self.url}/api/v1/notifications?"
        older, newer = urlencode({"max_id": found[-1]["id"]}), urlencode({"min_id": found[0]["id"]})
        return {"link": f'<{base}{older}>; rel="next", <{base}{newer}>; rel="prev"'}

    # --- the stream ---------------------------------------------------------------------------------------------------

    async def _listen(self, socket: WebSocket) -> None:
        stream = socket.query_params.get("stream", "")
        given = socket.headers.get("authorization", "").removeprefix("Bearer ") or socket.query_params.get(
            "access_token"
        )
        if self._down or given != self.token:
            await socket.send_denial_response(Response(status_code=503 if self._down else 401))
            return
        await socket.accept()
        if stream not in STREAMS:
            await socket.send_text('{"error":"Unknown channel requested","status":400}')
        else:
            self._sockets[socket] = stream
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await socket.receive_text()
        self._sockets.pop(socket, None)

    async def _stream(self, event: str, payload: Json | str) -> None:
        """One frame. The payload is JSON in a JSON text; an id is itself."""
        text = payload if isinstance(payload, str) else msgspec.json.encode(payload).decode()
        for socket, stream in tuple(self._sockets.items()):
            if event in STREAMS[stream] and not self._down and not self._deaf:
                frame = {"stream": [stream], "event": event, "payload": text}
                await socket.send_text(msgspec.json.encode(frame).decode())

    # --- life ---------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self._served.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drop_sockets()
        await self._served.stop()


def _markup(text: str, mentions: list[Json]) -> str:
    """As Mastodon writes it: a paragraph, names as links."""
    content = html.escape(text)
    for person in mentions:
        shown = f"@<span>{person['username']}</span>"
        link = f'<span class="h-card"><a href="{person["url"]}" class="u-url mention">{shown}</a></span>'
        for name in (person["acct"], person["username"]):
            if f"@{name} " in content:
                content = content.replace(f"@{name} ", f"{link} ", 1)
                break
    return f"<p>{content}</p>"
