"""What may change within version 1, and what may not: the gate over the committed schemas."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from onethread import schemas
from onethread.errors import Misconfigured

Json = dict[str, Any]

EVENT_SCHEMA = json.loads((schemas.FOLDER / "event.schema.json").read_bytes())


# --- the gate ----------------------------------------------------------------------------------------------------------


def gone(part: Json, name: str) -> None:
    del part[name]


INCOMPATIBLE: dict[str, tuple[Callable[[Json], object], str]] = {
    "a kind is removed": (
        lambda s: s["Event"]["properties"]["fact"]["anyOf"].remove({"$ref": "#/$defs/Rating"}),
        "kind rating is gone",
    ),
    "unknown kinds are refused": (
        lambda s: s["Event"]["properties"]["fact"]["anyOf"].remove({"$ref": "#/$defs/OtherKind"}),
        "object is no longer taken",
    ),
    "a kind is renamed": (lambda s: s["Rating"]["properties"]["kind"].update(enum=["vote"]), "kind rating is gone"),
    "a field is removed": (lambda s: gone(s["Body"]["properties"], "html"), ".body.html: is gone"),
    "a field of the event is removed": (lambda s: gone(s["Event"]["properties"], "standby"), ".standby: is gone"),
    "a field becomes required": (lambda s: s["Body"]["required"].append("html"), ".body.html: is required now"),
    "a new field is required": (lambda s: s["Body"].update(required=["new"]), ".body.new: is required now"),
    "a type changes": (lambda s: s["Rating"]["properties"]["score"].update(type="string"), "number is no longer taken"),
    "a number becomes whole": (
        lambda s: s["Rating"]["properties"]["scale"].update(type="integer"),
        "number is no longer taken",
    ),
    "null is no longer taken": (
        lambda s: s["Attachment"]["properties"]["width"]["anyOf"].pop(),
        ".width: null is no longer taken",
    ),
    "anything becomes text": (
        lambda s: s["Event"]["properties"]["channel_data"].update(additionalProperties={"type": "string"}),
        "anything is no longer taken",
    ),
    "a value is removed": (lambda s: s["Party"]["properties"]["kind"]["enum"].remove("bot"), "the value 'bot' is gone"),
    "text becomes a choice": (
        lambda s: s["Call"]["properties"]["attestation"].update(enum=["", "A"]),
        "only some values",
    ),
    "a default changes": (lambda s: s["Quote"]["properties"]["kind"].update(default="story"), "absent value"),
    "a default is removed": (lambda s: gone(s["Quote"]["properties"]["text"], "default"), "absent value"),
    "a bound narrows": (
        lambda s: s["Attachment"]["properties"]["width"]["anyOf"][0].update(minimum=0),
        "minimum is 0 now",
    ),
    "a list may not be empty": (lambda s: s["Party"]["properties"]["claims"].update(minItems=1), "minItems is 1 now"),
    "a list gets shorter": (lambda s: s["LinkSet"]["properties"]["ends"].update(maxItems=1), "maxItems is 1 now"),
    "items change": (
        lambda s: s["Event"]["properties"]["lookups"].update(items={"type": "object"}),
        "string is no longer taken",
    ),
    "a pattern is asked for": (lambda s: s["Claim"]["properties"]["type"].update(pattern="^[a-z]+$"), "pattern"),
    "a pattern changes": (lambda s: s["Event"]["properties"]["id"].update(pattern="^e"), "pattern"),
    "a time gets another format": (lambda s: s["LinkSet"]["properties"]["at"].update(format="date"), "format"),
    "bytes become text": (lambda s: gone(s["Source"]["properties"]["data"]["anyOf"][0], "contentEncoding"), "base64"),
    "more fields are refused": (lambda s: s["Claim"].update(additionalProperties=False), "nothing more is taken"),
    "something is excluded": (
        lambda s: s["Claim"]["properties"]["type"].update({"not": {"enum": ["email"]}}),
        "excluded",
    ),
    "a kind is excluded that is none": (
        lambda s: s["OtherKind"]["properties"]["kind"]["not"]["enum"].append("poll.opened"),
        "excluded",
    ),
}


def edited(edit: Callable[[Json], object]) -> Json:
    new = copy.deepcopy(EVENT_SCHEMA)
    edit(new["$defs"])
    assert new != EVENT_SCHEMA
    return new


@pytest.mark.parametrize("name", INCOMPATIBLE)
def test_an_incompatible_change_is_found(name: str) -> None:
    edit, sentence = INCOMPATIBLE[name]
    problems = schemas.incompatible(EVENT_SCHEMA, edited(edit))
    assert problems
    assert any(sentence in problem for problem in problems), problems


def add_kind(parts: Json) -> None:
    parts["Poll"] = {"type": "object", "properties": {"kind": {"enum": ["poll.opened"]}}, "required": ["kind"]}
    parts["Event"]["properties"]["fact"]["anyOf"].append({"$ref": "#/$defs/Poll"})
    parts["OtherKind"]["properties"]["kind"]["not"]["enum"].append("poll.opened")


COMPATIBLE: dict[str, Callable[[Json], object]] = {
    "a kind is added": add_kind,
    "a field is added": lambda s: s["Body"]["properties"].update(tone={"type": "string", "default": ""}),
    "a value is added": lambda s: s["Party"]["properties"]["kind"]["enum"].append("ghost"),
    "null is taken too": lambda s: s["Rating"]["properties"].update(
        score={"anyOf": [{"type": "number"}, {"type": "null"}]}
    ),
    "a whole number becomes any": lambda s: s["Attachment"]["properties"]["width"]["anyOf"][0].update(type="number"),
    "a bound widens": lambda s: s["Attachment"]["properties"]["width"]["anyOf"][0].update(maximum=2**64),
    "a field need not be there": lambda s: s["Rating"]["required"].remove("scale"),
    "a pattern is dropped": lambda s: gone(s["Event"]["properties"]["id"], "pattern"),
    "a description changes": lambda s: s["Rating"].update(description="New words."),
    "a part moves behind another name": lambda s: (
        s.update(Text=s["Body"]),
        s["Message"]["properties"]["body"].update({"$ref": "#/$defs/Text"}),
    ),
}


@pytest.mark.parametrize("name", COMPATIBLE)
def test_what_only_adds_passes(name: str) -> None:
    assert schemas.incompatible(EVENT_SCHEMA, edited(COMPATIBLE[name])) == []


def test_schemas_that_refer_to_themselves_are_compared() -> None:
    def tree(leaf: Json) -> Json:
        children = {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/Tree"}}, {"type": "null"}]}
        return {
            "$ref": "#/$defs/Tree",
            "$defs": {"Tree": {"type": "object", "properties": {"leaf": leaf, "children": children}}},
        }

    assert schemas.incompatible(tree({"type": "string"}), tree({"type": "string"})) == []
    assert len(schemas.incompatible(tree({"type": "string"}), tree({"type": "integer"}))) == 1


def test_an_incompatible_change_is_not_written_over_the_baseline(tmp_path: Path) -> None:
    schemas.write(tmp_path)
    assert schemas.check(tmp_path) == []
    assert schemas.write(tmp_path) == []
    path = tmp_path / "event.schema.json"
    promised = json.loads(path.read_bytes())
    promised["$defs"]["Body"]["properties"]["tone"] = {"type": "string", "default": ""}
    path.write_text(json.dumps(promised))
    before = path.read_bytes()
    assert any("tone: is gone" in problem for problem in schemas.check(tmp_path))
    with pytest.raises(Misconfigured, match="tone: is gone"):
        schemas.write(tmp_path)
    assert path.read_bytes() == before


def test_drift_is_named_and_mended(tmp_path: Path) -> None:
    schemas.write(tmp_path)
    (tmp_path / "examples" / "system.json").write_text("{}")
    (tmp_path / "examples" / "telepathy.json").write_text("{}")
    (tmp_path / "asyncapi.json").unlink()
    (tmp_path / "somebody.json").write_text("{}")
    assert [problem.split(":")[0] for problem in schemas.check(tmp_path)] == [
        "asyncapi.json",
        "examples/system.json",
        "examples/telepathy.json",
    ]
    assert schemas.write(tmp_path) == ["asyncapi.json", "examples/system.json", "examples/telepathy.json"]
    assert schemas.check(tmp_path) == []
    assert (tmp_path / "somebody.json").exists()
