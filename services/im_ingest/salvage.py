"""A record of which one part is of a strange shape, without that part: a message is not lost for a field. It knows no provider."""

from typing import NamedTuple, TypeVar

import msgspec

T = TypeVar("T")
Json = dict[str, msgspec.Raw]

DEEPEST = 4
"""Levels that are opened, for each is read anew."""
MOST = 1000
"""Elements of a damaged list that are tried."""
NAMES = 10
"""Unread fields that people are told of."""


class Salvaged(NamedTuple):
    """What could be read, and the names of fields that could not."""

    data: bytes
    unread: tuple[str, ...]


def decoded(data: bytes, kind: type[T]) -> tuple[T, str]:
    """A record, and what is wrong with it, for people; "" if nothing is. Raises msgspec's errors where even its rest is none.

    `kind`: a struct. A list keeps the elements that can be read; a field that cannot be read is as if it were not there.
    """
    try:
        return msgspec.json.decode(data, type=kind), ""
    except msgspec.ValidationError:
        found = _readable(data, kind, DEEPEST)
        return msgspec.json.decode(found.data, type=kind), f"cannot read {', '.join(found.unread[:NAMES])}"


def _readable(data: bytes, kind: type, depth: int) -> Salvaged:
    kept: Json = {}
    unread: list[str] = []
    nested = {field.encode_name: _struct(field.type) for field in msgspec.structs.fields(kind)}
    for name, value in msgspec.json.decode(data, type=Json).items():
        if _fits(name, value, kind):
            kept[name] = value
            continue
        part, names = _rest(name, value, kind, nested.get(name) if depth else None, depth)
        unread += names
        if part is not None and _fits(name, part, kind):
            kept[name] = part
    return Salvaged(msgspec.json.encode(kept), tuple(unread))


def _rest(
    name: str, value: msgspec.Raw, kind: type, inner: type | None, depth: int
) -> tuple[msgspec.Raw | None, tuple[str, ...]]:
    """What can be read of a strange field, and what of it cannot."""
    part = _elements(name, value, kind)
    if part is None and inner is not None:
        try:
            found = _readable(bytes(value), inner, depth - 1)
        except msgspec.ValidationError:
            return None, (name,)
        return msgspec.Raw(found.data), tuple(f"{name}.{each}" for each in found.unread) or (name,)
    return part, (name,)


def _fits(name: str, value: msgspec.Raw, kind: type) -> bool:
    """Whether one field is of its type: by decoding it alone, where only the others can be missing."""
    try:
        msgspec.json.decode(msgspec.json.encode({name: value}), type=kind)
    except msgspec.ValidationError as error:
        return "missing required field" in str(error) and str(error).count("`$.") == 0
    return True


def _elements(name: str, value: msgspec.Raw, kind: type) -> msgspec.Raw | None:
    """Those elements of a list that fit."""
    try:
        elements = msgspec.json.decode(value, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        return None
    fitting = [each for each in elements[:MOST] if _fits(name, msgspec.Raw(msgspec.json.encode([each])), kind)]
    return msgspec.Raw(msgspec.json.encode(fitting))


def _struct(annotated: object) -> type | None:
    """The struct of a field that holds one, or None."""
    candidates = getattr(annotated, "__args__", ()) or (annotated,)
    return next((each for each in candidates if isinstance(each, type) and issubclass(each, msgspec.Struct)), None)
