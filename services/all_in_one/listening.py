"""`onethread listen`: what comes in over a channel, whether it is let in, what becomes of it; of the running service, or alone."""

import asyncio
import secrets
import signal
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from pydantic import SecretStr

from all_in_one.context import Context, channel, err, fail, opened_state, run
from all_in_one.entrance import Entrance
from all_in_one.sights import Show, as_lines, as_table
from all_in_one.tapping import Tap
from onethread.blobs import Blobs
from onethread.connector import Webhook
from onethread.host.channel import Channel, Channels
from onethread.host.ingest import Ingest
from onethread.host.lent import Lender
from onethread.host.lifecycle import Service
from onethread.host.server import HttpServer
from onethread.log.sqlite import SqliteLog
from onethread.state.leases import Leases
from onethread.state.sqlite import SqliteState
from onethread.state.tokens import Tokens

app = typer.Typer()


@app.command()
def listen(
    ctx: typer.Context,
    channel_id: Annotated[str, typer.Option("--channel", help="The channel, as the settings name it.")],
    port: Annotated[
        int | None,
        typer.Option(
            help="Serve the channel's URL alone on this port (0: any), storing nothing; no service is needed."
        ),
    ] = None,
) -> None:
    """Show each request to a channel, whether its signature is right, and its events, side by side; of a pull, each record.

    It looks on at the running service, on all its replicas: messages go their way as ever. What is to be shown waits a moment
    in the state store, secrets masked, and is removed when it has been shown. With --port it serves the URL by itself, and
    nothing is stored: use a test account then, since the provider is told that all was taken. Ctrl-C ends it.
    Lines of JSON instead of a table: with --json, or when the output is no terminal.

    Example: onethread listen --channel chn_acme
    """
    one = channel(ctx.obj, channel_id)
    called = Webhook in one.connector.edges and bool(one.hook_secret.get_secret_value())
    if not called and (port is not None or one.connector.edges == (Webhook,)):
        fail(
            f"channel {one.id} has no URL to be called at: its connector needs a webhook, and it a hook_secret"
            + ("" if port is None else ". Without --port, what it pulls is shown while `onethread up` runs")
        )
    show = as_lines if ctx.obj.json or not sys.stdout.isatty() else as_table
    run(_tap(ctx.obj, one, show) if port is None else _alone(ctx.obj, one, port, show))


async def _tap(ctx: Context, one: Channel, show: Show) -> None:
    async with opened_state(ctx) as store:
        tap = Tap(store, one.id, show, lambda said: err.print(said, markup=False))
        running = asyncio.ensure_future(tap.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        try:
            with suppress(asyncio.CancelledError):
                await running
        finally:
            await tap.end()


async def _alone(ctx: Context, one: Channel, port: int, show: Show) -> None:
    """With the host's own client, address guard and key cache; what they keep is kept in a folder that goes with us."""
    http = ctx.settings.http
    with TemporaryDirectory() as folder:
        async with SqliteState(Path(folder) / "state.sqlite") as state:
            ingest = Ingest(SqliteLog(Path(folder) / "log.sqlite"), Blobs(Path(folder).as_uri()), Channels([one]))
            tokens = Tokens(state, [SecretStr(secrets.token_urlsafe(32))], Leases(state, "listen"))
            lender = Lender(ingest, tokens)
            entrance = Entrance(one, http.public_url, show, lender)
            server = HttpServer(entrance, http.host, port, stop_seconds=2)
            where = f"http://{http.host}:{server.bind()}"
            entrance.public_url = http.public_url.rstrip("/") or where
            show({"listening": f"{where}/hooks/{one.id}/***", "stored": "nothing"})
            service = Service()
            service.runs("http", server.run_until_stopped, server.stop)
            service.closes("connections", lender.close)
            await service.run()
