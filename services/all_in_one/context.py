"""What every command shares: the settings it was called with, what it opens for a while, and how it speaks."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, TypeVar

import msgspec
import typer
from rich.console import Console

from onethread import assembly, registry
from onethread.connector import Connector
from onethread.errors import OnethreadError
from onethread.host.channel import Channel, Channels
from onethread.host.ingest import Ingest
from onethread.host.lent import Lender
from onethread.log.port import EventLog
from onethread.settings import Settings, load
from onethread.state.leases import Leases
from onethread.state.port import StateStore
from onethread.state.tokens import Tokens
from unifier.main import conversation_store
from unifier.store.port import ConversationStore

T = TypeVar("T")

FAMILIES = ("email_ingest", "im_ingest", "social_ingest")
"""The ingest services: one import package each."""

out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 120)
err = Console(stderr=True, soft_wrap=True, highlight=False)


class Context(NamedTuple):
    """How the command was called."""

    settings: Settings
    json: bool


def connectors(*families: str) -> dict[str, type[Connector[Any]]]:
    """The connectors of these families (all, if none is named), and those of outside packages."""
    return registry.connectors(families or FAMILIES)


def context(config: Path | None, data: Path | None, *, json: bool) -> Context:
    """Settings from `--config`, else ONETHREAD_CONFIG, else onethread.yaml here, else defaults."""
    named = config or (Path(os.environ["ONETHREAD_CONFIG"]) if os.environ.get("ONETHREAD_CONFIG") else None)
    here = Path("onethread.yaml")
    settings = load(named or (here if here.exists() else None))
    if data is not None:
        settings = settings.model_copy(update={"data": data})
    return Context(settings, json)


def channels(ctx: Context) -> Channels:
    """All configured channels."""
    known = connectors()
    assembly.unknown_connectors(ctx.settings, known)
    return assembly.channels(ctx.settings, known)


def channel(ctx: Context, channel_id: str) -> Channel:
    """One configured channel, or an error that names those there are."""
    found = channels(ctx)
    one = found.get(channel_id)
    if one is None:
        fail(
            f"there is no channel {channel_id}; there are: {', '.join(c.id for c in found) or 'none (see channels in the settings)'}"
        )
    return one


@asynccontextmanager
async def opened_log(ctx: Context) -> AsyncIterator[EventLog]:
    """The event log, for as long as the command needs it."""
    async with assembly.event_log(ctx.settings, "onethread-command") as log:
        yield log


@asynccontextmanager
async def opened_state(ctx: Context) -> AsyncIterator[StateStore]:
    """The state store."""
    async with assembly.state_store(ctx.settings) as state:
        yield state


@asynccontextmanager
async def opened_store(ctx: Context) -> AsyncIterator[ConversationStore]:
    """The conversation store."""
    async with conversation_store(ctx.settings) as store:
        yield store


@asynccontextmanager
async def opened_lender(ctx: Context, lent: Channels) -> AsyncIterator[Lender]:
    """For what the connectors of these channels ask their providers."""
    async with opened_log(ctx) as log, opened_state(ctx) as state:
        ingest = Ingest(log, assembly.blob_store(ctx.settings), lent)
        tokens = Tokens(state, assembly.master_keys(ctx.settings), Leases(state, "onethread-command"))
        lender = Lender(ingest, tokens, public_url=ctx.settings.http.public_url)
        try:
            yield lender
        finally:
            await lender.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; an error of ours ends the command with its sentence, anything else with its traceback."""
    try:
        return asyncio.run(work)
    except OnethreadError as error:
        fail(str(error))


def fail(message: str, status: int = 1) -> NoReturn:
    """End with a message on standard error."""
    err.print(message, style="red", markup=False)
    raise typer.Exit(status)


def show(ctx: Context, document: Any, text: str) -> None:
    """`--json`: one line of JSON; else the text."""
    if ctx.json:
        sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    else:
        out.print(text, markup=False)
