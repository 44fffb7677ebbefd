"""What is the Kafka log's own: a broker that dies, freezes, refuses; memory and tasks after that; an operator's settings."""

import asyncio
import logging
import os
import signal
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from onethread.errors import Misconfigured, Retryable, Unconfirmed
from onethread.log.kafka import KafkaLog
from onethread.log.port import Draft, Topic
from onethread.testing.event_log import PATIENCE, drafts_of, fetch_all, fresh, read, values_of
from onethread.testing.servers.kafka import KafkaServer
from onethread.testing.servers.ports import LOOPBACK, free_port

DEADLINE = 3.0


@pytest.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in left if "aiokafka" in repr(task)]


def log_on(server: KafkaServer, deadline: float = DEADLINE) -> KafkaLog:
    return KafkaLog(server.bootstrap, client_id="test", deadline=deadline, session_timeout=6.0)


async def until_confirmed(log: KafkaLog, topic: str, drafts: list[Draft]) -> None:
    """Send the same again until it is confirmed, as every caller does."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            await log.append(topic, drafts)
        except Retryable:
            assert time.monotonic() < end
        else:
            return


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_broker_that_dies_or_freezes_makes_an_append_unconfirmed_and_lets_the_log_close_in_time(
    new_kafka_server: Callable[[], KafkaServer], blow: signal.Signals
) -> None:
    server = new_kafka_server()
    log = log_on(server)
    await log.open()
    topic = await fresh(log)
    await log.append(topic, drafts_of(range(10)))
    async with log.join("group", [topic], "a") as reader:
        await read(reader, 10)
        os.kill(server.pid, blow)
        began = time.monotonic()
        with pytest.raises(Unconfirmed):
            await log.append(topic, drafts_of(range(10, 20)))
        assert time.monotonic() - began < DEADLINE + 1
        with pytest.raises(Retryable):
            await read(reader, 1)
    began = time.monotonic()
    await log.close()
    assert time.monotonic() - began < DEADLINE + 1

    if blow == signal.SIGKILL:
        server.restart()
    else:
        os.kill(server.pid, signal.SIGCONT)
    again = log_on(server, deadline=20)
    await until_open(again)
    try:
        await until_confirmed(again, topic, drafts_of(range(10, 20)))
        found = values_of(await fetch_all(again, topic))
        assert set(found) == set(range(20))
    finally:
        await again.close()


async def until_open(log: KafkaLog) -> None:
    """A broker that thaws is fenced by its controller for a while, and says so to who asks too early."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            await log.open()
        except Retryable:
            assert time.monotonic() < end
        else:
            return


async def test_an_open_log_goes_on_when_its_broker_is_back(new_kafka_server: Callable[[], KafkaServer]) -> None:
    server = new_kafka_server()
    async with log_on(server) as log:
        topic, group = await fresh(log, partitions=1), uuid.uuid4().hex
        async with log.join(group, [topic], "a") as reader:
            await log.append(topic, drafts_of(range(5)))
            await read(reader, 5)
            server.kill()
            with pytest.raises(Unconfirmed):
                await log.append(topic, drafts_of(range(5, 10)))
            server.start()
            await until_confirmed(log, topic, drafts_of(range(5, 10)))
            found: list[int] = []
            end = time.monotonic() + PATIENCE
            while not set(range(5, 10)) <= set(found):
                assert time.monotonic() < end
                try:
                    found += values_of(await reader.poll(wait=0.2))
                except Retryable:
                    continue


async def test_what_waits_for_a_dead_broker_is_bounded_and_let_go_when_it_is_back(
    new_kafka_server: Callable[[], KafkaServer],
) -> None:
    server = new_kafka_server()
    async with log_on(server) as log:
        topic = await fresh(log)
        await log.append(topic, drafts_of([0]))
        admission = log._open.writer._admission
        free = admission._free
        server.kill()
        results = await asyncio.gather(
            *(log.append(topic, drafts_of(range(n, n + 200))) for n in range(0, 40_000, 200)), return_exceptions=True
        )
        assert all(isinstance(result, Retryable) for result in results)
        # 200 of such a record cost 0.8 MB while they wait: some 80 calls fit in 64 MiB, and what did not was not sent at all.
        unconfirmed = [result for result in results if isinstance(result, Unconfirmed)]
        assert 0 < len(unconfirmed) < 100
        assert 0 <= admission._free < free
        server.start()
        await until_confirmed(log, topic, drafts_of([1]))
        end = time.monotonic() + PATIENCE
        while admission._free < free:
            assert time.monotonic() < end
            await log.extents(topic)
        values = values_of(await fetch_all(log, topic))
        assert len(values) <= 3 + 200 * len(unconfirmed)


