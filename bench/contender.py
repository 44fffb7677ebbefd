"""One side of a comparison, and what is measured of it. It knows no process and no statistics."""

from pathlib import Path
from typing import TypeAlias

import msgspec

Notes: TypeAlias = dict[str, float | str]
"""What a contender tells beside its speed, by name."""


class Usage(msgspec.Struct, frozen=True):
    """CPU seconds, user and system, and the most bytes ever resident."""

    cpu: float
    peak_bytes: int


class Contender:
    """What is timed. It is pickled to a process of its own, where all its methods run on one event loop.

    A round is `prepare`, `run`, `check`; only `run` is timed. Rounds of all contenders take turns.
    """

    name: str

    async def open(self, folder: Path) -> None:
        """Once, before the first round. `folder` is empty, on disk, and this contender's alone."""

    async def close(self) -> None:
        """Once, at the end, also when `open` or a round failed."""

    async def prepare(self) -> None:
        """Before each round, not timed."""

    async def run(self) -> int:
        """The timed part: how many units of work were done."""
        raise NotImplementedError

    async def check(self) -> None:
        """After each round, not timed. Raises Incomplete when the work is not all done: then its speed does not count."""

    def program(self) -> Usage | None:
        """What the program that does the work used so far, where it is not this process. None: this process, measured by itself."""
        return None

    def seconds(self) -> float | None:
        """After each round: what counts in place of `run`'s wall clock, seconds a unit. None: the wall clock."""
        return None

    def notes(self) -> Notes:
        """After the last round."""
        return {}


class Incomplete(Exception):
    """The work was not done, or not as promised; says what is missing."""


class Sample(msgspec.Struct, frozen=True):
    """One timed round. `wall`, `cpu`: seconds; `cpu` is the contender's process alone (or its program's), user and system, all threads."""

    units: int
    wall: float
    cpu: float


class Ending(msgspec.Struct, frozen=True):
    """What is known at the end. `peak_bytes`: the most memory the process ever had resident."""

    peak_bytes: int
    notes: Notes
