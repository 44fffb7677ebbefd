"""The generated files of this folder: what other programs read to understand the log. It composes; it knows no format."""

from pathlib import Path
from typing import Any

import msgspec

from onethread import envelope
from onethread.dead_letters import DeadLetter
from onethread.event import Event
from onethread.log.topics import MESSAGES
from onethread.schemas import asyncapi, folder, golden, json_schema

FOLDER = Path(__file__).parent
"""Where they are kept under version control."""


def files() -> dict[str, bytes]:
    """Every generated file by its name in the folder."""
    event = json_schema.of_wire(json_schema.document(Event, "A value of topic onethread.messages"))
    letter = json_schema.document(DeadLetter, "A value of topic onethread.dead_letters")
    documents = {"event.schema.json": event, "dead_letter.schema.json": letter, "asyncapi.json": asyncapi.document()}
    documents |= {f"examples/{name}.json": example(event) for name, event in golden.examples().items()}
    return {name: folder.as_json(document) for name, document in documents.items()}


def example(event: Event) -> dict[str, Any]:
    """An event for people to read, and `record`: its key, headers and value as they are on Kafka, in text."""
    draft = envelope.draft(event)
    return {
        "event": msgspec.json.decode(draft.value),
        "record": {
            "topic": MESSAGES,
            "key": draft.key.decode(),
            "headers": {name: content.decode() for name, content in draft.headers},
            "value": draft.value.decode(),
        },
    }


def write(target: Path = FOLDER) -> list[str]:
    """Write the files; returns the names of those that changed. Raises Misconfigured if a schema would break a promise."""
    return folder.write(target, files())


def check(target: Path = FOLDER) -> list[str]:
    """What differs between the files and the code, a sentence each; empty if nothing does."""
    return folder.check(target, files())
