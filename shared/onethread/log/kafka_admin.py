"""Topics, groups and commits of a Kafka cluster, asked and changed outside any membership. It knows requests, no records."""
# ruff: noqa: SLF001  # two questions that aiokafka's own client does not ask, or not well

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, TypeVar

from aiokafka import errors as kafka
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.protocol.commit import OffsetFetchRequest

from onethread.errors import Misconfigured, Retryable
from onethread.log.kafka_errors import FOREIGN, translate
from onethread.log.kafka_incremental import SetTopicConfig
from onethread.log.kafka_stopping import stop
from onethread.log.port import Topic, TopicPartition

T = TypeVar("T")

_PAUSE = 0.1  # seconds between tries

# Where a topic's setting comes from, in DescribeConfigs (https://kafka.apache.org/protocol, KIP-226): 1 is set at the topic.
_SET_AT_TOPIC = 1

_RETENTION = "retention.ms"


async def patiently(doing: str, deadline: float, ask: Callable[[], Awaitable[T]]) -> T:
    """Ask, and again while Kafka says "not now". Raises Retryable when `deadline` seconds pass, else the translation."""
    try:
        async with asyncio.timeout(deadline):
            while True:
                try:
                    return await ask()
                except kafka.KafkaError as error:
                    if not error.retriable or isinstance(error, kafka.UnknownTopicOrPartitionError):
                        raise
                await asyncio.sleep(_PAUSE)
    except TimeoutError as error:
        raise Retryable(f"{doing}: Kafka did not answer within {deadline:g} s.") from error
    except FOREIGN as error:
        raise translate(error, doing) from error


