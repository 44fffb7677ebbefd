"""The tables of RESULTS.md, made of one run's `--json`. It measures nothing, and judges only what a goal's figures say."""

from collections.abc import Iterator

from bench.comparing import Comparison, Line
from bench.report import Report, cells, figure

_HEAD = (
    "| comparison | contender | units/s | µs each | CPU µs each | peak MiB | speed | least..most | by CPU |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|--:|\n"
)


def tables(report: Report) -> str:
    """Goals, all figures, what contenders noted, counts, and what was not measured."""
    facts = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    said = f"{facts}; load {report.load:.1f}{'; **quick: whether it works, not how fast**' if report.quick else ''}."
    parts = [
        said,
        "## Goals\n\n| goal | comparison | contender | must | stretch | this run | least..most | by CPU | |\n"
        "|---|---|---|--:|--:|--:|--:|--:|---|\n" + "".join(_goals(report)),
        "## All figures\n\n" + _HEAD + "".join(_figures(report)),
        "## What contenders noted\n\n| comparison | contender | |\n|---|---|---|\n" + "".join(_notes(report)),
        *_counts(report),
    ]
    if missing := [f"* `{one.name}`: {one.missing}\n" for one in report.comparisons if one.missing]:
        parts.append("## Not measured\n\n" + "".join(missing))
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _goals(report: Report) -> Iterator[str]:
    for comparison, line in _lines(report):
        if goal := line.goal:
            stretch = "" if goal.stretch is None else f"{goal.stretch:.2f}"
            spread = f"{line.ratio.low:.2f}..{line.ratio.high:.2f}"
            told = f"**{line.ratio.median:.2f}** | {spread} | {line.cpu_ratio.median:.2f} | {_verdict(line)}"
            yield f"| {goal.code} | `{comparison.name}` | {line.name} | {goal.must:.2f} | {stretch} | {told} |\n"


def _verdict(line: Line) -> str:
    assert line.goal is not None
    if line.ratio.median < line.goal.must:
        return "not reached"
    if line.goal.stretch is None:
        return "reached"
    return "stretch reached" if line.ratio.median >= line.goal.stretch else "must reached, stretch not"


def _figures(report: Report) -> Iterator[str]:
    for comparison, line in _lines(report):
        rate, each, *others = cells(comparison, line)
        # A column has one heading here, so what is no wall clock's says what it is.
        told = f"{comparison.measure.partition(' ')[2]} {each}" if comparison.measure else each
        yield f"| `{comparison.name}` | {' | '.join((line.name, rate, told, *others))} |\n"


def _notes(report: Report) -> Iterator[str]:
    for comparison, line in _lines(report):
        if line.notes:
            told = ", ".join(f"{name}: {figure(value)}" for name, value in line.notes.items())
            yield f"| `{comparison.name}` | {line.name} | {told} |\n"


def _counts(report: Report) -> Iterator[str]:
    for comparison in report.comparisons:
        for counts in comparison.counts:
            rows = "".join(f"| {name.strip()} | {figure(value)} |\n" for name, value in counts.notes.items())
            yield f"### {counts.name}\n\n| counted | |\n|---|--:|\n{rows}"


def _lines(report: Report) -> Iterator[tuple[Comparison, Line]]:
    for comparison in report.comparisons:
        for line in comparison.lines:
            yield comparison, line
