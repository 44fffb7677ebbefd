"""What the model is made of: messages, the documents of a store, workers. Immutable and hashable; it knows no step.

Strands and times are whole numbers: a strand is named after the message that founded it, elder first. Identities are letters.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

WINDOW = 10
"""Units of time after which a free message stands alone; the width of a bucket."""


class Msg(NamedTuple):
    """One record of the log: what somebody said, or a person's word.

    `keys`: Message-IDs that it bears and names; `parties`: who owns them; `names`: the message that it quotes (0: none).
    `pair`: an identity that it proves to be the sender's. `word`: a person says of two identities together or apart, `at`.
    """

    id: int
    own: str = ""
    at: int = 0
    free: bool = False
    keys: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    names: int = 0
    pair: str = ""
    word: tuple[str, str, str] = ("", "", "")

    @property
    def strand(self) -> int:
        """The strand that it would found."""
        return self.at * 100 + self.id

    @property
    def bucket(self) -> int:
        """Of its hour."""
        return self.at // WINDOW


class Link(NamedTuple):
    """`ends`: two strands, or two identities. `needs`: pairs that must be one customer, () for none, one per evidence."""

    ends: tuple[object, object]
    state: str = "auto"
    at: int = -1
    needs: frozenset[tuple[str, ...]] = frozenset()
    settled: bool = False
    rev: int = 1


class Store(NamedTuple):
    """All documents. `entries`: (strand, seq, message's id and copy, or ("joined", root)). `heads`: by strand (through,
    published, root, messages). `feed`: by strand the last number that a consumer of the changes has.
    """

    entries: frozenset[tuple[int, int, tuple[object, int]]] = frozenset()
    keys: frozenset[tuple[str, int]] = frozenset()
    clocks: frozenset[tuple[tuple[str, int], tuple[int, int, int]]] = frozenset()
    heads: frozenset[tuple[int, tuple[int, int, int, int]]] = frozenset()
    people: frozenset[tuple[str, str]] = frozenset()
    links: frozenset[Link] = frozenset()
    revisions: frozenset[tuple[str, int]] = frozenset()
    feed: frozenset[tuple[int, int]] = frozenset()
    wrong: str = ""


class Tail(NamedTuple):
    """A strand as a worker remembers it: its last entry, what it read of the head, up to where it was published, and
    whether the head was only taken for the end.
    """

    last: int
    through: int
    stored: int
    published: int
    guessed: bool = False


class Memory(NamedTuple):
    """What a worker keeps from message to message: heads, what clocks elected, and of people the others of their customer
    with the revision under which they were read. `repeats`: the last message was stored before.
    """

    heads: frozenset[tuple[int, tuple[int, int]]] = frozenset()
    homes: frozenset[tuple[tuple[str, int], int]] = frozenset()
    people: frozenset[tuple[str, tuple[tuple[str, ...], int]]] = frozenset()
    repeats: bool = False


class Looked(NamedTuple):
    """What the second look read: keys, clocks, the strand of the message that is named, revisions."""

    keys: frozenset[tuple[str, int]] = frozenset()
    clocks: frozenset[tuple[tuple[str, int], tuple[int, int, int]]] = frozenset()
    named: int | None = None
    revisions: tuple[tuple[str, int], ...] = ()


class Work(NamedTuple):
    """A worker, waiting for records or in the middle of a message. `pc`: the step that is next, as `<step>:<call>`."""

    pc: str = "idle"
    msg: int = 0
    part: int = 0
    memory: Memory = Memory()
    read: Looked = Looked()
    owner: str = ""
    strand: int = 0
    seq: int = 0
    stored: bool = False
    ballot: str = ""
    todo: tuple[object, ...] = ()
    others: tuple[tuple[str, tuple[str, ...]], ...] | None = None
    seeds: frozenset[object] = frozenset()
    nodes: frozenset[object] = frozenset()
    marks: tuple[Link, ...] = ()
    paired: tuple[Link, ...] = ()
    tails: frozenset[tuple[int, Tail]] = frozenset()
    then: tuple[tuple[str, frozenset[int]], ...] = ()
    relating: bool = False


# --- reading ----------------------------------------------------------------------------------------------------------


def where(store: Store, message: int) -> int | None:
    """The strand that a message is stored in."""
    return next((strand for strand, _, what in store.entries if what == (message, 0)), None)


def end(store: Store, strand: int) -> int:
    """The last number of a strand."""
    return max((seq for one, seq, _ in store.entries if one == strand), default=0)


def root_at(store: Store, strand: int, last: int) -> int:
    """What the entries up to a number say of the strand's conversation."""
    joins = [
        (seq, what[1]) for one, seq, what in store.entries if one == strand and seq <= last and what[0] == "joined"
    ]
    return max(joins)[1] if joins else strand


def messages_at(store: Store, strand: int, last: int) -> int:
    """How many messages are among the entries up to a number."""
    return sum(one == strand and seq <= last and what[0] != "joined" for one, seq, what in store.entries)


def link_of(store: Store, one: object, other: object) -> Link | None:
    """The link of a pair."""
    ends = pair(one, other)
    return next((link for link in store.links if link.ends == ends), None)


def pair(one: object, other: object) -> tuple[object, object]:
    """In order."""
    return (one, other) if one < other else (other, one)  # type: ignore[operator]


def put(pairs: frozenset, key: object, value: object) -> frozenset:
    """A mapping with one value more."""
    return frozenset((*(each for each in pairs if each[0] != key), (key, value)))


def relinked(store: Store, link: Link) -> Store:
    """With a link, new or changed."""
    return store._replace(links=frozenset((*(one for one in store.links if one.ends != link.ends), link)))


# --- what is one ------------------------------------------------------------------------------------------------------


def roots(nodes: Iterable, links: Iterable[Link], customer: Mapping[str, str], *, by_request: bool = False) -> dict:
    """Each node's root: the union of links that count, in order; one that would unite what is set apart is skipped."""
    parent = {node: node for node in nodes}

    def root(node: object) -> object:
        while parent[node] != node:
            node = parent[node]
        return node

    ordered = sorted(links, key=lambda link: repr(link.ends))
    apart = [link.ends for link in ordered if link.state == "apart"]
    for link in ordered:
        one, other = root(link.ends[0]), root(link.ends[1])
        if one == other or not counts(link, customer) or any({root(a), root(b)} == {one, other} for a, b in apart):
            continue
        elder, younger = pair(one, other)
        if by_request:  # whoever was named later leads
            elder, younger = younger, elder
        parent[younger] = elder
    return {node: root(node) for node in parent}


def counts(link: Link, customer: Mapping[str, str]) -> bool:
    """A person's word, or evidence whose pair, if it needs one, is one customer."""
    if link.state != "auto":
        return link.state == "together"
    return any(
        not needs or customer.get(needs[0], needs[0]) == customer.get(needs[1], needs[1]) for needs in link.needs
    )
