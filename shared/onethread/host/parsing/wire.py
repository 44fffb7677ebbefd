"""What host and parser process say to each other over a socket. It knows both sides' messages, and does neither's work.

A message is its length in four bytes (big endian) and that much MessagePack. The bytes of a record follow its job as they
are, so that neither side holds them twice.
"""

import pickle
from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import BaseModel, SecretStr

from onethread.connector import Connector, Raw
from onethread.host.parsing.normalizing import Found, Over, Raised, Refused

HEAD = 4
_PLACEHOLDER = SecretStr("other")


class Recipe(msgspec.Struct, frozen=True):
    """How to make a connector again: its class, and its settings without their secrets."""

    pickled: bytes


class Job(msgspec.Struct, frozen=True):
    """One record of `size` bytes. `recipe`: at the first job of a connector; `because`: an excerpt is asked for, and why."""

    connector: int
    raw: Raw
    size: int
    because: str = ""
    recipe: Recipe | None = None


class Ready(msgspec.Struct, frozen=True, tag=True):
    """The process has started, and its limits are set."""


class Unmade(msgspec.Struct, frozen=True, tag=True):
    """The connector could not be made in the parser process."""

    kind: str


Answer = Found | Refused | Raised | Over | Ready | Unmade

jobs = msgspec.msgpack.Decoder(Job)
answers = msgspec.msgpack.Decoder(Answer)
encoder = msgspec.msgpack.Encoder()


def framed(message: object) -> bytes:
    """A message with its length. Raises what msgspec raises for what cannot be written."""
    content = encoder.encode(message)
    return len(content).to_bytes(HEAD, "big") + content


def recipe(connector: Connector[Any]) -> Recipe:
    """The recipe of a connector. Its class must be one that can be imported."""
    return Recipe(pickle.dumps((type(connector), _without_secrets(connector.settings))))


def made(given: Recipe) -> Connector[Any]:
    """The connector of a recipe. Raises whatever its own code raises."""
    kind, settings = pickle.loads(given.pickled)  # noqa: S301 -- written by `recipe`, in the process that started this one
    connector: Connector[Any] = kind(settings)
    return connector


def _without_secrets(value: Any) -> Any:
    """The settings with a placeholder for each secret: `normalize` reads none, and what is not there cannot be stolen."""
    match value:
        case SecretStr():
            return _PLACEHOLDER
        case BaseModel():
            fields = {name: _without_secrets(getattr(value, name)) for name in type(value).model_fields}
            return value.model_copy(update=fields)
        case Mapping():
            return {name: _without_secrets(one) for name, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return type(value)(_without_secrets(one) for one in value)
        case _:
            return value
