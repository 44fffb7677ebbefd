"""State documents in one SQLite file: the default, for one machine. It knows versions, and not what a document means."""

import sqlite3
from functools import partial
from pathlib import Path

from onethread.errors import Conflict
from onethread.sqlite import Database
from onethread.state.port import Document, StateStore

# A deleted document stays as a row without a value, so that its version is never given again.
_TABLE = """CREATE TABLE IF NOT EXISTS documents (
    collection TEXT NOT NULL, id TEXT NOT NULL, version INTEGER NOT NULL, value BLOB,
    PRIMARY KEY (collection, id)) STRICT, WITHOUT ROWID"""
_CREATE = """INSERT INTO documents (collection, id, version, value) VALUES (?, ?, 1, ?)
    ON CONFLICT DO UPDATE SET version = version + 1, value = excluded.value WHERE value IS NULL RETURNING version"""
_UPDATE = """UPDATE documents SET version = version + 1, value = ?
    WHERE collection = ? AND id = ? AND version = ? AND value IS NOT NULL RETURNING version"""

_REMOVE = "DELETE FROM documents WHERE collection = ? AND id = ? AND version = ? AND value IS NOT NULL"


class SqliteState(StateStore):
    """The state in the file `path`; folder, file and table are made as needed. Several processes may share the file."""

    def __init__(self, path: str | Path, *, deadline: float = 10.0) -> None:
        self._database = Database(path, setting="store.url", prepare=_prepare, deadline=deadline)

    async def open(self) -> None:
        """See the port."""
        await self._database.open()

    async def close(self) -> None:
        """See the port."""
        await self._database.close()

    async def get(self, collection: str, key: str) -> Document | None:
        """See the port."""
        return await self._database.read(partial(_get, collection=collection, key=key))

    async def put(self, collection: str, key: str, value: bytes, expect: int) -> Document:
        """See the port."""
        version = await self._database.write(partial(_put, collection=collection, key=key, value=value, expect=expect))
        return Document(key, version, value)

    async def delete(self, collection: str, key: str, expect: int) -> None:
        """See the port."""
        await self._database.write(partial(_put, collection=collection, key=key, value=None, expect=max(expect, 1)))

    async def remove(self, collection: str, key: str, expect: int) -> None:
        """See the port."""
        await self._database.write(partial(_remove, collection=collection, key=key, expect=expect))

    async def scan(self, collection: str, prefix: str = "") -> list[Document]:
        """See the port."""
        return await self._database.read(partial(_scan, collection=collection, prefix=prefix))


def _prepare(connection: sqlite3.Connection) -> None:
    connection.execute(_TABLE)


def _get(connection: sqlite3.Connection, collection: str, key: str) -> Document | None:
    sql = "SELECT id, version, value FROM documents WHERE collection = ? AND id = ? AND value IS NOT NULL"
    row = connection.execute(sql, (collection, key)).fetchone()
    return Document(*row) if row else None


def _put(connection: sqlite3.Connection, collection: str, key: str, value: bytes | None, expect: int) -> int:
    if expect:
        row = connection.execute(_UPDATE, (value, collection, key, expect)).fetchone()
    else:
        row = connection.execute(_CREATE, (collection, key, value)).fetchone()
    if row is None:
        raise _conflict(collection, key, expect)
    return int(row[0])


def _remove(connection: sqlite3.Connection, collection: str, key: str, expect: int) -> None:
    if not connection.execute(_REMOVE, (collection, key, expect)).rowcount:
        raise _conflict(collection, key, expect)


def _conflict(collection: str, key: str, expect: int) -> Conflict:
    return Conflict(f"{collection}/{key} is not at version {expect} any more: read it and decide again.")


def _scan(connection: sqlite3.Connection, collection: str, prefix: str) -> list[Document]:
    # A prefix has no upper end that all text stays under; so the walk stops by itself where the prefix ends.
    sql = "SELECT id, version, value FROM documents WHERE collection = ? AND id >= ? AND value IS NOT NULL ORDER BY id"
    found: list[Document] = []
    for row in connection.execute(sql, (collection, prefix)):
        if not row[0].startswith(prefix):
            break
        found.append(Document(*row))
    return found
