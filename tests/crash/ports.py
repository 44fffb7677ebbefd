"""Every port of the path, what of it only reads, and which points the story of this folder does not come by, with the reason."""

from collections.abc import Iterable
from typing import NamedTuple

from onethread.arriving import Arriving
from onethread.blobs import Blobs
from onethread.connector import Host, Polling, Stream, WebSocket
from onethread.log.port import EventLog, Reader
from onethread.state.port import StateStore
from onethread.testing.failpoints import point_names, without_label
from unifier.store.port import ConversationStore

STORE_READS = frozenset(
    {
        "epoch", "entries", "keys", "clocks", "revisions", "look", "identities", "customers", "tails", "run", "owned_keys", "owned_clocks", "links",
        "links_at", "links_needing", "heads", "strands_of", "list_heads", "timeline", "runs", "about", "about_since",
        "whole",
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
    Port(Arriving, "arriving"),
    Port(Polling, "polling"),
    Port(Stream, "stream"),
    Port(Host, "host"),
    Port(WebSocket, "websocket"),
)

ANSWERS = ["http.start:before", "http.start:after", "http.body:before", "http.body:after"]
"""A webhook's answer, by its two messages."""
_FILES = [f"files.{step}:before" for step in ("create", "rename", "sync")]
BELOW = {
    "SQLite": [*_FILES, *(f"sqlite.{file}.commit:before" for file in ("log", "state", "conversations"))],
    "Kafka, MongoDB protocol": [
        *_FILES,
        *(f"kafka.{name}:{when}" for name in ("Produce", "OffsetCommit") for when in ("before", "sent", "after")),
        *(f"mongo.{name}:{when}" for name in ("insert", "update", "findAndModify") for when in ("before", "after")),
    ],
}
"""The adapters' own steps."""

OF_FILES = ("arriving.write", "arriving.whole", "blobs.tidy", "state.remove")
"""Effects that only a file comes by, or a look-up: killed at in test_media.py."""
NOT_IN_THE_STORY = {
    **dict.fromkeys(OF_FILES, "files and look-ups: test_media.py"),
    "log.reset": "an operator's command, with all workers stopped; tests/contract/test_event_log.py",
    "state.delete": "what may be forgotten: a note that somebody called; tests/integration/host/test_polling.py",
}
"""Effects that no message comes by. Anything else that has no moment in the story is a hole in it."""


OTHER_PORTS = {
    "onethread.opening.Opening": "what stores and logs have in common",
    "onethread.connector.Keys": "reads a provider's keys",
    "onethread.connector.Downloads": "says what to GET",
    "onethread.connector.Lookups": "reads",
    "onethread.connector.DeepLinks": "a person's command; what a provider makes for it, no message waits for",
    "onethread.connector.Sends": "no connector sends yet; the outbox that calls it is to be pointed",
    "onethread.connector.Checks": "probes of `onethread check`",
    "onethread.connector.Subscribes": "tells a provider our URL, again with each renewal; tests/integration/host",
    "im_ingest.api_calls.OAuthApi": "calls of a platform, each within an ability above",
    "im_ingest.meta_connector.MetaConnector": "its `subscribe_to` is Subscribes, above",
    "onethread.host.pulling.PullHost": "its own methods only: what they change, they change by a port",
    "unifier.store.audit.Audit": "reads, for `onethread verify`",
}
"""Abstract classes whose methods wait for something, and why no fail-point stands around them."""

BEHIND = {
    "onethread.log.*": "EventLog and Reader",
    "onethread.sqlite": "EventLog, StateStore and ConversationStore; its commits are points of their own",
    "onethread.mongo": "StateStore and ConversationStore; its commands are points of their own",
    "onethread.state.sqlite": "StateStore",
    "unifier.store.sqlite.*": "ConversationStore",
    "onethread.arriving": "Blobs: a file that has no name until it is put",
    "onethread.blobs": "Blobs",
    "onethread.connector": "names the type of the client that Host lends",
    "onethread.host.addresses": "asks for addresses",
    "onethread.host.http": "Polling.fetch, Stream.session and Host.token: what is done with it is done by a connector",
    "onethread.host.lent": "the same",
    "onethread.host.sockets": "WebSocket",
    "onethread.host.faults": "names errors",
    "onethread.host.media": "names an error; it asks by the client that Host lends",
    "onethread.host.server": "answers, pointed as ASGI messages",
    "onethread.host.process": "asks for the name of the machine",
    "onethread.host.watchdog": "ends the process, as a kill does",
    "onethread.host.lifecycle": "ends the process, as a kill does",
    "onethread.host.parsing.*": "computes in a process of its own, and writes nothing",
    "email_ingest.connectors.imap.*": "Stream.session: reads a mailbox, whose flags it never changes",
    "im_ingest.connectors.telegram.bot_api": "Subscribes and Checks",
    "im_ingest.api_calls": "Keys, Checks, Downloads, Lookups and Subscribes of those that use it",
    "im_ingest.graph_api": "Subscribes, Checks, Downloads and Lookups of Meta's connectors",
    "im_ingest.weixin_api": "Polling.fetch reads; Checks, Downloads and Lookups of WeChat and WeCom",
    "im_ingest.connectors.slack.checks": "Checks",
    "im_ingest.connectors.teams.bot_api": "Keys, Checks, Downloads and Lookups",
    "social_ingest.connectors.mastodon.connector": "Stream.session: reads",
    "onethread.assembly": "makes the first key, before anything runs",
    "unifier.api.document": "writes the API's document, for developers",
    "unifier.verify.*": "a command of operators: a scratch file of its own",
    "all_in_one.*": "commands of operators, and the demo",
}
"""By module that can change the world: the pointed port through which all its effects on a message's path go, or why none do."""


def points() -> list[str]:
    """All points of the path on every backend, from the code of the ports."""
    made = [name for port in PORTS for name in point_names(port.kind, port.name, port.reads)]
    return [name for name in made if name.partition(":")[0] not in NOT_IN_THE_STORY] + ANSWERS


def holes(reached: Iterable[str], on: str) -> list[str]:
    """What is wrong with a story that comes by these points only."""
    missing = sorted({*points(), *BELOW[on]} - {without_label(point) for point in reached})
    where = "let it (crash/shop.py), or say in crash/ports.py which other test does"
    return [f"the story of tests/crash comes by no moment of {missing}: {where}"] if missing else []
