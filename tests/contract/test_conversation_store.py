"""The contract of the conversation store over its adapters, and what is an adapter's own."""

import sqlite3
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

for part in ("contract", "entries", "keys", "links", "heads", "reading", "audit", "faults"):
    pytest.register_assert_rewrite(f"unifier.testing.store_{part}")

from onethread.testing.servers.mongodb import MongoServer  # noqa: E402  # after the rewrite is asked for
from unifier.links import Profile  # noqa: E402
from unifier.model import ClockId, Head, HeadFilter, Moved  # noqa: E402
from unifier.store.mongo import MongoConversations  # noqa: E402
from unifier.store.port import ConversationStore, Position  # noqa: E402
from unifier.store.sqlite import SqliteConversations, entries, heads, keys, people  # noqa: E402
from unifier.testing.store_contract import ConversationStoreContract  # noqa: E402


class TestSqlite(ConversationStoreContract):
    @pytest.fixture
    def new_store(self, tmp_path: Path) -> Callable[[], ConversationStore]:
        return partial(SqliteConversations, tmp_path / "data" / "conversations.sqlite")


class TestMongo(ConversationStoreContract):
    @pytest.fixture
    def new_store(self, mongo_server: MongoServer) -> Callable[[], ConversationStore]:
        return partial(MongoConversations, mongo_server.url, f"conversations_{uuid.uuid4().hex}")


async def test_every_query_of_sqlite_is_an_index_search(tmp_path: Path) -> None:
    path = tmp_path / "conversations.sqlite"
    async with SqliteConversations(path) as store:
        await store.create_indexes()
    connection = sqlite3.connect(path, isolation_level=None)
    plans: dict[str, list[str]] = {}
    for name, job in JOBS.items():
        statements: list[str] = []
        connection.set_trace_callback(statements.append)
        job(connection)
        connection.set_trace_callback(None)
        plans[name] = [
            row[3]
            for statement in statements
            if not statement.startswith("--")
            for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")
        ]
    connection.close()
    assert all(plans.values())
    arguments = ("asked", "json_each", "c")  # what is scanned: the question itself, and a page that was found
    scans = {
        (name, step)
        for name, steps in plans.items()
        for step in steps
        if step.startswith("SCAN") and step.split()[1] not in arguments
    }
    assert scans == set()
    sorted_afterwards = {name for name, steps in plans.items() if any("TEMP B-TREE" in step for step in steps)}
    assert sorted_afterwards == {"timeline", "timeline, later page", "customer's heads"}  # pages, and one customer's


CLOCK = ClockId("a/idn_1", 10, 1)
JOBS: dict[str, Callable[[sqlite3.Connection], object]] = {
    "timeline": lambda c: entries.timeline(c, ["a/1", "a/2"], None, 5, None),
    "timeline, later page": lambda c: entries.timeline(c, ["a/1"], Position(1, "a/x"), 5, ["message"]),
    "run": lambda c: entries.run(c, "a/1", 3, 5),
    "runs": lambda c: entries.runs(c, {"a/1": 1}, 5, ["message"]),
    "unfolded": lambda c: entries.unfolded(c, {"a/1": 1}),
    "entries": lambda c: entries.by_id(c, ["a/1"]),
    "whole": lambda c: entries.whole(c, "a/1"),
    "about": lambda c: entries.about(c, ["a/1"]),
    "keys": lambda c: keys.keys(c, ["a/1"]),
    "clocks": lambda c: keys.clocks(c, [CLOCK]),
    "owned keys": lambda c: keys.owned_keys(c, "a/idn_1", "", 5),
    "owned clocks": lambda c: keys.owned_clocks(c, "a/idn_1", CLOCK, 5),
    "heads": lambda c: heads.by_id(c, ["a/1"]),
    "roots": lambda c: heads.of_roots(c, ["a/1"]),
    "active": lambda c: heads.listed(c, "a", "active", Position(1, "a/1"), 5, HeadFilter(active_from=1, network="sms")),
    "created": lambda c: heads.listed(c, "a", "created", Position(0, "a/1"), 5, HeadFilter(channel_id="chn_1")),
    "customer's heads": lambda c: heads.listed(c, "a", "active", None, 5, HeadFilter(identities=("a/idn_1",))),
    "identities": lambda c: people.by_id(c, ["a/1"]),
    "customers": lambda c: people.customers(c, ["a/1"]),
    "links": lambda c: people.links(c, ["a/1"]),
    "links at": lambda c: people.links_at(c, ["a/1"]),
    "links needing": lambda c: people.links_needing(c, ["a/1"]),
    "published": lambda c: heads.published(c, {"a/1": 1}),
    "fold": lambda c: heads.fold(c, [(Head(id="a/1", root="a/1", through=2), 1)]),
    "move": lambda c: entries.move(c, {"a/1": Moved(to="a/2", at=1)}),
    "settled": lambda c: people.settled(c, {"a/1": 1}),
    "set customers": lambda c: people.set_customers(c, {"a/1": "a/1"}),
    "note": lambda c: people.note(c, {"a/1": Profile()}, {"a/1": ["form"]}),
}
