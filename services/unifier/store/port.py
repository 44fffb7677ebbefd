"""What the unifier and the API ask of a conversation store. It knows no database and no rule of threading.

Every method is one round trip (or a small constant number) whatever the size of its argument. Writes are durable (majority,
journal) when they return; reads see every write that returned before. No method needs a transaction over two documents:
whatever is cut short between two of them is mended by doing the whole again.

All methods raise Retryable while the database cannot be reached, naming the setting. Ids are scoped (`unifier.model`).
"""

import zlib
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from onethread.opening import Opening
from unifier.links import Identity, Link, LinkWish, Opinion, Profile
from unifier.model import Clock, ClockClaim, ClockId, Entry, Head, HeadFilter, Moved, Outcome, Tail
from unifier.store.audit import Audit


class Position(NamedTuple):
    """Where a page ended: a time and an id, both in the order of the list."""

    at: int
    id: str


SLOTS = 256
"""Revisions of one tenant: identities share them, so that all are read at once however many there are."""


def slot_of(identity: str) -> int:
    """Which of its tenant's revisions is an identity's; for ever the same."""
    return zlib.crc32(identity.encode()) % SLOTS


class Found(NamedTuple):
    """What one look found: entries by id, key id → strand, clocks, identity → revision; and the epoch."""

    entries: dict[str, Entry]
    keys: dict[str, str]
    clocks: dict[ClockId, Clock]
    revisions: dict[str, int]
    epoch: int


