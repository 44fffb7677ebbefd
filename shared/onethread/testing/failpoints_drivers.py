"""Fail-points below the ports: where an adapter's one call is several steps at its driver. It knows the drivers, no adapter.

Each is attached from outside, to the driver: a trace callback on each connection of `sqlite3`, a command listener of `pymongo`,
an audit hook where Python opens and renames files; aiokafka offers nothing, so its connections are watched as they send. For a
process that is to be killed: nothing of this is ever taken away again.
"""

import os
import sqlite3
import sys
from pathlib import Path
from typing import Any

from onethread.testing.failpoints import FailPoints

_WRITES = frozenset({"insert", "update", "delete", "findAndModify", "createIndexes"})
_REQUESTS = ("Produce", "OffsetCommit")
"""Of Kafka's requests, those that make something durable."""


def watch_sqlite(points: FailPoints) -> None:
    """`sqlite.<file>.commit:before`: all statements of a writing transaction are done, and none is durable."""
    driver: Any = sqlite3
    connect = driver.connect

    def watched(path: Any, *arguments: Any, **named: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(path, *arguments, **named)
        _watch_connection(connection, Path(str(path)).stem, points)
        return connection

    driver.connect = watched


def _watch_connection(connection: sqlite3.Connection, name: str, points: FailPoints) -> None:
    writing = False

    def statement(sql: str) -> None:
        nonlocal writing
        if sql.startswith("BEGIN"):
            writing = "IMMEDIATE" in sql
        elif sql == "COMMIT" and writing:
            points.reach(f"sqlite.{name}.commit:before")

    connection.set_trace_callback(statement)


def watch_files(points: FailPoints, folder: Path) -> None:
    """Of files below the folder: `files.create:before`, `files.rename:before` (all is written), `files.sync:before` (it has its name).

    By the events that Python raises before it opens or renames (https://docs.python.org/3/library/audit_events.html); `os.open` tells no mode.
    """
    beginning = f"{folder}{os.sep}"

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "os.rename" and os.fspath(arguments[1]).startswith(beginning):
            points.reach("files.rename:before")
        elif event == "open" and isinstance(arguments[0], str | Path) and str(arguments[0]).startswith(beginning):
            if arguments[1] is None:
                points.reach("files.sync:before")
            elif "x" in arguments[1]:
                points.reach("files.create:before")

    sys.addaudithook(hook)


def watch_mongo(points: FailPoints) -> None:
    """`mongo.<command>(<collection>)`: before each writing command is sent, and after its reply has come."""
    from pymongo import monitoring

    class Listener(monitoring.CommandListener):
        """Its events come one after the other for a request (https://pymongo.readthedocs.io/en/stable/api/pymongo/monitoring.html)."""

        def __init__(self) -> None:
            self._names: dict[int, str] = {}

        def started(self, event: monitoring.CommandStartedEvent) -> None:
            if event.command_name in _WRITES:
                name = f"mongo.{event.command_name}({event.command[event.command_name]})"
                self._names[event.request_id] = name
                points.reach(f"{name}:before")

        def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
            if name := self._names.pop(event.request_id, None):
                points.reach(f"{name}:after")

        def failed(self, event: monitoring.CommandFailedEvent) -> None:
            self._names.pop(event.request_id, None)

    monitoring.register(Listener())


def watch_kafka(points: FailPoints) -> None:
    """`kafka.<request>`: before it is sent, when it is sent and not answered (`:sent`), and after the answer."""
    from aiokafka.conn import AIOKafkaConnection

    send = AIOKafkaConnection.send

    def watched(connection: Any, request: Any, expect_response: bool = True) -> Any:  # noqa: FBT001, FBT002 -- aiokafka's
        name = type(request).__name__.partition("Request")[0]
        if name not in _REQUESTS:
            return send(connection, request, expect_response)
        points.reach(f"kafka.{name}:before")
        answer = send(connection, request, expect_response)
        points.reach(f"kafka.{name}:sent")
        return _answered(answer, name, points)

    AIOKafkaConnection.send = watched


async def _answered(answer: Any, name: str, points: FailPoints) -> Any:
    found = await answer
    points.reach(f"kafka.{name}:after")
    return found
