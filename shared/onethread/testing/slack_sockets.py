"""The Socket Mode side of the simulator of Slack: connections by ticket, envelopes until they are acknowledged, recycling.

It knows no event. Slack API docs, "Socket Mode implementation": an app has up to ten connections, each envelope goes to one of them, and
what is not acknowledged in time comes again with `retry_attempt`.
"""

import asyncio
import contextlib
import itertools
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

Json = dict[str, Any]
MOST = 10


class Sockets:
    """The connections of one app. `patience`: seconds that an acknowledgement may take."""

    def __init__(self, app: str, patience: float) -> None:
        self.opened = 0
        """Connections so far."""
        self.acknowledged: list[str] = []
        """Ids of envelopes, in order; one that came again may stand here twice."""
        self.attempts: list[tuple[str, int]] = []
        """Envelopes as they were sent: id, retry."""
        self.deaf = False
        """Inside a fault: acknowledgements get lost."""
        self._app, self.patience = app, patience
        self._tickets, self._numbers = itertools.count(1), itertools.count(1)
        self._valid: set[str] = set()
        self._open: list[WebSocket] = []
        self._next = 0
        self._changed = asyncio.Condition()

    @property
    def listeners(self) -> int:
        """Connections that are open."""
        return len(self._open)

    def ticket(self) -> str:
        """A ticket for one connection."""
        made = f"ticket-{next(self._tickets)}"
        self._valid.add(made)
        return made

    async def push(self, kind: str, payload: Json) -> None:
        """One envelope, until it is acknowledged. It waits while nobody listens."""
        envelope = f"envelope-{next(self._numbers)}"
        for retry in itertools.count():
            await self.until(lambda: bool(self._open), 60.0)
            socket = self._open[self._next % len(self._open)]
            self._next += 1
            frame: Json = {"envelope_id": envelope, "type": kind, "payload": payload, "accepts_response_payload": False}
            if retry:
                frame |= {"retry_attempt": retry, "retry_reason": "timeout"}
            self.attempts.append((envelope, retry))
            with contextlib.suppress(RuntimeError, WebSocketDisconnect):
                await socket.send_text(_text(frame))
            with contextlib.suppress(TimeoutError):
                await self._settled(envelope, socket)
            if envelope in self.acknowledged:
                return

    async def _settled(self, envelope: str, socket: WebSocket) -> None:
        """Wait until an envelope is acknowledged, or its connection is gone."""
        await self.until(lambda: envelope in self.acknowledged or socket not in self._open, self.patience)

    async def refresh(self, reason: str = "refresh_requested") -> None:
        """Ask the eldest connection to go, and close it once another has come, as Slack does."""
        eldest, before = self._open[0], self.opened
        await eldest.send_text(_text({"type": "disconnect", "reason": reason, "debug_info": {"host": "simulated"}}))
        await self.until(lambda: self.opened > before, 10.0)
        await self._drop(eldest)

    async def say(self, frame: str) -> None:
        """A frame as it is, to everybody who listens."""
        for socket in tuple(self._open):
            await socket.send_text(frame)

    async def close(self) -> None:
        """Close every connection, without a word before."""
        for socket in tuple(self._open):
            await self._drop(socket)

    async def until(self, reached: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait for a state. Raises TimeoutError."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(reached)

    async def listen(self, socket: WebSocket) -> None:
        """One connection, as its route."""
        given = socket.query_params.get("ticket", "")
        await socket.accept()
        if given not in self._valid or len(self._open) >= MOST:
            reason = "too_many_websockets" if given in self._valid else "invalid_ticket"
            await socket.send_text(_text({"type": "disconnect", "reason": reason}))
            await socket.close()
            return
        self._valid.discard(given)
        about = {"num_connections": len(self._open) + 1, "connection_info": {"app_id": self._app}}
        await socket.send_text(_text({"type": "hello", **about}))
        self._open.append(socket)
        self.opened += 1
        await self._tell()
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):
            while True:
                await self._acknowledge(await socket.receive_text())
        if socket in self._open:
            self._open.remove(socket)
        await self._tell()

    async def _acknowledge(self, text: str) -> None:
        if not self.deaf:
            self.acknowledged.append(msgspec.json.decode(text, type=Json)["envelope_id"])
            await self._tell()

    async def _drop(self, socket: WebSocket) -> None:
        if socket in self._open:
            self._open.remove(socket)
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(1001)
        await self._tell()

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


def _text(frame: Json) -> str:
    return msgspec.json.encode(frame).decode()
