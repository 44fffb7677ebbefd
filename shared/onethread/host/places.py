"""Which of the jobs that are due begins next: so many at once, of each channel only a share. It does none, and reads no clock.

A provider that answers nothing holds the places of its own channel, for as long as each file may take; others find theirs free. Look-ups
have as many places of their own, since a name is small and a file may be large. Half of a channel's share is kept from what failed before,
so that files that hang again and again leave room for new ones.
"""

from collections import Counter
from heapq import heappop, heappush
from typing import NamedTuple

from onethread.host.jobs import of_lookup

_SHARE = 4
"""A channel has a fourth of the places, and one at least."""


class _Share(NamedTuple):
    """What has a share of the places."""

    lookups: bool
    channel: str


class _Line(NamedTuple):
    """Those that wait for the same places. `again`: they failed before."""

    share: _Share
    again: bool


class Places:
    """Jobs by their keys; times in Unix seconds. `parallel`: files at once, and look-ups at once."""

    def __init__(self, parallel: int) -> None:
        self._parallel, self._most = parallel, max(1, parallel // _SHARE)
        self._due: dict[str, float] = {}
        self._lines: dict[_Line, list[tuple[float, str]]] = {}
        self._busy: dict[str, _Line] = {}
        self._count: Counter[_Line | _Share | bool] = Counter()

    def __len__(self) -> int:
        """Those that wait, and those that have a place."""
        return len(self._due) + len(self._busy)

    def add(self, key: str, due: float, *, again: bool = False) -> None:
        """It waits until then; what has a place keeps it. `again`: it failed before."""
        if key not in self._busy and self._due.get(key) != due:
            self._due[key] = due
            heappush(self._lines.setdefault(_Line(_share(key), again), []), (due, key))

    def begin(self, now: float) -> str | None:
        """One that is due has a place from now on: of the channel that has fewest, the one that was due first. None: nobody can begin."""
        open_lines = [(self._count[line.share], due, line) for line, due in self._heads().items() if due <= now]
        if not open_lines:
            return None
        _, _, line = min(open_lines)
        key = heappop(self._lines[line])[1]
        del self._due[key]
        self._busy[key] = line
        self._count.update((line, line.share, line.share.lookups))
        return key

    def end(self, key: str) -> None:
        """Its place is free."""
        line = self._busy.pop(key)
        self._count.subtract((line, line.share, line.share.lookups))

    def next(self) -> float:
        """When somebody can begin, if no place becomes free; infinity: nobody."""
        return min(self._heads().values(), default=float("inf"))

    def _heads(self) -> dict[_Line, float]:
        """The first time of each line that has a free place."""
        found: dict[_Line, float] = {}
        for line, waiting in self._lines.items():
            while waiting and self._due.get(waiting[0][1]) != waiting[0][0]:
                heappop(waiting)  # it was given another time since
            if waiting and self._has_room(line):
                found[line] = waiting[0][0]
        return found

    def _has_room(self, line: _Line) -> bool:
        if self._count[line.share.lookups] >= self._parallel or self._count[line.share] >= self._most:
            return False
        return not line.again or self._count[line] < max(1, self._most // 2)


def _share(key: str) -> _Share:
    return _Share(of_lookup(key), key.partition("/")[0])
