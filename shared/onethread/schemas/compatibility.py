"""Whether a new JSON Schema still means what an old one meant. It knows schemas, not what they are of.

What was valid stays valid and keeps its meaning, since the log keeps records for ever and other programs read them. Adding
is fine: a field that may be absent, a kind, a value. Readers are upgraded before writers, as they refuse a value of an
enumeration that they do not know. Within version 1 an incompatible change does not get through at all: what must change
gets a new name beside the old one.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]

_ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "$comment", "title", "description", "examples", "discriminator"})
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_HANDLED = frozenset(
    {"$ref", "anyOf", "oneOf", "enum", "const", "type", "properties", "required", "items", "additionalProperties"}
    | {"default", "not", *_LOWER, *_UPPER}
)
_NOTHING = object()


def incompatible(old: Schema, new: Schema) -> list[str]:
    """What breaks readers or records of `old` under `new`, a sentence each; empty if nothing does."""
    return list(_Comparison(old, new).between(old, new, ""))


class _Comparison:
    """One run over two documents.

    `_seen`: pairs of parts looked at, as schemas may refer to themselves; held, so that no other part takes the id of one.
    """

    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new
        self._seen: dict[tuple[int, int], tuple[Schema, Schema]] = {}

    def between(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        """Problems of one place in both documents."""
        if "default" in old and old["default"] != new.get("default", _NOTHING):
            yield f"{where}: what an absent value means has changed"
        news = list(_alternatives(new, self._new))
        for one in _alternatives(old, self._old):
            yield from self._accepted(one, news, where)

    def _accepted(self, one: Schema, news: list[Schema], where: str) -> Iterator[str]:
        tag = _tag(one)
        if tag is not None:
            same = [other for other in news if _tag(other) == tag]
            if same:
                yield from self._alternative(one, same[0], f"{where}({tag})")
            else:
                yield f"{where}: kind {tag} is gone"
            return
        takes = ("integer", "number", None) if _type(one) == "integer" else (_type(one), None)
        fitting = [other for other in news if _tag(other) is None and _type(other) in takes]
        if fitting:
            yield from self._nearest(one, fitting, where)
        else:
            yield f"{where}: {_type(one) or 'anything'} is no longer taken"

    def _nearest(self, one: Schema, fitting: list[Schema], where: str) -> Iterator[str]:
        """The problems with the alternative that has the fewest; only what was seen with that one counts as seen."""
        attempts = []
        before = self._seen
        for other in fitting:
            self._seen = dict(before)
            attempts.append((list(self._alternative(one, other, where)), self._seen))
        problems, self._seen = min(attempts, key=lambda attempt: len(attempt[0]))
        yield from problems

    def _alternative(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        if (id(old), id(new)) in self._seen:
            return
        self._seen[id(old), id(new)] = (old, new)
        for look in (_values, _bounds, _exclusions, _others):
            yield from look(old, new, where)
        yield from self._object(old, new, where)
        yield from self._open(old.get("items", True), new.get("items", True), f"{where}[]")
        more = "additionalProperties"
        yield from self._open(old.get(more, True), new.get(more, True), f"{where}.*")

    def _object(self, old: Schema, new: Schema, where: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        needed = set(old.get("required", ()))
        for name in new.get("required", ()):
            if name not in needed:
                yield f"{where}.{name}: is required now"
        for name, schema in before.items():
            if name not in after:
                yield f"{where}.{name}: is gone"
            else:
                yield from self.between(schema, after[name], f"{where}.{name}")

    def _open(self, old: Any, new: Any, where: str) -> Iterator[str]:
        """`items` and `additionalProperties`: a schema, or True for anything, False for nothing."""
        if old is False or new is True:
            return
        if new is False:
            yield f"{where}: nothing more is taken"
        else:
            yield from self.between({} if old is True else old, new, where)


def _alternatives(schema: Schema, document: Schema) -> Iterator[Schema]:
    """The schema as what it takes, one by one: references followed, anyOf, oneOf and lists of types taken apart."""
    while "$ref" in schema:
        found: Any = document
        for step in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    union = schema.get("anyOf", schema.get("oneOf"))
    if union is not None:
        parts = [each for part in union for each in _alternatives(part, document)]
        tags = {_tag(part) for part in parts}
        yield from (_without(part, tags) for part in parts)
    elif isinstance(schema.get("type"), list):
        yield from ({**schema, "type": kind} for kind in schema["type"])
    else:
        yield schema


def _without(part: Schema, tags: set[Any]) -> Schema:
    """Of "every kind but those", those that are kinds beside it: they speak for themselves, and more may come."""
    for name, value in part.get("properties", {}).items():
        excluded = value.get("not", {}).get("enum", [])
        if _tag(part) is None and set(excluded) & tags:
            rest = {key: each for key, each in value.items() if key != "not"}
            if left := [each for each in excluded if each not in tags]:
                rest["not"] = {"enum": left}
            return {**part, "properties": {**part["properties"], name: rest}}
    return part


def _tag(schema: Schema) -> Any:
    """The value of the one property that tells this object from its alternatives, None where there is none."""
    for part in schema.get("properties", {}).values():
        values = _enumerated(part)
        if values is not None and len(values) == 1 and "default" not in part:
            return values[0]
    return None


def _enumerated(schema: Schema) -> list[Any] | None:
    values: list[Any] | None = [schema["const"]] if "const" in schema else schema.get("enum")
    return values


_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}


def _type(schema: Schema) -> str | None:
    """The JSON type taken; None: any."""
    values = _enumerated(schema)
    return _NAMES.get(type(values[0])) if values else schema.get("type")


def _values(old: Schema, new: Schema, where: str) -> Iterator[str]:
    before, after = _enumerated(old), _enumerated(new)
    if after is None:
        return
    if before is None:
        yield f"{where}: only some values are taken now"
        return
    for value in before:
        if value not in after:
            yield f"{where}: the value {value!r} is gone"


def _bounds(old: Schema, new: Schema, where: str) -> Iterator[str]:
    for name in _LOWER:
        if name in new and (name not in old or new[name] > old[name]):
            yield f"{where}: {name} is {new[name]} now"
    for name in _UPPER:
        if name in new and (name not in old or new[name] < old[name]):
            yield f"{where}: {name} is {new[name]} now"


def _exclusions(old: Schema, new: Schema, where: str) -> Iterator[str]:
    if "not" in new and new["not"] != old.get("not"):
        yield f"{where}: more is excluded now"


def _others(old: Schema, new: Schema, where: str) -> Iterator[str]:
    """Every other keyword (format, pattern, contentEncoding, …): whether a change narrows cannot be known, so none passes."""
    for name in sorted({*old, *new} - _HANDLED - _ANNOTATIONS):
        if name in new and old.get(name, _NOTHING) != new[name]:
            yield f"{where}: {name} is {new[name]!r} now"
        elif name not in new and name == "contentEncoding":
            yield f"{where}: is no longer {old[name]}"
