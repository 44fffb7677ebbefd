"""Entries, heads and clocks, as every store keeps them; identities and links are in `unifier.links`. What they mean is said where they are used.

All ids here are *scoped*: `<tenant>/<id>`. A document of one tenant can thus never be found with the id of another, and one
tenant's documents are one range of every index. Times are Unix milliseconds.
"""

from typing import Literal, NamedTuple

import msgspec

from onethread.event import By, Event


class Document(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Base: immutable, defaults not written."""


def scoped(tenant: str, plain: str) -> str:
    """The id within its tenant."""
    return f"{tenant}/{plain}"


def tenant_of(scoped_id: str) -> str:
    """The tenant of a scoped id."""
    return scoped_id.split("/", 1)[0]


def plain(scoped_id: str) -> str:
    """The id as the API shows it."""
    return scoped_id.split("/", 1)[1]


# --- entries -------------------------------------------------------------------------------------------------------


class Matched(Document, frozen=True, kw_only=True):
    """What a rule found: `message_id`, `thread`, `event`, `token`, `clock`; the entry it belongs to, if known."""

    type: str
    value: str = ""
    entry_id: str = ""


class Placement(Document, frozen=True, kw_only=True):
    """Why an entry has the home it has. `key`: the key document that decided, if one did."""

    rule: str
    matched: Matched | None = None
    key: str = ""


class Moved(Document, frozen=True, kw_only=True):
    """A person put the entry from strand `source` into another. The greatest `at` wins."""

    to: str
    at: int
    source: str = ""
    by: By = By()


class Joined(Document, frozen=True, kw_only=True):
    """The strand's conversation is `root` from here on; it `was` another."""

    root: str
    was: str
    link_ids: tuple[str, ...] = ()


class EntriesMoved(Document, frozen=True, kw_only=True):
    """The marker of a move, in both timelines. `messages`, `talks`: how many of the entries count as such."""

    entry_ids: tuple[str, ...]
    source: str
    to: str
    messages: int = 0
    talks: int = 0
    by: By = By()


class Entry(Document, frozen=True, kw_only=True):
    """One line of a timeline. `(strand, seq)` never changes. One of `event`, `joined`, `moved_entries` is set.

    `id`: scoped event id. `at`: received_at, by which people read. `target`: scoped event id of the message it is about.
    `sender`, `recipients`: scoped identity ids; `own`: the customer's side, "" if there is none.
    """

    id: str
    strand: str
    seq: int
    kind: str
    at: int
    stored_at: int = 0
    target: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    own: str = ""
    placement: Placement = Placement(rule="opened")
    moved: Moved | None = None
    event: Event | None = None
    joined: Joined | None = None
    moved_entries: EntriesMoved | None = None

    @property
    def home(self) -> str:
        """The strand it is read in: where a person put it, else where it was inserted."""
        return self.moved.to if self.moved else self.strand


class Outcome(NamedTuple):
    """What became of one insert: `inserted`, `id_taken`, `seq_taken`, or `not_tried` behind a conflict of its strand."""

    id: str
    result: Literal["inserted", "id_taken", "seq_taken", "not_tried"]


# --- keys and clocks -----------------------------------------------------------------------------------------------


class ClockId(NamedTuple):
    """One bucket of one owner's hours: times t with t // window == bucket. `owner`: scoped identity id; window in ms.

    `grouping`: channels of different grouping policies keep hours of their own, since the same times mean different things.
    """

    owner: str
    window: int
    bucket: int
    grouping: Literal["episodes", "threads"] = "episodes"


def around(clock: ClockId) -> tuple[ClockId, ClockId, ClockId]:
    """The buckets whose messages may be within the window of one in this bucket."""
    owner, window, bucket, grouping = clock
    return (ClockId(owner, window, bucket - 1, grouping), clock, ClockId(owner, window, bucket + 1, grouping))


class Span(msgspec.Struct, frozen=True):
    """From the earliest to the latest time seen."""

    lo: int
    hi: int


class Clock(msgspec.Struct, frozen=True, omit_defaults=True):
    """`strand`, `free`: where the free messages of the bucket go, and their times (None: none came yet).

    `seen`: times of messages that were not free, by their strand.
    """

    strand: str | None = None
    free: Span | None = None
    seen: dict[str, Span] = {}


class ClockClaim(NamedTuple):
    """A message at `at` on a clock. `free`: it elects `strand` if nobody has, and widens `free`; else it widens `seen[strand]`."""

    id: ClockId
    strand: str
    at: int
    free: bool


# --- heads ---------------------------------------------------------------------------------------------------------


class Participant(Document, frozen=True, kw_only=True):
    """Somebody in a strand."""

    identity: str
    role: Literal["customer", "us", "other"] = "other"


class Head(Document, frozen=True, kw_only=True):
    """The summary of one strand: a fold of its entries up to and including seq `through`.

    `root`: the strand whose id is the conversation's. `identity`: the founder's own identity. `published`: last seq known to
    be published; may be too low, never too high. Times 0: no talk yet. `answered_at`: of our newest message.
    `talk_count`: messages, and what else makes it a conversation that people are to see: a missed call, a form.
    """

    id: str
    root: str
    identity: str = ""
    through: int = 0
    published: int = 0
    created_at: int = 0
    last_at: int = 0
    waiting_since: int = 0
    answered_at: int = 0
    message_count: int = 0
    talk_count: int = 0
    subject: str = ""
    status: str = "open"
    networks: tuple[str, ...] = ()
    channel_ids: tuple[str, ...] = ()
    place_kinds: tuple[str, ...] = ()
    participants: tuple[Participant, ...] = ()


class Tail(NamedTuple):
    """A strand's head as stored (None: never folded) and all entries after its `through`, in order, without `source`."""

    head: Head | None
    entries: list[Entry]


# --- reading -------------------------------------------------------------------------------------------------------


class HeadFilter(Document, frozen=True, kw_only=True):
    """Which heads a list shows; "" and None do not restrict. Times are of `last_at`, half open [from, until)."""

    channel_id: str = ""
    network: str = ""
    identities: tuple[str, ...] | None = None
    active_from: int | None = None
    active_until: int | None = None
