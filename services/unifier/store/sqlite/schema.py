"""Tables and indexes of the conversation store in SQLite. What is searched by is a column, the rest is JSON in `body`."""

import sqlite3

from onethread.errors import Misconfigured

VERSION = 3
"""Grows when tables change in a way that an older program cannot read."""

_TABLES = (
    "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    # The lock, the order and the cursor of a strand is the UNIQUE here; `home` is where the entry is read.
    """CREATE TABLE IF NOT EXISTS entries (
        id TEXT NOT NULL UNIQUE, strand TEXT NOT NULL, seq INTEGER NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
        target TEXT, home TEXT NOT NULL, moved_at INTEGER, moved TEXT, body TEXT NOT NULL, source TEXT,
        UNIQUE (strand, seq)) STRICT""",
    """CREATE TABLE IF NOT EXISTS keys (
        id TEXT PRIMARY KEY, strand TEXT NOT NULL, moved_at INTEGER) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS clocks (
        owner TEXT NOT NULL, window INTEGER NOT NULL, bucket INTEGER NOT NULL, grouping TEXT NOT NULL,
        strand TEXT, lo INTEGER, hi INTEGER, PRIMARY KEY (owner, window, bucket, grouping)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS clock_seen (
        owner TEXT NOT NULL, window INTEGER NOT NULL, bucket INTEGER NOT NULL, grouping TEXT NOT NULL,
        strand TEXT NOT NULL, lo INTEGER NOT NULL, hi INTEGER NOT NULL,
        PRIMARY KEY (owner, window, bucket, grouping, strand)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS heads (
        id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, root TEXT NOT NULL, identity TEXT NOT NULL,
        through INTEGER NOT NULL, published INTEGER NOT NULL, last_at INTEGER NOT NULL, talk_count INTEGER NOT NULL,
        body TEXT NOT NULL) STRICT""",
    """CREATE TABLE IF NOT EXISTS identities (
        id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, scope TEXT NOT NULL, value TEXT NOT NULL, since INTEGER NOT NULL,
        customer TEXT NOT NULL, evidence TEXT NOT NULL, profile TEXT NOT NULL) STRICT""",
    """CREATE TABLE IF NOT EXISTS revisions (
        tenant TEXT NOT NULL, slot INTEGER NOT NULL, value INTEGER NOT NULL,
        PRIMARY KEY (tenant, slot)) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS links (
        id TEXT NOT NULL UNIQUE, a TEXT NOT NULL, b TEXT NOT NULL, settled INTEGER NOT NULL, rev INTEGER NOT NULL,
        body TEXT NOT NULL) STRICT""",
    """CREATE TABLE IF NOT EXISTS link_needs (
        identity TEXT NOT NULL, link TEXT NOT NULL, PRIMARY KEY (identity, link)) STRICT, WITHOUT ROWID""",
)

_INDEXES = {
    "entries_home": "entries (home, at, id, kind)",
    "entries_target_at": "entries (target, at) WHERE target IS NOT NULL",
    "heads_root": "heads (root)",
    "heads_identity": "heads (identity, last_at, id)",
    "heads_active": "heads (tenant, last_at, id) WHERE talk_count > 0",
    "identities_customer": "identities (customer)",
    "links_a": "links (a)",
    "links_b": "links (b)",
}


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables that are missing. Raises Misconfigured for a file that another version wrote."""
    for table in _TABLES:
        connection.execute(table)
    connection.execute("INSERT OR IGNORE INTO meta VALUES ('epoch', 1), ('schema', ?)", (VERSION,))
    (found,) = connection.execute("SELECT value FROM meta WHERE name = 'schema'").fetchone()
    if found > VERSION:
        raise Misconfigured(
            f"the store was written by a newer version (schema {found}, this one knows {VERSION}): update."
        )
    if found < VERSION:
        raise Misconfigured(
            f"the store was written by a version before the first release (schema {found}, this one writes {VERSION}): move "
            "conversations.sqlite away, and fill a new one from the log with `onethread replay --since` and a date before all of it."
        )


def create_indexes(connection: sqlite3.Connection) -> list[str]:
    """Create the indexes that are missing; one line for each."""
    missing = missing_indexes(connection)
    for name in missing:
        connection.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {_INDEXES[name]}")
    return [f"created index {name} on {_INDEXES[name]}" for name in missing]


def missing_indexes(connection: sqlite3.Connection) -> list[str]:
    """Names of the indexes that are not there."""
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    return [name for name in _INDEXES if name not in there]


def epoch(connection: sqlite3.Connection) -> int:
    """1, and one more for every restore."""
    (value,) = connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()
    return int(value)