class ConversationStore(Opening):
    """Entries, keys, clocks, heads, identities, links. Open it with `async with`."""

    # --- lifecycle ---

    @abstractmethod
    async def create_indexes(self) -> list[str]:
        """Create what is missing; one line per change. Repeatable, safe beside running workers."""

    @abstractmethod
    async def epoch(self) -> int:
        """1, and one more for every restore."""

    @property
    @abstractmethod
    def audit(self) -> Audit:
        """Scans and repairs, for who checks or mends a store."""

    # --- looking ---

    @abstractmethod
    async def entries(self, ids: Collection[str]) -> dict[str, Entry]:
        """Entries by id, without `event.source`; ids that are not stored are absent."""

    @abstractmethod
    async def keys(self, ids: Collection[str]) -> dict[str, str]:
        """Key id → strand; unclaimed ones are absent."""

    @abstractmethod
    async def clocks(self, ids: Collection[ClockId]) -> dict[ClockId, Clock]:
        """The clocks that exist, of these buckets and of the one before and the one after each."""

    @abstractmethod
    async def revisions(self, ids: Collection[str]) -> dict[str, int]:
        """A number for each of these identities, stored or not: it has grown if `revise` named the identity since.

        Identities share numbers, so it may grow without that.
        """

    @abstractmethod
    async def look(
        self, entries: Collection[str], keys: Collection[str], clocks: Collection[ClockId], people: Collection[str]
    ) -> Found:
        """`entries`, `keys`, `clocks` and `revisions` at once, in any order or at one moment; `epoch` if people are named, else 0."""

    @abstractmethod
    async def identities(self, ids: Collection[str]) -> dict[str, Identity]:
        """Identities by id."""

    @abstractmethod
    async def customers(self, roots: Collection[str]) -> dict[str, list[Identity]]:
        """All identities whose `customer` is one of these, by customer."""

    @abstractmethod
    async def tails(self, strands: Collection[str]) -> dict[str, Tail]:
        """Head and unfolded entries of each strand asked for (an unknown strand has no head and no entries)."""

    @abstractmethod
    async def run(self, strand: str, after: int, limit: int) -> list[Entry]:
        """Entries of one strand with seq > `after`, in order, without `event.source`."""

    @abstractmethod
    async def owned_keys(self, owner: str, after: str = "", limit: int = 500) -> list[tuple[str, str]]:
        """(key id, strand) of one owner (`<tenant>/<id>`), in id order, ids > `after`. Key ids begin with owner + "/"."""

    @abstractmethod
    async def owned_clocks(
        self, owner: str, after: ClockId | None = None, limit: int = 500
    ) -> list[tuple[ClockId, Clock]]:
        """The clocks of one owner, in order of (window, bucket)."""

    # --- writing ---

    @abstractmethod
    async def claim(
        self, keys: Mapping[str, str], clocks: Sequence[ClockClaim], identities: Sequence[Identity]
    ) -> None:
        """Upsert, in any order.

        A key's or clock's strand is set only if it has none; spans widen; identities are inserted if absent.
        """

    @abstractmethod
    async def insert(self, entries: Sequence[Entry]) -> list[Outcome]:
        """Insert, in seq order within each strand; entries of a strand after its first conflict are not tried.

        (strand, seq) and id are unique. No crash leaves a strand with a hole, provided the numbers follow the last stored.
        """

    @abstractmethod
    async def fold(self, heads: Sequence[tuple[Head, int]]) -> set[str]:
        """Write each head if the stored one's `through` is the number given (0: or there is none); returns ids written.

        `published` of a stored head is raised to the new one's, never lowered.
        """

    @abstractmethod
    async def published(self, through: Mapping[str, int]) -> None:
        """Raise each head's `published` to a seq (never lowers it)."""

    @abstractmethod
    async def move(self, moves: Mapping[str, Moved]) -> None:
        """Set `moved` on entries, where its `at` is greater than the stored one's."""

    @abstractmethod
    async def move_keys(self, keys: Mapping[str, str], at: int) -> None:
        """Let claimed keys name other strands, where no move of the same or a later `at` did; unclaimed ones stay so."""

    @abstractmethod
    async def set_customers(self, customers: Mapping[str, str]) -> None:
        """Identity id → its root."""

    @abstractmethod
    async def revise(self, ids: Collection[str]) -> None:
        """Let the revisions of these identities grow: what was read of them before is not to be trusted any more."""

    @abstractmethod
    async def note_identities(self, profiles: Mapping[str, Profile], evidence: Mapping[str, Collection[str]]) -> None:
        """Merge profiles (`Profile.with_later`); add kinds of evidence. In any order; unknown ids are left out."""

    @abstractmethod
    async def reveal(self, identities: Sequence[Identity]) -> None:
        """Set type, scope and value of stored identities whose type is still `idn`; change nothing else, insert nothing."""

    # --- links ---

    @abstractmethod
    async def links(self, ids: Collection[str]) -> dict[str, Link]:
        """Links by id."""

    @abstractmethod
    async def links_at(self, ends: Collection[str]) -> list[Link]:
        """All links, of any state, with one of these ends."""

    @abstractmethod
    async def links_needing(self, identities: Collection[str]) -> list[Link]:
        """All links with evidence whose `needs` names one of these."""

    @abstractmethod
    async def wish(self, wishes: Sequence[LinkWish]) -> None:
        """Upsert; evidence of an equal `key` is not added again; what is added clears `settled` and raises `rev`."""

    @abstractmethod
    async def opine(self, opinions: Sequence[Opinion]) -> None:
        """Upsert the links and set state, at, by where `at` is greater than the stored one's; raises `rev`, clears `settled`.

        An equal `at` changes nothing.
        """

    @abstractmethod
    async def settled(self, revs: Mapping[str, int]) -> None:
        """Mark links settled, each only if its `rev` is still the one given."""

    # --- reading for the API ---

    @abstractmethod
    async def heads(self, ids: Collection[str]) -> dict[str, Head]:
        """Heads by id."""

    @abstractmethod
    async def strands_of(self, roots: Collection[str]) -> list[Head]:
        """All heads with one of these roots."""

    @abstractmethod
    async def list_heads(
        self,
        tenant: str,
        order: Literal["active", "created"],
        after: Position | None,
        limit: int,
        only: HeadFilter,
    ) -> list[Head]:
        """Heads with a `talk_count` above 0: newest (last_at, id) first, or eldest id first (`Position.at` is 0 then)."""

    @abstractmethod
    async def timeline(
        self, strands: Collection[str], before: Position | None, limit: int, kinds: Collection[str] | None
    ) -> list[Entry]:
        """Entries read in these strands (moved ones where they were moved to), newest (at, id) first, without source."""

    @abstractmethod
    async def runs(self, after: Mapping[str, int], limit: int, kinds: Collection[str] | None) -> list[Entry]:
        """Entries of several strands, each after its seq, ordered by (strand, seq), without source."""

    @abstractmethod
    async def about(self, targets: Collection[str]) -> list[Entry]:
        """Entries whose `target` is one of these."""

    @abstractmethod
    async def about_since(self, targets: Collection[str], at: int, limit: int) -> list[Entry]:
        """Those of `about` from a time on (ms, it included), eldest (at, id) first."""

    @abstractmethod
    async def whole(self, entry_id: str) -> Entry | None:
        """One entry with its `event.source`."""
