"""Channels: how each is doing, and probes that say what to change."""

from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any

import typer

from all_in_one.context import (
    Context,
    channels,
    connectors,
    fail,
    opened_lender,
    opened_log,
    opened_state,
    opened_store,
    run,
    show,
)
from all_in_one.supported import names_of, supported
from onethread.connector import Checks, Connector, Step, Webhook
from onethread.errors import OnethreadError, Unauthorised
from onethread.host.channel import Channel
from onethread.host.faults import Bug, translated
from onethread.host.lent import Lender
from onethread.logs import get_logger
from onethread.state.channel_states import ChannelState, ChannelStates

_log = get_logger(__name__)

app = typer.Typer()

Row = dict[str, Any]
"""One channel, or one connector, as `--json` shows it."""

_TITLES = {
    "edges": "comes by", "receives": "receives", "media": "files", "abilities": "can also",
    "links": "links by", "suggests": "suggests by", "not_received": "not received", "no_media": "nor files", "unable": "cannot",
}  # fmt: skip
"""Of the fields of Supported."""


@app.command("channels")
def list_channels(
    ctx: typer.Context,
    *,
    available: Annotated[
        bool, typer.Option("--available", help="Every connector that a channel may have, configured or not.")
    ] = False,
    brief: Annotated[bool, typer.Option("--brief", help="Only state, reason, and what to do.")] = False,
) -> None:
    """All configured channels with state, reason, and what to do; what each receives and links by, and what is not there.

    Example: onethread channels --brief
    """
    if available:
        rows = [{"connector": name, "network": one.network, **_can(one)} for name, one in sorted(connectors().items())]
    else:
        rows = run(_configured(ctx.obj))
    text = "\n".join(line for row in rows for line in (*_lines(row), *(() if brief else _abilities(row))))
    show(ctx.obj, rows, text or "no channels: add some under `channels:` in the settings.")


async def _configured(ctx: Context) -> list[Row]:
    async with opened_state(ctx) as state:
        states = {one.channel: one for one in await ChannelStates(state).list()}
    found = channels(ctx)
    names = {one.id: one.name for one in ctx.settings.channels}
    can = {kind: _can(kind) for kind in {type(one.connector) for one in found}}
    return [
        {
            **_state(ctx, one, states.get(one.id)),
            "name": names.get(one.id, ""),
            **can[type(one.connector)],
            "edges": names_of(one.connector.edges),
        }
        for one in found
    ]


def _state(ctx: Context, one: Channel, now: ChannelState | None) -> Row:
    return {
        "id": one.id,
        "connector": one.connector.name,
        "account": one.account,
        "tenant": one.tenant,
        "state": now.state if now else "never started",
        "since": now.since if now else None,
        "reason": now.reason.text if now else "",
        "todo": now.reason.todo if now else "",
        "next_try_at": now.next_try_at if now else None,
        "last_message_at": now.last_message_at if now else None,
        "hook": hook_url(ctx, one),
    }


def _can(connector: type[Connector[Any]]) -> Row:
    return supported(connector)._asdict()


def _lines(row: Row) -> list[str]:
    names = ("id", "connector", "account", "state") if "id" in row else ("connector",)
    lines = ["  ".join(str(row[name]) for name in names) + (f"  ({row['name']})" if row.get("name") else "")]
    lines += [f"    {said}" for said in dict.fromkeys((row.get("reason"), row.get("todo"))) if said]
    if row.get("next_try_at"):
        lines.append(f"    tried again at {row['next_try_at']:%H:%M:%S} UTC")
    return lines


def _abilities(row: Row) -> list[str]:
    return [f"    {title:<13}{', '.join(row[name]) or '-'}" for name, title in _TITLES.items()]


def hook_url(ctx: Context, one: Channel) -> str | None:
    """Where the provider is to call, with the secret part masked; None for channels that nobody calls."""
    http, secret = ctx.settings.http, one.hook_secret.get_secret_value()
    url = one.url(http.public_url or f"http://{http.host}:{http.port}")
    return url.removesuffix(secret) + "***" if url else None


@app.command()
def check(ctx: typer.Context, channel: Annotated[str, typer.Argument(help="Only this channel.")] = "") -> None:
    """Check the settings, then log, stores and each channel, step by step; each failure says what to change.

    Example: onethread check chn_mail
    """
    found = channels(ctx.obj)
    wanted = [one for one in found if channel in ("", one.id)]
    if channel and not wanted:
        fail(f"there is no channel {channel}; there are: {', '.join(one.id for one in found) or 'none'}")
    steps = run(_steps(ctx.obj, wanted))
    lines = [f"{'ok  ' if step.ok else 'FAIL'}  {where}: {step.name}{_todo(step)}" for where, step in steps]
    document = [{"where": where, "name": step.name, "ok": step.ok, "todo": step.todo} for where, step in steps]
    show(ctx.obj, document, "\n".join(lines))
    if not all(step.ok for _, step in steps):
        raise typer.Exit(1)


def _todo(step: Step) -> str:
    return f"\n      {step.todo}" if step.todo else ""


async def _steps(ctx: Context, wanted: list[Channel]) -> list[tuple[str, Step]]:
    steps = [("settings", Step("settings are valid", ok=True))]
    for name, opening in (("log", opened_log), ("state", opened_state), ("store", opened_store)):
        try:
            async with opening(ctx):
                steps.append((name, Step("answers", ok=True)))
        except OnethreadError as error:
            steps.append((name, Step("answers", ok=False, todo=str(error))))
    if not all(step.ok for _, step in steps):
        return steps
    async with opened_lender(ctx, channels(ctx)) as lender:
        for one in wanted:
            steps += [(one.id, step) for step in _url(ctx, one)]
            steps += [(one.id, step) async for step in _probe(one, lender)]
    return steps


def _url(ctx: Context, one: Channel) -> Iterator[Step]:
    """Where the provider is to call. No provider can be asked whether that is a way to us."""
    if Webhook not in one.connector.edges:
        return
    url = hook_url(ctx, one)
    if url is None:
        todo = "set `hook_secret` of the channel to the output of `openssl rand -hex 16`: without it nobody can call the channel"
    elif not ctx.settings.http.public_url:
        todo = "set `http.public_url` to how the provider reaches this service, https://hooks.example.com for instance"
    else:
        todo = f"the provider is to call {url}, where *** is `hook_secret`"
    yield Step("url", ok=url is not None, todo=todo)


async def _probe(one: Channel, lender: Lender) -> AsyncIterator[Step]:
    """The connector's own steps. What ends them is said as a pull would say it, so a check needs no `try` of its own."""
    if not isinstance(one.connector, Checks):
        yield Step("has no probes of its own: nothing was asked of the provider", ok=True)
        return
    try:
        async for step in one.connector.check(lender.host(one)):
            yield step
    except Exception as error:  # noqa: BLE001 -- a connector may raise anything, and the steps of the other channels still count
        ours = translated(error, lender.ingest.now())
        if isinstance(ours, Bug):
            _log.exception("a check raised what it should not", channel_id=one.id)
        renew = ". Renew the password or token in the channel's settings" if isinstance(ours, Unauthorised) else ""
        yield Step("probe", ok=False, todo=f"{ours}{renew}")
