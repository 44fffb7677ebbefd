"""How much work SQLite did, as a number that is the same on every machine: instructions of its virtual machine. It times nothing.

They grow with the rows and keys that statements examine, and not with the depth of a tree or with what is in a cache.
Source: "Query Progress Callbacks" (https://www.sqlite.org/c3ref/progress_handler.html).
"""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from unifier.store.sqlite import SqliteConversations

_STEP = 10  # instructions between two calls of the handler


class Instructions:
    """`count`: instructions while it watched, over both connections of a store."""

    def __init__(self) -> None:
        self.count = 0

    @asynccontextmanager
    async def watched(self, store: SqliteConversations) -> AsyncIterator[None]:
        """Count what the store does meanwhile."""
        self.count = 0
        await _handle(store, self._counted)
        try:
            yield
        finally:
            await _handle(store, None)

    def _counted(self) -> int:
        self.count += _STEP
        return 0  # go on


async def _handle(store: SqliteConversations, handler: Callable[[], int] | None) -> None:
    def job(connection: sqlite3.Connection) -> None:
        connection.set_progress_handler(handler, _STEP)

    database = store._database  # noqa: SLF001 -- the store shows no connection, and only here one is wanted
    await database.read(job)
    await database.write(job)
