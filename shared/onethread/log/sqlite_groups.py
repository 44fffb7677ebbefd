"""Consumer groups as tables of the log's SQLite file: members with leases, generations, commits. It reads no records.

A generation is one way of dealing partitions out. Whatever changes the members or the partitions raises it, and with it every
member deals anew, by a function of what the tables say: no member leads. A member whose lease ran out is removed by the next
one that looks. An incarnation is one opening of a member: a second one under the same name replaces the first.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from itertools import count
from typing import NamedTuple

from onethread.errors import Conflict
from onethread.log.port import TopicPartition
from onethread.log.sqlite_records import blob_of, known, place_of, places, topics_of


class Me(NamedTuple):
    """Which member of which group, in which opening."""

    group: str
    member: str
    incarnation: str


class Standing(NamedTuple):
    """How a member stands: the group's generation, and the incarnation that holds its name (None: it was removed)."""

    generation: int
    incarnation: str | None


class Hand(NamedTuple):
    """What a generation deals to one member: each partition's place in the tables, and the offset to begin at."""

    generation: int
    places: dict[TopicPartition, int]
    positions: dict[TopicPartition, int]


def join(connection: sqlite3.Connection, me: Me, topics: Sequence[str], now: int, lease: int) -> None:
    """Become a member until `now + lease` (milliseconds). Raises Misconfigured for an unknown topic."""
    for topic in topics:
        known(connection, topic)
    expire(connection, me.group, now, lease)
    connection.execute("INSERT INTO groups VALUES (?, 0) ON CONFLICT DO NOTHING", (me.group,))
    blob = blob_of(topics)
    row = connection.execute("SELECT topics FROM members WHERE group_name = ? AND member = ?", me[:2]).fetchone()
    connection.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?, ?)", (*me, blob, now + lease))
    # A restart within the lease takes its old place again and disturbs nobody (static membership).
    if row is None or row[0] != blob:
        _next_generation(connection, me.group)


def beat(connection: sqlite3.Connection, me: Me, now: int, lease: int) -> None:
    """Prolong the lease, if it is still ours, and remove members whose lease ran out."""
    connection.execute(
        "UPDATE members SET alive_until = ? WHERE group_name = ? AND member = ? AND incarnation = ?", (now + lease, *me)
    )
    expire(connection, me.group, now, lease)


def leave(connection: sqlite3.Connection, me: Me) -> None:
    """Leave at once; nothing happens if another incarnation holds the name."""
    gone = connection.execute("DELETE FROM members WHERE group_name = ? AND member = ? AND incarnation = ?", me)
    if gone.rowcount:
        _next_generation(connection, me.group)


def expire(connection: sqlite3.Connection, group: str, now: int, lease: int | None = None) -> None:
    """Remove the members whose lease ran out.

    `lease`: that of members such as these. One that runs for far longer is of before the clock was set back, and of somebody
    who may be dead: who is alive after all comes back at its next poll.
    """
    latest = now + 2 * lease if lease is not None else 2**62
    gone = connection.execute(
        "DELETE FROM members WHERE group_name = ? AND (alive_until < ? OR alive_until > ?)", (group, now, latest)
    )
    if gone.rowcount:
        _next_generation(connection, group)


def standing(connection: sqlite3.Connection, group: str, member: str) -> Standing:
    """How a member stands now; for a look at every poll."""
    (generation,) = connection.execute("SELECT generation FROM groups WHERE name = ?", (group,)).fetchone()
    row = connection.execute(
        "SELECT incarnation FROM members WHERE group_name = ? AND member = ?", (group, member)
    ).fetchone()
    return Standing(generation, row[0] if row else None)


def hand(connection: sqlite3.Connection, group: str, member: str) -> Hand:
    """What the present generation deals to a member."""
    rows = connection.execute("SELECT member, topics FROM members WHERE group_name = ?", (group,))
    wishes = {name: topics_of(blob) for name, blob in rows}
    numbers = {topic: places(connection, topic) for topics in wishes.values() for topic in topics}
    mine = deal(wishes, {topic: len(found) for topic, found in numbers.items()}).get(member, [])
    where = {at: numbers[at.topic][at.partition] for at in mine}
    return Hand(standing(connection, group, member).generation, where, begins(connection, group, where))


def begins(
    connection: sqlite3.Connection, group: str, where: Mapping[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Where a group goes on in each partition: at its commit, or at the start."""
    rows = connection.execute("SELECT place, next_offset FROM commits WHERE group_name = ?", (group,))
    saved = dict(rows.fetchall())
    return {at: saved.get(place, 0) for at, place in where.items()}


def deal(wishes: Mapping[str, Sequence[str]], partitions: Mapping[str, int]) -> dict[str, list[TopicPartition]]:
    """Deal every partition to one of the members that want its topic, in turn; a function of its arguments, not of their order."""
    hands: dict[str, list[TopicPartition]] = {member: [] for member in wishes}
    turns = count()
    for topic in sorted(partitions):
        takers = sorted(member for member, topics in wishes.items() if topic in topics)
        for number in range(partitions[topic] if takers else 0):
            hands[takers[next(turns) % len(takers)]].append(TopicPartition(topic, number))
    return hands


def commit(connection: sqlite3.Connection, me: Me, generation: int, offsets: Mapping[int, int]) -> None:
    """Save the next offset of each place. Raises Conflict if the group was dealt anew since `generation`."""
    if standing(connection, me.group, me.member) != (generation, me.incarnation):
        raise Conflict(f"The partitions of {me.group} were dealt anew since {me.member} read: poll again.")
    save(connection, me.group, offsets)


def commits(connection: sqlite3.Connection, group: str, topic: str) -> dict[int, int]:
    """The next offset of each partition that was ever committed, by number."""
    rows = connection.execute(
        "SELECT number, commits.next_offset FROM commits JOIN partitions USING (place) "
        "WHERE group_name = ? AND topic = ? ORDER BY number",
        (group, topic),
    )
    return dict(rows.fetchall())


def reset(connection: sqlite3.Connection, group: str, offsets: Mapping[TopicPartition, int], now: int) -> None:
    """Set a group's commits. Raises Conflict while it has members, Misconfigured for a partition that does not exist."""
    expire(connection, group, now)
    rows = connection.execute("SELECT member FROM members WHERE group_name = ? ORDER BY member", (group,))
    if members := [name for (name,) in rows]:
        raise Conflict(f"The group {group} has members ({', '.join(members)}): stop them first.")
    save(connection, group, {place_of(connection, at): offset for at, offset in offsets.items()})


def save(connection: sqlite3.Connection, group: str, offsets: Mapping[int, int]) -> None:
    """Write commits, whoever asks."""
    rows = [(group, place, offset) for place, offset in offsets.items()]
    connection.executemany("INSERT OR REPLACE INTO commits VALUES (?, ?, ?)", rows)


def _next_generation(connection: sqlite3.Connection, group: str) -> None:
    connection.execute("UPDATE groups SET generation = generation + 1 WHERE name = ?", (group,))
