"""What a check must remember of every strand, on disk and not in memory: how long it is, and how far the topic of changes has it.

It follows the topic as a desk does. Within an epoch a strand's first appearances are 1, 2, 3 …; a greater epoch replaces what it says
again, from where it says it. A temporary file of SQLite, which nobody else sees.
"""

import asyncio
import sqlite3
from collections.abc import Collection, Iterable
from typing import NamedTuple

import msgspec

from onethread.log.port import EventLog, Extent, Record
from onethread.log.topics import CONVERSATIONS, MESSAGES
from unifier.publishing import Change, read
from unifier.rereading import reread
from unifier.store.audit import bounds
from unifier.worker import GROUP


class Known(NamedTuple):
    """One strand. `length`: entries counted in the store; `last`: changes of it in the topic; `gap`: the first that was missing, or 0.

    `root`: as its changes say. `stored_at`: of its first change.
    """

    strand: str
    length: int = 0
    last: int = 0
    gap: int = 0
    root: str = ""
    stored_at: int = 0


class Ledger:
    """For one store and its log (None: there is no topic to look at). Close it."""

    def __init__(self, log: EventLog | None) -> None:
        self._log = log
        self._offsets: dict[int, int] = {}
        self.epoch = 0
        """The greatest in the topic."""
        self.cut = False
        """The topic no longer has its beginning: strands may begin in the middle, or be absent."""
        # A file without a name: SQLite makes it where temporary files go, and nobody can open it.
        self._file = sqlite3.connect("", isolation_level=None)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute("PRAGMA cache_size = -4000")
        self._file.execute("""CREATE TABLE strands (strand TEXT PRIMARY KEY, length INTEGER NOT NULL DEFAULT 0,
            last INTEGER NOT NULL DEFAULT 0, gap INTEGER NOT NULL DEFAULT 0, root TEXT NOT NULL DEFAULT '',
            stored_at INTEGER NOT NULL DEFAULT 0, epoch INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID""")

    def close(self) -> None:
        """The file is gone then."""
        self._file.close()

    @property
    def follows(self) -> bool:
        """Whether there is a topic."""
        return self._log is not None

    # --- the store ---

    def measure(self, lengths: Iterable[tuple[str, int]]) -> None:
        """How many entries the store has of each strand."""
        self._file.execute("BEGIN")
        self._file.executemany(
            "INSERT INTO strands (strand, length) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET length = ?2", lengths
        )
        self._file.execute("COMMIT")

    def of(self, strands: Collection[str]) -> dict[str, Known]:
        """What is known of these."""
        asked = msgspec.json.encode(sorted(set(strands))).decode()
        sql = """SELECT s.strand, s.length, s.last, s.gap, s.root, s.stored_at
            FROM json_each(?) AS asked CROSS JOIN strands AS s ON s.strand = asked.value"""
        return {row[0]: Known(*row) for row in self._file.execute(sql, (asked,))}

    def unstored(self, tenant: str, after: str, limit: int) -> list[Known]:
        """A tenant's strands in the topic of which no entry was counted, in order; "" means all tenants."""
        sql = """SELECT strand, length, last, gap, root, stored_at FROM strands
            WHERE strand > ? AND strand < ? AND length = 0 AND last > 0 ORDER BY strand LIMIT ?"""
        return [Known(*row) for row in self._file.execute(sql, (*bounds(tenant, after), limit))]

    # --- the topic ---

    async def follow(self) -> int:
        """Read the topic to its end; how many changes that were."""
        if self._log is None:
            return 0
        extents = await self._log.extents(CONVERSATIONS)
        self.cut = self.cut or any(extent.begin > 0 for extent in extents.values())
        wanted = {
            one: Extent(max(self._offsets.get(one, 0), extent.begin), extent.end) for one, extent in extents.items()
        }
        changes = 0
        async for records in reread(self._log, CONVERSATIONS, wanted):
            self._learn(records)
            changes += len(records)
        self._offsets = {one: extent.end for one, extent in extents.items()}
        return changes

    async def rest(self, seconds: float, *, batches: bool) -> None:
        """Wait so long; with `batches`, five times as long for the unifiers to commit what the log has now: nobody may be reading."""
        ends = await self._log.extents(MESSAGES) if self._log and batches else {}
        await asyncio.sleep(seconds)
        for _ in range(16):
            commits = await self._log.commits(GROUP, MESSAGES) if self._log and ends else {}
            if all(commits.get(one, 0) >= extent.end for one, extent in ends.items()):
                return
            await asyncio.sleep(seconds / 4)

    def _learn(self, records: Iterable[Record]) -> None:
        self._file.execute("BEGIN")
        for record in records:
            self._take(read(record.value))
        self._file.execute("COMMIT")

    def _take(self, change: Change) -> None:
        self.epoch = max(self.epoch, change.epoch)
        row = self._file.execute("SELECT epoch, last, gap FROM strands WHERE strand = ?", (change.strand,)).fetchone()
        epoch, last, gap = row or (0, 0, 0)
        if change.epoch < epoch or (change.epoch == epoch and change.seq <= last):
            return  # it came before; or a writer of before a restore says what is replaced
        if change.epoch > epoch:
            last = min(last, change.seq - 1)
            gap = gap if gap <= last else 0
        if change.seq > last + 1 and not gap and not (self.cut and last == 0):
            gap = last + 1
        # Of a strand that is told anew, the change says whose it is by then.
        anew = change.conversation if epoch and change.epoch > epoch else ""
        root = change.entry.joined.root if change.entry.joined else anew
        self._file.execute(
            """INSERT INTO strands (strand, epoch, last, gap, root, stored_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                ON CONFLICT DO UPDATE SET epoch = ?2, last = ?3, gap = ?4, root = iif(?5 = '', root, ?5),
                    stored_at = iif(stored_at = 0, ?6, stored_at)""",
            (change.strand, change.epoch, change.seq, gap, root, change.entry.stored_at),
        )
