"""One record through one connector's pure code, and what can come of it. It knows no process, no budget and no log."""

import traceback
from typing import Any

import msgspec

from onethread.connector import Connector, Excerpts, Raw
from onethread.errors import Poison
from onethread.event import Event


class Found(msgspec.Struct, frozen=True, tag=True):
    """The events of the record."""

    events: tuple[Event, ...]


class Refused(msgspec.Struct, frozen=True, tag=True):
    """The connector does not understand the record ("normalize"), or its events cannot be written ("encode")."""

    stage: str
    detail: str


class Raised(msgspec.Struct, frozen=True, tag=True):
    """The connector raised what it should not. `kind`: the exception's class; `at`: where, without any value."""

    kind: str
    at: tuple[str, ...] = ()

    @property
    def cause(self) -> str:
        """The word to count it by."""
        return "bug"


class Over(msgspec.Struct, frozen=True, tag=True):
    """The record went over its budget. `cause`: "time", "memory", or "crash" where the interpreter itself died of it."""

    cause: str


Outcome = Found | Refused | Raised | Over


def normalized(connector: Connector[Any], raw: Raw, because: str) -> Outcome:
    """What `normalize` makes of the record; or `excerpt`, where `because` says why `normalize` cannot."""
    try:
        if because and isinstance(connector, Excerpts):
            return Found(tuple(connector.excerpt(raw, because)))
        return Found(tuple(connector.normalize(raw)))
    except MemoryError:
        return Over("memory")
    except (Poison, msgspec.MsgspecError, UnicodeError) as error:
        return Refused("normalize", str(error))
    except Exception as error:  # noqa: BLE001 -- whatever a record does to a connector's code stays with that record
        frames = traceback.extract_tb(error.__traceback__)[-8:]
        # As the log shows them, and no text: an exception may quote the message.
        at = tuple(f"{frame.filename.rpartition('/')[2]}:{frame.lineno} {frame.name}" for frame in frames)
        return Raised(type(error).__name__, at)
