"""Whether a client of one OpenAPI document can live with another. Pure; it knows the part of JSON Schema that we generate.

What a client sends may only be allowed more, what it is answered may only become more: an operation, a parameter or a field
that went, a parameter that is newly needed, a type that changed, a field that may now be absent, break it.
"""

from collections.abc import Iterator, Mapping
from typing import Any

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "query")
_TIGHTER = {"maximum": 1, "maxLength": 1, "maxItems": 1, "minimum": -1, "minLength": -1, "minItems": -1}
"""Limits, and the direction in which one gets tighter by getting smaller (1) or greater (-1)."""

Json = Mapping[str, Any]
Parameters = Mapping[tuple[str, str], Json]


def breaks(old: Json, new: Json) -> list[str]:
    """One line for everything that would break a client; none if nothing would."""
    return list(dict.fromkeys(_Comparison(old, new).run()))


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new
        self._seen: set[tuple[str, str, str]] = set()

    def run(self) -> Iterator[str]:
        for path, operations in self._old["paths"].items():
            for method in _METHODS:
                if method in operations:
                    name = f"{method.upper()} {path}"
                    there = self._new["paths"].get(path, {}).get(method)
                    if there is None:
                        yield f"{name}: the operation is gone"
                    else:
                        yield from self._operation(name, operations[method], there)

    def _operation(self, name: str, old: Json, new: Json) -> Iterator[str]:
        yield from self._parameters(name, _parameters(old), _parameters(new))
        before, after = _body(old), _body(new)
        if before is not None and after is None:
            yield f"{name}: it takes no body any more"
        elif before is not None and after is not None:
            yield from self._asked(f"{name}: body", before, after)
        for status, answer in old.get("responses", {}).items():
            there = new.get("responses", {}).get(status)
            if there is None:
                yield f"{name}: the answer {status} is gone"
                continue
            for media, content in self._resolved(self._old, answer).get("content", {}).items():
                other = self._resolved(self._new, there).get("content", {}).get(media)
                if other is None:
                    yield f"{name}: {status} is not {media} any more"
                else:
                    yield from self._answered(f"{name}: {status}", content.get("schema", {}), other.get("schema", {}))

    def _parameters(self, name: str, old: Parameters, new: Parameters) -> Iterator[str]:
        for key, parameter in old.items():
            if key not in new:
                yield f"{name}: the parameter {key[1]} is gone"
            else:
                where = f"{name}: parameter {key[1]}"
                if new[key].get("required") and not parameter.get("required"):
                    yield f"{where} is needed now"
                yield from self._asked(where, parameter.get("schema", {}), new[key].get("schema", {}))
        for key, parameter in new.items():
            if key not in old and parameter.get("required"):
                yield f"{name}: the new parameter {key[1]} is needed"

    # --- schemas ---

    def _asked(self, where: str, old: Json, new: Json) -> Iterator[str]:
        """What a client may send: nothing of it may be refused now."""
        old, new = self._resolved(self._old, old), self._resolved(self._new, new)
        gone = _types(self._old, old) - _types(self._new, new)
        if gone and _types(self._new, new):
            yield f"{where} does not take {', '.join(sorted(gone))} any more"
        if new.get("enum") is not None and (old.get("enum") is None or set(old["enum"]) - set(new["enum"])):
            yield f"{where} does not take all its values any more"
        if new.get("pattern") and new.get("pattern") != old.get("pattern"):
            yield f"{where} has another pattern"
        for limit, direction in _TIGHTER.items():
            if limit in new and (limit not in old or (old[limit] - new[limit]) * direction > 0):
                yield f"{where}: {limit} is tighter"
        for field in set(new.get("required", ())) - set(old.get("required", ())):
            yield f"{where}: the field {field} is needed now"
        for field, schema in old.get("properties", {}).items():
            if field not in new.get("properties", {}):
                yield f"{where}: the field {field} is gone"
            else:
                yield from self._asked(f"{where}.{field}", schema, new["properties"][field])
        if "items" in old and "items" in new:
            yield from self._asked(f"{where}[]", old["items"], new["items"])

    def _answered(self, where: str, old: Json, new: Json) -> Iterator[str]:
        """What a client is answered: all it relies on must still be there, of the same type."""
        visit = (where.split(":", 2)[0], str(old.get("$ref", "")), str(new.get("$ref", "")))
        if visit[1]:
            if visit in self._seen:
                return
            self._seen.add(visit)
        old, new = self._resolved(self._old, old), self._resolved(self._new, new)
        if _types(self._old, old) != _types(self._new, new):
            yield f"{where} is of another type"
            return
        for field, schema in old.get("properties", {}).items():
            if field not in new.get("properties", {}):
                yield f"{where}: the field {field} is gone"
                continue
            if field in old.get("required", ()) and field not in new.get("required", ()):
                yield f"{where}: the field {field} may be absent now"
            yield from self._answered(f"{where}.{field}", schema, new["properties"][field])
        if "items" in old and "items" in new:
            yield from self._answered(f"{where}[]", old["items"], new["items"])
        if isinstance(old.get("additionalProperties"), Mapping) and isinstance(
            new.get("additionalProperties"), Mapping
        ):
            yield from self._answered(f"{where}{{}}", old["additionalProperties"], new["additionalProperties"])
        yield from self._choices(where, old, new)

    def _choices(self, where: str, old: Json, new: Json) -> Iterator[str]:
        """`anyOf` of references: each shape that was promised is still one of them, and still has its fields."""
        others = {choice.get("$ref"): choice for choice in new.get("anyOf", ())}
        for choice in old.get("anyOf", ()):
            reference = choice.get("$ref")
            if reference and reference not in others:
                yield f"{where}: the shape {reference.rpartition('/')[2]} is gone"
            elif reference:
                yield from self._answered(where, choice, others[reference])

    @staticmethod
    def _resolved(document: Json, schema: Json) -> Json:
        return _resolved(document, schema)


def _resolved(document: Json, schema: Json) -> Json:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _types(document: Json, schema: Json) -> set[str]:
    """The JSON types a schema allows; none named: any."""
    schema = _resolved(document, schema)
    if "anyOf" in schema:
        return {kind for choice in schema["anyOf"] for kind in _types(document, choice)}
    kind = schema.get("type")
    return {kind} if isinstance(kind, str) else set(kind or ())


def _parameters(operation: Json) -> Parameters:
    return {(one["in"], one["name"]): one for one in operation.get("parameters", ())}


def _body(operation: Json) -> Json | None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return content.get("schema", {}) if content else None
