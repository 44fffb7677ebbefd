"""Entries in SQLite: insert, move, and every way they are read. It knows rows; who asks for them is not its matter."""

# ruff: noqa: S608 -- statements are put together from this file's own constants; values are always parameters

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from onethread.event import Source
from unifier.model import Entry, Moved, Outcome
from unifier.store.port import Position

_encode = msgspec.json.Encoder().encode
_entry = msgspec.json.Decoder(Entry)
_moved = msgspec.json.Decoder(Moved)
_source = msgspec.json.Decoder(Source)

_INTO = "INSERT INTO entries (id, strand, seq, kind, at, target, home, moved_at, moved, body, source)"
_INSERT = f"{_INTO} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_INSERT_ALL = f"""{_INTO} SELECT {", ".join(f"value ->> {column}" for column in range(11))}
    FROM json_each(?) WHERE true ON CONFLICT DO NOTHING"""

# JSON escapes control characters, so none of these is in a document.
_FIELD, _ROW = "\x1f", "\x1e"
_JOINED = "group_concat(e.body || char(31) || coalesce(e.moved, ''), char(30))"

Row = tuple[str, str | None]
"""`body` and `moved`."""


# --- writing -------------------------------------------------------------------------------------------------------


def insert(connection: sqlite3.Connection, entries: Sequence[Entry]) -> list[Outcome]:
    """See the port. One transaction: all that is inserted appears at once.

    As a rule there is no conflict, and one statement does all: each row of its own is a hand-over of the interpreter's lock,
    which costs more than the row when the event loop is busy.
    """
    rows = [_row(entry) for entry in entries]
    connection.execute("SAVEPOINT insert_all")
    if connection.execute(_INSERT_ALL, (_encode(rows).decode(),)).rowcount == len(rows):
        connection.execute("RELEASE insert_all")
        return [Outcome(entry.id, "inserted") for entry in entries]
    connection.execute("ROLLBACK TO insert_all")
    connection.execute("RELEASE insert_all")
    return _insert_each(connection, entries, rows)


def _insert_each(
    connection: sqlite3.Connection, entries: Sequence[Entry], rows: Sequence[tuple[object, ...]]
) -> list[Outcome]:
    results: dict[int, Literal["inserted", "id_taken", "seq_taken", "not_tried"]] = {}
    stopped: set[str] = set()
    for place in sorted(range(len(entries)), key=lambda place: (entries[place].strand, entries[place].seq)):
        entry = entries[place]
        if entry.strand in stopped:
            results[place] = "not_tried"
        elif connection.execute(_INSERT, rows[place]).rowcount:
            results[place] = "inserted"
        else:
            stopped.add(entry.strand)
            known = connection.execute("SELECT 1 FROM entries WHERE id = ?", (entry.id,)).fetchone()
            results[place] = "id_taken" if known else "seq_taken"
    return [Outcome(entry.id, results[place]) for place, entry in enumerate(entries)]


def _row(entry: Entry) -> tuple[object, ...]:
    event, moved = entry.event, entry.moved
    source = event.source if event else None
    if event is not None and source is not None:
        entry = msgspec.structs.replace(entry, event=msgspec.structs.replace(event, source=None))
    return (
        *(entry.id, entry.strand, entry.seq, entry.kind, entry.at, entry.target or None, entry.home),
        *(moved.at if moved else None, _encode(moved).decode() if moved else None),
        _encode(msgspec.structs.replace(entry, moved=None) if moved else entry).decode(),
        _encode(source).decode() if source else None,
    )


def move(connection: sqlite3.Connection, moves: Mapping[str, Moved]) -> None:
    """Set `moved` where its `at` is greater than the stored one's."""
    connection.executemany(
        "UPDATE entries SET home = ?, moved_at = ?, moved = ? WHERE id = ? AND (moved_at IS NULL OR moved_at < ?)",
        [(moved.to, moved.at, _encode(moved).decode(), entry, moved.at) for entry, moved in moves.items()],
    )


# --- reading -------------------------------------------------------------------------------------------------------


def by_id(connection: sqlite3.Connection, ids: Collection[str]) -> dict[str, Entry]:
    """Entries by id."""
    sql = f"SELECT {_JOINED} FROM json_each(?) AS asked CROSS JOIN entries AS e ON e.id = asked.value"
    return {entry.id: entry for entry in _together(connection, sql, _json(ids))}


def whole(connection: sqlite3.Connection, entry_id: str) -> Entry | None:
    """One entry with its source."""
    sql = "SELECT body, moved, source FROM entries WHERE id = ?"
    row: tuple[str, str | None, str | None] | None = connection.execute(sql, (entry_id,)).fetchone()
    if row is None:
        return None
    body, moved, source = row
    entry = _one((body, moved))
    if entry.event is None or source is None:
        return entry
    event = msgspec.structs.replace(entry.event, source=_source.decode(source))
    return msgspec.structs.replace(entry, event=event)


