"""The contract of the event log over its adapters, and what is an adapter's own."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.register_assert_rewrite("onethread.testing.event_log")

from onethread.log.port import EventLog  # noqa: E402  # after the rewrite is asked for
from onethread.log.sqlite import SqliteLog  # noqa: E402
from onethread.testing.event_log import EventLogContract  # noqa: E402


class TestSqlite(EventLogContract):
    @pytest.fixture
    def open_log(self, tmp_path: Path) -> Callable[[], EventLog]:
        return lambda: SqliteLog(tmp_path / "log" / "events.sqlite", member_timeout=3.0)
