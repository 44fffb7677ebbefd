"""Heads in SQLite: conditional folds, and the lists of the API."""

# ruff: noqa: S608 -- statements are put together from this file's own constants; values are always parameters

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from unifier.model import Head, HeadFilter, tenant_of
from unifier.store.port import Position

_encode = msgspec.json.Encoder().encode
_head = msgspec.json.Decoder(Head)

_INSERT = """INSERT INTO heads (id, tenant, root, identity, through, published, last_at, talk_count, body)
    VALUES (:id, :tenant, :root, :identity, :through, :published, :last_at, :talk_count, :body) ON CONFLICT DO NOTHING"""
_UPDATE = """UPDATE heads SET root = :root, identity = :identity, through = :through, last_at = :last_at,
    published = max(published, :published), talk_count = :talk_count, body = :body WHERE id = :id AND through = :expected"""


def fold(connection: sqlite3.Connection, heads: Sequence[tuple[Head, int]]) -> set[str]:
    """See the port."""
    return {head.id for head, expected in heads if _written(connection, head, expected)}


def _written(connection: sqlite3.Connection, head: Head, expected: int) -> bool:
    row = {
        "id": head.id,
        "tenant": tenant_of(head.id),
        "root": head.root,
        "identity": head.identity,
        "through": head.through,
        "published": head.published,
        "last_at": head.last_at,
        "talk_count": head.talk_count,
        "body": _encode(head).decode(),
        "expected": expected,
    }
    if connection.execute(_UPDATE, row).rowcount:
        return True
    return expected == 0 and connection.execute(_INSERT, row).rowcount > 0


def published(connection: sqlite3.Connection, through: Mapping[str, int]) -> None:
    """Raise `published`."""
    connection.executemany(
        "UPDATE heads SET published = ? WHERE id = ? AND published < ?",
        [(seq, strand, seq) for strand, seq in through.items()],
    )


def by_id(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, Head]:
    """Heads by id."""
    sql = "SELECT h.body, h.published FROM json_each(?) AS asked CROSS JOIN heads AS h ON h.id = asked.value"
    return {head.id: head for head in _heads(connection.execute(sql, (_json(ids),)))}


def of_roots(connection: sqlite3.Connection, roots: Collection[str]) -> list[Head]:
    """Heads with one of these roots."""
    sql = "SELECT h.body, h.published FROM json_each(?) AS asked CROSS JOIN heads AS h ON h.root = asked.value"
    return sorted(_heads(connection.execute(sql, (_json(roots),))), key=lambda head: head.id)


def listed(
    connection: sqlite3.Connection,
    tenant: str,
    order: Literal["active", "created"],
    after: Position | None,
    limit: int,
    only: HeadFilter,
) -> list[Head]:
    """A page of a tenant's heads. With identities it is theirs that are searched, else the list's own order."""
    # The + keeps the planner from walking the whole tenant where a few identities are asked for.
    source, other = "heads AS h", ""
    if only.identities is not None:
        source = "json_each(:identities) AS asked CROSS JOIN heads AS h ON h.identity = asked.value"
        other = "+"
    where = ["h.talk_count > 0"]
    if order == "created":
        where.append(f"{other}h.id > :begin AND {other}h.id < :end")
    else:
        where.append(f"{other}h.tenant = :tenant")
    if order == "active" and after is not None:
        where.append("(h.last_at, h.id) < (:at, :id)")
    if only.active_from is not None:
        where.append("h.last_at >= :active_from")
    if only.active_until is not None:
        where.append("h.last_at < :active_until")
    if only.channel_id:
        where.append("EXISTS (SELECT 1 FROM json_each(h.body, '$.channel_ids') WHERE value = :channel_id)")
    if only.network:
        where.append("EXISTS (SELECT 1 FROM json_each(h.body, '$.networks') WHERE value = :network)")
    sql = f"""SELECT h.body, h.published FROM {source} WHERE {" AND ".join(where)}
        ORDER BY {"h.last_at DESC, h.id DESC" if order == "active" else "h.id"} LIMIT :limit"""
    at, last = after or (0, "")
    arguments = {
        "tenant": tenant,
        "at": at,
        "id": last,
        "begin": max(last, f"{tenant}/"),
        "end": f"{tenant}0",  # above all that begins with tenant + "/"
        "limit": limit,
        "active_from": only.active_from,
        "active_until": only.active_until,
        "channel_id": only.channel_id,
        "network": only.network,
        "identities": _json(only.identities or ()),
    }
    return list(_heads(connection.execute(sql, arguments)))


def _json(values: Collection[str]) -> str:
    return _encode(sorted(set(values))).decode()


def _heads(rows: Iterable[tuple[str, int]]) -> Iterable[Head]:
    for body, published_seq in rows:
        yield msgspec.structs.replace(_head.decode(body), published=published_seq)
