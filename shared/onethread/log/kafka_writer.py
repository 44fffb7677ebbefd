"""Appends to Kafka: pipelined, bounded in memory, and over within a deadline. It knows one producer, no topics' settings."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from aiokafka import AIOKafkaProducer
from aiokafka import errors as kafka
from aiokafka.structs import RecordMetadata

from onethread.errors import Retryable, Unconfirmed
from onethread.log.admission import Admission
from onethread.log.drafts import partition_of, size
from onethread.log.kafka_errors import FOREIGN, translate
from onethread.log.kafka_stopping import stop
from onethread.log.port import Draft, TopicPartition

T = TypeVar("T")

_REQUEST_BYTES = 1024 * 1024  # over MAX_RECORD_BYTES with room for framing, under a broker's message.max.bytes
_BATCH_BYTES = 128 * 1024
_PENDING_BYTES = 64 * 1024 * 1024
_PENDING_COST = 4096  # what a record that waits costs in aiokafka 0.14 beside its bytes (measured: 3.9 kB)


class KafkaWriter:
    """One idempotent producer, or its successor. Made and used in one event loop."""

    def __init__(self, options: dict[str, Any], deadline: float) -> None:
        self._options = options
        self._deadline = deadline
        self._admission = Admission(_PENDING_BYTES)
        self._starting = asyncio.Lock()
        self._line: _Line | None = None
        self._retiring: set[asyncio.Task[None]] = set()
        self._confirmed = 0

    @property
    def unconfirmed(self) -> object | None:
        """None while Kafka has answered for all that appends gave up on, else the number of appends it confirmed."""
        return self._confirmed if self._line is not None and self._line.flying else None

    async def start(self) -> None:
        """Connect and be given a producer id. Raises what aiokafka raises; without a broker it never returns."""
        await self._connected()

    async def stop(self, patience: float) -> None:
        """Let what is on its way arrive for `patience` seconds; then give it up, within one more."""
        line, self._line = self._line, None
        if line is not None:
            await line.stop(patience)
        await asyncio.gather(*self._retiring)

    async def append(self, topic: str, drafts: Sequence[Draft]) -> list[TopicPartition]:
        """Write to a topic that exists. Raises Unconfirmed when some may have been written, Retryable when none was."""
        end = asyncio.get_running_loop().time() + self._deadline
        price = self._admission.price(sum(size(draft) + _PENDING_COST for draft in drafts))
        if not self._admission.try_acquire(price):
            await self._before(end, self._admission.acquire(price))
        sent: list[asyncio.Future[RecordMetadata]] = []
        line = self._line
        try:
            if line is None:
                line = await self._before(end, self._connected())
            with line.used():
                return await self._send(line, topic, drafts, end, sent)
        finally:
            release = partial(self._admission.release, price)
            if line is None:
                release()
            else:
                line.when_answered(sent, release)

    async def _before(self, end: float, wait: Awaitable[T]) -> T:
        """Await what comes before anything is sent."""
        try:
            async with asyncio.timeout_at(end):
                return await wait
        except TimeoutError as error:
            raise self._nothing_written() from error
        except FOREIGN as error:
            raise translate(error, "Connecting to Kafka (log.url)") from error

    async def _send(
        self,
        line: "_Line",
        topic: str,
        drafts: Sequence[Draft],
        end: float,
        sent: list[asyncio.Future[RecordMetadata]],
    ) -> list[TopicPartition]:
        send = line.producer.send
        try:
            async with asyncio.timeout_at(end):
                for draft in drafts:  # one after the other: that is their order
                    sent.append(await send(topic, draft.value, draft.key, headers=list(draft.headers)))  # noqa: PERF401
                await asyncio.wait(sent)
            found = [future.result() for future in sent]
            self._confirmed += 1
            return [TopicPartition(done.topic, done.partition) for done in found]
        except TimeoutError as error:
            if not sent:  # what send() was cancelled over is not in the producer
                raise self._nothing_written() from error
            text = f"Appending to {topic}: Kafka did not confirm within {self._deadline:g} s; send the same again."
            raise Unconfirmed(text) from error
        except FOREIGN as error:
            self._replace_if_broken(line, error)
            raise translate(error, f"Appending to {topic}", otherwise=Unconfirmed) from error

    def _nothing_written(self) -> Retryable:
        return Retryable(
            f"Kafka did not take in what waits already within {self._deadline:g} s; of this nothing was written."
        )

    async def _connected(self) -> "_Line":
        async with self._starting:
            if self._line is None:
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
                self._line = _Line(producer)
            return self._line

    def _replace_if_broken(self, line: "_Line", error: Exception) -> None:
        """A batch that failed for good leaves a gap in its partition's sequence, and Kafka refuses all that follows it.

        So the next append makes another producer, while this one still delivers to the other partitions.
        """
        if self._line is line and isinstance(error, kafka.KafkaError) and not error.retriable:
            self._line = None
            task = asyncio.create_task(line.stop(self._deadline))
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)


class _Line:
    """One producer, who uses it, and what it has not answered for."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.producer = producer
        self._users = 0
        self._unused = asyncio.Event()
        self._unused.set()
        self._flights: set[asyncio.Future[Any]] = set()

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keeps the producer open, until `stop` loses patience."""
        self._users += 1
        self._unused.clear()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    @property
    def flying(self) -> bool:
        """Whether something was sent that nobody waits for any longer, and is not answered."""
        return bool(self._flights)

    def when_answered(self, sent: list[asyncio.Future[RecordMetadata]], then: Callable[[], None]) -> None:
        """Call `then` once Kafka answered for all that was sent: also what was given up costs memory until then."""
        flight = asyncio.gather(*sent, return_exceptions=True)
        self._flights.add(flight)
        flight.add_done_callback(self._flights.discard)
        flight.add_done_callback(lambda _: then())

    async def stop(self, patience: float) -> None:
        """Wait for its users and its answers, `patience` seconds for both, then end it, within one more."""
        clock = asyncio.get_running_loop().time
        end = clock() + patience
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(end):
                await self._unused.wait()
        await stop(self.producer, self.producer.stop(), max(end - clock(), 0))
        for flight in list(self._flights):
            flight.cancel()


def _partition(key: bytes, partitions: list[int], available: list[int]) -> int:  # noqa: ARG001  # aiokafka's signature
    return partitions[partition_of(key, len(partitions))]
