"""The AsyncAPI 3.0 document: topics, keys, headers and payloads. It knows what is on Kafka, and refers to the schemas for values.

Bindings are those of Kafka, version 0.5.0 (https://github.com/asyncapi/bindings/tree/master/kafka); the headers of an event
are those of CloudEvents in binary mode (CloudEvents Kafka protocol binding 1.0.2).
"""

import inspect
from typing import Any

from onethread.envelope import TYPE_PREFIX, TYPE_SUFFIX
from onethread.event import AnyFact, Fact
from onethread.log import topics
from onethread.log.port import Topic

BINDING = "0.5.0"
CHANGE = "../../../services/unifier/schemas/change.schema.json"
"""The unifier's own record; in the repository, since the library knows no service."""

_TEXT = {"type": "string", "minLength": 1}
_MOMENT = {"type": "string", "format": "date-time", "pattern": r"\.\d{3}Z$"}
_JSON = {"type": "string", "const": "application/json"}

HEADERS: dict[str, dict[str, Any]] = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "pattern": "^evt_[a-z2-7]{32}$", "description": "The event's id; the same id is the same event."},
    "ce_source": _TEXT | {"format": "uri-reference", "description": "/network/account"},
    "ce_type": {"type": "string", "pattern": r"^io\.onethread\.[a-z._]+\.v1$", "description": "The kind."},
    "ce_subject": _TEXT | {"description": "The provider's thread, else what the event is about."},
    "ce_time": _MOMENT | {"description": "When the channel received it."},
    "ce_tenant": _TEXT | {"description": "Whose it is."},
    "ce_channelid": _TEXT | {"description": "The channel it came by; absent for a person's command."},
    "ce_partitionkey": _TEXT | {"description": "The record's key."},
    "ce_ingestedtime": _MOMENT | {"description": "When Onethread had it."},
    "content-type": _JSON,
}  # fmt: skip
_OPTIONAL = {"ce_tenant", "ce_channelid"}


def document() -> dict[str, Any]:
    """The whole document."""
    kinds = {str(fact.__struct_config__.tag): fact for fact in AnyFact.__args__}
    made = {topic.name: topic for topic in topics.topics()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Onethread on Kafka",
            "version": "1.0.0",
            "description": (
                "Version 1 only grows: fields, kinds and values are added, never taken away. Upgrade readers before writers; "
                "a reader leaves out fields, and keeps facts of kinds, that it does not know."
            ),
            "license": {"name": "Apache 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "messages": _channel(made[topics.MESSAGES], "Every event of every connector, and the commands of persons.", kinds),
            "conversations": _channel(made[topics.CONVERSATIONS], "Every change of every conversation, for desks.", ["change"]),
            "dead_letters": _channel(
                made[topics.DEAD_LETTERS], "What could not be processed, with reason and original bytes.", ["dead_letter"]
            ),
        },
        "operations": {
            "publishEvents": _operation("send", "messages", "Connectors publish what they received."),
            "threadEvents": _operation("receive", "messages", "The unifier threads them into conversations."),
            "publishChanges": _operation("send", "conversations", "The unifier publishes every entry, in order within a strand."),
            "setAside": _operation("send", "dead_letters", "Connectors and the unifier set aside what never works."),
            "replayDeadLetters": _operation("receive", "dead_letters", "`onethread dead-letters replay` tries them again."),
        },
        "components": {
            "messages": {kind: _event(kind, fact) for kind, fact in kinds.items()} | _others(),
            "messageTraits": {"cloudEvent": _cloud_event()},
        },
    }  # fmt: skip


def _channel(topic: Topic, description: str, messages: Any) -> dict[str, Any]:
    kept = -1 if topic.retention_hours is None else topic.retention_hours * 3_600_000
    return {
        "address": topic.name,
        "description": description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "topicConfiguration": {"cleanup.policy": ["delete"], "retention.ms": kept},
                "bindingVersion": BINDING,
            }
        },
    }


def _operation(action: str, channel: str, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "summary": summary}


def _event(kind: str, fact: type[Fact]) -> dict[str, Any]:
    """One kind: the event's schema, its fact narrowed, and the golden example."""
    narrowed = {"type": "object", "properties": {"fact": {"$ref": f"event.schema.json#/$defs/{fact.__name__}"}}}
    return {
        "name": f"{TYPE_PREFIX}{kind}{TYPE_SUFFIX}",
        "title": kind,
        "summary": inspect.getdoc(fact),
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"allOf": [{"$ref": "event.schema.json"}, narrowed]},
        "x-example": f"examples/{kind}.json",
    }


def _cloud_event() -> dict[str, Any]:
    required = [name for name in HEADERS if name not in _OPTIONAL]
    return {
        "contentType": "application/json",
        "headers": {"type": "object", "properties": HEADERS, "required": required},
        "bindings": _key("tenant, network, account and thread as a JSON list, else the customer, else the external id"),
    }


def _others() -> dict[str, Any]:
    headers = {"type": "object", "properties": {"content-type": _JSON}, "required": ["content-type"]}
    return {
        "change": {
            "name": "change",
            "title": "One entry of a strand",
            "summary": "Take each strand's seq 1, 2, 3 … once; a greater `epoch` begins all strands anew.",
            "headers": headers,
            "payload": {"$ref": CHANGE},
            "bindings": _key("the strand, which never changes"),
        },
        "dead_letter": {
            "name": "dead_letter",
            "title": "One record set aside",
            "summary": "The same record set aside twice has the same id.",
            "payload": {"$ref": "dead_letter.schema.json"},
            "bindings": _key("the channel"),
        },
    }


def _key(description: str) -> dict[str, Any]:
    return {"kafka": {"key": {"type": "string", "description": description}, "bindingVersion": BINDING}}
