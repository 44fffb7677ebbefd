"""Running: everything in one process, or one service of several."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import typer

from all_in_one.context import channels, connectors, fail, run
from onethread import assembly, logs
from onethread.host.lifecycle import gone_within
from onethread.host.process import Process
from onethread.settings import Settings
from unifier import main as unifier

app = typer.Typer()

Name = Literal["email_ingest", "im_ingest", "social_ingest", "unifier"]


def everything(settings: Settings) -> Process:
    """All services in one process, over one log and one store."""
    known = connectors()
    assembly.unknown_connectors(settings, known)
    process = Process(settings, "all", known)
    process.applies_topics()
    process.ingests()
    unifier.add_to(process, process.channels)
    return process


async def run_process(process: Process) -> None:
    """Run to the end; a process that did not end in good order says so by its status."""
    if not await process.run():
        gone_within(2.0)
        fail("ended, and not in good order: see the log above", status=70)


@app.command()
def up(
    ctx: typer.Context,
    data: Annotated[Path | None, typer.Option(help="Folder for everything; made as needed.")] = None,
) -> None:
    """Run all services in one process, with their data in one folder. Ctrl-C ends it in good order.

    Example: onethread --config onethread.yaml up --data .onethread
    """
    settings = ctx.obj.settings.model_copy(update={"data": data}) if data else ctx.obj.settings
    logs.configure(settings.log_level)
    _start(lambda: everything(settings))


@app.command("run")
def run_service(ctx: typer.Context, service: Annotated[Name, typer.Argument(help="Which one.")]) -> None:
    """Run one service; topics and keys must be there (`onethread topics apply`).

    Example: onethread --config /etc/onethread/onethread.yaml run im_ingest
    """
    settings: Settings = ctx.obj.settings
    logs.configure(settings.log_level)
    _start(lambda: _service(ctx, service, settings))


def _service(ctx: typer.Context, service: Name, settings: Settings) -> Process:
    if service == "unifier":
        return unifier.process(settings, channels(ctx.obj))
    process: Process = importlib.import_module(f"{service}.main").process(settings)
    return process


def _start(make: Callable[[], Process]) -> None:
    async def work() -> None:
        await run_process(make())

    run(work())
