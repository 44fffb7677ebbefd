"""Backups of a store, collection by collection, and putting them back: of one time, or each of another. The store is closed meanwhile."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from healing.site import Site
from pymongo import MongoClient

Backup = dict[str, list[Any]]
"""Rows or documents, by table or collection."""

COLLECTIONS = ("entries", "keys", "conversations", "identities", "links", "meta")
TABLES: Mapping[str, Sequence[str]] = {
    "entries": ("entries",),
    "keys": ("keys", "clocks", "clock_seen"),
    "conversations": ("heads",),
    "identities": ("identities",),
    "links": ("links", "link_needs"),
    "meta": ("meta",),
}
"""What is one collection elsewhere."""


def taken(site: Site) -> Backup:
    """Everything that is in the store."""
    if site.mongodb:
        with closing(MongoClient(site.mongodb)) as client:
            return {name: list(client[site.database][name].find({})) for name in COLLECTIONS}
    with closing(sqlite3.connect(site.folder / "conversations.sqlite")) as file:
        return {name: [file.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES[name]] for name in TABLES}


def put_back(site: Site, backup: Backup) -> None:
    """The collections of a backup instead of those that are there."""
    if site.mongodb:
        with closing(MongoClient(site.mongodb)) as client:
            for name, documents in backup.items():
                client[site.database][name].delete_many({})
                if documents:
                    client[site.database][name].insert_many(documents)
        return
    with closing(sqlite3.connect(site.folder / "conversations.sqlite")) as file, file:
        for name, tables in backup.items():
            for table, rows in zip(TABLES[name], tables, strict=True):
                file.execute(f"DELETE FROM {table}")
                if rows:
                    file.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(rows[0]))})", rows)
