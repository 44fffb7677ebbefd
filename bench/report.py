"""Results as tables for people, and as one JSON document for programs. It measures nothing."""

from collections.abc import Sequence

import msgspec
from rich.console import Console
from rich.table import Table

from bench.comparing import Comparison, Counts, Line, Spread

_MIB = 1024 * 1024


class Report(msgspec.Struct, frozen=True):
    """One run. `load`: processes that wanted a core in the minute before it."""

    machine: dict[str, str]
    load: float
    quick: bool
    comparisons: tuple[Comparison, ...]


def as_json(report: Report) -> str:
    """One document."""
    return msgspec.json.format(msgspec.json.encode(report)).decode()


def show(report: Report, console: Console) -> None:
    """One table a comparison, and whether its goals are reached."""
    for comparison in report.comparisons:
        console.print()
        if comparison.missing:
            console.print(f"[bold]{comparison.name}[/]: not measured. {comparison.missing}", highlight=False)
            continue
        console.print(_table(comparison))
        for line in comparison.lines:
            for remark in _remarks(line):
                console.print(remark, highlight=False, soft_wrap=True)
        for counts in comparison.counts:
            console.print(_counts(counts))
    facts = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    console.print(f"\n{facts}; load {report.load:.1f}{'; quick' if report.quick else ''}", highlight=False)


def verdicts(line: Line) -> list[str]:
    """A sentence for each goal of a contender."""
    if line.goal is None:
        return []
    return [
        f"{line.goal.code}: {name} {wanted:g}, {'reached' if line.ratio.median >= wanted else 'not reached'}"
        f" ({line.ratio.median:.2f})"
        for name, wanted in (("must", line.goal.must), ("stretch", line.goal.stretch))
        if wanted is not None
    ]


def _table(comparison: Comparison) -> Table:
    table = Table(title=f"{comparison.name}: {comparison.title}", title_justify="left", title_style="bold")
    table.add_column("contender")
    each = comparison.measure or "µs each"
    for heading in (f"{comparison.unit}/s", each, "CPU µs each", "peak MiB", "speed", "least..most", "by CPU"):
        table.add_column(heading, justify="right")
    for line in comparison.lines:
        table.add_row(line.name, *cells(comparison, line))
    return table


def cells(comparison: Comparison, line: Line) -> tuple[str, ...]:
    """A contender's figures in the order of the columns."""
    return (
        "" if comparison.measure else f"{line.rate:,.0f}",  # the inverse of a delay is no rate
        f"{line.wall * 1e6:,.0f}",
        f"{line.cpu * 1e6:,.0f}",
        f"{line.peak_bytes / _MIB:,.0f}",
        f"{line.ratio.median:.2f}",
        _range(line.ratio),
        f"{line.cpu_ratio.median:.2f}",
    )


def _range(spread: Spread) -> str:
    return f"{spread.low:.2f}..{spread.high:.2f}"


def _remarks(line: Line) -> Sequence[str]:
    told = [f"{line.name}: " + ", ".join(f"{name}: {figure(value)}" for name, value in line.notes.items())]
    return [*(told if line.notes else []), *verdicts(line)]


def _counts(counts: Counts) -> Table:
    table = Table(title=counts.name, title_justify="left", title_style="bold")
    table.add_column("counted")
    table.add_column("", justify="right")
    for name, value in counts.notes.items():
        table.add_row(name, figure(value))
    return table


def figure(value: float | str) -> str:
    """As text."""
    return value if isinstance(value, str) else f"{value:,.2f}".rstrip("0").rstrip(".")
