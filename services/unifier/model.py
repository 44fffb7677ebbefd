"""The documents of the unifier, as every store keeps them. Data only; what they mean is said where they are used.

All ids here are *scoped*: `<tenant>/<id>`. A document of one tenant can thus never be found with the id of another, and one
tenant's documents are one range of every index. Times are Unix milliseconds.
"""

from typing import Literal, NamedTuple

import msgspec

from onethread.event import By, Event

LinkState = Literal["auto", "together", "apart"]
LinkKind = Literal["strand", "identity"]


class _Document(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
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


class Matched(_Document, frozen=True, kw_only=True):
    """What a rule found: `message_id`, `thread`, `event`, `token`, `clock`; the entry it belongs to, if known."""

    type: str
    value: str = ""
    entry_id: str = ""


class Placement(_Document, frozen=True, kw_only=True):
    """Why an entry has the home it has. `key`: the key document that decided, if one did."""

    rule: str
    matched: Matched | None = None
    key: str = ""


class Moved(_Document, frozen=True, kw_only=True):
    """A person put the entry from strand `source` into another. The greatest `at` wins."""

    to: str
    at: int
    source: str = ""
    by: By = By()


class Joined(_Document, frozen=True, kw_only=True):
    """The strand's conversation is `root` from here on; it `was` another."""

    root: str
    was: str
    link_ids: tuple[str, ...] = ()


class EntriesMoved(_Document, frozen=True, kw_only=True):
    """The marker of a move, in both timelines. `messages`, `talks`: how many of the entries count as such."""

    entry_ids: tuple[str, ...]
    source: str
    to: str
    messages: int = 0
    talks: int = 0
    by: By = By()


class Entry(_Document, frozen=True, kw_only=True):
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


class Participant(_Document, frozen=True, kw_only=True):
    """Somebody in a strand."""

    identity: str
    role: Literal["customer", "us", "other"] = "other"


class Head(_Document, frozen=True, kw_only=True):
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


# --- identities and links ------------------------------------------------------------------------------------------


SAID_OF_PEOPLE = (
    *("name", "username", "kind", "locale", "timezone", "country", "organization", "avatar", "profile_url"),
)


class Profile(_Document, frozen=True, kw_only=True):
    """What a person's provider says of them. Of each field the latest word wins; what is empty says nothing.

    `at`: of the latest word; `times`: of each field's, 0 where it is not known.
    """

    at: int = 0
    name: str = ""
    username: str = ""
    kind: str = "person"
    locale: str = ""
    timezone: str = ""
    country: str = ""
    organization: str = ""
    avatar: str = ""
    profile_url: str = ""
    times: dict[str, int] = {}

    def said(self) -> dict[str, str]:
        """The fields that say something."""
        fields = ((name, getattr(self, name)) for name in SAID_OF_PEOPLE)
        return {name: value for name, value in fields if value and (name, value) != ("kind", "person")}

    def told_at(self) -> "Profile":
        """With the time of each field: all of it was said at once."""
        return msgspec.structs.replace(self, times=dict.fromkeys(self.said(), self.at))

    def with_later(self, other: "Profile") -> "Profile":
        """Both, field by field; of equal times the other's."""
        newer = {name: other.times.get(name, other.at) for name in other.said()}
        newer = {name: at for name, at in newer.items() if self.times.get(name, 0) <= at}
        values = {name: getattr(other, name) for name in newer}
        return msgspec.structs.replace(self, at=max(self.at, other.at), times={**self.times, **newer}, **values)


class Identity(_Document, frozen=True, kw_only=True):
    """One address of a person. `since` is set on insert; `customer` is the root identity, a projection of links.

    `evidence`: kinds of evidence seen for the address itself; its strength is their best.
    """

    id: str
    type: str
    scope: str
    value: str
    since: int
    customer: str
    evidence: tuple[str, ...] = ()
    profile: Profile = Profile()

    @property
    def age(self) -> tuple[int, str]:
        """Elder sorts first."""
        return (self.since, self.id)


class Evidence(_Document, frozen=True, kw_only=True):
    """One reason for a link. `counts` False: a suggestion for a person.

    `needs`: the two identities that must be one customer for it to count, or none. Equal `key`: the same reason again.
    """

    rule: str
    counts: bool = True
    needs: tuple[str, ...] = ()
    matched: str = ""
    entry_id: str = ""
    at: int = 0

    @property
    def key(self) -> str:
        """What makes two reasons the same: rule, pair, and whether it counts."""
        return "|".join((self.rule, "1" if self.counts else "0", *sorted(self.needs)))


class Link(_Document, frozen=True, kw_only=True):
    """A pair that belongs together, or that a person keeps apart. `ends` are sorted; the id is `<tenant>/lnk_…`.

    `rev` grows with every change but `settled`; `at`, `by`: of the person's opinion (0: nobody gave one).
    """

    id: str
    kind: LinkKind
    ends: tuple[str, str]
    state: LinkState = "auto"
    at: int = 0
    by: By = By()
    evidence: tuple[Evidence, ...] = ()
    settled: bool = False
    rev: int = 1


class LinkWish(NamedTuple):
    """A link to be there, with a reason. An existing link keeps its state; a new reason clears `settled`."""

    id: str
    kind: LinkKind
    ends: tuple[str, str]
    evidence: Evidence


class Opinion(NamedTuple):
    """A person's word on a pair. The greatest `at` wins, in any order of arrival; winning clears `settled`."""

    id: str
    kind: LinkKind
    ends: tuple[str, str]
    state: LinkState
    at: int
    by: By


# --- reading -------------------------------------------------------------------------------------------------------


class HeadFilter(_Document, frozen=True, kw_only=True):
    """Which heads a list shows; "" and None do not restrict. Times are of `last_at`, half open [from, until)."""

    channel_id: str = ""
    network: str = ""
    identities: tuple[str, ...] | None = None
    active_from: int | None = None
    active_until: int | None = None
