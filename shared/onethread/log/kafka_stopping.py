"""Stops aiokafka's clients within a deadline, by force where need be. It knows how they are made inside, and nothing of logs.

An idempotent producer tries to deliver for ever, also while it stops: with the broker gone, `stop()` never returns (seen in
aiokafka 0.14.0; https://github.com/aio-libs/aiokafka/issues/1101). So what does not stop is taken apart: its tasks cancelled,
its connections cut. What it still held may or may not have been delivered; whoever waited for it was told so before.
"""
# ruff: noqa: SLF001  # its public API has no way to give up

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from aiokafka.client import AIOKafkaClient

_ROUNDS = 20
_ROUND = 0.05  # seconds


async def stop(client: Any, stopping: Coroutine[Any, Any, None], patience: float) -> None:
    """Await `stopping`, the client's own `stop()` or `close()`, for `patience` seconds, then use force (one second at most)."""
    task = asyncio.ensure_future(stopping)
    try:
        await asyncio.wait([task], timeout=patience)
    finally:
        # Also when it did stop: a consumer's stop() is cut short by the tasks it cancels itself, and leaves others behind.
        await _take_apart(client, task)
    with contextlib.suppress(Exception, asyncio.CancelledError):
        task.result()  # it stopped, well or not; an error of a closed connection helps nobody


async def _take_apart(client: Any, stopping: asyncio.Task[None]) -> None:
    parts = [client, *vars(client).values()]
    _cut_all(parts)
    for _ in range(_ROUNDS):
        # Again and again: some of its tasks await others when they are cancelled, and end only when they are cancelled then.
        tasks = {task for task in asyncio.all_tasks() if task is stopping or _belongs(task, parts)}
        if not tasks:
            return
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_ROUND)
        _cut_all(parts)  # what a dying task had connected meanwhile


def _belongs(task: asyncio.Task[Any], parts: list[Any]) -> bool:
    """Whether the task runs a method of one of `parts`."""
    frame = getattr(task.get_coro(), "cr_frame", None)
    owner = frame.f_locals.get("self") if frame is not None else None
    return owner is not None and any(owner is part for part in parts)


def _cut_all(parts: list[Any]) -> None:
    for part in parts:
        if isinstance(part, AIOKafkaClient):
            for connection in list(part._conns.values()):
                if connection._writer is not None:
                    connection._writer.transport.abort()  # close() waits until a frozen peer takes what is in the buffer
                connection.close()
