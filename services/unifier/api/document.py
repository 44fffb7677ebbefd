"""The OpenAPI document: generated from the routes, committed, and gated against changes that would break a client."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from onethread.errors import Misconfigured
from unifier.api.compatibility import breaks
from unifier.api.facts import SHAPES
from unifier.api.guard import SCHEME
from unifier.api.problems import KINDS, MEDIA_TYPE
from unifier.api.routes import ROUTERS
from unifier.api.schemas import FactDocument, ProblemDocument

COMMITTED = Path(__file__).parent.parent / "schemas" / "openapi.json"
"""The document that clients were promised."""

_REFERENCE = "#/components/schemas/{model}"
_DESCRIPTION = """\
Every channel, one conversation: what desks (service desks, CRMs, bots, analytics) build on.

Ids are opaque. Times are RFC 3339 in UTC with milliseconds. A documented field is always there: unknown is null, none is []
or {}. Kinds, networks, rules, states and problems are open sets that grow within v1: what you do not know take as "other",
show its `summary` and go on. Errors are problem documents (RFC 9457): branch on `type`.
"""
_HEADERS = {
    "RequestId": ("Request-Id", "Names this answer; tell it to us when something is wrong."),
    "RateLimit": ("RateLimit", '`"read";r=598;t=12`: requests left, and seconds until all are there again.'),
    "RateLimitPolicy": ("RateLimit-Policy", '`"read";q=600;w=60`: requests a window of seconds.'),
}


def title_and_version() -> tuple[str, str]:
    """The document's title and version."""
    return "Onethread conversation API", "1.0"


@cache
def _generated() -> str:
    title, version = title_and_version()
    routes = [route for router in ROUTERS for route in router.routes]
    for route in routes:
        if isinstance(route, APIRoute):
            route.operation_id = route.name
    document = get_openapi(
        title=title, version=version, openapi_version="3.2.0", description=_DESCRIPTION, routes=routes
    )
    document["components"]["securitySchemes"] = {
        SCHEME: {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "otk_…",
            "description": "An API key. The scopes an operation takes are listed with it.",
        }
    }
    _add_facts(document)
    _add_responses(document)
    _mend_parameters(document)
    _open(document["components"]["schemas"])
    return json.dumps(document, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def document() -> dict[str, Any]:
    """The document, generated anew from the code."""
    generated: dict[str, Any] = json.loads(_generated())
    return generated


# --- what the framework does not generate --------------------------------------------------------------------------


def _add_facts(document: dict[str, Any]) -> None:
    """A fact is one of the shapes of `facts`, by the entry's kind; of a kind from later, any object."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(shape, "serialization") for shape in SHAPES.values()]
    models.append((ProblemDocument, "serialization"))
    _, definitions = models_json_schema(models, ref_template=_REFERENCE)
    schemas = document["components"]["schemas"]
    schemas.update(definitions["$defs"])
    schemas["FactDocument"] = {
        "description": (FactDocument.__doc__ or "").strip(),
        "anyOf": [
            *(
                {"$ref": _REFERENCE.format(model=name)}
                for name in sorted({shape.__name__ for shape in SHAPES.values()})
            ),
            {"type": "object"},
        ],
        "x-kinds": {kind: _REFERENCE.format(model=shape.__name__) for kind, shape in sorted(SHAPES.items())},
    }


def _add_responses(document: dict[str, Any]) -> None:
    components = document["components"]
    components["headers"] = {
        key: {"description": text, "schema": {"type": "string"}} for key, (_, text) in _HEADERS.items()
    }
    components["responses"] = {
        "Problem": {
            "description": "A problem: "
            + ", ".join(f"`/problems/{slug}` ({kind.status})" for slug, kind in KINDS.items()),
            "content": {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model="ProblemDocument")}}},
        }
    }
    headers = {name: {"$ref": f"#/components/headers/{key}"} for key, (name, _) in _HEADERS.items()}
    for operations in document["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            responses.pop("422", None)
            for answer in responses.values():
                answer["headers"] = headers
            if _is_one_thing(operation):
                responses["304"] = {
                    "description": "It is as it was: `If-None-Match` names its ETag.",
                    "headers": headers,
                }
            responses["default"] = {"$ref": "#/components/responses/Problem"}
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)


def _is_one_thing(operation: dict[str, Any]) -> bool:
    """Whether the answer has an ETag: a GET that is no list."""
    schema = operation["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
    return "requestBody" not in operation and not schema.get("$ref", "").endswith("List")


def _mend_parameters(document: dict[str, Any]) -> None:
    """A parameter of a URL is never null, and says what it is once."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                schema = parameter["schema"]
                schema.pop("description", None)
                _untitled(schema)
                if "anyOf" in schema:
                    (kept,) = [choice for choice in schema.pop("anyOf") if choice != {"type": "null"}]
                    schema.update(kept)
            if _is_one_thing(operation):
                operation.setdefault("parameters", []).append(
                    {
                        "in": "header",
                        "name": "If-None-Match",
                        "description": "ETags you have; 304 if one of them still holds.",
                        "required": False,
                        "schema": {"type": "string"},
                    }
                )


def _open(schemas: dict[str, Any]) -> None:
    """Answers grow: a client must not refuse a field it does not know. What is sent to us stays closed."""
    for name, schema in schemas.items():
        _untitled(schema)
        if name not in {"Lookup", "AddressAsked"}:
            schema.pop("additionalProperties", None)


def _untitled(schema: Any) -> None:
    """Titles repeat the names."""
    if isinstance(schema, dict):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        for value in schema.values():
            _untitled(value)
    elif isinstance(schema, list):
        for value in schema:
            _untitled(value)


# --- the committed file --------------------------------------------------------------------------------------------


def write(path: Path = COMMITTED) -> list[str]:
    """Write the document; returns the lines of what was written anew, none if it was up to date.

    Raises Misconfigured where that would break clients of the document that is there; a person who means it deletes the file.
    """
    if path.exists():
        broken = breaks(json.loads(path.read_text(encoding="utf-8")), document())
        if broken:
            raise Misconfigured(f"{path.name}: v1 only grows, and this takes something away:\n" + "\n".join(broken))
        if path.read_text(encoding="utf-8") == _generated():
            return []
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_generated(), encoding="utf-8")
    return [f"wrote {path.name}"]


def check(path: Path = COMMITTED) -> list[str]:
    """What is wrong with the committed document, one line each: missing, drifted from the code, or broken by it."""
    if not path.exists():
        return [f"{path.name} is missing: write it with `make schemas`"]
    text = path.read_text(encoding="utf-8")
    broken = breaks(json.loads(text), document())
    if not broken and text != _generated():
        return [f"{path.name} is not what the code says: write it anew with `make schemas`"]
    return [f"{path.name}: {line}" for line in broken]
