"""Rounds of several contenders in turns, and the ratios between them. It knows statistics, not what is measured."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import msgspec

from bench.child import Child
from bench.contender import Contender, Notes, Sample


class Goal(msgspec.Struct, frozen=True):
    """What a ratio is to reach. `code`: its name among our goals. `stretch` None: more of it is not asked."""

    code: str
    must: float
    stretch: float | None = None


class Entrant(msgspec.Struct, frozen=True):
    """A contender, and the goal of its ratio, if it has one."""

    contender: Contender
    goal: Goal | None = None


class Plan(msgspec.Struct, frozen=True):
    """One comparison. The baseline comes first, and is 1.00.

    `unit`: what is counted. `rounds`: timed ones, after one to warm up. `counted`: contenders that only count, and are not
    timed. `missing`: why it cannot be made here. `measure`: what the seconds of a unit are, where they are no wall clock's.
    """

    name: str
    title: str
    unit: str
    entrants: tuple[Entrant, ...] = ()
    rounds: int = 5
    counted: tuple[Contender, ...] = ()
    missing: str = ""
    measure: str = ""


class Spread(msgspec.Struct, frozen=True):
    """A figure over the rounds."""

    median: float
    low: float
    high: float


class Line(msgspec.Struct, frozen=True):
    """One contender's figures. `rate`: units a second; `wall`, `cpu`: seconds a unit.

    Ratios are against the baseline's round beside it; more is faster.
    """

    name: str
    rate: float
    wall: float
    cpu: float
    peak_bytes: int
    ratio: Spread
    cpu_ratio: Spread
    goal: Goal | None
    samples: tuple[Sample, ...]
    notes: Notes


class Counts(msgspec.Struct, frozen=True):
    """What a counting contender told."""

    name: str
    notes: Notes


class Comparison(msgspec.Struct, frozen=True):
    """The result of a plan. `failed`: it was begun, and `missing` says what went wrong."""

    name: str
    title: str
    unit: str
    lines: tuple[Line, ...] = ()
    counts: tuple[Counts, ...] = ()
    missing: str = ""
    measure: str = ""
    failed: bool = False


def compare(plan: Plan, folder: Path, step: Callable[[], None]) -> Comparison:
    """Make the comparison; `step` is called after each round of each contender. Raises Failed."""
    if plan.missing:
        return Comparison(plan.name, plan.title, plan.unit, missing=plan.missing)
    lines = _timed(plan, folder, step)
    counts = tuple(_counted(one, folder / f"counted-{index}", step) for index, one in enumerate(plan.counted))
    return Comparison(plan.name, plan.title, plan.unit, lines, counts, measure=plan.measure)


def steps(plan: Plan) -> int:
    """How often `compare` calls `step`."""
    return 0 if plan.missing else (plan.rounds + 1) * len(plan.entrants) + 2 * len(plan.counted)


def _timed(plan: Plan, folder: Path, step: Callable[[], None]) -> tuple[Line, ...]:
    with ExitStack() as stack:
        children = [
            stack.enter_context(Child(entrant.contender, folder / str(index)))
            for index, entrant in enumerate(plan.entrants)
        ]
        samples: list[list[Sample]] = [[] for _ in children]
        for number in range(plan.rounds + 1):
            for child, taken in zip(children, samples, strict=True):
                sample = child.round()
                if number:  # the first warms up
                    taken.append(sample)
                step()
        endings = [child.end() for child in children]
    return tuple(
        _line(entrant, samples[0], mine, ending.peak_bytes, ending.notes)
        for entrant, mine, ending in zip(plan.entrants, samples, endings, strict=True)
    )


def _counted(contender: Contender, folder: Path, step: Callable[[], None]) -> Counts:
    with Child(contender, folder) as child:
        for _ in range(2):
            child.round()
            step()
        return Counts(contender.name, child.end().notes)


def _line(entrant: Entrant, base: Sequence[Sample], mine: Sequence[Sample], peak: int, notes: Notes) -> Line:
    pairs = list(zip(base, mine, strict=True))
    return Line(
        name=entrant.contender.name,
        rate=median(one.units / one.wall for one in mine),
        wall=median(one.wall / one.units for one in mine),
        cpu=median(one.cpu / one.units for one in mine),
        peak_bytes=peak,
        ratio=spread([_each(one.wall, one) / _each(two.wall, two) for one, two in pairs]),
        cpu_ratio=spread([_each(one.cpu, one) / _each(two.cpu, two) for one, two in pairs]),
        goal=entrant.goal,
        samples=tuple(mine),
        notes=notes,
    )


def _each(seconds: float, sample: Sample) -> float:
    return max(seconds, 1e-9) / sample.units  # a round can be shorter than a tick of the CPU's clock


def spread(values: Sequence[float]) -> Spread:
    """Median, least and greatest."""
    return Spread(median(values), min(values), max(values))
