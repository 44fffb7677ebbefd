"""`python -m bench [name …] [--json] [--quick]`: runs comparisons one after the other, and prints them."""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench import (
    api,
    connect_sink,
    delay,
    entrances,
    growth,
    machine,
    mail_link,
    markdown,
    media,
    mime,
    report,
    unifier,
    webhook,
)
from bench.backends import Backends
from bench.child import Failed
from bench.comparing import Comparison, Plan, compare, steps
from onethread.errors import OnethreadError


class Bench(NamedTuple):
    """What makes its plans, and how long it takes on two idle cores: seconds, in full and quick."""

    plans: Callable[[Backends, bool], Sequence[Plan]]
    full: float
    quick: float


BENCHES: dict[str, Bench] = {
    "mime": Bench(mime.plans, 30, 10),
    "webhook": Bench(webhook.plans, 40, 15),
    "entrances": Bench(entrances.plans, 60, 20),
    "media": Bench(media.plans, 40, 15),
    "mail": Bench(mail_link.plans, 240, 30),
    "unifier": Bench(unifier.plans, 150, 60),
    "sink": Bench(connect_sink.plans, 150, 70),
    "delay": Bench(delay.plans, 170, 60),
    "api": Bench(api.plans, 40, 25),
    "growth": Bench(growth.plans, 240, 60),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 1 when a contender failed."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.markdown:
        done = msgspec.json.decode(Path(chosen.markdown).read_bytes(), type=report.Report)
        sys.stdout.write(markdown.tables(done))
        return 0
    if unknown := [name for name in chosen.names if name not in BENCHES]:
        parser.error(f"there is no bench {unknown[0]}: there are {', '.join(BENCHES)}")
    load = machine.load()
    comparisons = [found for name in chosen.names or BENCHES for found in _run(name, quick=chosen.quick)]
    result = report.Report(machine.facts(), load, chosen.quick, tuple(comparisons))
    if chosen.json:
        sys.stdout.write(report.as_json(result) + "\n")
    else:
        report.show(result, Console(width=None if sys.stdout.isatty() else 120))
    return int(any(one.failed for one in comparisons))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Speed, as ratios side by side in one run.")
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--json", action="store_true", help="one JSON document in the place of tables")
    parser.add_argument("--quick", action="store_true", help="fewer and smaller rounds: whether it works, not how fast")
    parser.add_argument(
        "--markdown", metavar="FILE", help="run nothing: the tables of RESULTS.md from what --json wrote"
    )
    return parser


def _run(name: str, *, quick: bool) -> list[Comparison]:
    """All comparisons of a bench. One that fails says so, and the others go on: an unattended run is not lost for it."""
    with tempfile.TemporaryDirectory(prefix="onethread-bench-") as temporary, contextlib.ExitStack() as stack:
        folder = Path(temporary)
        console = Console(stderr=True)
        bench = BENCHES[name]
        console.print(f"{name}: some {bench.quick if quick else bench.full:g} s on two idle cores", highlight=False)
        progress = stack.enter_context(_progress(console))
        task = progress.add_task(f"{name}: starting", total=None)
        backends = stack.enter_context(Backends(folder))
        try:
            plans = bench.plans(backends, quick)
        except (Failed, OnethreadError) as error:
            return [_failed(Plan(name, "", ""), error, console)]
        found = []
        for plan in plans:
            progress.update(task, description=plan.name, completed=0, total=steps(plan))
            try:
                found.append(compare(plan, folder / plan.name, lambda: progress.advance(task)))
            except Failed as error:
                found.append(_failed(plan, error, console))
        return found


def _failed(plan: Plan, error: Exception, console: Console) -> Comparison:
    console.print(str(error), style="red", markup=False)
    reason = f"It failed: {str(error).strip().splitlines()[-1]}"
    return Comparison(plan.name, plan.title, plan.unit, missing=reason, failed=True)


def _progress(console: Console) -> Progress:
    # Two drawings a second: whoever draws wants a core too.
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True, refresh_per_second=2, disable=not console.is_terminal)


if __name__ == "__main__":
    sys.exit(main())
