"""The contract of the state store over its adapters, and what is an adapter's own."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr

pytest.register_assert_rewrite("onethread.testing.state_store")

from onethread.connector import Token  # noqa: E402  # after the rewrite is asked for
from onethread.state.leases import Leases  # noqa: E402
from onethread.state.mongo import MongoState  # noqa: E402
from onethread.state.port import StateStore  # noqa: E402
from onethread.state.sqlite import SqliteState  # noqa: E402
from onethread.state.tokens import Tokens  # noqa: E402
from onethread.testing.servers.mongodb import MongoServer  # noqa: E402
from onethread.testing.state_store import NOON, StateStoreContract  # noqa: E402


class TestSqlite(StateStoreContract):
    @pytest.fixture
    def new_store(self, tmp_path: Path) -> Callable[[], StateStore]:
        return partial(SqliteState, tmp_path / "data" / "state.sqlite")


class TestMongo(StateStoreContract):
    @pytest.fixture
    def new_store(self, mongo_server: MongoServer) -> Callable[[], StateStore]:
        return partial(MongoState, mongo_server.url, f"state_{uuid.uuid4().hex}")


async def test_no_file_holds_a_token_in_clear(tmp_path: Path) -> None:
    async def give(_old: Token | None) -> Token:
        return Token("plain-access-secret", NOON + timedelta(hours=1), "plain-refresh-secret")

    async with SqliteState(tmp_path / "state.sqlite") as store:
        tokens = Tokens(
            store, [SecretStr("a secret of more than 32 characters")], Leases(store, "one"), now=lambda: NOON
        )
        await tokens.token("chn_1", "oauth", give)
        check_files(tmp_path)


def check_files(folder: Path) -> None:
    files = list(folder.iterdir())
    assert files
    assert all(b"plain" not in file.read_bytes() for file in files)
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
