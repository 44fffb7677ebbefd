"""Topics, partitions and records as tables of one SQLite file. It knows SQL, and runs inside a transaction it did not begin."""

import sqlite3
from collections.abc import Iterable, Sequence

import msgspec

from onethread.errors import Misconfigured
from onethread.log.drafts import partition_of
from onethread.log.port import Draft, Extent, Record, Topic, TopicPartition

_VERSION = 1

_SCHEMA = """\
CREATE TABLE topics (name TEXT PRIMARY KEY, retention_hours INTEGER) WITHOUT ROWID;
CREATE TABLE partitions (
    place INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL,
    first_offset INTEGER NOT NULL DEFAULT 0, next_offset INTEGER NOT NULL DEFAULT 0,
    UNIQUE (topic, number)
);
CREATE TABLE records (
    id INTEGER PRIMARY KEY, written_at INTEGER NOT NULL, key BLOB NOT NULL, value BLOB NOT NULL, headers BLOB
);
CREATE TABLE groups (name TEXT PRIMARY KEY, generation INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE members (
    group_name TEXT, member TEXT, incarnation TEXT NOT NULL, topics BLOB NOT NULL, alive_until INTEGER NOT NULL,
    PRIMARY KEY (group_name, member)
) WITHOUT ROWID;
CREATE TABLE commits (
    group_name TEXT, place INTEGER, next_offset INTEGER NOT NULL, PRIMARY KEY (group_name, place)
) WITHOUT ROWID;
"""

# A record's id is its partition's place and its offset in one integer: one tree holds all partitions, each one contiguous and
# in order. 2^40 records a partition, 2^23 partitions.
_SHIFT = 40

_headers = msgspec.msgpack.Decoder(tuple[tuple[str, bytes], ...])


def vet(connection: sqlite3.Connection) -> None:
    """Raises Misconfigured for a file of a newer version, or of something else; changes nothing."""
    version = _version(connection)
    if version > _VERSION:
        raise Misconfigured(
            f"The log was written by a newer Onethread (format {version}, known here {_VERSION}): upgrade."
        )
    if not version and connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise Misconfigured("log.url names an SQLite file that is no log of Onethread: name another file.")


def prepare(connection: sqlite3.Connection) -> None:
    """Make the tables of a new file."""
    if not _version(connection):
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {_VERSION}")


def apply_topic(connection: sqlite3.Connection, topic: Topic) -> list[str]:
    """Create or adapt one topic; one line per change. Raises Misconfigured if it has more partitions already."""
    row = connection.execute("SELECT retention_hours FROM topics WHERE name = ?", (topic.name,)).fetchone()
    have = len(places(connection, topic.name))
    if have > topic.partitions:
        raise Misconfigured(
            f"{topic.name} has {have} partitions and cannot shrink to {topic.partitions}: ask for {have} or more."
        )
    connection.executemany(
        "INSERT INTO partitions (topic, number) VALUES (?, ?)",
        [(topic.name, number) for number in range(have, topic.partitions)],
    )
    if row is None:
        connection.execute("INSERT INTO topics VALUES (?, ?)", (topic.name, topic.retention_hours))
        return [f"{topic.name}: created with {topic.partitions} partitions, {_kept(topic.retention_hours)}"]
    changes = []
    if have < topic.partitions:
        # Readers see the new partitions when they deal them out anew.
        connection.execute("UPDATE groups SET generation = generation + 1")
        changes.append(f"{topic.name}: {have} partitions become {topic.partitions}")
    if row[0] != topic.retention_hours:
        connection.execute("UPDATE topics SET retention_hours = ? WHERE name = ?", (topic.retention_hours, topic.name))
        changes.append(f"{topic.name}: {_kept(topic.retention_hours)}")
    return changes


def places(connection: sqlite3.Connection, topic: str) -> list[int]:
    """The place of each partition, by number; empty for an unknown topic."""
    rows = connection.execute("SELECT place FROM partitions WHERE topic = ? ORDER BY number", (topic,))
    return [place for (place,) in rows]


