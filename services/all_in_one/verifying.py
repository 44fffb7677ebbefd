"""The command `verify`: whether the store keeps its promises, and which command mends what it does not. It shows, it checks nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from all_in_one.context import Context, err, fail, opened_log, opened_store, out, run, show
from all_in_one.moments import at
from onethread.errors import OnethreadError
from unifier.main import policies
from unifier.reading import moment
from unifier.verify.extent import Extent
from unifier.verify.findings import Broken, Finding, Report
from unifier.verify.ledger import Ledger
from unifier.verify.verification import Verification

app = typer.Typer()

BROKEN, UNCHECKED = 1, 2
"""Exit statuses."""


@app.command()
def verify(
    ctx: typer.Context,
    tenant: Annotated[str, typer.Option(help="Only this one's conversations.")] = "",
    since: Annotated[str, typer.Option(help="Only strands founded since, as 2026-01-05T09:00:00Z.")] = "",
    sample: Annotated[int, typer.Option(min=1, max=100, help="Only so many percent of the strands.")] = 100,
    *,
    at_rest: Annotated[
        bool, typer.Option("--at-rest", help="Nobody writes now: look once, not again after some seconds.")
    ] = False,
) -> None:
    """Check that the store keeps its promises. It changes nothing, holds a page in memory, and may run while messages flow.

    What is suspicious is looked at again some seconds later, and told only if it did not change. Ends with 0: nothing is broken; 1:
    something is, and it says which command mends it; 2: it could not look. It tells ids, never messages or addresses.

    Example: onethread verify --tenant acme
    """
    extent = Extent(tenant=tenant, since=at(since) if since else 0, percent=sample)

    async def work() -> Report:
        try:
            return await _verified(ctx.obj, extent, at_rest=at_rest)
        except OnethreadError as error:
            fail(f"could not check: {error}", status=UNCHECKED)

    report = run(work())
    if ctx.obj.json:
        show(ctx.obj, document(report), "")
    else:
        _print(report)
    if not report.clean:
        raise typer.Exit(BROKEN)


async def _verified(ctx: Context, extent: Extent, *, at_rest: bool) -> Report:
    async with opened_log(ctx) as log, opened_store(ctx) as store:
        ledger = Ledger(log)
        try:
            with _progress(ctx) as told:
                looks = 0 if at_rest else 4
                return await Verification(store, ledger, policies(ctx.settings), extent, looks=looks, told=told).run()
        finally:
            ledger.close()


@contextmanager
def _progress(ctx: Context) -> Iterator[Any]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=ctx.json or not err.is_terminal) as progress:
        task = progress.add_task("Looking")
        yield lambda report: progress.update(task, description=f"Looked at {_looked(report)}")


def _looked(report: Report) -> str:
    return ", ".join(f"{count:,} {what}" for what, count in report.looked.items()) or "nothing: the store is empty"


def _print(report: Report) -> None:
    if report.broken and out.is_terminal:
        out.print(_table(report))
    else:
        for one in report.broken.values():
            out.print(
                f"{one.invariant}, {one.promise}: broken {one.count} times, since {_since(one.since)}", markup=False
            )
            for finding in one.findings:
                out.print(f"  {finding.what}: {', '.join(finding.ids)}; since {_since(finding.since)}", markup=False)
    for why, count in report.unjudged.items():
        out.print(f"not judged: {count:,} {why}", markup=False)
    out.print(f"Looked at {_looked(report)}.", markup=False)
    if report.clean:
        out.print("Nothing is broken. (I2 and I4 show in no state of a store: tests hold them.)", markup=False)
    else:
        out.print("To mend it, stop the unifier; then:", markup=False)
        for command in report.mends():
            out.print(f"  {command}", markup=False)


def _table(report: Report) -> Table:
    table = Table("promise", "broken", "times", "since", "for example", title="Broken promises", title_justify="left")
    for one in report.broken.values():
        first = one.findings[0]
        example = "\n".join((first.what, *first.ids))
        table.add_row(one.invariant, one.promise, f"{one.count:,}", _since(one.since), example)
    return table


def _since(at: int) -> str:
    return f"{moment(at):%Y-%m-%dT%H:%M:%SZ}" if at else "nobody knows when"


def document(report: Report) -> dict[str, Any]:
    """The report for programs."""
    return {
        "clean": report.clean,
        "looked": report.looked,
        "broken": [_broken(one) for one in report.broken.values()],
        "unjudged": report.unjudged,
        "mend": report.mends(),
    }


def _broken(one: Broken) -> dict[str, Any]:
    findings = [_finding(finding) for finding in one.findings]
    since = _since(one.since) if one.since else None
    return {
        "invariant": one.invariant,
        "promise": one.promise,
        "count": one.count,
        "since": since,
        "findings": findings,
    }


def _finding(finding: Finding) -> dict[str, Any]:
    since = _since(finding.since) if finding.since else None
    return {"what": finding.what, "ids": finding.ids, "since": since, "mend": finding.mend}
