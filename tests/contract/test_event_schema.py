"""What other programs read: the schemas, the golden examples, CloudEvents as an outside library understands them."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from onethread import envelope, schemas
from onethread.dead_letters import dead_letter, draft
from onethread.event import KINDS, Content
from onethread.identity import STRENGTH
from onethread.log.topics import topics
from onethread.schemas import asyncapi, golden, people
from unifier import document, publishing
from unifier.model import Entry, Placement

Json = dict[str, Any]

EXAMPLES = {path.stem: json.loads(path.read_bytes()) for path in sorted((schemas.FOLDER / "examples").glob("*.json"))}
EVENT_SCHEMA = json.loads((schemas.FOLDER / "event.schema.json").read_bytes())
ASYNCAPI = json.loads((schemas.FOLDER / "asyncapi.json").read_bytes())
NEVER_ON_THE_WIRE = {("Event", "tokens"), ("Attachment", "content")}
"""The host replaces tokens by what they prove, and content by its place in the blob store, before it publishes."""


def valid(schema: Json, value: bytes) -> None:
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(json.loads(value))


def wire(name: str) -> tuple[bytes, tuple[tuple[str, bytes], ...], bytes]:
    record = EXAMPLES[name]["record"]
    headers = tuple((key, text.encode()) for key, text in record["headers"].items())
    return record["key"].encode(), headers, record["value"].encode()


each_example = pytest.mark.parametrize("name", sorted(EXAMPLES))


# --- golden examples ---------------------------------------------------------------------------------------------------


@each_example
def test_an_example_decodes_and_encodes_to_the_same_bytes(name: str) -> None:
    key, headers, value = wire(name)
    event = envelope.read(value, headers)
    again = envelope.draft(event)
    assert (again.key, again.value, again.headers) == (key, value, headers)
    assert event == golden.examples()[name]
    assert EXAMPLES[name]["event"] == json.loads(value)
    assert event.kind == name.split("-", maxsplit=1)[0]


@each_example
def test_an_example_is_what_the_schema_says(name: str) -> None:
    valid(EVENT_SCHEMA, wire(name)[2])


def test_every_kind_has_an_example() -> None:
    assert {example["event"]["fact"]["kind"] for example in EXAMPLES.values()} == KINDS
    assert set(EXAMPLES) >= KINDS


def test_the_examples_fill_every_field() -> None:
    known: set[tuple[str, str]] = set()
    filled: set[tuple[str, str]] = set()

    def look(part: Any) -> None:
        if isinstance(part, tuple):
            for each in part:
                look(each)
        if not isinstance(part, msgspec.Struct):
            return
        owner = "Content" if isinstance(part, Content) else type(part).__name__
        for field in msgspec.structs.fields(part):
            value = getattr(part, field.name)
            default = field.default_factory() if callable(field.default_factory) else field.default
            known.add((owner, field.name))
            if value != default:
                filled.add((owner, field.name))
            look(value)

    for event in golden.examples().values():
        look(event)
    assert known - filled == NEVER_ON_THE_WIRE


def test_the_examples_use_evidence_that_is_known() -> None:
    found = set()
    for value in (wire(name)[2].decode() for name in EXAMPLES):
        found.update(part.split('"')[0] for part in value.split('"evidence":"')[1:])
    assert found
    assert found <= set(STRENGTH)


# --- schemas -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("check", [schemas.check, document.check])
def test_the_files_are_those_the_code_makes(check: Callable[[], list[str]]) -> None:
    assert check() == []


@pytest.mark.parametrize("path", ["event.schema.json", "dead_letter.schema.json"])
def test_the_schemas_are_schemas(path: str) -> None:
    Draft202012Validator.check_schema(json.loads((schemas.FOLDER / path).read_bytes()))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: event.pop("id"),
        lambda event: event.pop("received_at"),
        lambda event: event.pop("ingested_at"),
        lambda event: event.update(received_at="2026-03-02T12:00:00+01:00"),
        lambda event: event.update(id="evt_x"),
        lambda event: event.update(external_id=""),
        lambda event: event.pop("fact"),
        lambda event: event["fact"].pop("kind"),
        lambda event: event["fact"].update(subject=7),
        lambda event: event["fact"]["attachments"][0].update(kind="hologram"),
        lambda event: event["fact"]["attachments"][0].update(size_bytes=2**63),
    ],
)
def test_the_schema_refuses_what_is_no_event(spoil: Callable[[Json], object]) -> None:
    event = copy.deepcopy(EXAMPLES["message"]["event"])
    assert Draft202012Validator(EVENT_SCHEMA).is_valid(event)
    spoil(event)
    assert not Draft202012Validator(EVENT_SCHEMA).is_valid(event)


def test_the_schema_takes_fields_and_kinds_of_later_versions() -> None:
    event = EXAMPLES["message"]["event"] | {"mood": "calm"}
    assert Draft202012Validator(EVENT_SCHEMA).is_valid(event)
    assert Draft202012Validator(EVENT_SCHEMA).is_valid(event | {"fact": {"kind": "poll.opened", "choices": [1]}})


def test_a_dead_letter_is_what_its_schema_says() -> None:
    letter = dead_letter(
        b"\x00{", origin="connector", tenant="default", channel_id="chn_a", connector="acme", stage="unpack", reason="poison",
        at=people.NOON, detail="not JSON", about={"path": "/x"}, headers={"content-type": "text/plain"}, record=("t", 0, 7),
    )  # fmt: skip
    schema = json.loads((schemas.FOLDER / "dead_letter.schema.json").read_bytes())
    valid(schema, draft(letter).value)
    assert not Draft202012Validator(schema).is_valid(json.loads(draft(letter).value) | {"origin": "moon"})


@each_example
def test_a_change_is_what_its_schema_says(name: str) -> None:
    event = golden.examples()[name]
    entry = Entry(
        id=f"default/{event.id}",
        strand="default/cnv_a",
        seq=3,
        kind=event.kind,
        at=1,
        placement=Placement(rule="thread"),
        event=event,
    )
    schema = json.loads((document.FOLDER / "change.schema.json").read_bytes())
    valid(schema, publishing.draft(1, "default/cnv_a", entry).value)


# --- AsyncAPI ----------------------------------------------------------------------------------------------------------


def test_asyncapi_names_the_topics_as_they_are_created() -> None:
    stated = {
        channel["address"]: (
            channel["bindings"]["kafka"]["partitions"],
            channel["bindings"]["kafka"]["topicConfiguration"]["retention.ms"],
        )
        for channel in ASYNCAPI["channels"].values()
    }
    assert stated == {
        topic.name: (topic.partitions, topic.retention_hours * 3_600_000 if topic.retention_hours else -1)
        for topic in topics()
    }


def test_asyncapi_refers_to_what_is_there() -> None:
    def references(part: Any) -> Iterator[str]:
        if isinstance(part, dict):
            yield from (value for name, value in part.items() if name in ("$ref", "x-example"))
            for value in part.values():
                yield from references(value)
        elif isinstance(part, list):
            for value in part:
                yield from references(value)

    found = set(references(ASYNCAPI))
    assert len(found) > 2 * len(KINDS)
    for reference in found:
        name, _, pointer = reference.partition("#/")
        part = json.loads((schemas.FOLDER / name).read_bytes()) if name else ASYNCAPI
        for step in filter(None, pointer.split("/")):
            part = part[step]


@each_example
def test_asyncapi_describes_the_headers_of_every_example(name: str) -> None:
    headers = EXAMPLES[name]["record"]["headers"]
    schema = ASYNCAPI["components"]["messageTraits"]["cloudEvent"]["headers"]
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(headers)
    assert set(headers) <= set(asyncapi.HEADERS)
    assert ASYNCAPI["components"]["messages"][name.split("-", maxsplit=1)[0]]["name"] == headers["ce_type"]
