"""A log whose readers wait at a gate: so the unifier's own loop is timed, from the first record to the last commit. It stores nothing."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress

from onethread.log.port import Draft, EventLog, Extent, Reader, Record, Topic, TopicPartition


class Gate:
    """Closed at first. `batches`: commits so far."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.passed = asyncio.Event()
        self.batches = 0
        self._left = 0

    def open(self, records: int) -> None:
        """Let so many records through; `passed` is set when their commit has returned, and the gate is closed again."""
        self._left = records
        self.passed.clear()
        self.opened.set()

    def committed(self, records: int) -> None:
        """So many more are done."""
        self.batches += 1
        self._left -= records
        if self._left <= 0:
            self.opened.clear()
            self.passed.set()


class GatedLog(EventLog):
    """The log below. `appends`: calls so far."""

    def __init__(self, log: EventLog, gate: Gate) -> None:
        self._log, self._gate = log, gate
        self.appends = 0

    async def open(self) -> None:
        """See the port."""
        await self._log.open()

    async def close(self) -> None:
        """See the port."""
        await self._log.close()

    async def apply(self, topics: Sequence[Topic]) -> list[str]:
        """See the port."""
        return await self._log.apply(topics)

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[TopicPartition]:
        """See the port."""
        self.appends += 1
        return await self._log.append(topic, drafts)

    def join(self, group: str, topics: Sequence[str], member: str) -> AbstractAsyncContextManager[Reader]:
        """See the port."""
        return self._joined(group, topics, member)

    @asynccontextmanager
    async def _joined(self, group: str, topics: Sequence[str], member: str) -> AsyncIterator[Reader]:
        async with self._log.join(group, topics, member) as reader:
            yield GatedReader(reader, self._gate)

    async def extents(self, topic: str) -> dict[int, Extent]:
        """See the port."""
        return await self._log.extents(topic)

    async def fetch(self, place: TopicPartition, offset: int, limit: int = 500) -> list[Record]:
        """See the port."""
        return await self._log.fetch(place, offset, limit)

    async def commits(self, group: str, topic: str) -> dict[int, int]:
        """See the port."""
        return await self._log.commits(group, topic)

    async def reset(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """See the port."""
        await self._log.reset(group, offsets)


class GatedReader(Reader):
    """The reader below, once the gate is open."""

    def __init__(self, reader: Reader, gate: Gate) -> None:
        self._reader, self._gate = reader, gate
        self._polled: dict[TopicPartition, int] = {}
        self._waited = True

    async def poll(self, limit: int = 500, wait: float = 1.0) -> list[Record]:
        """See the port. What was fetched ahead while the gate was closed is fetched anew: reading is part of the work."""
        if not self._gate.opened.is_set():
            self._waited = True
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._gate.opened.wait()
            if not self._gate.opened.is_set():
                return []
        if self._waited:
            self._waited = False
            await self._reader.rewind()
        found = await self._reader.poll(limit, wait)
        for record in found:
            self._polled.setdefault(record.place, record.offset)
        return found

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """See the port."""
        await self._reader.commit(offsets)
        done = sum(offset - self._polled[place] for place, offset in offsets.items() if place in self._polled)
        self._polled.update(offsets)
        self._gate.committed(done)

    async def rewind(self) -> None:
        """See the port."""
        await self._reader.rewind()

    async def lag(self) -> dict[TopicPartition, int]:
        """See the port."""
        return await self._reader.lag()

    @property
    def assignment(self) -> frozenset[TopicPartition]:
        """See the port."""
        return self._reader.assignment
