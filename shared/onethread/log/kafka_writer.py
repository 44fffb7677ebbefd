"""Appends to Kafka: pipelined, bounded in memory, and over within a deadline. It knows one producer, no topics' settings."""

import asyncio
from collections.abc import Sequence
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka
from aiokafka.structs import RecordMetadata

from onethread.errors import Retryable, Unconfirmed
from onethread.log.admission import Admission
from onethread.log.drafts import partition_of, size
from onethread.log.kafka_errors import FOREIGN, translate
from onethread.log.kafka_stopping import stop
from onethread.log.port import Draft, TopicPartition

_REQUEST_BYTES = 1024 * 1024  # over MAX_RECORD_BYTES with room for framing, under a broker's message.max.bytes
_BATCH_BYTES = 128 * 1024
_PENDING_BYTES = 64 * 1024 * 1024
_PENDING_COST = 4096  # what a record that waits costs in aiokafka 0.14 beside its bytes (measured: 3.9 kB)


class KafkaWriter:
    """One idempotent producer. Made and used in one event loop."""

    def __init__(self, options: dict[str, Any], deadline: float) -> None:
        self._options = options
        self._deadline = deadline
        self._admission = Admission(_PENDING_BYTES)
        self._starting = asyncio.Lock()
        self._producer: AIOKafkaProducer | None = None
        self._discarding: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Connect and be given a producer id. Raises what aiokafka raises; without a broker it never returns."""
        producer = AIOKafkaProducer(
            **self._options,
            acks="all",
            enable_idempotence=True,
            partitioner=_partition,
            max_batch_size=_BATCH_BYTES,
            max_request_size=_REQUEST_BYTES,
        )
        try:
            await producer.start()
        except BaseException:
            await stop(producer, producer.stop(), 0)
            raise
        self._producer = producer

    async def stop(self, patience: float) -> None:
        """Let what is on its way arrive for `patience` seconds; then give it up, within one more."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await stop(producer, producer.stop(), patience)
        if self._discarding is not None:
            await self._discarding

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[TopicPartition]:
        """Write to a topic that exists. Raises Unconfirmed when some may have been written, Retryable when none was."""
        end = asyncio.get_running_loop().time() + self._deadline
        price = self._admission.price(sum(size(draft) + _PENDING_COST for draft in drafts))
        producer = await self._admitted(price, end)
        sent: list[asyncio.Future[RecordMetadata]] = []
        try:
            async with asyncio.timeout_at(end):
                for draft in drafts:  # one after the other: that is their order
                    sent.append(await producer.send(topic, draft.value, draft.key, headers=list(draft.headers)))  # noqa: PERF401
                await asyncio.wait(sent)
            return [TopicPartition(done.topic, done.partition) for done in (future.result() for future in sent)]
        except TimeoutError as error:
            raise Unconfirmed(
                f"Appending to {topic}: Kafka did not confirm within {self._deadline:g} s; send the same again."
            ) from error
        except FOREIGN as error:
            self._discard_if_broken(producer, error)
            raise translate(error, f"Appending to {topic}", otherwise=Unconfirmed) from error
        finally:
            # What is given up is still in the producer, and goes on to cost memory there until Kafka answers for it.
            flight = asyncio.gather(*sent, return_exceptions=True)
            flight.add_done_callback(lambda _: self._admission.release(price))

    async def _admitted(self, price: int, end: float) -> AIOKafkaProducer:
        try:
            async with asyncio.timeout_at(end):
                producer = self._producer or await self._restarted()
                await self._admission.acquire(price)
        except TimeoutError as error:
            raise Retryable(
                f"Kafka did not take in what waits already within {self._deadline:g} s; of this nothing was written."
            ) from error
        except FOREIGN as error:
            raise translate(error, "Connecting to Kafka (log.url)") from error
        return producer

    async def _restarted(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                await self.start()
            return self._producer

    def _discard_if_broken(self, producer: Any, error: Exception) -> None:
        """After these a producer refuses everything for ever; the next append makes another."""
        broken = self._producer is producer and isinstance(error, _BREAKING)
        if broken:
            self._producer = None
            self._discarding = asyncio.create_task(stop(producer, producer.stop(), 0))


_BREAKING = (
    kafka.OutOfOrderSequenceNumber,
    kafka.UnknownProducerId,
    kafka.InvalidProducerEpoch,
    kafka.ProducerFenced,
    kafka.ProducerClosed,
)


def _partition(key: bytes, partitions: list[int], available: list[int]) -> int:  # noqa: ARG001  # aiokafka's signature
    return partitions[partition_of(key, len(partitions))]
