"""What a test of faults counted, for the one table of `make soak`: a line of JSON per run. It knows no fault and no table.

`ONETHREAD_FIGURES` names the file; without it nothing is written. Lines are appended whole, so that processes may share the file.
"""

import os
import resource
from pathlib import Path

import msgspec

VARIABLE = "ONETHREAD_FIGURES"


class Figures(msgspec.Struct, frozen=True, omit_defaults=True):
    """One run, or several of the same kind together.

    `kind`: the fault, in words people understand ("broker frozen"). `count`: how often it was done. `on`: the backends.
    `accepted`: messages the source was told are taken, by the test's own account; `stored`: of these, at the end.
    `recovery`: seconds from each fault until lag was zero with the right state. `points`, `pairs`: of fail-points, killed at.
    `equal`: whether the state was that of the run without faults. `peak`: bytes of the largest process, where known.
    """

    kind: str
    count: int
    accepted: int
    stored: int
    lost: int = 0
    duplicated: int = 0
    recovery: tuple[float, ...] = ()
    on: str = "SQLite"
    equal: bool = True
    points: int = 0
    pairs: int = 0
    peak: int = 0


def report(figures: Figures) -> None:
    """Append to the file, if there is one; call it before asserting, so that the table shows what failed, too."""
    if name := os.environ.get(VARIABLE):
        with Path(name).open("ab") as file:
            file.write(msgspec.json.encode(figures) + b"\n")


def reported(file: Path) -> list[Figures]:
    """All that was reported so far; none if there is no file."""
    if not file.exists():
        return []
    return [msgspec.json.decode(line, type=Figures) for line in file.read_bytes().splitlines()]


def peak_memory() -> int:
    """Bytes of memory at most, so far, of this process and of its largest ended child."""
    used = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return 1024 * max(used)