@pytest.mark.parametrize("frozen", [False, True])
async def test_a_broker_that_is_not_there_or_frozen_is_retryable_and_names_the_setting(
    new_kafka_server: Callable[[], KafkaServer], *, frozen: bool
) -> None:
    server = new_kafka_server()
    if frozen:
        os.kill(server.pid, signal.SIGSTOP)
    else:
        server.kill()
    log = log_on(server, deadline=2.0)
    for _ in range(2):  # open() may be called again
        began = time.monotonic()
        with pytest.raises(Retryable, match=r"log\.url"):
            await log.open()
        assert time.monotonic() - began < 4
    await log.close()


async def test_nobody_listening_is_retryable_at_once() -> None:
    log = KafkaLog(f"{LOOPBACK}:{free_port()}", client_id="test")
    with pytest.raises(Retryable, match=r"log\.url"):
        await log.open()


async def test_security_that_does_not_fit_is_misconfigured(kafka_server: KafkaServer) -> None:
    refused = KafkaLog(
        kafka_server.bootstrap,
        client_id="test",
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="PLAIN",
        sasl_username="user",
        sasl_password="not to be seen",
    )
    with pytest.raises(Misconfigured, match=r"sasl") as refusal:
        await refused.open()
    assert "not to be seen" not in str(refusal.value)
    incomplete = KafkaLog(kafka_server.bootstrap, client_id="test", security_protocol="SASL_PLAINTEXT")
    with pytest.raises(Misconfigured, match=r"sasl"):
        await incomplete.open()


def test_a_certificate_file_that_is_missing_is_misconfigured(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"log\.ssl_cafile"):
        KafkaLog(
            "kafka.example.com:9093", client_id="test", security_protocol="SSL", ssl_cafile=str(tmp_path / "absent")
        )


async def test_a_producer_that_refuses_everything_is_replaced(kafka_server: KafkaServer) -> None:
    async with log_on(kafka_server) as log:
        topic = await fresh(log)
        await log.append(topic, drafts_of([1]))
        await log._open.writer._line.producer.stop()
        with pytest.raises(Unconfirmed):
            await log.append(topic, drafts_of([2]))
        await log.append(topic, drafts_of([2]))
        assert sorted(values_of(await fetch_all(log, topic))) == [1, 2]


async def test_an_operators_settings_of_a_topic_survive_a_change_of_retention(kafka_server: KafkaServer) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.bootstrap)
    await admin.start()
    try:
        async with log_on(kafka_server) as log:
            topic = await fresh(log, retention_hours=1)
            resource = ConfigResource(ConfigResourceType.TOPIC, topic)
            own = {"retention.ms": "3600000", "segment.bytes": "2000000", "message.timestamp.type": "LogAppendTime"}
            await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, own)])
            assert len(await log.apply([Topic(topic, 4, 2)])) == 1
            end, values = time.monotonic() + PATIENCE, dict[str, str]()
            while {name: values.get(name) for name in own} != {**own, "retention.ms": "7200000"}:
                assert time.monotonic() < end, values
                (answer,) = await admin.describe_configs([resource])
                values = {name: value for name, value, *_ in answer.resources[0][4]}
    finally:
        await admin.close()


async def test_a_topic_that_takes_only_small_records_is_misconfigured_and_takes_the_next_small_one(
    kafka_server: KafkaServer,
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_server.bootstrap)
    await admin.start()
    try:
        async with log_on(kafka_server) as log:
            topic, other = f"test.{uuid.uuid4().hex}", await fresh(log)
            small = {"max.message.bytes": "2000"}  # from the beginning: a change later takes the broker its time
            await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=small)])
            end = time.monotonic() + PATIENCE
            while topic not in await admin.list_topics():
                assert time.monotonic() < end
            await log.append(topic, drafts_of([1]))
            results = await asyncio.gather(
                log.append(topic, [Draft(b"key", b"x" * 5000)]),
                log.append(other, drafts_of([3])),
                return_exceptions=True,
            )
            assert isinstance(results[0], Misconfigured)
            assert "max.message.bytes" in str(results[0])
            assert not isinstance(results[1], BaseException), results[1]
            await log.append(topic, drafts_of([2]))
            assert values_of(await fetch_all(log, topic)) == [1, 2]
            assert values_of(await fetch_all(log, other)) == [3]
    finally:
        await admin.close()


async def test_no_message_reaches_a_log_even_at_debug(
    kafka_server: KafkaServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with log_on(kafka_server) as log:
        topic = await fresh(log)
        await log.append(topic, [Draft(b"the secret key", b"the secret value")])
        async with log.join(uuid.uuid4().hex, [topic], "a") as reader:
            await read(reader, 1)
    assert "secret" not in caplog.text


async def test_a_session_shorter_than_the_broker_allows_is_misconfigured(kafka_server: KafkaServer) -> None:
    async with KafkaLog(kafka_server.bootstrap, client_id="test", session_timeout=0.5) as log:
        topic = await fresh(log)
        with pytest.raises(Misconfigured):
            async with log.join(uuid.uuid4().hex, [topic], "a"):
                pass
