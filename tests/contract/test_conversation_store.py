"""The contract of the conversation store over its adapters, and what is an adapter's own."""

import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

for part in ("contract", "entries", "keys", "links", "heads", "reading", "faults"):
    pytest.register_assert_rewrite(f"unifier.testing.store_{part}")

from onethread.testing.servers.mongodb import MongoServer  # noqa: E402  # after the rewrite is asked for
from unifier.store.mongo import MongoConversations  # noqa: E402
from unifier.store.port import ConversationStore  # noqa: E402
from unifier.store.sqlite import SqliteConversations  # noqa: E402
from unifier.testing.store_contract import ConversationStoreContract  # noqa: E402


class TestSqlite(ConversationStoreContract):
    @pytest.fixture
    def new_store(self, tmp_path: Path) -> Callable[[], ConversationStore]:
        return partial(SqliteConversations, tmp_path / "data" / "conversations.sqlite")


class TestMongo(ConversationStoreContract):
    @pytest.fixture
    def new_store(self, mongo_server: MongoServer) -> Callable[[], ConversationStore]:
        return partial(MongoConversations, mongo_server.url, f"conversations_{uuid.uuid4().hex}")
