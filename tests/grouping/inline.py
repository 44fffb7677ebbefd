"""The SQLite adapters without their threads, in memory: the same statements, where thousands of small runs must be quick."""

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple, TypeVar

from onethread.log import sqlite_records
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import topics
from unifier.store.sqlite import SqliteConversations, schema

T = TypeVar("T")


class Inline:
    """Stands where an adapter has its threads: runs each job at once, one that writes as a whole or not at all."""

    def __init__(self, prepare: Callable[[sqlite3.Connection], object]) -> None:
        self._connection = sqlite3.connect(":memory:", isolation_level=None, cached_statements=256)
        prepare(self._connection)

    async def read(self, job: Callable[[sqlite3.Connection], T]) -> T:
        return job(self._connection)

    async def write(self, job: Callable[[sqlite3.Connection], T]) -> T:
        self._connection.execute("SAVEPOINT job")
        try:
            return job(self._connection)
        except BaseException:
            self._connection.execute("ROLLBACK TO job")
            raise
        finally:
            self._connection.execute("RELEASE job")

    def remember(self) -> None:
        """What is there now is what `go_back` leads to."""
        self._connection.execute("SAVEPOINT past")

    def go_back(self) -> None:
        """Undo everything since `remember`."""
        self._connection.execute("ROLLBACK TO past")

    def forget(self) -> None:
        """What was remembered before it is what `go_back` leads to."""
        self._connection.execute("RELEASE past")

    async def close(self) -> None:
        self._connection.close()


class Memory(NamedTuple):
    """A store and a log, and the past of both."""

    store: SqliteConversations
    log: SqliteLog
    files: tuple[Inline, Inline]

    def remember(self) -> None:
        for file in self.files:
            file.remember()

    def go_back(self) -> None:
        for file in self.files:
            file.go_back()

    def forget(self) -> None:
        for file in self.files:
            file.forget()


@asynccontextmanager
async def in_memory() -> AsyncIterator[Memory]:
    """A store and a log, empty."""
    nowhere = Path("memory")
    store, log = SqliteConversations(nowhere), SqliteLog(nowhere)
    stored, logged = Inline(schema.prepare), Inline(sqlite_records.prepare)
    store._database, store._read, store._write = stored, stored.read, stored.write  # type: ignore[assignment]
    log._database = logged  # type: ignore[assignment]
    await store.create_indexes()
    await log.apply(topics(partitions=1))
    try:
        yield Memory(store, log, (stored, logged))
    finally:
        await store.close()
        await log.close()
