"""The contract of the event log over its adapters, and what is an adapter's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

pytest.register_assert_rewrite("onethread.testing.event_log")

from onethread.log.kafka import KafkaLog  # noqa: E402
from onethread.log.port import EventLog  # noqa: E402
from onethread.log.sqlite import SqliteLog  # noqa: E402
from onethread.testing.event_log import EventLogContract  # noqa: E402
from onethread.testing.servers.kafka import KafkaServer  # noqa: E402


class TestSqlite(EventLogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path) -> Callable[[], EventLog]:
        return lambda: SqliteLog(tmp_path / "log" / "events.sqlite", member_timeout=3.0)


class TestKafka(EventLogContract):
    @pytest.fixture
    def open_log(self, kafka_server: KafkaServer) -> Callable[[], EventLog]:
        return lambda: KafkaLog(kafka_server.bootstrap, client_id="test", session_timeout=6.0)