def run(connection: sqlite3.Connection, strand: str, after: int, limit: int) -> list[Entry]:
    """Entries of one strand after a seq."""
    sql = "SELECT body, moved FROM entries WHERE strand = ? AND seq > ? ORDER BY seq LIMIT ?"
    return _entries(connection.execute(sql, (strand, after, limit)))


def runs(
    connection: sqlite3.Connection, after: Mapping[str, int], limit: int, kinds: Collection[str] | None
) -> list[Entry]:
    """Entries of several strands, each after its seq, by (strand, seq)."""
    found: list[Entry] = []
    sql = f"""SELECT body, moved FROM entries WHERE strand = ? AND seq > ? {_kind_is(kinds)} ORDER BY seq LIMIT ?"""
    for strand in sorted(after):
        if len(found) < limit:
            arguments = (strand, after[strand], *_kinds(kinds), limit - len(found))
            found += _entries(connection.execute(sql, arguments))
    return found


def unfolded(connection: sqlite3.Connection, through: Mapping[str, int]) -> dict[str, list[Entry]]:
    """All entries of each strand after its seq, in order."""
    sql = f"""SELECT {_JOINED} FROM json_each(?) AS asked CROSS JOIN entries AS e
        ON e.strand = asked.key AND e.seq > asked.value"""
    found: dict[str, list[Entry]] = {strand: [] for strand in through}
    for entry in _together(connection, sql, _json(through)):
        found[entry.strand].append(entry)
    for entries in found.values():
        entries.sort(key=lambda entry: entry.seq)
    return found


def about(connection: sqlite3.Connection, targets: Collection[str]) -> list[Entry]:
    """Entries about one of these messages, eldest first."""
    sql = """SELECT e.body, e.moved FROM json_each(?) AS asked CROSS JOIN entries AS e
        ON e.target = asked.value AND e.target IS NOT NULL"""
    return sorted(_entries(connection.execute(sql, (_json(targets),))), key=lambda entry: (entry.at, entry.id))


def about_since(connection: sqlite3.Connection, targets: Collection[str], at: int, limit: int) -> list[Entry]:
    """Entries about one of these from a time on, eldest first."""
    sql = """SELECT e.body, e.moved FROM json_each(?) AS asked CROSS JOIN entries AS e
        ON e.target = asked.value AND e.target IS NOT NULL AND e.at >= ? ORDER BY e.at, e.id LIMIT ?"""
    return list(_entries(connection.execute(sql, (_json(targets), at, limit))))


def timeline(
    connection: sqlite3.Connection,
    strands: Collection[str],
    before: Position | None,
    limit: int,
    kinds: Collection[str] | None,
) -> list[Entry]:
    """Entries read in these strands, newest first. Of each strand at most a page is looked at, however long it is."""
    sql = f"""SELECT e.body, e.moved FROM json_each(:strands) AS asked CROSS JOIN entries AS e ON e.rowid IN (
            SELECT rowid FROM entries WHERE home = asked.value
            {"AND (at, id) < (:at, :id)" if before else ""} {_kind_is(kinds, ":kinds")}
            ORDER BY at DESC, id DESC LIMIT :limit)
        ORDER BY e.at DESC, e.id DESC LIMIT :limit"""
    at, last = before or (0, "")
    arguments = {"strands": _json(strands), "limit": limit, "at": at, "id": last, "kinds": _json(kinds or ())}
    return _entries(connection.execute(sql, arguments))


def _kind_is(kinds: Collection[str] | None, parameter: str = "?") -> str:
    return "" if kinds is None else f"AND kind IN (SELECT value FROM json_each({parameter}))"


def _kinds(kinds: Collection[str] | None) -> tuple[str, ...]:
    return () if kinds is None else (_json(kinds),)


def _json(values: Collection[str] | Mapping[str, int]) -> str:
    return msgspec.json.encode(values if isinstance(values, Mapping) else sorted(set(values))).decode()


def _together(connection: sqlite3.Connection, sql: str, asked: str) -> list[Entry]:
    """The entries of a statement that selects `_JOINED`: one row, for one hand-over of the interpreter's lock."""
    (text,) = connection.execute(sql, (asked,)).fetchone()
    rows = (row.split(_FIELD) for row in text.split(_ROW)) if text else ()
    return [_one((body, moved)) for body, moved in rows]


def _entries(rows: Iterable[Row]) -> list[Entry]:
    return [_one(row) for row in rows]


def _one(row: Row) -> Entry:
    body, moved = row
    entry = _entry.decode(body)
    return msgspec.structs.replace(entry, moved=_moved.decode(moved)) if moved else entry
