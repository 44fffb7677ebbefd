"""The commands `replay` and `rebuild`: a store that went back in time, or is damaged, is brought to what the log and its entries say."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from all_in_one.context import Context, err, opened_log, opened_store, run, show
from all_in_one.moments import at
from onethread import assembly
from onethread.errors import Conflict
from onethread.log.port import EventLog, Extent, TopicPartition
from onethread.log.topics import MESSAGES
from unifier.main import policies
from unifier.rebuilding import Rebuild
from unifier.restoring import Replay, Since, raise_epoch
from unifier.store.port import ConversationStore
from unifier.worker import GROUP, Worker, wall_clock

app = typer.Typer()


@app.command()
def replay(
    ctx: typer.Context,
    since: Annotated[
        str,
        typer.Option(help="A time before the backup began, as 2026-01-05T09:00:00Z; or an offset, 0 for everything."),
    ],
    *,
    rebuild_first: Annotated[
        bool, typer.Option("--rebuild", help="Rebuild first: the backup's collections are of different times.")
    ] = False,
    beside: Annotated[
        bool, typer.Option("--beside", help="Read beside running unifiers; for a store that was not set back.")
    ] = False,
) -> None:
    """Read the log again: what a restored, or damaged, store lacks is threaded anew, what it has changes nothing.

    Stop the unifiers first. The epoch is raised, so that cursors of the API from before are refused (410). Interrupted, the unifier goes
    on from where it was, or the same call begins again. The log must still hold everything since that time (log.retention_hours).

    Example: onethread replay --since 2026-01-05T09:00:00Z
    """
    when = Since(offset=int(since)) if since.isdecimal() else Since(at=at(since))

    async def work() -> dict[str, int]:
        async with opened_log(ctx.obj) as log, opened_store(ctx.obj) as store:
            worker = Worker(
                log, store, assembly.blob_store(ctx.obj.settings), member="replay", policies=policies(ctx.obj.settings)
            )
            reader = Replay(log, worker, now=wall_clock, retention_hours=ctx.obj.settings.log.retention_hours)
            extents = await reader.extents(when)
            if not beside:
                extents = await reader.claim(extents)
                await raise_epoch(store, log)
                if rebuild_first:
                    await _rebuilt(ctx.obj, store, log)
            with _bar(ctx.obj, extents) as told:
                records = await reader.run(extents, commit=not beside, told=told)
            return {"records": records, "epoch": await store.epoch()}

    outcome = run(work())
    show(ctx.obj, outcome, f"{outcome['records']:,} records read again; the epoch is {outcome['epoch']}.")


@app.command()
def rebuild(
    ctx: typer.Context,
    *,
    damaged: Annotated[
        bool,
        typer.Option("--damaged", help="Throw out altered entries, too: they come back if the log still has them."),
    ] = False,
) -> None:
    """Make anew what follows from entries and links: numbers, heads, conversations, customers; publish all of it again.

    Stop the unifiers first. What can never be right is thrown out; what is missing comes back by a replay after it. Interrupted, call it
    again.

    Example: onethread rebuild
    """

    async def work() -> dict[str, int]:
        async with opened_log(ctx.obj) as log, opened_store(ctx.obj) as store:
            await _require_rest(log)
            await raise_epoch(store, log)
            return {**await _rebuilt(ctx.obj, store, log, damaged=damaged), "epoch": await store.epoch()}

    outcome = run(work())
    show(ctx.obj, outcome, "\n".join(f"{what}: {count:,}" for what, count in outcome.items()))


async def _require_rest(log: EventLog) -> None:
    """Raises Conflict while the group has members: only then may its commits be set, here to what they are."""
    commits = await log.commits(GROUP, MESSAGES)
    try:
        await log.reset(GROUP, {TopicPartition(MESSAGES, one): offset for one, offset in commits.items()})
    except Conflict as error:
        text = "a unifier is running, or was until seconds ago: stop all of them, wait until their sessions end (10 s)."
        raise Conflict(text) from error


async def _rebuilt(ctx: Context, store: ConversationStore, log: EventLog, *, damaged: bool = False) -> dict[str, int]:
    counts: dict[str, int] = {}
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=ctx.json or not err.is_terminal) as progress:
        task = progress.add_task("Rebuilding")

        def told(what: str, count: int) -> None:
            counts[what] = counts.get(what, 0) + count
            progress.update(task, description=f"{counts[what]:,} {what}")

        await Rebuild(store, log, wall_clock, told, damaged=damaged).run()
    return counts


@contextmanager
def _bar(ctx: Context, extents: dict[int, Extent]) -> Iterator[Callable[[int], None]]:
    total = sum(extent.end - extent.begin for extent in extents.values())
    columns = (TextColumn("Reading"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True, disable=ctx.json or not err.is_terminal) as progress:
        task = progress.add_task("Reading", total=total)
        yield lambda count: progress.advance(task, count)
