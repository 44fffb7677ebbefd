"""Kills at fail-points for a given time: `python -m soak.points sqlite|kafka --seconds N --seed N`. It reports to the figures.

First once at each point; then at every further moment of each; then at pairs of points, each pair once, until the time is up. Its output is one line for each kill: how many it has done, and of how many.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "packages"))

from crash.matrix import MEMORY, Matrix, figures
from crash.ports import holes
from crash.rig import rigged
from crash.telling import Telling

from onethread import logs
from onethread.testing.failpoints import Moment
from onethread.testing.figures import peak_memory, report
from onethread.testing.servers.kafka import KafkaServer
from onethread.testing.servers.mongodb import MongoServer

NAMES = {"sqlite": "SQLite", "kafka": "Kafka, MongoDB protocol"}
SHARE_OF_MOMENTS = 0.35
"""Of the time, for further moments of the points; the rest is for pairs."""


class Hours:
    """Spends the time on one matrix."""

    def __init__(self, matrix: Matrix, on: str, seconds: float, seed: int) -> None:
        self._matrix, self._on, self._chance = matrix, on, random.Random(seed)
        self._began = time.monotonic()
        self._seconds = seconds
        self._all_pairs = 0

    async def spend(self) -> None:
        """All three stages."""
        matrix = self._matrix
        await matrix.begin()
        matrix.faults += holes(matrix.moments, self._on)
        points = sorted(matrix.moments)
        self._chance.shuffle(points)
        while points and self._passed() < 1:
            await matrix.kill_at([points.pop()])
            self._say(len(matrix.points), len(matrix.moments), "points")
        if not points and (missed := sorted(matrix.moments.keys() - matrix.points)):
            matrix.faults.append(f"never died at {missed}")
        await self._moments()
        single = len(matrix.verdicts)
        self._tell("killed at a point", 0, single)
        await self._pairs()
        self._tell("killed at two points", single, len(matrix.verdicts))

    async def _moments(self) -> None:
        """The points are dealt out in turn, so that each has its share however short the time is."""
        left = [moment for moments in self._matrix.moments.values() for moment in moments]
        self._chance.shuffle(left)
        for number, moment in enumerate(left):
            if self._passed() > SHARE_OF_MOMENTS:
                return
            await self._matrix.kill(moment)
            self._say(number + 1, len(left), "moments")

    async def _pairs(self) -> None:
        left = [(first, second) for first, moments in sorted(self._after()) for second in moments]
        self._all_pairs = len(left)
        self._chance.shuffle(left)
        for first, second in left:
            if self._passed() > 1:
                break
            await self._matrix.kill(self._chance.choice(self._matrix.moments[first][:3]), second)
            self._say(len(self._matrix.pairs), len(left), "pairs")

    def _after(self) -> Iterator[tuple[str, list[Moment]]]:
        """By first point: of each point that the process comes by which goes on, one moment."""
        for first, trace in self._matrix.after.items():
            seconds: dict[str, list[Moment]] = {}
            for moment in trace:
                seconds.setdefault(moment.point, []).append(moment)
            yield first, [self._chance.choice(moments) for moments in seconds.values()]

    def _passed(self) -> float:
        return (time.monotonic() - self._began) / self._seconds

    def _say(self, done: int, of: int, what: str) -> None:
        sys.stdout.write(f"{done} {of} {what}\n")
        sys.stdout.flush()

    def _tell(self, kind: str, begin: int, end: int) -> None:
        matrix = self._matrix
        if begin == end:
            return
        pairs = len(matrix.pairs) if begin else 0
        points = 0 if begin else len(matrix.points)
        found = figures(matrix.verdicts[begin:end], matrix.wanted, kind, self._on, points=points, pairs=pairs)
        of = f" ({pairs} of {self._all_pairs})" if begin else f" ({len(matrix.points)} of {len(matrix.moments)})"
        report(msgspec.structs.replace(found, kind=kind + of, peak=peak_memory()))


@contextmanager
def backends(on: str, folder: Path) -> Iterator[Telling | None]:
    """The servers, started; None: files."""
    if on == "sqlite":
        yield None
        return
    broker, database = KafkaServer(_made(folder / "kafka")), MongoServer(_made(folder / "mongodb"))
    try:
        broker.start()
        database.start()
        yield Telling("", "", "", kafka=broker.bootstrap, mongodb=database.url)
    finally:
        database.discard()
        broker.discard()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


async def spend(like: Telling | None, folder: Path, on: str, seconds: float, seed: int) -> list[str]:
    """What was found wrong."""
    async with rigged(_made(folder / "tellings"), like) as rig:
        matrix = Matrix(rig, seed)
        await Hours(matrix, NAMES[on], seconds, seed).spend()
        return matrix.faults


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("on", choices=NAMES)
    arguments.add_argument("--seconds", type=float, required=True)
    arguments.add_argument("--seed", type=int, required=True)
    given = arguments.parse_args()
    logs.configure("ERROR")
    with (
        tempfile.TemporaryDirectory(dir=MEMORY if given.on == "sqlite" else None) as folder,
        backends(given.on, Path(folder)) as like,
    ):
        faults = asyncio.run(spend(like, Path(folder), given.on, given.seconds, given.seed))
    sys.stderr.write("".join(f"{fault}\n" for fault in faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
