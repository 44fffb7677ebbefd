"""An SQLite store that another version wrote is refused in words, and not changed."""

import sqlite3
from pathlib import Path

import pytest

from onethread.errors import Misconfigured
from unifier.store.sqlite import SqliteConversations
from unifier.store.sqlite.schema import VERSION


@pytest.mark.parametrize(("found", "todo"), [(VERSION + 1, "update"), (VERSION - 1, "onethread replay --since")])
async def test_a_store_of_another_version_is_refused(tmp_path: Path, found: int, todo: str) -> None:
    path = tmp_path / "conversations.sqlite"
    async with SqliteConversations(path) as store:
        await store.create_indexes()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = ? WHERE name = 'schema'", (found,))
    connection.commit()
    connection.close()
    with pytest.raises(Misconfigured, match=todo):
        async with SqliteConversations(path):
            pass
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone() == (found,)
    connection.close()
