"""Reads the body of a request within a size and a time. It knows ASGI and HTTP's two ways to say how long, nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any


class Disconnected(Exception):
    """The caller went away before the body was whole: there is nobody to answer."""


async def body_of(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    limit: int,
    seconds: float,
    take: Callable[[int], bool] = lambda _: True,
) -> bytes | int:
    """The body; or the status that says why not: 400, 408, 413, 503. Never holds more than `limit` bytes and one chunk.

    `take`: asked for room before bytes are read, of the whole where its size is said; False makes it 503.
    """
    headers = {name.lower(): text for name, text in scope["headers"]}
    length = headers.get(b"content-length")
    if length is not None and b"transfer-encoding" in headers:
        return 400  # two lengths: a proxy before us may have taken the other one (RFC 9112 section 6.3)
    if length is not None and length.isdigit() and int(length) > limit:
        return 413
    stated = int(length) if length is not None and length.isdigit() else None
    if stated and not take(stated):
        return 503
    try:
        async with asyncio.timeout(seconds):
            return await _read(receive, limit, take if stated is None else lambda _: True)
    except TimeoutError:
        return 408


async def _read(
    receive: Callable[[], Awaitable[dict[str, Any]]], limit: int, take: Callable[[int], bool]
) -> bytes | int:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            return 413
        if not take(len(chunk)):
            return 503
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


_SHORT = 64 * 1024


def is_short(scope: dict[str, Any]) -> bool:
    """Whether the request says that its body is so small that it comes with the header, mostly."""
    lengths = [text for name, text in scope["headers"] if name.lower() == b"content-length"]
    return len(lengths) == 1 and lengths[0].isdigit() and int(lengths[0]) <= _SHORT


_DRAINED_BYTES = 64 * 1024 * 1024
_DRAINED_SECONDS = 5.0


async def drain(receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
    """Throw away what still comes, up to a limit: closing at once would reset the connection, and the answer be lost with it."""
    try:
        async with asyncio.timeout(_DRAINED_SECONDS):
            left = _DRAINED_BYTES
            while left > 0:
                message = await receive()
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
                left -= len(message.get("body", b""))
    except TimeoutError:
        return
