"""Every port of the path, what of it only reads, and which points the story of this folder does not come by, with the reason."""

from typing import NamedTuple

from onethread.blobs import Blobs
from onethread.connector import Host, Polling, Stream, WebSocket
from onethread.log.port import EventLog, Reader
from onethread.state.port import StateStore
from onethread.testing.failpoints import point_names
from unifier.store.port import ConversationStore

STORE_READS = frozenset(
    {
        "epoch", "entries", "keys", "clocks", "identities", "customers", "tails", "run", "owned_keys", "owned_clocks", "links",
        "links_at", "links_needing", "heads", "strands_of", "list_heads", "timeline", "runs", "about", "whole",
    }
)  # fmt: skip


class Port(NamedTuple):
    """A port, under the name that its points have."""

    kind: type
    name: str
    reads: frozenset[str] = frozenset()


PORTS = (
    Port(EventLog, "log"),
    Port(Reader, "reader"),
    Port(ConversationStore, "store", STORE_READS),
    Port(StateStore, "state"),
    Port(Blobs, "blobs"),
    Port(Polling, "polling"),
    Port(Stream, "stream"),
    Port(Host, "host"),
    Port(WebSocket, "websocket"),
)

ANSWERS = ["http.start:before", "http.start:after", "http.body:before", "http.body:after"]
"""A webhook's answer, by its two messages."""
BELOW = {
    "SQLite": [f"sqlite.{file}.commit:before" for file in ("log", "state", "conversations")],
    "Kafka + MongoDB": [
        *(f"kafka.{name}:{when}" for name in ("Produce", "OffsetCommit") for when in ("before", "sent", "after")),
        *(f"mongo.{name}:{when}" for name in ("insert", "update", "findAndModify") for when in ("before", "after")),
    ],
}
"""The adapters' own steps."""

NOT_IN_THE_STORY = {
    "log.reset": "an operator's command, with all workers stopped; tests/contract/test_event_log.py",
    "state.delete": "what may be forgotten: a note that somebody called; tests/integration/host/test_polling.py",
}
"""Effects that no message comes by. Anything else that has no moment in the story is a hole in it."""


def points() -> list[str]:
    """All points of the path on every backend, from the code of the ports."""
    made = [name for port in PORTS for name in point_names(port.kind, port.name, port.reads)]
    return [name for name in made if name.partition(":")[0] not in NOT_IN_THE_STORY] + ANSWERS
