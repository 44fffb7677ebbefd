"""What each call to the store touches: two calls that touch nothing in common can be swapped, and no one sees the difference.

It knows the port's methods by name; a method it does not know touches everything.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from unifier.model import around

Spot = tuple[str, Any]
"""A kind of thing, and its id; None for any of its kind."""


class Footprint(NamedTuple):
    """What a call reads, and what it writes (and may read)."""

    reads: frozenset[Spot]
    writes: frozenset[Spot]

    def __or__(self, other: "Footprint") -> "Footprint":  # type: ignore[override]
        return Footprint(self.reads | other.reads, self.writes | other.writes)

    def disturbs(self, other: "Footprint") -> bool:
        """Whether it matters which of the two comes first."""
        return bool(
            _meet(self.writes, other.writes) or _meet(self.writes, other.reads) or _meet(self.reads, other.writes)
        )


NOTHING = Footprint(frozenset(), frozenset())


def _meet(some: frozenset[Spot], others: frozenset[Spot]) -> bool:
    if ("everything", None) in some or ("everything", None) in others:
        return bool(some and others)
    if some & others:
        return True
    anywhere = {kind for kind, one in some if one is None}, {kind for kind, one in others if one is None}
    return any(kind in anywhere[0] for kind, _ in others) or any(kind in anywhere[1] for kind, _ in some)


def _each(kind: str, ids: Iterable[Any]) -> list[Spot]:
    return [(kind, one) for one in ids]


def _pair(change: Any) -> list[Spot]:
    evidence = getattr(change, "evidence", None)
    needs = evidence.needs if evidence else ()
    return [("link", change.id), *_each("end", change.ends), *_each("need", needs)]


_READS: dict[str, Callable[..., list[Spot]]] = {
    "epoch": list,
    "entries": lambda ids: _each("entry", ids),
    "keys": lambda ids: _each("key", ids),
    "clocks": lambda ids: _each("clock", {bucket for one in ids for bucket in around(one)}),
    "revisions": lambda ids: _each("revision", ids),
    "identities": lambda ids: _each("person", ids),
    "customers": lambda roots: [("person", None)],
    "heads": lambda ids: _each("head", ids),
    "tails": lambda strands: [*_each("strand", strands), *_each("head", strands)],
    "run": lambda strand, *_: [("strand", strand)],
    "owned_keys": lambda *_: [("key", None)],
    "owned_clocks": lambda *_: [("clock", None)],
    "links": lambda ids: _each("link", ids),
    "links_at": lambda ends: _each("end", ends),
    "links_needing": lambda ids: _each("need", ids),
}
_WRITES: dict[str, Callable[..., list[Spot]]] = {
    "claim": lambda keys, clocks, people: [
        *_each("key", keys),
        *_each("clock", (claim.id for claim in clocks)),
        *_each("person", (one.id for one in people)),
    ],
    "insert": lambda entries: [spot for one in entries for spot in (("entry", one.id), ("strand", one.strand))],
    "fold": lambda heads: _each("head", (head.id for head, _ in heads)),
    "published": lambda through: _each("head", through),
    "move": lambda moves: _each("entry", moves),
    "move_keys": lambda keys, _: _each("key", keys),
    "revise": lambda ids: _each("revision", ids),
    "set_customers": lambda roots: _each("person", roots),
    "note_identities": lambda profiles, evidence: _each("person", (*profiles, *evidence)),
    "reveal": lambda people: _each("person", (one.id for one in people)),
    "wish": lambda wishes: [spot for one in wishes for spot in _pair(one)],
    "opine": lambda opinions: [spot for one in opinions for spot in _pair(one)],
    "settled": lambda revs: _each("link", revs),
    "append": lambda topic, drafts: _each("feed", (draft.key for draft in drafts)),
}


def footprint(call: str, arguments: tuple[Any, ...]) -> Footprint:
    """What a call touches."""
    if call in _READS:
        return Footprint(frozenset(_READS[call](*arguments)), frozenset())
    if call in _WRITES:
        return Footprint(frozenset(), frozenset(_WRITES[call](*arguments)))
    return Footprint(frozenset(), frozenset({("everything", None)}))
