"""Tasks that are ended with their owner, and tasks that nobody waits for. It knows nothing of what they do."""

import asyncio
import contextlib
from collections.abc import Coroutine, Iterable
from typing import Any


async def cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel the tasks and wait until they have ended."""
    ending = list(tasks)
    for task in ending:
        task.cancel()
    if ending:
        await asyncio.wait(ending)
    for task in ending:
        with contextlib.suppress(asyncio.CancelledError):
            task.exception()


def background(work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]) -> None:
    """Run beside everything else; `tasks` keeps it until it has ended."""
    task = asyncio.create_task(work)
    tasks.add(task)
    task.add_done_callback(tasks.discard)
