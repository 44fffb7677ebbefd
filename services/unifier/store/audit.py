"""What checking and mending ask of a conversation store, beside its port: scans in order of ids, and repairs. It knows no rule.

A scan reads a page in a constant number of round trips and changes nothing; `tenant` "" means all of them. Repairs are for a
store that no worker writes to meanwhile; each may be done twice.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from unifier.links import Identity, Link
from unifier.model import Entry, Head

Kind = Literal["entries", "claims", "heads", "identities", "links"]
"""`claims`: keys and clocks."""


class Place(NamedTuple):
    """Where an entry is: the order of a scan of entries."""

    strand: str = ""
    seq: int = 0


class Claim(NamedTuple):
    """A key or a clock, by the strands it names. `id`: of the document, and where a scan of them goes on."""

    id: str
    owner: str
    strands: tuple[str, ...]


class Audit(ABC):
    """Scans and repairs of one store, which must be open. All raise Retryable while the database cannot be reached."""

    @abstractmethod
    async def missing_indexes(self) -> list[str]:
        """Names of the indexes that are not there; the unique ones are promises, the others speed."""

    @abstractmethod
    async def entries_after(self, tenant: str, after: Place, limit: int) -> list[Entry]:
        """Entries in order of (strand, seq, id), places > `after`, without `event.source`."""

    @abstractmethod
    async def heads_after(self, tenant: str, after: str, limit: int) -> list[Head]:
        """Heads in order of their ids, ids > `after`."""

    @abstractmethod
    async def identities_after(self, tenant: str, after: str, limit: int) -> list[Identity]:
        """Identities in order of their ids."""

    @abstractmethod
    async def links_after(self, tenant: str, after: str, limit: int) -> list[Link]:
        """Links in order of their ids."""

    @abstractmethod
    async def claims_after(self, tenant: str, after: str, limit: int) -> list[Claim]:
        """Keys and clocks, in an order of the adapter's own; `after`: the id of the last one."""

    # --- repairs ---

    @abstractmethod
    async def set_epoch(self, epoch: int) -> None:
        """Raise the epoch to this (never lowers it)."""

    @abstractmethod
    async def put_heads(self, heads: Sequence[Head]) -> None:
        """Write heads as they are, whatever is stored: `published` too."""

    @abstractmethod
    async def renumber(self, seqs: Mapping[str, int]) -> None:
        """Entry id → its new seq, written one after the other in this order. No number may be taken at its turn."""

    @abstractmethod
    async def unsettle(self, links: Collection[str]) -> None:
        """Clear `settled` of links."""

    @abstractmethod
    async def drop(self, kind: Kind, ids: Collection[str]) -> None:
        """Delete documents that can be made anew from the log, or that can never be right."""


def bounds(tenant: str, after: str = "") -> tuple[str, str]:
    """The ids of a tenant (of all, for ""), after one of them: both ends exclusive."""
    # All ids of a tenant begin with its name + "/"; "0" is the next character.
    begin, end = (f"{tenant}/", f"{tenant}0") if tenant else ("", "\U0010ffff")
    return max(begin, after), end
