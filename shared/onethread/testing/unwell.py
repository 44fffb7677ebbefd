"""A provider that is not well: whatever it is asked, it answers the same, and nothing that was hoped for. It knows no protocol."""

import asyncio
import contextlib
from typing import Self

LOOPBACK = "127.0.0.1"


def _answer(status: str, body: bytes, media_type: str = "application/json") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


WAYS = {
    "500": _answer("500 Internal Server Error", b"oops", "text/plain"),
    "401": _answer("401 Unauthorized", b'{"error": "unauthorized"}'),
    "half a document": _answer("200 OK", b'{"ok": tru'),
    "a document of another shape": _answer("200 OK", b'[1, "x", null]'),
    "a page": _answer("200 OK", b"<!doctype html><title>Under maintenance</title>", "text/html"),
    "an empty body": _answer("200 OK", b""),
    "nothing": b"",
}
"""What it answers, byte for byte, by what is wrong with it; nothing: it hangs up."""

_SILENCE = 0.1
"""Seconds after which it speaks first, as servers of other protocols than HTTP do."""


class Unwell:
    """`async with Unwell("500") as provider: provider.url`. `asked`: connections so far."""

    def __init__(self, way: str) -> None:
        self.asked = 0
        self._answer = WAYS[way]
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """Where it listens on loopback."""
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """The same, for HTTP."""
        return f"http://{LOOPBACK}:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(_SILENCE):
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = head.partition(b"content-length:")[2].partition(b"\r\n")[0].strip()
                await reader.readexactly(int(length or 0))
        with contextlib.suppress(OSError):
            writer.write(self._answer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()