def known(connection: sqlite3.Connection, topic: str) -> list[int]:
    """The place of each partition, by number. Raises Misconfigured for an unknown topic."""
    if found := places(connection, topic):
        return found
    raise Misconfigured(f"The topic {topic} does not exist: run `onethread topics apply`.")


def place_of(connection: sqlite3.Connection, at: TopicPartition) -> int:
    """The place of one partition. Raises Misconfigured for one that does not exist."""
    found = known(connection, at.topic)
    if not 0 <= at.partition < len(found):
        raise Misconfigured(f"{at.topic} has the partitions 0 to {len(found) - 1}, not {at.partition}.")
    return found[at.partition]


def append(connection: sqlite3.Connection, topic: str, drafts: Sequence[Draft], now: int) -> list[TopicPartition]:
    """Write records at the ends of their partitions; `now` in Unix milliseconds. Raises Misconfigured for an unknown topic."""
    where = known(connection, topic)
    ends = [end for _, end in extents(connection, topic).values()]
    before = list(ends)
    rows, written = [], []
    for draft in drafts:
        number = partition_of(draft.key, len(where))
        headers = msgspec.msgpack.encode(draft.headers) if draft.headers else None
        rows.append(((where[number] << _SHIFT) + ends[number], now, draft.key, draft.value, headers))
        ends[number] += 1
        written.append(TopicPartition(topic, number))
    connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", rows)
    moved = [(end, place) for place, end, old in zip(where, ends, before, strict=True) if end != old]
    connection.executemany("UPDATE partitions SET next_offset = ? WHERE place = ?", moved)
    return written


def extents(connection: sqlite3.Connection, topic: str) -> dict[int, Extent]:
    """What each partition holds, by number; empty for an unknown topic."""
    rows = connection.execute(
        "SELECT number, first_offset, next_offset FROM partitions WHERE topic = ? ORDER BY number", (topic,)
    )
    return {number: Extent(first, end) for number, first, end in rows}


def read(connection: sqlite3.Connection, at: TopicPartition, place: int, offset: int, limit: int) -> list[Record]:
    """Up to `limit` records of one partition from `offset` on, or from the first kept one after it."""
    base = place << _SHIFT
    rows = connection.execute(
        "SELECT id, written_at, key, value, headers FROM records WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
        (base + max(offset, 0), base + (1 << _SHIFT), limit),
    )
    return [
        Record(at.topic, at.partition, id_ - base, written_at, key, value, _headers.decode(headers) if headers else ())
        for id_, written_at, key, value, headers in rows
    ]


def prune(connection: sqlite3.Connection, now: int, limit: int) -> int:
    """Delete up to `limit` records past their topic's retention, oldest first; how many. Offsets are never given out again."""
    left = limit
    rows = connection.execute(
        "SELECT place, first_offset, next_offset, retention_hours FROM partitions JOIN topics ON name = topic "
        "WHERE retention_hours IS NOT NULL AND first_offset < next_offset"
    ).fetchall()
    for place, first, end, hours in rows:
        until = _first_kept(connection, place << _SHIFT, range(first, min(end, first + left)), now - hours * 3_600_000)
        if until > first:
            base = place << _SHIFT
            connection.execute("DELETE FROM records WHERE id >= ? AND id < ?", (base + first, base + until))
            connection.execute("UPDATE partitions SET first_offset = ? WHERE place = ?", (until, place))
            left -= until - first
    return limit - left


def _first_kept(connection: sqlite3.Connection, base: int, offsets: range, oldest: int) -> int:
    row = connection.execute(
        "SELECT id FROM records WHERE id >= ? AND id < ? AND written_at >= ? ORDER BY id LIMIT 1",
        (base + offsets.start, base + offsets.stop, oldest),
    ).fetchone()
    return offsets.stop if row is None else int(row[0]) - base


def topics_of(blob: bytes) -> list[str]:
    """The topics a member's row names."""
    return msgspec.msgpack.decode(blob, type=list[str])


def blob_of(topics: Iterable[str]) -> bytes:
    """Topics as a member's row holds them."""
    return msgspec.msgpack.encode(sorted(topics))


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _kept(hours: int | None) -> str:
    return "kept for ever" if hours is None else f"kept for {hours} hours"
