"""What Onethread asks of an event log. It knows no broker and no file format.

The shape is Kafka's: topics split into partitions by a hash of the key (murmur2, so that every adapter puts a key into the
same partition), dense offsets within a partition, headers, consumer groups with explicit commits, retention by time.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import NamedTuple

import msgspec

from onethread.opening import Opening


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Draft(msgspec.Struct, frozen=True):
    """A record that is not written yet. Records of equal key stay in the order they were appended."""

    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Record(msgspec.Struct, frozen=True):
    """A record as the log holds it. `written_at` is the log's clock in Unix milliseconds."""

    topic: str
    partition: int
    offset: int
    written_at: int
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    @property
    def place(self) -> TopicPartition:
        """The partition this record lies in."""
        return TopicPartition(self.topic, self.partition)


class Topic(msgspec.Struct, frozen=True):
    """How a topic is to be: `retention_hours` None keeps everything."""

    name: str
    partitions: int
    retention_hours: int | None


class Extent(NamedTuple):
    """What a partition holds: offsets `begin` (first kept) up to, not including, `end`."""

    begin: int
    end: int


class Reader(ABC):
    """One member of a consumer group. Used by one task; opened by `EventLog.join`."""

    @abstractmethod
    async def poll(self, limit: int = 500, wait: float = 1.0) -> list[Record]:
        """Up to `limit` records, in order within each partition; waits up to `wait` seconds for the first.

        Never yields a record below the group's commit. After a rebalance it goes on at the commit.
        Raises Retryable while the log cannot be reached.
        """

    @abstractmethod
    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Save, durably, the *next* offset to read of each partition named; others are left alone.

        Raises Conflict, with nothing of a lost partition saved, if one is no longer this member's.
        """

    @abstractmethod
    async def rewind(self) -> None:
        """Read on from the commits again: what was polled and not committed comes once more."""

    @abstractmethod
    async def lag(self) -> dict[TopicPartition, int]:
        """Records between the group's commit and the end, of each partition this member holds."""

    @property
    @abstractmethod
    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions this member holds now."""


class EventLog(Opening):
    """An append-only, partitioned, durable log. Open it with `async with`."""

    @abstractmethod
    async def apply(self, topics: Sequence[Topic]) -> list[str]:
        """Create what is missing, set retention, grow partitions; returns one line per change. Repeatable.

        Never shrinks and never deletes: fewer partitions than there are raise Misconfigured.
        """

    @abstractmethod
    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[TopicPartition]:
        """Write all, and return only when all are durable. Concurrent calls are batched together.

        Raises Unconfirmed when the deadline passes: some may have been written; send the same again.
        Raises Misconfigured for a topic that does not exist, Poison for a record over the log's size limit
        (nothing of that call was written then).
        """

    @abstractmethod
    def join(self, group: str, topics: Sequence[str], member: str) -> AbstractAsyncContextManager[Reader]:
        """Join a consumer group. `member` is stable over restarts (static membership); unknown groups begin at the start."""

    @abstractmethod
    async def extents(self, topic: str) -> dict[int, Extent]:
        """What each partition holds now."""

    @abstractmethod
    async def fetch(self, place: TopicPartition, offset: int, limit: int = 500) -> list[Record]:
        """Records from `offset` on, outside any group; empty at the end."""

    @abstractmethod
    async def commits(self, group: str, topic: str) -> dict[int, int]:
        """The committed next offset of each partition; partitions never committed are absent."""

    @property
    def unconfirmed(self) -> object | None:
        """None while nothing that was given up waits for its confirmation, else what changes with every confirmation.

        For a watchdog: a log that answers, and confirms nothing, has a client that is stuck.
        """
        return None

    @abstractmethod
    async def reset(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Set a group's commits. Raises Conflict while the group has members."""
