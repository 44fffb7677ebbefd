"""A consumer group's member on Kafka: polls, and commits only what it still holds. Connecting and topics are `kafka`'s.

A rebalance runs beside the code that processes records, and a broker accepts a commit for *any* partition from a member of the
present generation. So each poll notes the rebalance it belongs to, and a commit from before the last one is a Conflict.
"""
# ruff: noqa: SLF001  # whether a member was removed from its group is not in aiokafka's public API

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener
from aiokafka.structs import TopicPartition as KafkaPlace

from onethread.errors import Conflict, Misconfigured, OnethreadError, Retryable, Unconfirmed
from onethread.log.kafka_admin import KafkaAdmin, patiently
from onethread.log.kafka_errors import FOREIGN, translate
from onethread.log.kafka_stopping import stop
from onethread.log.port import Reader, Record, TopicPartition

_GRACE = 0.5  # seconds a poll may take longer than asked


class KafkaReader(Reader):
    """Made by `KafkaLog.join`. `deadline` and `session_timeout` are in seconds."""

    def __init__(
        self,
        options: dict[str, Any],
        admin: KafkaAdmin,
        group: str,
        member: str,
        *,
        deadline: float,
        session_timeout: float,
    ) -> None:
        self._admin = admin
        self._group = group
        self._member = member
        self._deadline = deadline
        self._session_timeout = session_timeout
        self._member_id = ""
        self._rebalances = 0
        self._polled_in = -1  # the rebalance that what was polled last belongs to
        self._settled = asyncio.Event()  # no rebalance is under way
        self._committing = asyncio.Lock()
        self._replaced = False
        self._consumer = AIOKafkaConsumer(
            **{
                **options,
                "request_timeout_ms": round((deadline + session_timeout) * 1000),
            },  # a join waits for other members
            group_id=group,
            group_instance_id=member,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=round(session_timeout * 1000),
            # Members learn of a rebalance by the answer to a heartbeat, and all wait for the last one.
            heartbeat_interval_ms=max(round(session_timeout * 100), 100),
            # While a node holds a request back for lack of news, partitions that were just emptied wait for its answer.
            fetch_max_wait_ms=100,
            fetch_max_bytes=16 * 1024 * 1024,
        )

    async def start(self, topics: list[str]) -> None:
        """Join; returns with an assignment, perhaps an empty one. Raises Retryable when that takes too long."""
        self._consumer.subscribe(topics, listener=_Rebalances(self._revoked, self._assigned))
        doing = f"Joining {self._group}"
        try:
            async with asyncio.timeout(self._deadline + self._session_timeout):
                await self._consumer.start()
        except TimeoutError as error:
            raise Retryable(f"{doing}: Kafka's group did not come to rest in time.") from error
        except FOREIGN as error:
            raise translate(error, doing) from error

    async def stop(self, patience: float) -> None:
        """Disconnect within `patience` seconds and one more. A static member keeps its partitions until its session ends."""
        await stop(self._consumer, self._consumer.stop(), patience)

    @property
    def assignment(self) -> frozenset[TopicPartition]:
        """The partitions this member holds now; none while a rebalance is under way."""
        if self._consumer._subscription.reassignment_in_progress:
            return frozenset()
        return frozenset(TopicPartition(*place) for place in self._consumer.assignment())

    async def poll(self, limit: int = 500, wait: float = 1.0) -> list[Record]:
        """See the port. Raises Misconfigured when another member of the same name took over."""
        end = asyncio.get_running_loop().time() + wait
        try:
            # While a group rebalances aiokafka waits without a limit of its own.
            async with asyncio.timeout_at(end + _GRACE):
                found = await self._poll(limit, end)
        except TimeoutError:
            found = []
        except FOREIGN as error:
            raise translate(error, f"Reading as {self._member} of {self._group}") from error
        if not found:
            self._check_name()
            if self._consumer._coordinator.coordinator_id is None:
                raise Retryable(f"Reading as {self._member} of {self._group}: Kafka's coordinator cannot be reached.")
        return found

    async def _poll(self, limit: int, end: float) -> list[Record]:
        await asyncio.sleep(0)  # what is there already is returned without a pause: a loop of polls must let others run
        await self._settled.wait()
        self._check_name()
        left = max(end - asyncio.get_running_loop().time(), 0)
        batches = await self._consumer.getmany(timeout_ms=round(left * 1000), max_records=limit)
        # Not the rebalance it began in: it waits through one, and what it returns is of the assignment of this very moment.
        self._polled_in = self._rebalances
        return [record_of(each) for batch in batches.values() for each in batch]

    def _check_name(self) -> None:
        if self._replaced:
            raise Misconfigured(
                f"Another member called {self._member} joined the group {self._group}: give each replica a name of its own."
            )

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """See the port. A rebalance since the last poll is a Conflict, even for partitions that stayed here.

        Raises Unconfirmed when Kafka does not answer: it may be saved or not.
        """
        # A rebalance waits for this lock (`_revoked`), so that the commit goes out in the generation it was
        # checked in, however long the coordinator has to be looked for.
        async with self._committing:
            if self._polled_in != self._rebalances:
                raise Conflict(
                    f"The partitions of {self._group} were dealt anew since {self._member} read: poll again."
                )
            if foreign := offsets.keys() - self.assignment:
                raise Conflict(f"{self._member} does not hold {sorted(foreign)}: commit what it polled.")
            await self._commit(offsets)

    async def _commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        if not offsets:
            return
        doing = f"Committing as {self._member} of {self._group}"
        try:
            async with asyncio.timeout(self._deadline):
                await self._consumer.commit({KafkaPlace(*place): offset for place, offset in offsets.items()})
        except TimeoutError as error:
            raise Unconfirmed(f"{doing}: Kafka did not answer within {self._deadline:g} s.") from error
        except FOREIGN as error:
            ours = translate(error, doing, otherwise=Unconfirmed)
            if isinstance(ours, Conflict):
                self._polled_in = -1
            raise ours from error

    async def rewind(self) -> None:
        """See the port."""
        # Not seek_to_committed: it leaves partitions alone that were never committed.
        rebalance, held = self._rebalances, self.assignment
        starts = await self._bounds("beginning_offsets", held)
        starts.update(await self._admin.commits(self._group, held))
        if rebalance == self._rebalances:  # else every position was set anew by now
            for place, offset in starts.items():
                self._consumer.seek(KafkaPlace(*place), offset)

    async def lag(self) -> dict[TopicPartition, int]:
        """See the port."""
        held = self.assignment
        begins, ends = await self._bounds("beginning_offsets", held), await self._bounds("end_offsets", held)
        commits = await self._admin.commits(self._group, held)
        return {place: max(ends[place] - max(commits.get(place, 0), begins[place]), 0) for place in held}

    async def _bounds(self, which: str, places: frozenset[TopicPartition]) -> dict[TopicPartition, int]:
        ask = getattr(self._consumer, which)
        wanted = [KafkaPlace(*place) for place in places]
        found = await patiently(f"Reading the extents of {self._group}", self._deadline, lambda: ask(wanted))
        return {TopicPartition(*place): offset for place, offset in found.items()}

    async def _revoked(self) -> None:
        """A rebalance begins: what was polled is no longer this member's to commit."""
        self._settled.clear()
        self._rebalances += 1
        async with self._committing:
            pass  # one that is on its way was for the generation that ends now
        if await self._is_replaced():
            self._replaced = True
            self._settled.set()  # for a poll that waits
            # To join again would throw the other one out, which would come back, and so on. There is no other way to end
            # aiokafka's task here: an Exception would only be logged.
            raise asyncio.CancelledError

    async def _assigned(self) -> None:
        """A rebalance ended."""
        self._member_id = self._consumer._coordinator.member_id
        self._settled.set()

    async def _is_replaced(self) -> bool:
        """Whether we were removed from the group while somebody else goes by our name there."""
        if not self._member_id or self._consumer._coordinator.member_id:
            return False  # joining for the first time, or still a member
        try:
            members = await self._admin.members(self._group)
        except OnethreadError:
            return False  # nobody can be asked: then joining again cannot do harm either, and tries until somebody can
        return members.get(self._member, self._member_id) != self._member_id


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """What aiokafka calls, in its own task, before it joins a group again and after."""

    def __init__(self, revoked: Callable[[], Awaitable[None]], assigned: Callable[[], Awaitable[None]]) -> None:
        self._revoked = revoked
        self._assigned = assigned

    async def on_partitions_revoked(self, revoked: set[KafkaPlace]) -> None:  # noqa: ARG002  # all of them, always
        await self._revoked()

    async def on_partitions_assigned(self, assigned: set[KafkaPlace]) -> None:  # noqa: ARG002  # the consumer knows them
        await self._assigned()


def record_of(found: Any) -> Record:
    """Ours for aiokafka's `ConsumerRecord`; absent keys and values, which other writers may leave, are empty."""
    return Record(
        found.topic,
        found.partition,
        found.offset,
        found.timestamp,
        found.key or b"",
        found.value or b"",
        tuple(found.headers),
    )
