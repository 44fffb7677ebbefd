"""The long run: `make soak`, or `python -m soak --minutes N --json FILE --seed N`. It ends with one table.

Processes are killed at every fail-point and at pairs of them, on SQLite, and on Kafka with a server that speaks MongoDB's protocol; then come
the faults from outside and the long forms of the other tests, while there is time. Exit status 1: something was lost, doubled, or not as
without faults, or a test failed.
"""

import argparse
import asyncio
import contextlib
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from soak.jobs import Ended, Job, Teller, run_all
from soak.table import as_json, drawn, rows_of, versions

from onethread.testing.figures import VARIABLE, reported

TESTS = Path(__file__).parents[1]
WIDTH = 150
"""Characters of the table, which cannot be read when it is squeezed."""
POINTS = 0.45
"""Of the time, for kills at fail-points."""
MORE = 180.0
"""Seconds that these may take beyond: servers start, and the last kill is waited for."""
RESTART = "tests/integration/test_restart.py"
BOTH_FORMS = (RESTART, "tests/faults", "tests/load")
"""Run in their short forms first: all of them report figures, and the long ones may be cut."""
LONG = "mark.soak"


def long_forms() -> list[str]:
    """The folders in which a test has a long form."""
    marked = {path.parent for path in TESTS.rglob("test_*.py") if LONG in path.read_text("utf-8")}
    found = sorted(path.relative_to(TESTS.parent).as_posix() for path in marked - {Path(__file__).parent})
    return [path for path in found if path not in BOTH_FORMS]


def jobs(seconds: float, seed: int) -> list[Job]:
    """Every part, in the order of their beginning."""
    spend = POINTS * seconds
    order = ["--seconds", f"{spend:.0f}", "--seed", str(seed)]
    points = [
        Job(f"points {on}", [sys.executable, "-m", "soak.points", on, *order], spend + MORE, steady=True)
        for on in ("kafka", "sqlite")
    ]
    short = [_tests(f"{path}, short", "not soak", seconds, path) for path in BOTH_FORMS]
    long = [_tests(path, "soak", seconds, path) for path in BOTH_FORMS]
    others = [_tests(path, "soak", seconds, path, f"--ignore={RESTART}") for path in long_forms()]
    return [*points, *short, *long, *others]


def _tests(name: str, mark: str, seconds: float, *paths: str) -> Job:
    return Job(name, [sys.executable, "-m", "pytest", "-q", "--no-header", "-m", mark, *paths], seconds)


@contextlib.contextmanager
def shown(console: Console) -> Iterator[Teller]:
    """A line for each part on a terminal; elsewhere a line for each beginning and end."""
    if not console.is_terminal:
        yield (
            lambda name, line: (
                console.print(f"{name}: {line}") if line in {"begins", "passed", "failed", "cut"} else None
            )
        )
        return
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[line]}"),
        TimeElapsedColumn(),
        console=console,
    ) as progress:
        tasks = {}

        def tell(name: str, line: str) -> None:
            task = tasks.setdefault(name, None) or progress.add_task(name, total=None, line="")
            tasks[name] = task
            done, _, rest = line.partition(" ")
            of = rest.partition(" ")[0]
            if done.isdecimal() and of.isdecimal():
                progress.update(task, completed=int(done), total=int(of))
            progress.update(task, line=line[:60])

        yield tell


async def perform(seconds: float, seed: int, folder: Path, console: Console) -> list[Ended]:
    paths = os.pathsep.join(map(str, (TESTS, TESTS / "packages")))
    environment = {VARIABLE: str(folder / "figures"), "PYTHONPATH": paths, "ONETHREAD_REQUIRE_BACKENDS": "1"}
    with shown(console) as tell:
        return await run_all(
            jobs(seconds, seed), asyncio.get_running_loop().time() + seconds, environment, folder, tell
        )


def main() -> int:
    arguments = argparse.ArgumentParser(
        prog="soak", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--minutes", type=float, default=20.0, help="how long, in all (20)")
    arguments.add_argument(
        "--seed", type=int, default=random.randrange(10**6), help="repeats the choices of another run"
    )
    arguments.add_argument("--json", type=Path, help="the table for machines, too")
    arguments.add_argument("--keep", type=Path, help="a folder for the output of every part")
    given = arguments.parse_args()
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(f"{given.minutes:g} minutes, seed {given.seed}")
    with tempfile.TemporaryDirectory() as made:
        folder = given.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        ended = asyncio.run(perform(given.minutes * 60, given.seed, folder, console))
        rows = rows_of(reported(folder / "figures"))
    console.print(drawn(rows, f"{given.minutes:g} minutes, seed {given.seed}"))
    console.print(", ".join(f"{name} {version}" for name, version in versions().items()))
    for one in sorted(ended, key=lambda one: one.name):
        console.print(f"{one.name}: {one.how} after {one.seconds:.0f} s", style="red" if one.how == "failed" else "")
        console.print("\n".join(f"    {line}" for line in one.last_lines), markup=False)
    if given.json:
        more = {"minutes": given.minutes, "seed": given.seed, "parts": ended}
        given.json.write_bytes(as_json(rows, more))
    return 0 if all(row.right for row in rows) and not any(one.how == "failed" for one in ended) else 1


if __name__ == "__main__":
    sys.exit(main())
