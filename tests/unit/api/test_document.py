"""The OpenAPI document: valid, committed, and growing only."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from desk.site import fresh, opened
from openapi_spec_validator import OpenAPIV32SpecValidator

from onethread.errors import Misconfigured
from unifier.api import document
from unifier.api.compatibility import breaks
from unifier.api.problems import KINDS

Json = dict[str, Any]


def test_the_document_is_valid_openapi_3_2() -> None:
    made = document.document()
    assert made["openapi"] == "3.2.0"
    assert list(OpenAPIV32SpecValidator(made).iter_errors()) == []


def test_the_committed_document_is_what_the_code_says() -> None:
    assert document.check() == []


def test_every_field_of_every_answer_is_promised_unless_expand_or_the_problem_brings_it() -> None:
    brought = {
        ("Conversation", "customer"),
        ("Conversation", "last_entry"),
        ("Entry", "placement"),
        ("EntryDetail", "placement"),
    }
    for name, schema in document.document()["components"]["schemas"].items():
        if name.startswith("Problem") or name in ("Lookup", "AddressAsked"):
            continue
        absent = schema.get("properties", {}).keys() - set(schema.get("required", ()))
        assert {(name, field) for field in absent} <= brought


def _operation(made: Json, path: str = "/v1/conversations") -> Json:
    operation: Json = made["paths"][path]["get"]
    return operation


def _parameter(made: Json, name: str) -> Json:
    found: Json = next(one for one in _operation(made)["parameters"] if one["name"] == name)
    return found


def _schema(made: Json, name: str) -> Json:
    found: Json = made["components"]["schemas"][name]
    return found


BREAKING: dict[str, Callable[[Json], Any]] = {
    "the operation is gone": lambda made: made["paths"].pop("/v1/me"),
    "the parameter network is gone": lambda made: _operation(made)["parameters"].remove(_parameter(made, "network")),
    "parameter network is needed now": lambda made: _parameter(made, "network").update(required=True),
    "the new parameter desk is needed": lambda made: _operation(made)["parameters"].append(
        {"in": "query", "name": "desk", "required": True, "schema": {"type": "string"}}
    ),
    "parameter sort does not take all its values": lambda made: _parameter(made, "sort")["schema"].update(
        enum=["active"]
    ),
    "parameter limit: maximum is tighter": lambda made: _parameter(made, "limit")["schema"].update(maximum=50),
    "parameter network does not take string": lambda made: _parameter(made, "network")["schema"].update(type="integer"),
    "the field subject is gone": lambda made: _schema(made, "Conversation")["properties"].pop("subject"),
    "the field labels may be absent": lambda made: _schema(made, "Conversation")["required"].remove("labels"),
    "message_count is of another type": lambda made: _schema(made, "Conversation")["properties"][
        "message_count"
    ].update(type="string"),
    "labels{}: the field by is gone": lambda made: _schema(made, "Label")["properties"].pop("by"),
    "the field symbol is gone": lambda made: _schema(made, "ReactionAddedFact")["properties"].pop("symbol"),
    "the shape CallFact is gone": lambda made: _schema(made, "FactDocument")["anyOf"].remove(
        {"$ref": "#/components/schemas/CallFact"}
    ),
    "the answer 206 is gone": lambda made: _operation(made, "/v1/attachments/{attachment_id}/content")["responses"].pop(
        "206"
    ),
    "body.items: maxItems is tighter": lambda made: _schema(made, "Lookup")["properties"]["items"].update(maxItems=10),
    "the field scope is gone": lambda made: _schema(made, "AddressAsked")["properties"].pop("scope"),
    "the field country is needed now": lambda made: _schema(made, "AddressAsked")["required"].append("country"),
}
GROWING: dict[str, Callable[[Json], Any]] = {
    "an operation": lambda made: made["paths"].update({"/v1/changes": {"get": {"responses": {}}}}),
    "an optional parameter": lambda made: _operation(made)["parameters"].append(
        {"in": "query", "name": "desk", "required": False, "schema": {"type": "string"}}
    ),
    "a value": lambda made: _parameter(made, "sort")["schema"]["enum"].append("waiting"),
    "a wider limit": lambda made: _parameter(made, "limit")["schema"].update(maximum=500),
    "a field": lambda made: _schema(made, "Conversation")["properties"].update(mood={"type": "string"}),
    "words": lambda made: _operation(made).update(description="Said better."),
    "a shape": lambda made: _schema(made, "FactDocument")["anyOf"].append({"type": "object"}),
}


@pytest.mark.parametrize("what", BREAKING)
def test_what_takes_something_away_is_refused(what: str) -> None:
    old = document.document()
    new = copy.deepcopy(old)
    BREAKING[what](new)
    found = breaks(old, new)
    assert any(what in line for line in found), found


@pytest.mark.parametrize("what", GROWING)
def test_what_only_adds_is_welcome(what: str) -> None:
    old = document.document()
    new = copy.deepcopy(old)
    GROWING[what](new)
    assert breaks(old, new) == []


def test_writing_refuses_to_break_a_promise_and_checking_names_the_drift(tmp_path: Path) -> None:
    path = tmp_path / "openapi.json"
    assert document.check(path) == ["openapi.json is missing: write it with `make schemas`"]
    assert document.write(path) == ["wrote openapi.json"]
    assert document.write(path) == []
    assert document.check(path) == []
    promised = document.document()
    promised["paths"]["/v1/more"] = {"get": {"responses": {}}}
    path.write_text(json.dumps(promised), encoding="utf-8")
    assert document.check(path) == ["openapi.json: GET /v1/more: the operation is gone"]
    with pytest.raises(Misconfigured, match="the operation is gone"):
        document.write(path)
    promised["paths"].pop("/v1/more")
    promised["info"]["description"] = "older words"
    path.write_text(json.dumps(promised), encoding="utf-8")
    assert document.check(path) == ["openapi.json is not what the code says: write it anew with `make schemas`"]


# --- pages ---------------------------------------------------------------------------------------------------------


async def test_the_pages_load_nothing_from_elsewhere_and_need_no_key(tmp_path: Path) -> None:
    async with opened(fresh("sqlite", tmp_path, lambda: ""), tmp_path) as site, site.client() as anybody:
        served = await anybody.get("/openapi.json")
        pages = [await anybody.get(path) for path in ("/docs", "/problems", *(f"/problems/{slug}" for slug in KINDS))]
        missing = await anybody.get("/problems/none")
    assert served.json() == document.document()
    assert missing.status_code == 404
    for page in pages:
        assert page.status_code == 200
        assert {"src=", "<script", "<link", "http://", "https://"}.isdisjoint(page.text.split('"'))
        assert "<script" not in page.text
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
    reference = pages[0].text
    for path in document.document()["paths"]:
        assert path in reference


def test_the_problems_of_the_document_are_those_that_are_raised() -> None:
    text = document.document()["components"]["responses"]["Problem"]["description"]
    for slug in KINDS:
        assert f"/problems/{slug}" in text