class KafkaAdmin:
    """One connection to ask by. `replication_factor` is for new topics; -1 leaves it to the broker."""

    def __init__(self, options: dict[str, Any], deadline: float, replication_factor: int) -> None:
        self._client = AIOKafkaAdminClient(**options)
        self._deadline = deadline
        self._replication_factor = replication_factor

    async def start(self) -> None:
        """Connect and ask for the brokers. Raises what aiokafka raises."""
        await self._client.start()
        await self._client.describe_cluster()

    async def stop(self, patience: float) -> None:
        """Disconnect, within `patience` seconds and one more."""
        await stop(self._client, self._client.close(), patience)

    async def apply(self, topic: Topic) -> list[str]:
        """See the port; of one topic."""
        have = await self.partitions_if_any(topic.name)
        if have is None:
            await self._create(topic)
            await self._settled(topic)
            return [f"{topic.name}: created with {topic.partitions} partitions, {_kept(topic)}"]
        if have > topic.partitions:
            raise Misconfigured(
                f"{topic.name} has {have} partitions and cannot shrink to {topic.partitions}: ask for {have} or more."
            )
        changes = []
        if have < topic.partitions:
            await self._ask(f"Growing {topic.name}", lambda: self._grow(topic))
            changes.append(f"{topic.name}: {have} partitions become {topic.partitions}")
        if not await self._ask(f"Looking at {topic.name}", lambda: self._is_retained(topic)):
            await self._ask(f"Setting the retention of {topic.name}", lambda: self._retain(topic))
            changes.append(f"{topic.name}: {_kept(topic)}")
        if changes:
            await self._settled(topic)
        return changes

    async def partitions(self, topic: str) -> int:
        """How many a topic has. Raises Misconfigured for an unknown one."""
        count = await self.partitions_if_any(topic)
        if count is None:
            raise Misconfigured(f"The topic {topic} does not exist: run `onethread topics apply`.")
        return count

    async def partitions_if_any(self, topic: str) -> int | None:
        """How many a topic has, None for an unknown one."""
        return await self._ask(f"Looking at {topic}", lambda: self._count(topic))

    async def members(self, group: str) -> dict[str, str]:
        """The ids of a group's members by their static names, as far as they have one."""
        (answer,) = await self._ask(
            f"Looking at the group {group}", lambda: self._client.describe_consumer_groups([group])
        )
        ids = [member[0] for member in answer.groups[0][5]]
        # A broker makes the id of a static member of its name and a random UUID, 36 characters (KIP-345).
        return {id_[:-37]: id_ for id_ in ids if len(id_) > 37 and id_[-37] == "-"}

    async def commits(self, group: str, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The committed next offsets of a group; what was never committed is absent."""
        wanted: dict[str, list[int]] = defaultdict(list)
        for topic, number in places:
            wanted[topic].append(number)
        return await self._ask(f"Reading the commits of {group}", lambda: self._commits(group, wanted))

    async def _ask(self, doing: str, ask: Callable[[], Awaitable[T]]) -> T:
        return await patiently(doing, self._deadline, ask)

    async def _count(self, topic: str) -> int | None:
        (found,) = await self._client.describe_topics([topic])
        if found["error_code"] == kafka.UnknownTopicOrPartitionError.errno:
            return None
        _raise_for(found["error_code"], topic)
        return len(found["partitions"])

    async def _commits(self, group: str, wanted: dict[str, list[int]]) -> dict[TopicPartition, int]:
        coordinator = await self._client.find_coordinator(group)
        # Not list_consumer_group_offsets: that looks at the errors of partitions only, and takes a coordinator that is still
        # loading (an error of the whole answer, without partitions) for a group that never committed.
        answer = await self._client._send_request(OffsetFetchRequest(group, list(wanted.items())), coordinator)
        _raise_for(answer.error_code, group)
        found = {}
        for topic, partitions in answer.topics:
            for number, offset, _, error_code in partitions:
                _raise_for(error_code, f"{topic}/{number}")
                if offset >= 0:
                    found[TopicPartition(topic, number)] = int(offset)
        return found

    async def _create(self, topic: Topic) -> None:
        # By the broker's clock, so that retention counts from the arrival and no sender's clock can shorten it.
        configs = {_RETENTION: _milliseconds(topic), "message.timestamp.type": "LogAppendTime"}
        # The empty assignment is for aiokafka's own check, which else refuses a replication factor of -1.
        new = NewTopic(
            topic.name,
            topic.partitions,
            self._replication_factor,
            {} if self._replication_factor == -1 else None,
            configs,
        )
        answer = await self._ask(f"Creating {topic.name}", lambda: self._client.create_topics([new]))
        for _, code, message in answer.topic_errors:
            if code and code != kafka.TopicAlreadyExistsError.errno:  # another process applied at the same time
                error = kafka.for_code(code)(message)
                raise translate(error, f"Creating {topic.name}") from error

    async def _grow(self, topic: Topic) -> None:
        await self._client.create_partitions({topic.name: NewPartitions(topic.partitions)})

    async def _settled(self, topic: Topic) -> None:
        """Wait until the brokers know: an append finds leaders, and to apply again changes nothing."""

        async def ask() -> None:
            (found,) = await self._client.describe_topics([topic.name])
            leaders = [partition["leader"] for partition in found["partitions"]]
            if len(leaders) < topic.partitions or -1 in leaders or not await self._is_retained(topic):
                raise kafka.StaleMetadata

        await self._ask(f"Waiting for {topic.name}", ask)

    async def _retain(self, topic: Topic) -> None:
        answer = await self._client._send_to_controller(SetTopicConfig(topic.name, _RETENTION, _milliseconds(topic)))
        _raise_for(answer.responses[0][0], topic.name)

    async def _is_retained(self, topic: Topic) -> bool:
        (answer,) = await self._client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic.name)])
        _raise_for(answer.resources[0][0], topic.name)
        own = {name: value for name, value, _, source, *_ in answer.resources[0][4] if source == _SET_AT_TOPIC}
        return own.get(_RETENTION) == _milliseconds(topic)


def places_of(topic: str, partitions: int) -> Sequence[TopicPartition]:
    """All partitions of a topic."""
    return [TopicPartition(topic, number) for number in range(partitions)]


def _raise_for(code: int, about: str) -> None:
    if code:
        raise kafka.for_code(code)(about)


def _milliseconds(topic: Topic) -> str:
    return "-1" if topic.retention_hours is None else str(topic.retention_hours * 3_600_000)


def _kept(topic: Topic) -> str:
    return "kept for ever" if topic.retention_hours is None else f"kept for {topic.retention_hours} hours"
