"""The contract of the event log over its adapters; what is an adapter's own is in the files beside this one."""

from collections.abc import Callable
from pathlib import Path

import pytest

from onethread.log.kafka import KafkaLog
from onethread.log.port import EventLog
from onethread.log.sqlite import SqliteLog
from onethread.testing.event_log import EventLogContract
from onethread.testing.servers.kafka import KafkaServer


class TestSqlite(EventLogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path) -> Callable[[], EventLog]:
        return lambda: SqliteLog(tmp_path / "log" / "events.sqlite", member_timeout=3.0)


class TestKafka(EventLogContract):
    @pytest.fixture
    def open_log(self, kafka_server: KafkaServer) -> Callable[[], EventLog]:
        return lambda: KafkaLog(kafka_server.bootstrap, client_id="test", session_timeout=6.0)
