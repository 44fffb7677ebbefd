"""Which of the messages it is given the rules T1 to T4 bring together, with no key, clock or link of a store. Pure.

Two messages are tied if they name the same thing: a thread, a message, a Message-ID of the same customer; or if the later is free
and came at most a window after the earlier of the same customer.
"""

from collections.abc import Iterator, Mapping

from unifier.policy import Grouping
from unifier.reading import Reading

Hours = tuple[str, int, Grouping]
"""Whose, of which window, and how its channels group."""


class Ties:
    """Takes messages one by one, and keeps what they name, not what they say."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._ids: list[str] = []
        self._named: dict[str, int] = {}
        self._strands: dict[str, int] = {}
        self._hours: dict[Hours, list[tuple[int, bool, int]]] = {}

    def __len__(self) -> int:
        return len(self._ids)

    def take(self, reading: Reading, strand: str, customers: Mapping[str, str]) -> None:
        """One message. `customers`: each identity's, as far as they are known."""
        number = len(self._ids)
        self._ids.append(reading.id)
        self._parent.append(number)
        self._strands.setdefault(strand, number)
        for name in names(reading, customers):
            self._tie(number, self._named.setdefault(name, number))
        clock = reading.clock
        if clock and (reading.free or clock.grouping == "episodes"):
            whose = (customers.get(clock.owner, clock.owner), clock.window, clock.grouping)
            self._hours.setdefault(whose, []).append((reading.at, reading.free, number))

    def tie(self, strand: str, other: str) -> None:
        """A person's word: all that is tied to the first of the one and to the first of the other is together."""
        if strand in self._strands and other in self._strands:
            self._tie(self._strands[strand], self._strands[other])

    def groups(self) -> list[list[str]]:
        """The messages that belong together, by id."""
        for (_, window, _), said in self._hours.items():
            for one, other in _near(said, window):
                self._tie(one, other)
        self._hours.clear()
        found: dict[int, list[str]] = {}
        for number, message in enumerate(self._ids):
            found.setdefault(self._root(number), []).append(message)
        return list(found.values())

    def _tie(self, one: int, other: int) -> None:
        self._parent[self._root(one)] = self._root(other)

    def _root(self, number: int) -> int:
        while self._parent[number] != number:
            self._parent[number] = self._parent[self._parent[number]]
            number = self._parent[number]
        return number


def names(reading: Reading, customers: Mapping[str, str]) -> Iterator[str]:
    """Everything a message names or is known by; what belongs to an identity is its customer's."""
    for key in {*(naming.key for naming in (*reading.named, *reading.known_as)), *reading.claims}:
        owner, kind, name = key.rsplit("/", 2)
        yield f"{customers.get(owner, owner)}/{kind}/{name}" if kind == "mid" else key


def _near(said: list[tuple[int, bool, int]], window: int) -> Iterator[tuple[int, int]]:
    """Pairs that connect whatever a free message follows within the window: each to the last free one before, and what came since."""
    since: list[tuple[int, int]] = []
    # Of the same time, the free ones last: each of them follows the others.
    for at, free, number in sorted(said, key=lambda one: (one[0], one[1])):
        if free:
            yield from ((number, earlier) for then, earlier in since if at - then <= window)
            since = []
        since.append((at, number))
