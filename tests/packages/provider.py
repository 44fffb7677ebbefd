"""A provider on loopback that the test scripts: pages over HTTP, records over a WebSocket."""

import asyncio
import json
from collections import deque
from typing import Any

import anyio
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, Response
from starlette.websockets import WebSocketDisconnect


class Provider:
    """`items` are numbered from 1; a cursor is the number of the last one seen. `failures`: answers to give first."""

    def __init__(self) -> None:
        self.url = ""
        self.items: list[dict[str, Any]] = []
        self.page = 2
        self.failures: deque[Response] = deque()
        self.requests: list[dict[str, str]] = []
        self.tokens: set[str] = set()
        self.refreshes: list[str] = []
        self.revoked = False
        self.wait: float | None = None
        self.holding = asyncio.Event()
        self.holding.set()
        self.acks: list[str] = []
        self.sessions = 0
        self.open = 0
        self.hang_up_after: int | None = None
        self.app = FastAPI()
        self.app.add_api_route("/messages", self.messages)
        self.app.add_api_route("/token", self.token, methods=["POST"])
        self.app.add_api_websocket_route("/live", self.live)

    async def messages(self, request: Request) -> Response:
        self.requests.append(dict(request.query_params))
        await self.holding.wait()
        if self.failures:
            return self.failures.popleft()
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ")
        if bearer and bearer not in self.tokens:
            return Response(status_code=401)
        after = int(request.query_params["after"] or 0)
        items = self.items[after : after + self.page]
        cursor = str(after + len(items))
        more = after + len(items) < len(self.items)
        return JSONResponse({"items": items, "cursor": cursor, "more": more, "wait": self.wait})

    async def token(self, request: Request) -> Response:
        body = (await request.body()).decode()
        self.refreshes.append(body.partition("=")[2])
        if self.revoked:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        value = f"t{len(self.refreshes)}"
        self.tokens = {value}
        return JSONResponse({"value": value, "refresh": f"r{len(self.refreshes)}"})

    async def live(self, socket: WebSocket) -> None:
        await socket.accept()
        self.sessions += 1
        self.open += 1
        sent = int(socket.query_params["after"] or 0)
        begun = sent
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._ended, socket, group.cancel_scope)
                while self.hang_up_after is None or sent - begun < self.hang_up_after:
                    if sent < len(self.items):
                        sent += 1
                        await socket.send_text(json.dumps({"item": self.items[sent - 1], "cursor": str(sent)}))
                    await anyio.sleep(0.005)
                group.cancel_scope.cancel()
            await socket.close(1012)
        except (WebSocketDisconnect, RuntimeError):
            return
        finally:
            self.open -= 1

    async def _ended(self, socket: WebSocket, scope: anyio.CancelScope) -> None:
        try:
            while True:
                self.acks.append(await socket.receive_text())
        except WebSocketDisconnect:
            scope.cancel()
