"""The real servers a bench needs, started when the first comparison asks, and stopped after it. It measures nothing."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from onethread.errors import Misconfigured
from onethread.testing.servers.dovecot import DovecotServer
from onethread.testing.servers.kafka import KafkaServer
from onethread.testing.servers.mongodb import MongoServer
from onethread.testing.servers.process import ServerProcess


class Backends:
    """Servers of one bench, each with fresh data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._kafka: KafkaServer | None = None
        self._mongo: MongoServer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def kafka(self) -> str:
        """The bootstrap servers. Raises Misconfigured where none can be started."""
        if self._kafka is None:
            if missing := KafkaServer.missing():
                raise Misconfigured(missing)
            self._kafka = self._stack.enter_context(KafkaServer(self._folder / "kafka"))
        return self._kafka.bootstrap

    def mongo(self) -> str:
        """The URL of a server that speaks MongoDB's protocol. Raises Misconfigured where none can be started."""
        if self._mongo is None:
            if missing := MongoServer.missing():
                raise Misconfigured(missing)
            self._mongo = self._stack.enter_context(MongoServer(self._folder / "mongodb"))
        return self._mongo.url

    def dovecot(self, users: Mapping[str, str]) -> DovecotServer:
        """A mail server of its own for these users (login name to password). Raises Misconfigured where none can be started."""
        if missing := DovecotServer.missing():
            raise Misconfigured(missing)
        server = DovecotServer(self._folder / "dovecot", users)
        self._stack.callback(server.discard)
        server.start()
        return server

    def folder(self, name: str) -> Path:
        """A folder for whatever else a bench starts; it goes with the servers."""
        folder = self._folder / name
        folder.mkdir()
        return folder

    def keep(self, server: ServerProcess) -> None:
        """Stop a started server with the others."""
        self._stack.callback(server.stop)
