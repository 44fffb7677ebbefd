"""What one worker remembers from batch to batch, so that it need not ask again. It knows no store, and decides nothing.

Nothing rests on it. A look may be as old as it likes, since it only proposes: an entry's number is checked when it is inserted,
the strand that a clock elected never changes, and of people the store says after every claim whether what was read of them
still holds. So it may be lost at any moment, and is thrown away after every error.
"""

from collections.abc import Hashable
from typing import Generic, NamedTuple, TypeVar

from unifier.links import Identity
from unifier.model import ClockId, Head

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

SIZE = 20_000
"""Customers of whom a worker remembers something: some 50 MB."""


class Recent(Generic[K, V]):
    """A map that forgets what was not used for longest."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: dict[K, V] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._values

    def get(self, key: K) -> V | None:
        """The value, which counts as used; None where there is none."""
        value = self._values.pop(key, None)
        if value is not None:
            self._values[key] = value
        return value

    def put(self, key: K, value: V) -> None:
        """Remember; beyond the size the oldest is forgotten."""
        self._values.pop(key, None)
        self._values[key] = value
        if len(self._values) > self._size:
            del self._values[next(iter(self._values))]

    def drop(self, key: K) -> None:
        """Forget one."""
        self._values.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._values.clear()


class Known(NamedTuple):
    """A stored identity, and the others of its customer, as they were read when its revision was this one or a later one."""

    identity: Identity
    others: tuple[str, ...]
    revision: int


class Memory:
    """`heads` as they were last written; `homes`: the strands that clocks elected; `people` by identity.

    `repeats`: the last batch had messages that were stored before, so that the next may have some too.
    """

    def __init__(self, size: int = SIZE) -> None:
        self.heads: Recent[str, Head] = Recent(size)
        self.homes: Recent[ClockId, str] = Recent(size)
        self.people: Recent[str, Known] = Recent(size)
        self.repeats = False

    def forget(self) -> None:
        """Know nothing."""
        for part in (self.heads, self.homes, self.people):
            part.clear()
        self.repeats = False
