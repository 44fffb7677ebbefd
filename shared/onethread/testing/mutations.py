"""Damaged copies of a record, each with a label that says what was done. It knows JSON, and no provider."""

import random
from collections.abc import Iterator
from typing import Any

import msgspec

ALL_CUTS = 4096
"""Records up to this length are cut at every byte; longer ones at as many places, evenly spread."""

WRONG: dict[str, Any] = {
    "null": None,
    "true": True,
    "a negative number": -1,
    "a fraction": 0.5,
    "a huge number": 10**30,
    "a larger float": 1e300,
    "an empty text": "",
    "a text": "text",
    "a huge text": "a" * 100_000,
    "tags": "<" * 20_000,
    "a list": [],
    "a list of null": [None],
    "a list of objects": [{}],
    "an object": {},
    "a time": "9999-12-31T23:59:59-23:59",
}
"""What takes the place of each field."""

DEEP = b"[" * 3000 + b"]" * 3000


def truncations(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The beginning of the record, cut at every length."""
    step = max(len(data) // ALL_CUTS, 1)
    for length in range(0, len(data), step):
        yield f"cut to {length} bytes", data[:length]


def noise(data: bytes, seed: int, rounds: int = 100) -> Iterator[tuple[str, bytes]]:
    """Bytes at random, and the record with a few bytes changed. The same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 -- repeatable on purpose, no secret
    for turn in range(rounds):
        yield f"random bytes, round {turn}", dice.randbytes(dice.randrange(1, 200))
        changed = bytearray(data or b"\0")
        for _ in range(dice.randrange(1, 8)):
            changed[dice.randrange(len(changed))] = dice.randrange(256)
        yield f"changed bytes, round {turn}", bytes(changed)


def replaced(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Every field of a JSON record left out, or of a wrong kind; nothing for what is no JSON."""
    try:
        whole = msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError):
        return
    for path in _paths(whole):
        at = ".".join(map(str, path)) or "the record"
        if path:
            yield f"{at} is missing", msgspec.json.encode(_without(whole, path))
        for name, wrong in WRONG.items():
            yield f"{at} is {name}", msgspec.json.encode(_with(whole, path, wrong))
        marked = msgspec.json.encode(_with(whole, path, "\0deep"))
        yield f"{at} is deep", marked.replace(b'"\\u0000deep"', DEEP)


def _paths(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inner:
        yield from _paths(value, (*path, key))


def _with(node: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = node.copy()
    copy[path[0]] = _with(node[path[0]], path[1:], value)
    return copy


def _without(node: Any, path: tuple[Any, ...]) -> Any:
    copy = node.copy()
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = _without(node[path[0]], path[1:])
    return copy
