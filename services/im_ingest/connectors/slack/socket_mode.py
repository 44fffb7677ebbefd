"""Socket Mode: events over connections that we open, each acknowledged once it is durable. It knows no event.

Slack API docs, "Socket Mode implementation": an envelope is acknowledged by its id, else it comes again; Slack ends each connection after a
while, and says so before (`disconnect`, reason `warning` or `refresh_requested`), so that the next can be opened first.
"""

import asyncio
from typing import ClassVar

import msgspec

from im_ingest.connectors.slack.entrance import DAMAGED, FORMS, record
from im_ingest.connectors.slack.web_api import WebApi
from onethread.connector import Host, Raw, WebSocket
from onethread.errors import Misconfigured, Poison, Retryable

REFRESH = frozenset({"warning", "refresh_requested"})
CROWDED = 60.0
"""Seconds to wait when the app has ten connections, which is all that Slack allows."""


class Connection(msgspec.Struct):
    """The address of a connection. It holds a ticket that is good for one use."""

    url: str


class Frame(msgspec.Struct):
    """What comes over a connection: an envelope, or a word about the connection itself."""

    type: str
    envelope_id: str = ""
    reason: str = ""
    payload: msgspec.Raw = msgspec.Raw(b"{}")


class SocketMode:
    """The connections of one app: mostly one, two while the next takes over."""

    grace: ClassVar[float] = 30.0
    """Seconds without a frame after which a connection that has a successor is closed by us, if Slack does not."""

    def __init__(self, host: Host, api: WebApi) -> None:
        self._host, self._api = host, api

    async def run(self) -> None:
        """Until the last connection ends, which raises. What is not acknowledged by then comes again."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._connection(group, asyncio.Event()))

    async def _connection(self, group: asyncio.TaskGroup, opened: asyncio.Event) -> None:
        """One connection. A successor that cannot be opened ends all; one that replaced this lets it end quietly."""
        where = await self._api.call("apps.connections.open", Connection)
        successor: asyncio.Event | None = None
        async with self._host.websocket(where.url) as socket:
            while True:
                try:
                    frame = await self._received(socket, replaced=successor is not None)
                    if frame is None:
                        if successor and successor.is_set():
                            return
                    elif await self._take(socket, frame, opened) and successor is None:
                        successor = asyncio.Event()
                        group.create_task(self._connection(group, successor))
                except Retryable:
                    if successor is None:
                        raise
                    return

    async def _received(self, socket: WebSocket, *, replaced: bool) -> Frame | None:
        """The next frame; None if a connection that was replaced has been silent for long."""
        try:
            async with asyncio.timeout(self.grace if replaced else None):
                return frame_of(await socket.receive())
        except TimeoutError:
            return None

    async def _take(self, socket: WebSocket, frame: Frame, opened: asyncio.Event) -> bool:
        """Act on one frame. Whether it asks for the next connection."""
        if frame.type == "hello":
            opened.set()
        elif frame.type == "disconnect":
            return _is_refresh(frame.reason)
        else:
            await self._host.emit([record_of(frame)])
            if frame.envelope_id:
                await socket.send(msgspec.json.encode({"envelope_id": frame.envelope_id}).decode())
        return False


def _is_refresh(reason: str) -> bool:
    if reason == "link_disabled":
        raise Misconfigured("Socket Mode is turned off: turn it on in the app's settings, or set `edge` to webhook")
    if reason == "too_many_websockets":
        raise Retryable("the app has all the connections that Slack allows", after=CROWDED)
    return reason in REFRESH


def frame_of(received: str | bytes) -> Frame:
    """What cannot be read is handed on as it is, to be set aside: silence would hide it."""
    try:
        return msgspec.json.decode(received, type=Frame)
    except DAMAGED:
        data = received.encode("utf-8", "replace") if isinstance(received, str) else received
        return Frame("damaged", payload=msgspec.Raw(data))


def record_of(frame: Frame) -> Raw:
    """The record of an envelope: the same that its request to a URL would have been."""
    data = bytes(frame.payload)
    if frame.type not in FORMS:
        return Raw(data, form=frame.type)
    try:
        return record(FORMS[frame.type], data)
    except (Poison, *DAMAGED):
        return Raw(data, form="damaged")
