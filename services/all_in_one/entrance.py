"""A channel's URL served for looking, alone: each request, whether it is let in, what becomes of it. It stores nothing."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
from starlette.requests import Request as Asked
from starlette.responses import Response

from all_in_one.sights import Show
from onethread.connector import Answer, Keys, Raw, Request, Wake, Webhook, same
from onethread.errors import Misconfigured, OnethreadError, Rejected, Retryable
from onethread.host.channel import Channel
from onethread.host.faults import Bug, translated
from onethread.host.keys import KeyCache
from onethread.host.lent import Lender
from onethread.host.showing import Showing
from onethread.testing.fixtures import REFUSED

Scope = dict[str, Any]

LONGEST = 256 * 1024
"""Bytes of a body that are read at most: anybody may call."""


class Entrance:
    """The ASGI application of one channel's URL. `public_url`: what signatures may cover; `lender`: for a provider's keys."""

    def __init__(self, one: Channel, public_url: str, show: Show, lender: Lender) -> None:
        self.public_url = public_url
        self._one, self._show = one, show
        self._showing = Showing(one)
        self._keys = KeyCache(lender.host, lender.ingest.now)

    async def __call__(self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        """See ASGI 3."""
        if scope["type"] != "http":
            return
        asked = Asked(scope, receive)
        request = await self._request(asked)
        if request is None:
            await Response(status_code=404)(scope, receive, send)
            return
        answer, seen = await self.look(request)
        self._show(seen)
        await Response(answer.body, answer.status, media_type=answer.media_type)(scope, receive, send)

    async def _request(self, asked: Asked) -> Request | None:
        """As the real entrance makes it; None: it is for another URL, or too long."""
        before = f"/hooks/{self._one.id}/"
        secret, slash, rest = asked.url.path.removeprefix(before).partition("/")
        if not asked.url.path.startswith(before) or not same(secret, self._one.hook_secret.get_secret_value()):
            return None
        body = bytearray()
        async for chunk in asked.stream():
            body += chunk
            if len(body) > LONGEST:
                return None
        raw_path = (asked.scope.get("raw_path") or quote(asked.url.path).encode()).decode("latin-1")
        url = f"{self.public_url}{raw_path}{'?' + asked.url.query if asked.url.query else ''}"
        query, headers = dict(asked.query_params), dict(asked.headers)
        return Request(asked.method, url, slash + rest, query, headers, bytes(body), datetime.now(UTC))

    async def look(self, request: Request) -> tuple[Answer, dict[str, Any]]:
        """What the connector makes of a request, and what is shown of it."""
        signature = "not needed: GET" if request.method == "GET" else "not looked at"
        seen: dict[str, Any] = {"request": self._showing.request(request), "signature": signature, "events": []}
        answer = await self._looked(request, seen)
        return answer, {**seen, "answer": answer.status}

    async def _looked(self, request: Request, seen: dict[str, Any]) -> Answer:
        connector, masked = self._one.connector, self._showing.masked
        assert isinstance(connector, Webhook)
        try:
            if request.method != "GET":
                connector.authenticate(await self._with_keys(request))
                seen["signature"] = "right"
            answer = connector.handshake(request)
            if answer is not None:
                seen["handshake"] = self._showing.body(answer.body)
                return answer
            seen["events"] = [made for part in connector.unpack(request) for made in self._made(part)]
            return connector.answer(request)
        except Rejected as error:
            where, why = ("signature", "wrong: ") if seen["signature"] == "not looked at" else ("refused", "")
            seen[where] = masked(f"{why}{error}")
            return Answer(status=error.status)
        except Exception as error:  # noqa: BLE001 -- the author is to see any mistake of the connector, and the next request
            return self._failed(error, seen)

    def _failed(self, error: Exception, seen: dict[str, Any]) -> Answer:
        """A body that the connector does not understand is a dead letter; what comes before that is asked for again."""
        ours = translated(error, datetime.now(UTC))
        understood = isinstance(error, REFUSED) or not isinstance(ours, Bug)
        said = ours if isinstance(error, httpx.HTTPError) else error
        name = "refused" if understood else "bug"
        seen[name] = self._showing.masked(f"{type(said).__name__}: {said}")
        later = seen["signature"] == "not looked at" or isinstance(ours, Retryable | Misconfigured)
        return Answer(status=(503 if later else 200) if understood else 500)

    async def _with_keys(self, request: Request) -> Request:
        connector = self._one.connector
        if not isinstance(connector, Keys):
            return request
        return await self._keys.with_keys(self._one, request, tuple(connector.key_names(request)))

    def _made(self, part: Raw | Wake) -> list[Any]:
        """The events of one record; what a refused one says instead."""
        if isinstance(part, Wake):
            return [{"wake": self._showing.hidden(msgspec.to_builtins(part))}]
        try:
            return [self._showing.event(event) for event in self._one.connector.normalize(part)]
        except REFUSED as error:
            kind = type(error).__name__ if isinstance(error, OnethreadError) else "Poison"
            return [{"error": kind, "reason": self._showing.masked(str(error))}]
