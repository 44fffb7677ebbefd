"""JSON Schema 2020-12 of what is on the wire, made from the structs. It knows msgspec's output and what readers may not know.

Readers are tolerant: a field they do not know is left out, a fact of a kind they do not know is kept as it is.
"""

import inspect
from typing import Any

import msgspec

from onethread.event import KINDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
OTHER_KIND = "OtherKind"

_MOMENT = {"type": "string", "format": "date-time", "pattern": "Z$"}
_ENVELOPE: dict[str, dict[str, Any]] = {
    "external_id": {"type": "string", "minLength": 1},
    "id": {"type": "string", "pattern": "^evt_[a-z2-7]{32}$"},
    "received_at": _MOMENT,
    "ingested_at": _MOMENT,
}
"""What the struct leaves open until the host has filled it, and no record lacks."""


def document(struct: type[msgspec.Struct], title: str) -> dict[str, Any]:
    """The schema of one struct with all its parts in `$defs`; `title` says what a reader finds there."""
    (whole,), parts = msgspec.json.schema_components([struct], ref_template="#/$defs/{name}")
    defs = {name: _plain(part) for name, part in parts.items()}
    if "Event" in defs:
        _complete(defs)
    return {
        "$schema": DIALECT,
        "$id": f"urn:onethread:v1:{struct.__name__.lower()}",
        "title": title,
        **whole,
        "$defs": defs,
    }


def of_wire(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of an event by itself: `Foreign` is how a reader holds another kind in memory, not how it is written."""
    del schema["$defs"]["Foreign"]
    fact = schema["$defs"]["Event"]["properties"]["fact"]
    fact["anyOf"] = [part for part in fact["anyOf"] if part != {"$ref": "#/$defs/Foreign"}]
    del fact["discriminator"]["mapping"]["foreign"]
    return schema


def _complete(defs: dict[str, Any]) -> None:
    event = defs["Event"]
    event["properties"] |= _ENVELOPE
    event["required"] = [*event["required"], *(name for name in _ENVELOPE if name not in event["required"])]
    event["properties"]["fact"]["anyOf"].append({"$ref": f"#/$defs/{OTHER_KIND}"})
    defs[OTHER_KIND] = {
        "title": OTHER_KIND,
        "description": "A fact of a kind that a later version added. Readers keep it as it is.",
        "type": "object",
        "properties": {"kind": {"type": "string", "not": {"enum": sorted(KINDS)}}},
        "required": ["kind"],
    }


def _plain(part: Any) -> Any:
    """The part as tools of older drafts read it too, which AsyncAPI's are; docstrings without their indentation."""
    if isinstance(part, list):
        return [_plain(each) for each in part]
    if not isinstance(part, dict):
        return part
    plain = {name: _plain(each) for name, each in part.items()}
    if isinstance(plain.get("description"), str):
        plain["description"] = inspect.cleandoc(plain["description"])
    items = plain.get("prefixItems", [])
    if items and plain.get("items") is False and all(item == items[0] for item in items):
        del plain["prefixItems"]
        plain["items"] = items[0]
    return plain
