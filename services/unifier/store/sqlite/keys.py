"""Keys and clocks in SQLite: the first claim decides the strand, every claim widens a span."""

# ruff: noqa: S608 -- statements are put together from this file's own constants; values are always parameters

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

import msgspec

from unifier.model import Clock, ClockClaim, ClockId, Span

_COLUMNS = "owner, window, bucket, grouping, strand, lo, hi"
_ROWS = f"""SELECT {", ".join(f"value ->> {column}" for column in range(7))} FROM json_each(?) WHERE true"""

# One statement for a whole batch: see `entries.insert`.
_KEYS = "INSERT INTO keys (id, strand) SELECT key, value FROM json_each(?) WHERE true ON CONFLICT DO NOTHING"
_FREE = f"""INSERT INTO clocks ({_COLUMNS}) {_ROWS}
    ON CONFLICT DO UPDATE SET strand = coalesce(strand, excluded.strand),
        lo = min(coalesce(lo, excluded.lo), excluded.lo), hi = max(coalesce(hi, excluded.hi), excluded.hi)"""
_SEEN = f"""INSERT INTO clock_seen ({_COLUMNS}) {_ROWS}
    ON CONFLICT DO UPDATE SET lo = min(lo, excluded.lo), hi = max(hi, excluded.hi)"""
_THERE = """INSERT INTO clocks (owner, window, bucket, grouping)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?) WHERE true ON CONFLICT DO NOTHING"""

_CLOCK = "c.owner, c.window, c.bucket, c.grouping, c.strand, c.lo, c.hi, s.strand, s.lo, s.hi"
_WITH_SEEN = """LEFT JOIN clock_seen AS s
    ON s.owner = c.owner AND s.window = c.window AND s.bucket = c.bucket AND s.grouping = c.grouping"""

Row = tuple[str, int, int, Literal["episodes", "threads"], str | None, int | None, int | None, str | None, int, int]


def claim(connection: sqlite3.Connection, keys: Mapping[str, str], clocks: Sequence[ClockClaim]) -> None:
    """Strands only where there are none; spans widen."""
    connection.execute(_KEYS, (_json(keys),))
    free = [(*claim.id, claim.strand, claim.at, claim.at) for claim in clocks if claim.free]
    connection.execute(_FREE, (_json(free),))
    seen = [(*claim.id, claim.strand, claim.at, claim.at) for claim in clocks if not claim.free]
    connection.execute(_THERE, (_json(seen),))
    connection.execute(_SEEN, (_json(seen),))


def move(connection: sqlite3.Connection, keys: Mapping[str, str], at: int) -> None:
    """Claimed keys name another strand."""
    connection.executemany(
        "UPDATE keys SET strand = ?, moved_at = ? WHERE id = ? AND (moved_at IS NULL OR moved_at < ?)",
        [(strand, at, key, at) for key, strand in keys.items()],
    )


def keys(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, str]:
    """Key id → strand."""
    sql = "SELECT k.id, k.strand FROM json_each(?) AS asked CROSS JOIN keys AS k ON k.id = asked.value"
    return dict(connection.execute(sql, (_json(list(ids)),)))


def clocks(connection: sqlite3.Connection, ids: Collection[ClockId]) -> dict[ClockId, Clock]:
    """The clocks that exist, of these buckets and of those beside them."""
    # Neighbours lie beside each other: one search finds all three.
    sql = f"""SELECT {_CLOCK} FROM json_each(?) AS asked CROSS JOIN clocks AS c
        ON c.owner = asked.value ->> 0 AND c.window = asked.value ->> 1
            AND c.bucket BETWEEN asked.value ->> 2 - 1 AND asked.value ->> 2 + 1
            AND c.grouping = asked.value ->> 3 {_WITH_SEEN}"""
    return _clocks(connection.execute(sql, (_json(list(ids)),)).fetchall())


def owned_keys(connection: sqlite3.Connection, owner: str, after: str, limit: int) -> list[tuple[str, str]]:
    """Keys of one owner, in id order."""
    sql = "SELECT id, strand FROM keys WHERE id > ? AND id < ? ORDER BY id LIMIT ?"
    # All ids that begin with owner + "/" come before owner + "0", the next character.
    return connection.execute(sql, (max(after, owner + "/"), owner + "0", limit)).fetchall()


def owned_clocks(
    connection: sqlite3.Connection, owner: str, after: ClockId | None, limit: int
) -> list[tuple[ClockId, Clock]]:
    """Clocks of one owner, in order of (window, bucket, grouping)."""
    sql = f"""SELECT {_CLOCK} FROM (
            SELECT * FROM clocks WHERE owner = :owner AND (window, bucket, grouping) > (:window, :bucket, :grouping)
            ORDER BY window, bucket, grouping LIMIT :limit) AS c {_WITH_SEEN}"""
    arguments = {**(after or ClockId(owner, -1, 0))._asdict(), "limit": limit}
    rows = connection.execute(sql, arguments).fetchall()
    return sorted(_clocks(rows).items())


def _clocks(rows: Sequence[Row]) -> dict[ClockId, Clock]:
    found: dict[ClockId, Clock] = {}
    for owner, window, bucket, grouping, strand, lo, hi, seen, seen_lo, seen_hi in rows:
        free = Span(lo, hi) if lo is not None and hi is not None else None
        clock = found.setdefault(ClockId(owner, window, bucket, grouping), Clock(strand, free, {}))
        if seen is not None:
            clock.seen[seen] = Span(seen_lo, seen_hi)
    return found


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
