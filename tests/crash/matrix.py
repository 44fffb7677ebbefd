"""Which moments a process is killed at, and what came of it: each point, each moment, pairs of them."""

import random
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from crash.rig import Rig, Verdict, rigged
from crash.telling import Telling

from onethread.testing.failpoints import Moment
from onethread.testing.figures import Figures

MEMORY = next((path for path in (Path("/dev/shm"),) if path.is_dir()), None)
"""A kill takes the process and leaves the files: where there is a disk of memory, they need not wait for a real one."""
TRIES = 3
"""Some moments hang on who is quicker; so often one is tried until the process does die there."""


@asynccontextmanager
async def rigged_in_memory(like: Telling | None = None, paths: Sequence[Path] = ()) -> AsyncIterator[Rig]:
    """A rig whose files nobody keeps."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        async with rigged(Path(folder), like, paths) as rig:
            yield rig


class Matrix:
    """Kills, compares with the telling in which nobody was killed, and counts."""

    def __init__(self, rig: Rig, seed: int, tell: Callable[[Verdict], None] = lambda _: None) -> None:
        self._rig, self._tell = rig, tell
        self.chance = random.Random(seed)
        self.wanted = ""
        self.moments: dict[str, list[Moment]] = {}
        self.after: dict[str, list[Moment]] = {}
        self.points: set[str] = set()
        self.pairs: set[tuple[str, str]] = set()
        self.verdicts: list[Verdict] = []
        self.faults: list[str] = []

    async def begin(self, wanted: str = "") -> None:
        """The telling without faults, which all others are compared with; `wanted`: the hash of a better one."""
        verdict = await self._rig.perform()
        self.wanted = wanted or verdict.outcome.hash
        self.faults += [f"killed nowhere: {one}" for one in verdict.faults(self.wanted)]
        self.moments = by_point(verdict.trace)

    async def kill(self, *moments: Moment) -> bool:
        """Kill at each; whether all came about. What is wrong afterwards is kept in `faults`."""
        verdict = await self._rig.perform(*moments)
        self.verdicts.append(verdict)
        self._tell(verdict)
        self.faults += [f"killed at {moments}: {one}" for one in verdict.faults(self.wanted)]
        if verdict.killed < len(moments):
            return False
        self.points.update(moment.point for moment in moments)
        if len(moments) == 1:
            self.after[moments[0].point] = verdict.trace
        else:
            self.pairs.add((moments[0].point, moments[1].point))
        return True

    async def kill_at(self, points: Iterable[str]) -> None:
        """Once at each point, at one of its moments."""
        for point in points:
            for _ in range(TRIES):
                if await self.kill(self.chance.choice(self.moments[point])):
                    break

    async def kill_twice(self, pairs: int) -> None:
        """At so many pairs of points, each first with another second, while there are others."""
        firsts = sorted(self.after)
        self.chance.shuffle(firsts)
        for number in range(pairs):
            first = firsts[number % len(firsts)]
            second = self.chance.choice(self.after[first])
            await self.kill(self.chance.choice(self.moments[first][:3]), second)

    def figures(self, kind: str, on: str) -> Figures:
        """For the table."""
        return figures(self.verdicts, self.wanted, kind, on, points=len(self.points), pairs=len(self.pairs))


def by_point(trace: Iterable[Moment]) -> dict[str, list[Moment]]:
    """The moments of each point."""
    found: dict[str, list[Moment]] = {}
    for moment in trace:
        found.setdefault(moment.point, []).append(moment)
    return found


def figures(verdicts: Sequence[Verdict], wanted: str, kind: str, on: str, *, points: int, pairs: int) -> Figures:
    """Of many tellings together; `wanted`: the hash of the one without faults."""
    total = Counter[str]()
    for verdict in verdicts:
        total.update(
            kills=verdict.killed,
            accepted=verdict.accepted,
            stored=verdict.outcome.stored,
            lost=len(verdict.outcome.lost),
            duplicated=len(verdict.outcome.duplicated),
        )
    return Figures(
        kind,
        total["kills"],
        total["accepted"],
        total["stored"],
        total["lost"],
        total["duplicated"],
        tuple(round(verdict.recovery, 3) for verdict in verdicts if verdict.killed),
        on,
        not any(verdict.faults(wanted) for verdict in verdicts),
        points,
        pairs,
    )
