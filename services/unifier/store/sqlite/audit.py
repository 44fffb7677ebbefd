"""Scans and repairs of the conversation store in SQLite. What a row means is said where it is written."""

# ruff: noqa: S608 -- statements are put together from this file's own constants; values are always parameters

import sqlite3
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec

from unifier.links import Identity, Link
from unifier.model import Entry, Head
from unifier.store.audit import Audit, Claim, Kind, Place, bounds
from unifier.store.sqlite import entries, heads, people, schema

Run = Callable[[Callable[[sqlite3.Connection], Any]], Awaitable[Any]]

_KEY, _CLOCK = "k", "c"
"""What the id of a claim begins with: both are in tables of their own."""
_TABLES = {"entries": "entries", "heads": "heads", "identities": "identities", "links": "links"}


class SqliteAudit(Audit):
    """See the port; `read` and `write` run a function in a transaction of the store's file."""

    def __init__(self, read: Run, write: Run) -> None:
        self._read = read
        self._write = write

    async def missing_indexes(self) -> list[str]:
        """See the port. The unique ones are part of the tables."""
        return list(await self._read(schema.missing_indexes))

    async def entries_after(self, tenant: str, after: Place, limit: int) -> list[Entry]:
        """See the port."""
        return list(await self._read(partial(_entries_after, tenant=tenant, after=after, limit=limit)))

    async def heads_after(self, tenant: str, after: str, limit: int) -> list[Head]:
        """See the port."""
        return list(await self._read(partial(_page, kind="heads", read=heads.by_id, inside=(tenant, after, limit))))

    async def identities_after(self, tenant: str, after: str, limit: int) -> list[Identity]:
        """See the port."""
        job = partial(_page, kind="identities", read=people.by_id, inside=(tenant, after, limit))
        return list(await self._read(job))

    async def links_after(self, tenant: str, after: str, limit: int) -> list[Link]:
        """See the port."""
        return list(await self._read(partial(_page, kind="links", read=people.links, inside=(tenant, after, limit))))

    async def claims_after(self, tenant: str, after: str, limit: int) -> list[Claim]:
        """See the port. Keys first, then clocks."""
        return list(await self._read(partial(_claims_after, tenant=tenant, after=after, limit=limit)))

    async def set_epoch(self, epoch: int) -> None:
        """See the port."""
        sql = "UPDATE meta SET value = max(value, ?) WHERE name = 'epoch'"
        await self._write(lambda connection: connection.execute(sql, (epoch,)))

    async def put_heads(self, heads: Sequence[Head]) -> None:
        """See the port."""
        await self._write(partial(_put_heads, new=heads))

    async def renumber(self, seqs: Mapping[str, int]) -> None:
        """See the port."""
        await self._write(partial(_renumber, seqs=seqs))

    async def unsettle(self, links: Collection[str]) -> None:
        """See the port."""
        sql = "UPDATE links SET settled = 0 WHERE id IN (SELECT value FROM json_each(?))"
        await self._write(lambda connection: connection.execute(sql, (_json(links),)))

    async def drop(self, kind: Kind, ids: Collection[str]) -> None:
        """See the port."""
        await self._write(partial(_drop, kind=kind, ids=ids))


def _page(
    connection: sqlite3.Connection,
    kind: str,
    read: Callable[[sqlite3.Connection, Collection[str]], Mapping[str, Any]],
    inside: tuple[str, str, int],
) -> list[Any]:
    tenant, after, limit = inside
    sql = f"SELECT id FROM {_TABLES[kind]} WHERE id > ? AND id < ? ORDER BY id LIMIT ?"
    ids = [one for (one,) in connection.execute(sql, (*bounds(tenant, after), limit))]
    found = read(connection, ids)
    return [found[one] for one in ids]


def _entries_after(connection: sqlite3.Connection, tenant: str, after: Place, limit: int) -> list[Entry]:
    sql = """SELECT id FROM entries WHERE (strand, seq) > (?, ?) AND strand < ? ORDER BY strand, seq LIMIT ?"""
    begin, end = bounds(tenant, after.strand)
    seq = after.seq if begin == after.strand else 0
    ids = [one for (one,) in connection.execute(sql, (begin, seq, end, limit))]
    found = entries.by_id(connection, ids)
    return [found[one] for one in ids]


def _claims_after(connection: sqlite3.Connection, tenant: str, after: str, limit: int) -> list[Claim]:
    found: list[Claim] = []
    if not after.startswith(_CLOCK):
        sql = "SELECT id, strand FROM keys WHERE id > ? AND id < ? ORDER BY id LIMIT ?"
        rows = connection.execute(sql, (*bounds(tenant, after[1:]), limit))
        found = [Claim(_KEY + key, key, (strand,)) for key, strand in rows]
    if len(found) < limit:
        begin, end = bounds(tenant)
        last = tuple(msgspec.json.decode(after[1:])) if after.startswith(_CLOCK) else (begin, -1, 0, "")
        found += _clocks_after(connection, last, end, limit - len(found))
    return found


def _clocks_after(connection: sqlite3.Connection, last: tuple[Any, ...], end: str, limit: int) -> list[Claim]:
    sql = """SELECT c.owner, c.window, c.bucket, c.grouping, c.strand, (
            SELECT json_group_array(s.strand) FROM clock_seen AS s WHERE s.owner = c.owner AND s.window = c.window
                AND s.bucket = c.bucket AND s.grouping = c.grouping)
        FROM clocks AS c WHERE (c.owner, c.window, c.bucket, c.grouping) > (?, ?, ?, ?) AND c.owner < ?
        ORDER BY c.owner, c.window, c.bucket, c.grouping LIMIT ?"""
    found = []
    for *clock, strand, seen in connection.execute(sql, (*last, end, limit)):
        strands = ((strand,) if strand else ()) + tuple(msgspec.json.decode(seen))
        found.append(Claim(_CLOCK + msgspec.json.encode(clock).decode(), clock[0], strands))
    return found


def _put_heads(connection: sqlite3.Connection, new: Sequence[Head]) -> None:
    _drop(connection, "heads", [head.id for head in new])
    heads.fold(connection, [(head, 0) for head in new])


def _renumber(connection: sqlite3.Connection, seqs: Mapping[str, int]) -> None:
    connection.executemany(
        "UPDATE entries SET seq = ?1, body = json_set(body, '$.seq', ?1) WHERE id = ?2",
        [(seq, one) for one, seq in seqs.items()],
    )


def _drop(connection: sqlite3.Connection, kind: Kind, ids: Collection[str]) -> None:
    if kind != "claims":
        connection.execute(f"DELETE FROM {_TABLES[kind]} WHERE id IN (SELECT value FROM json_each(?))", (_json(ids),))
        if kind == "links":
            connection.execute("DELETE FROM link_needs WHERE link IN (SELECT value FROM json_each(?))", (_json(ids),))
        return
    keys = [one[1:] for one in ids if one.startswith(_KEY)]
    connection.execute("DELETE FROM keys WHERE id IN (SELECT value FROM json_each(?))", (_json(keys),))
    clocks = [tuple(msgspec.json.decode(one[1:])) for one in ids if one.startswith(_CLOCK)]
    where = "WHERE owner = ? AND window = ? AND bucket = ? AND grouping = ?"
    connection.executemany(f"DELETE FROM clocks {where}", clocks)
    connection.executemany(f"DELETE FROM clock_seen {where}", clocks)


def _json(values: Collection[str]) -> str:
    return msgspec.json.encode(sorted(set(values))).decode()
