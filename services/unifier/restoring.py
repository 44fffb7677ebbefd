"""Healing a store that is behind its log: the epoch is raised, and the log is read again from before the time it went back to.

What the store has already is found by its id and changes nothing; what it lost is threaded anew. Numbers given again may differ
from those before: so every cursor of an older epoch is refused, and desks take strands anew on a greater one. It knows no backup.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from onethread.envelope import TYPE_PREFIX, TYPE_SUFFIX
from onethread.errors import Conflict, Misconfigured
from onethread.log.port import EventLog, Extent, Record, TopicPartition
from onethread.log.topics import CONVERSATIONS, MESSAGES
from unifier.publishing import draft, read
from unifier.reading import moment
from unifier.rereading import reread
from unifier.store.port import ConversationStore
from unifier.worker import GROUP, Worker

HOUR = 3_600_000
CLOCKS = 600_000
"""Milliseconds by which the clocks of several writers may differ: so much earlier the log is read."""
COMMIT_EVERY = 5_000
"""Records between two commits: what was read twice changes nothing."""
_LAST = 10


_COMMANDS = frozenset(f"{TYPE_PREFIX}{kind}{TYPE_SUFFIX}".encode() for kind in ("link.set", "entries.move"))


class Since(NamedTuple):
    """Where to begin: at a time of the log's clock (ms), or at an offset of every partition."""

    at: int = 0
    offset: int | None = None


async def raise_epoch(store: ConversationStore, log: EventLog) -> int:
    """One more than the store's, and than any that was published: a backup may be of before an earlier restore."""
    epoch = max(await store.epoch(), await published_epoch(log)) + 1
    await store.audit.set_epoch(epoch)
    await _announce(store, log, epoch)
    return epoch


async def _announce(store: ConversationStore, log: EventLog, epoch: int) -> None:
    """Say the last entry of some strand again: so the log knows the epoch even if the store is set back before anything else is said."""
    for head in await store.audit.heads_after("", "", _LAST):
        last = await store.run(head.id, head.through - 1, 2)
        if len(last) == 1:
            await log.append(CONVERSATIONS, [draft(epoch, head.root, last[0])])
            return


async def published_epoch(log: EventLog) -> int:
    """The epoch of the latest changes in the topic; 0 if it is empty."""
    latest = 0
    for partition, extent in (await log.extents(CONVERSATIONS)).items():
        begin = max(extent.begin, extent.end - _LAST)
        for record in await log.fetch(TopicPartition(CONVERSATIONS, partition), begin, _LAST):
            latest = max(latest, read(record.value).epoch)
    return latest


class Replay:
    """Reads the topic of messages again through a worker. `retention_hours`: of that topic, None: nothing is ever deleted."""

    def __init__(
        self, log: EventLog, worker: Worker, *, now: Callable[[], int], retention_hours: int | None = None
    ) -> None:
        self._log = log
        self._worker = worker
        self._now = now
        self._kept = None if retention_hours is None else retention_hours * HOUR

    async def extents(self, since: Since) -> dict[int, Extent]:
        """What is to be read, by partition. Raises Misconfigured where the log no longer reaches back so far."""
        found = {}
        for partition, extent in (await self._log.extents(MESSAGES)).items():
            place = TopicPartition(MESSAGES, partition)
            if since.offset is not None:
                begin = since.offset
            else:
                begin = await self._first(place, extent, since.at - CLOCKS)
            await self._require(place, extent, since, begin)
            found[partition] = Extent(min(max(begin, extent.begin), extent.end), extent.end)
        return found

    async def _first(self, place: TopicPartition, extent: Extent, at: int) -> int:
        """The first offset of a record written at this time or later, by halving."""
        low, high = extent.begin, extent.end
        while low < high:
            middle = (low + high) // 2
            records = await self._log.fetch(place, middle, 1)
            if records and records[0].written_at < at:
                low = records[0].offset + 1
            else:
                high = middle
        return low

    async def _require(self, place: TopicPartition, extent: Extent, since: Since, begin: int) -> None:
        """That nothing between `since` and what the log still has was deleted."""
        if extent.begin == 0 or begin > extent.begin:
            return
        if since.offset is not None and since.offset >= extent.begin:
            return
        if since.offset is None and self._kept is not None and since.at >= self._now() - self._kept:
            return  # so young a record is not deleted yet
        first = await self._log.fetch(place, extent.begin, 1)
        oldest = f"its first record is of {moment(first[0].written_at):%Y-%m-%dT%H:%M:%SZ}" if first else "it is empty"
        raise Misconfigured(
            f"{place.topic}/{place.partition} does not reach back so far: {oldest} (offset {extent.begin}), older ones were"
            " deleted (log.retention_hours). Restore a younger backup, or name a later time and lose what came between."
        )

    async def claim(self, extents: Mapping[int, Extent]) -> dict[int, Extent]:
        """Set the group's commits to where this begins: whoever is interrupted here is continued by the unifier.

        Raises Conflict while a unifier runs. What the group had not read yet is read as well.
        """
        commits = await self._log.commits(GROUP, MESSAGES)
        begins = {one: Extent(min(extent.begin, commits.get(one, 0)), extent.end) for one, extent in extents.items()}
        try:
            await self._commit({one: extent.begin for one, extent in begins.items()})
        except Conflict as error:
            raise Conflict(
                "a unifier is running, or was until seconds ago: stop all of them, wait until their sessions end (10 s),"
                " and try again; or read beside them with --beside, if the store was not set back."
            ) from error
        return begins

    async def run(
        self, extents: Mapping[int, Extent], *, commit: bool, told: Callable[[int], None] = lambda _: None
    ) -> int:
        """Thread it all again, in the order in which it was written; how many records that were.

        `commit`: save how far it is as the group's. `told` hears of each page how many records it had.
        """
        done, saved = 0, 0
        ends = {one: extent.begin for one, extent in extents.items()}
        async for records in reread(self._log, MESSAGES, extents):
            await self._apply(records)
            ends |= {record.partition: record.offset + 1 for record in records}
            done += len(records)
            told(len(records))
            if commit and done - saved >= COMMIT_EVERY:
                await self._commit(ends)
                saved = done
        if commit:
            await self._commit({one: extent.end for one, extent in extents.items()})
        return done

    async def _apply(self, records: list[Record]) -> None:
        # Of one millisecond nobody knows the order between partitions. Commands mean the same after whatever they do not name.
        verdict = await self._worker.apply(sorted(records, key=_is_command))
        if verdict.halted:
            place, failure = next(iter(verdict.halted.items()))
            raise Misconfigured(
                f"{place.topic}/{place.partition} halted at offset {failure.record.offset}: too many records in a row cannot be"
                f" processed ({failure.stage}: {failure.reason}). Mend the unifier, then replay again."
            )

    async def _commit(self, offsets: Mapping[int, int]) -> None:
        await self._log.reset(GROUP, {TopicPartition(MESSAGES, one): offset for one, offset in offsets.items()})


def _is_command(record: Record) -> bool:
    return any(name == "ce_type" and kind in _COMMANDS for name, kind in record.headers)
