"""Kafka Connect with MongoDB's sink connector, as a process: worker and connector in one. It measures nothing.

Sources: "Kafka Connect" in Kafka's documentation (https://kafka.apache.org/documentation/#connect), its REST interface there,
and the manual of MongoDB's connector (https://www.mongodb.com/docs/kafka-connector/current/sink-connector/).
"""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, ClassVar

from onethread.testing.servers.kafka import KafkaServer, java
from onethread.testing.servers.process import ServerProcess, wait_until

# The driver's version is named since the sink names a range of them, which jgo does not resolve. slf4j wants a binding.
_COORDINATES = (
    "org.apache.kafka:connect-runtime:4.3.1+org.apache.kafka:connect-json:4.3.1+org.mongodb:mongodb-driver-sync:4.7.2"
    "+org.mongodb.kafka:mongo-kafka-connect:2.0.1+org.slf4j:slf4j-simple:1.7.36"
)
_JVM = ["-Xmx512m", "-Xshare:auto", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
"""Unlike the broker's: here the optimising compiler is part of what is measured."""

_WORKER = """\
bootstrap.servers={bootstrap}
listeners=http://{host}:{port}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
value.converter.schemas.enable=false
offset.storage.file.filename={folder}/offsets
# How often the sink commits; a minute by default, and a round is over with its commit.
offset.flush.interval.ms=500
plugin.discovery=only_scan
"""
_SINK = """\
name={name}
connector.class=com.mongodb.kafka.connect.MongoSinkConnector
tasks.max=1
topics={topic}
connection.uri={url}?w=majority&journal=true
database={database}
collection=entries
# Idempotent: the event's id becomes the document's, which is replaced, or made.
transforms=id
transforms.id.type=org.apache.kafka.connect.transforms.ReplaceField$Value
transforms.id.renames=id:_id
document.id.strategy=com.mongodb.kafka.connect.sink.processor.id.strategy.ProvidedInValueStrategy
# The same id again; or the sink warns of each record that it has one.
document.id.strategy.overwrite.existing=true
writemodel.strategy=com.mongodb.kafka.connect.sink.writemodel.strategy.ReplaceOneDefaultStrategy
# The unifier's batch.
consumer.override.max.poll.records=500
"""


class ConnectServer(ServerProcess):
    """A standalone worker with one sink, from `topic` to `database`. It consumes at once, in the group `connect-<name>`."""

    name = "Kafka Connect"
    patience: ClassVar[float] = 90.0
    sink: ClassVar[str] = "sink"

    def __init__(self, folder: Path, bootstrap: str, url: str, topic: str, database: str) -> None:
        super().__init__(folder)
        self._facts = {"bootstrap": bootstrap, "url": url, "topic": topic, "database": database, "name": self.sink}

    @classmethod
    def missing(cls) -> str | None:
        """None, or which package is not installed."""
        return KafkaServer.missing()

    @classmethod
    def fetch(cls) -> None:
        """Get its jars. Raises Misconfigured where that cannot be."""
        java(_COORDINATES)

    def prepare(self) -> None:
        """Write the settings of worker and sink."""
        facts = {**self._facts, "host": self.host, "port": self.port, "folder": self.folder}
        (self.folder / "worker.properties").write_text(_WORKER.format(**facts))
        (self.folder / "sink.properties").write_text(_SINK.format(**facts))

    def command(self) -> list[str]:
        """The worker, in the foreground."""
        files = [str(self.folder / "worker.properties"), str(self.folder / "sink.properties")]
        return [*java(_COORDINATES, _JVM), "org.apache.kafka.connect.cli.ConnectStandalone", *files]

    def answers(self) -> bool:
        """Whether the sink's task runs."""
        return self.states() == ["RUNNING", "RUNNING"]

    def states(self) -> list[str]:
        """Of the connector and its task; [] before there is one."""
        try:
            found = self._ask("GET", "/status")
        except urllib.error.HTTPError:
            return []
        return [found["connector"]["state"], *(task["state"] for task in found["tasks"])]

    def pause(self) -> None:
        """Returns when it takes nothing more from the topic."""
        self._ask("PUT", "/pause")
        wait_until(lambda: self.states() == ["PAUSED", "PAUSED"], 30, "the pause of the sink")

    def resume(self) -> None:
        """Returns at once."""
        self._ask("PUT", "/resume")

    def _ask(self, method: str, what: str) -> Any:
        request = urllib.request.Request(f"http://{self.host}:{self.port}/connectors/{self.sink}{what}", method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if body else None
