"""The event log on Apache Kafka: what belongs together of writing, reading, groups and topics. It holds no protocol itself.

Confirmed means written to all in-sync replicas (`acks=all`), in order and once per producer (idempotence). How many replicas
have to be in sync is the topic's own setting, `min.insync.replicas`.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition as KafkaPlace

from onethread.errors import Conflict, Misconfigured, Unconfirmed
from onethread.log.drafts import refuse_oversized
from onethread.log.kafka_access import options_of, why_unreachable
from onethread.log.kafka_admin import KafkaAdmin, places_of
from onethread.log.kafka_browser import KafkaBrowser
from onethread.log.kafka_errors import FOREIGN, translate
from onethread.log.kafka_reader import KafkaReader
from onethread.log.kafka_stopping import stop
from onethread.log.kafka_writer import KafkaWriter
from onethread.log.port import Draft, EventLog, Extent, Reader, Record, Topic, TopicPartition


class _Parts(NamedTuple):
    admin: KafkaAdmin
    writer: KafkaWriter
    browser: KafkaBrowser


class KafkaLog(EventLog):
    """The log on the cluster at `bootstrap`, `host:port` with commas between; it creates no topic but by `apply`.

    `deadline`: seconds until an operation counts as failed. `session_timeout`: seconds until a silent member of a group loses its
    partitions; a member that leaves counts as silent (static membership), so that a restart within it disturbs nobody. Brokers
    take 6 to 1800 by default. `replication_factor` of new topics; -1 leaves it to the broker.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        client_id: str,
        deadline: float = 10.0,
        session_timeout: float = 10.0,
        replication_factor: int = -1,
        security_protocol: str = "PLAINTEXT",
        sasl_mechanism: str | None = None,
        sasl_username: str | None = None,
        sasl_password: str | None = None,
        ssl_cafile: str | None = None,
    ) -> None:
        self._options = options_of(
            bootstrap,
            client_id,
            deadline,
            security_protocol=security_protocol,
            sasl_mechanism=sasl_mechanism,
            sasl_username=sasl_username,
            sasl_password=sasl_password,
            ssl_cafile=ssl_cafile,
        )
        self._deadline = deadline
        self._session_timeout = session_timeout
        self._replication_factor = replication_factor
        self._known_topics: set[str] = set()
        self._opened: _Parts | None = None

    async def open(self) -> None:
        """See the port. Ready means that Kafka named its brokers and gave us a producer id.

        Raises Misconfigured when Kafka refuses the credentials, or settings do not go together.
        """
        if self._opened is not None:
            return
        # At DEBUG it logs keys and values, and messages must not reach a log.
        logging.getLogger("aiokafka").setLevel(logging.WARNING)
        parts = self._parts()
        try:
            async with asyncio.timeout(self._deadline * 3 / 4):
                await parts.admin.start()
                await parts.writer.start()
        except FOREIGN as error:  # a TimeoutError is among them
            await _stop(parts, 0)
            raise await why_unreachable(self._options, self._deadline) from error
        except BaseException:
            await _stop(parts, 0)
            raise
        self._opened = parts

    async def close(self) -> None:
        """See the port. What was not confirmed by then may arrive or not; its `append` has said so."""
        parts, self._opened = self._opened, None
        if parts is not None:
            await _stop(parts, max(self._deadline - 2, self._deadline / 2))

    async def apply(self, topics: Sequence[Topic]) -> list[str]:
        """See the port. Other settings of a topic stay as they are."""
        changes = [await self._open.admin.apply(topic) for topic in topics]
        return [line for lines in changes for line in lines]

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[TopicPartition]:
        """See the port. Raises Retryable when so much waits for Kafka already that nothing of this was sent."""
        refuse_oversized(drafts)
        if not drafts:
            return []
        await self._know(topic)
        try:
            return await self._open.writer.append(topic, drafts)
        except Unconfirmed:
            self._known_topics.discard(topic)  # perhaps it was deleted: the next append finds out
            raise

    @asynccontextmanager
    async def join(self, group: str, topics: Sequence[str], member: str) -> AsyncIterator[Reader]:
        """See the port. Raises Misconfigured for an unknown topic. Waits for a rebalance to end: mostly a second or two."""
        admin = self._open.admin
        for topic in topics:
            await admin.partitions(topic)
        reader = KafkaReader(
            self._options, admin, group, member, deadline=self._deadline, session_timeout=self._session_timeout
        )
        try:
            await reader.start(list(topics))
            yield reader
        finally:
            await reader.stop(self._deadline)

    async def extents(self, topic: str) -> dict[int, Extent]:
        """See the port. Raises Misconfigured for an unknown topic."""
        return await self._open.browser.extents(topic)

    async def fetch(self, place: TopicPartition, offset: int, limit: int = 500) -> list[Record]:
        """See the port. Raises Misconfigured for an unknown partition."""
        return await self._open.browser.fetch(place, offset, limit)

    async def commits(self, group: str, topic: str) -> dict[int, int]:
        """See the port. Raises Misconfigured for an unknown topic."""
        admin = self._open.admin
        found = await admin.commits(group, places_of(topic, await admin.partitions(topic)))
        return {place.partition: found[place] for place in sorted(found)}

    @property
    def unconfirmed(self) -> object | None:
        """See the port: aiokafka's producer tries to deliver for ever, and may do so in vain."""
        return self._opened.writer.unconfirmed if self._opened else None

    async def reset(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """See the port. A member counts until its session ends, also after it left."""
        if not offsets:
            return
        consumer = AIOKafkaConsumer(**self._options, group_id=group, enable_auto_commit=False)
        places = {KafkaPlace(*place): offset for place, offset in offsets.items()}
        doing = f"Resetting {group}"
        try:
            async with asyncio.timeout(self._deadline):
                consumer.assign(list(places))
                await consumer.start()
                await consumer.commit(places)  # without a member id: Kafka takes it of a group without members only
        except TimeoutError as error:
            raise Unconfirmed(f"{doing}: Kafka did not answer within {self._deadline:g} s.") from error
        except FOREIGN as error:
            ours = translate(error, doing, otherwise=Unconfirmed)
            if isinstance(ours, Conflict):
                text = f"The group {group} has members: stop them, and wait until their sessions end."
                raise Conflict(text) from error
            raise ours from error
        finally:
            await stop(consumer, consumer.stop(), self._deadline)

    @property
    def _open(self) -> _Parts:
        if self._opened is None:
            raise RuntimeError("The log is not open: use `async with`, or await open() first.")
        return self._opened

    async def _know(self, topic: str) -> None:
        """Raises Misconfigured for an unknown topic at once; aiokafka would wait for it."""
        if topic not in self._known_topics:
            await self._open.admin.partitions(topic)
            self._known_topics.add(topic)

    def _parts(self) -> _Parts:
        try:
            admin = KafkaAdmin(self._options, self._deadline, self._replication_factor)
        except ValueError as error:
            raise Misconfigured(
                f"log.security_protocol and the log.sasl_… settings do not go together: {error}"
            ) from error
        return _Parts(
            admin, KafkaWriter(self._options, self._deadline), KafkaBrowser(self._options, admin, self._deadline)
        )


async def _stop(parts: _Parts, patience: float) -> None:
    await asyncio.gather(*(part.stop(patience) for part in parts))
