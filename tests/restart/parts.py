"""Which log and store a play has, as its processes are told: one line of JSON in their arguments."""

from pathlib import Path

import msgspec

from onethread.log.kafka import KafkaLog
from onethread.log.port import EventLog
from onethread.log.sqlite import SqliteLog
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations


class Stage(msgspec.Struct, frozen=True):
    """Where the log and the store are, and which story is told. With `kafka` and `mongodb`, these; else files in `folder`."""

    folder: str
    count: int
    seed: int
    kafka: str = ""
    mongodb: str = ""

    def log(self, name: str) -> EventLog:
        """The log, not open yet, for the process of this name."""
        if self.kafka:
            return KafkaLog(self.kafka, client_id=name, deadline=5, session_timeout=6)
        return SqliteLog(Path(self.folder) / "log.sqlite")

    def store(self) -> ConversationStore:
        """The store, not open yet."""
        if self.mongodb:
            return MongoConversations(self.mongodb, "restart", deadline=5)
        return SqliteConversations(Path(self.folder) / "conversations.sqlite")

    def as_argument(self) -> str:
        """For a process of the play."""
        return msgspec.json.encode(self).decode()


def stage_of(argument: str) -> Stage:
    """What `as_argument` said."""
    return msgspec.json.decode(argument, type=Stage)


def accepted_file(stage: Stage) -> Path:
    """One line per message whose append was confirmed, on the disk before the next is sent."""
    return Path(stage.folder) / "accepted"


def committed_file(stage: Stage, name: str) -> Path:
    """One byte per record that the worker has committed, by its own account."""
    return Path(stage.folder) / f"committed.{name}"
