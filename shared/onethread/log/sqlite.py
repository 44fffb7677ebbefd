"""The event log in one SQLite file: the default, for one machine. Several processes may share the file; it knows no network.

An acknowledged append survives `kill -9` and a power cut (WAL with `synchronous=FULL`). The file must lie on a local disk:
SQLite's locks cannot be trusted on a network file system (https://www.sqlite.org/faq.html#q5).
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from onethread.errors import Retryable
from onethread.log import sqlite_groups as groups
from onethread.log import sqlite_records as records
from onethread.log.admission import Admission
from onethread.log.bell import Bell
from onethread.log.drafts import refuse_oversized, size
from onethread.log.port import Draft, EventLog, Extent, Reader, Record, Topic, TopicPartition
from onethread.log.sqlite_groups import Me
from onethread.log.sqlite_reader import SqliteReader
from onethread.logs import get_logger
from onethread.sqlite import Database

_log = get_logger(__name__)

_PENDING_BYTES = 64 * 1024 * 1024
_PRUNE_EVERY = 60.0  # seconds
_PRUNE_AT_ONCE = 5_000  # records in one transaction: appends wait for it


class SqliteLog(EventLog):
    """The log in the file `path`; folders are made as needed.

    `deadline`: seconds until an operation counts as failed. `member_timeout`: seconds until a silent member of a group loses its
    partitions; what is left at once when a member leaves in good order. `clock`: Unix seconds.
    """

    def __init__(
        self,
        path: Path,
        *,
        deadline: float = 10.0,
        member_timeout: float = 10.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._path = path
        self._deadline = deadline
        self._member_timeout = member_timeout
        self._clock = clock
        self._bell = Bell.of(path)
        self._admission = Admission(_PENDING_BYTES)
        self._database = Database(path, setting="log.url", prepare=records.prepare, vet=records.vet, deadline=deadline)
        self._pruning: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """See the port."""
        await self._database.open()
        if self._pruning is None:
            self._pruning = asyncio.create_task(self._prune_periodically())

    async def close(self) -> None:
        """See the port."""
        pruning, self._pruning = self._pruning, None
        if pruning is not None:
            pruning.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pruning
        await self._database.close()

    async def apply(self, topics: Sequence[Topic]) -> list[str]:
        """See the port. Retention takes effect at once."""
        changes = [await self._database.write(partial(records.apply_topic, topic=topic)) for topic in topics]
        await self._prune()
        self._bell.ring()
        return [line for lines in changes for line in lines]

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[TopicPartition]:
        """See the port. A locked file or a full disk is Retryable: nothing was written then."""
        refuse_oversized(drafts)
        price = self._admission.price(sum(map(size, drafts)))
        if not self._admission.try_acquire(price):
            await self._wait_for_room(price)
        try:
            job = partial(records.append, topic=topic, drafts=drafts, now=self._now())
            written = await self._database.write(job)
        finally:
            self._admission.release(price)
        self._bell.ring()
        return written

    async def _wait_for_room(self, price: int) -> None:
        try:
            async with asyncio.timeout(self._deadline):
                await self._admission.acquire(price)
        except TimeoutError as error:
            raise Retryable(
                f"{_PENDING_BYTES >> 20} MiB wait for the disk of {self._path} already; nothing was written."
            ) from error

    @asynccontextmanager
    async def join(self, group: str, topics: Sequence[str], member: str) -> AsyncIterator[Reader]:
        """See the port. Raises Misconfigured for an unknown topic. Leaving in good order frees the partitions at once."""
        me = Me(group, member, uuid.uuid4().hex)
        with self._bell.listening() as heard:
            reader = SqliteReader(self._database, me, list(topics), self._member_timeout, heard, self._now)
            await reader.start()
            try:
                yield reader
            finally:
                await reader.stop()

    async def extents(self, topic: str) -> dict[int, Extent]:
        """See the port. Raises Misconfigured for an unknown topic."""
        await self._database.read(partial(records.known, topic=topic))
        return await self._database.read(partial(records.extents, topic=topic))

    async def fetch(self, place: TopicPartition, offset: int, limit: int = 500) -> list[Record]:
        """See the port. Raises Misconfigured for an unknown partition."""
        where = await self._database.read(partial(records.place_of, at=place))
        return await self._database.read(partial(records.read, at=place, place=where, offset=offset, limit=limit))

    async def commits(self, group: str, topic: str) -> dict[int, int]:
        """See the port."""
        return await self._database.read(partial(groups.commits, group=group, topic=topic))

    async def reset(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """See the port. A member that was killed counts until its lease runs out."""
        await self._database.write(partial(groups.reset, group=group, offsets=offsets, now=self._now()))

    def _now(self) -> int:
        return int(self._clock() * 1000)

    async def _prune(self) -> None:
        while True:
            job = partial(records.prune, now=self._now(), limit=_PRUNE_AT_ONCE)
            if await self._database.write(job) < _PRUNE_AT_ONCE:
                return

    async def _prune_periodically(self) -> None:
        while True:
            await asyncio.sleep(_PRUNE_EVERY)
            try:
                await self._prune()
            except Retryable as error:
                _log.warning("retention not applied, trying again later", path=str(self._path), error=str(error))
