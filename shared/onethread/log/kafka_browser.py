"""Reads a Kafka topic outside any group: extents, and records from an offset on. It commits nothing."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.structs import TopicPartition as KafkaPlace

from onethread.errors import Misconfigured
from onethread.log.kafka_admin import KafkaAdmin, patiently, places_of
from onethread.log.kafka_reader import record_of
from onethread.log.kafka_stopping import stop
from onethread.log.port import Extent, Record, TopicPartition


class KafkaBrowser:
    """One consumer without a group, connected when it is first asked; questions take turns."""

    def __init__(self, options: dict[str, Any], admin: KafkaAdmin, deadline: float) -> None:
        self._options = options
        self._admin = admin
        self._deadline = deadline
        self._turn = asyncio.Lock()
        self._consumer: AIOKafkaConsumer | None = None

    async def stop(self, patience: float) -> None:
        """Disconnect, within `patience` seconds and one more."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await stop(consumer, consumer.stop(), patience)

    async def extents(self, topic: str) -> dict[int, Extent]:
        """See the port. Raises Misconfigured for an unknown topic."""
        places = [KafkaPlace(*place) for place in places_of(topic, await self._admin.partitions(topic))]

        async def ask() -> dict[int, Extent]:
            async with self._turn:
                consumer = await self._connected()
                # The end first: retention may move the beginning meanwhile, but never over what was the end.
                ends = await consumer.end_offsets(places)
                begins = await consumer.beginning_offsets(places)
            return {place.partition: Extent(min(begins[place], ends[place]), ends[place]) for place in places}

        return await patiently(f"Reading the extents of {topic}", self._deadline, ask)

    async def fetch(self, place: TopicPartition, offset: int, limit: int) -> list[Record]:
        """See the port. Raises Misconfigured for an unknown partition."""
        extent = (await self.extents(place.topic)).get(place.partition)
        if extent is None:
            raise Misconfigured(f"{place.topic} has no partition {place.partition}.")
        start = max(offset, extent.begin)
        if start >= extent.end:
            return []

        async def ask() -> list[Record]:
            async with self._turn:
                return await self._read(await self._connected(), KafkaPlace(*place), range(start, extent.end), limit)

        return await patiently(f"Reading {place.topic}/{place.partition}", self._deadline, ask)

    async def _read(self, consumer: AIOKafkaConsumer, place: KafkaPlace, offsets: range, limit: int) -> list[Record]:
        if place in consumer.assignment():
            consumer.resume(place)
        else:
            consumer.assign([place])
        if await consumer.position(place) != offsets.start:  # else what it has read ahead is kept
            consumer.seek(place, offsets.start)
        found: list[Record] = []
        try:
            # By the position, not by the records: markers of foreign transactions take offsets, too.
            while len(found) < limit and await consumer.position(place) < offsets.stop:
                batches = await consumer.getmany(place, timeout_ms=100, max_records=limit - len(found))
                found += [record_of(each) for each in batches.get(place, [])]
        finally:
            consumer.pause(place)  # else it goes on asking in the background
        return found

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                **{**self._options, "retry_backoff_ms": 20},  # it waits that long for each topic it has not met
                group_id=None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                fetch_max_wait_ms=10,
            )
            try:
                await consumer.start()
            except BaseException:
                await stop(consumer, consumer.stop(), 0)
                raise
            self._consumer = consumer
        return self._consumer
