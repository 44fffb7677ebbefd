"""`onethread listen`: a channel's entrance for looking: each request, whether it is let in, what becomes of it. It stores nothing."""

import re
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
import typer
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from starlette.requests import Request as Asked
from starlette.responses import Response

from all_in_one.context import channel, fail, out, run
from onethread.connector import Answer, Keys, Raw, Request, Wake, Webhook, same
from onethread.errors import OnethreadError, Rejected
from onethread.host.channel import Channel
from onethread.host.lifecycle import Service
from onethread.host.server import HttpServer
from onethread.testing.fixtures import REFUSED
from onethread.testing.recording_host import RecordingHost
from onethread.testing.signing import secrets_of

app = typer.Typer()

Show = Callable[[dict[str, Any]], None]
Scope = dict[str, Any]

SECRET_PLACES = re.compile(r"(authorization|cookie|token|secret|passw|api[-_]?key|response_url)", re.IGNORECASE)
IN_JSON = re.compile(r'("[^"]*(?:token|secret|passw|response_url)[^"]*"\s*:\s*)"(?:[^"\\]|\\.)*"', re.IGNORECASE)
IN_FORM = re.compile(r"((?:^|&)[^=&]*(?:token|secret|passw|response_url)[^=&]*=)[^&]*", re.IGNORECASE)
LONGEST = 256 * 1024
"""Bytes of a body that are read at most: anybody may call."""


@app.command()
def listen(
    ctx: typer.Context,
    channel_id: Annotated[str, typer.Option("--channel", help="The channel, as the settings name it.")],
    port: Annotated[int | None, typer.Option(help="Port to listen on; else as the settings say; 0: any.")] = None,
) -> None:
    """Serve a channel's URL for looking: each request, whether its signature is right, and its events. Nothing is stored.

    The provider is told that it was taken, so use a test account, and not a channel whose messages you need. Ctrl-C ends it.
    Lines of JSON instead of a table: with --json, or when the output is no terminal.

    Example: onethread listen --channel chn_acme --port 8099
    """
    one = channel(ctx.obj, channel_id)
    if not isinstance(one.connector, Webhook) or not one.hook_secret.get_secret_value():
        fail(f"channel {one.id} has no URL to be called at: its connector needs a webhook, and it a hook_secret")
    http = ctx.obj.settings.http
    show = _as_lines if ctx.obj.json or not sys.stdout.isatty() else _as_table

    async def work() -> None:
        entrance = Entrance(one, http.public_url, show)
        server = HttpServer(entrance, http.host, http.port if port is None else port, stop_seconds=2)
        where = f"http://{http.host}:{server.bind()}"
        entrance.public_url = http.public_url.rstrip("/") or where
        show({"listening": f"{where}/hooks/{one.id}/***", "stored": "nothing"})
        service = Service()
        service.runs("http", server.run_until_stopped, server.stop)
        await service.run()

    run(work())


class Entrance:
    """The ASGI application of one channel's URL. `public_url`: what signatures may cover, as the real entrance has it."""

    def __init__(self, one: Channel, public_url: str, show: Show) -> None:
        self.public_url = public_url
        self._one, self._show = one, show
        self._secrets = [*secrets_of(one.connector.settings), one.hook_secret.get_secret_value()]

    async def __call__(self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Any) -> None:
        """See ASGI 3."""
        if scope["type"] != "http":
            return
        asked = Asked(scope, receive)
        request = await self._request(asked)
        if request is None:
            await Response(status_code=404)(scope, receive, send)
            return
        answer, seen = await self.look(request)
        self._show(seen)
        await Response(answer.body, answer.status, media_type=answer.media_type)(scope, receive, send)

    async def _request(self, asked: Asked) -> Request | None:
        """As the real entrance makes it; None: it is for another URL, or too long."""
        before = f"/hooks/{self._one.id}/"
        secret, slash, rest = asked.url.path.removeprefix(before).partition("/")
        if not asked.url.path.startswith(before) or not same(secret, self._one.hook_secret.get_secret_value()):
            return None
        body = bytearray()
        async for chunk in asked.stream():
            body += chunk
            if len(body) > LONGEST:
                return None
        raw_path = (asked.scope.get("raw_path") or quote(asked.url.path).encode()).decode("latin-1")
        url = f"{self.public_url}{raw_path}{'?' + asked.url.query if asked.url.query else ''}"
        query, headers = dict(asked.query_params), dict(asked.headers)
        return Request(asked.method, url, slash + rest, query, headers, bytes(body), datetime.now(UTC))

    async def look(self, request: Request) -> tuple[Answer, dict[str, Any]]:
        """What the connector makes of a request, and what is shown of it."""
        connector = self._one.connector
        assert isinstance(connector, Webhook)
        seen: dict[str, Any] = {"request": self._shown(request), "signature": "not needed: GET", "events": []}
        try:
            if request.method != "GET":
                connector.authenticate(await self._with_keys(request))
                seen["signature"] = "right"
            answer = connector.handshake(request)
            if answer is not None:
                return answer, {**seen, "handshake": self._masked(answer.body.decode("utf-8", "replace"))}
            seen["events"] = [made for part in connector.unpack(request) for made in self._made(part)]
            return connector.answer(request), seen
        except Rejected as error:
            said = {"signature": f"wrong: {error}"} if seen["signature"] != "right" else {"refused": str(error)}
            return Answer(status=error.status), {**seen, **said}
        except REFUSED as error:
            return Answer(), {**seen, "refused": f"{type(error).__name__}: {error}"}
        except Exception as error:  # noqa: BLE001 -- the author is to see any mistake of the connector, and the next request
            return Answer(status=500), {**seen, "bug": f"{type(error).__name__}: {self._masked(str(error))}"}

    async def _with_keys(self, request: Request) -> Request:
        connector = self._one.connector
        if not isinstance(connector, Keys):
            return request
        async with RecordingHost(connector) as host:
            keys = {name: await connector.load_key(host, name) for name in connector.key_names(request)}
        return msgspec.structs.replace(request, keys=keys)

    def _made(self, part: Raw | Wake) -> list[Any]:
        """The events of one record; what a refused one says instead."""
        if isinstance(part, Wake):
            return [{"wake": self._hidden(msgspec.to_builtins(part))}]
        try:
            return [self._hidden(msgspec.to_builtins(event)) for event in self._one.connector.normalize(part)]
        except REFUSED as error:
            kind = type(error).__name__ if isinstance(error, OnethreadError) else "Poison"
            return [{"error": kind, "reason": self._masked(str(error))}]

    # --- what is shown ---

    def _shown(self, request: Request) -> dict[str, Any]:
        named = {
            kind: {name: "***" if SECRET_PLACES.search(name) else self._masked(value) for name, value in values.items()}
            for kind, values in (("query", request.query), ("headers", request.headers))
        }
        body = self._masked(request.body.decode("utf-8", "replace"))
        body = IN_FORM.sub(r"\1***", IN_JSON.sub(r'\1"***"', body))
        return {"method": request.method, "path": request.path, **named, "body": body}

    def _masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _hidden(self, document: Any) -> Any:
        """The same document without a secret of ours, should a connector let one through."""
        if isinstance(document, str):
            return self._masked(document)
        if isinstance(document, dict):
            return {name: self._hidden(value) for name, value in document.items()}
        return [self._hidden(each) for each in document] if isinstance(document, list | tuple) else document


def _as_lines(seen: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(seen).decode() + "\n")
    sys.stdout.flush()


def _as_table(seen: dict[str, Any]) -> None:
    """Side by side: what came, and what becomes of it."""
    if "listening" in seen:
        out.print(f"{seen['listening']}  (nothing is stored; Ctrl-C ends)", markup=False)
        return
    came = seen["request"]
    lines = [f"{came['method']} …{came['path']}", *(f"{name}: {value}" for name, value in came["headers"].items())]
    lines += [f"?{name}={value}" for name, value in came["query"].items()]
    said = {name: value for name, value in seen.items() if name not in {"request", "events"}}
    right = [f"{name}: {value}" for name, value in said.items()]
    right += [_pretty(msgspec.json.encode(event)) for event in seen["events"]]
    table = Table.grid(expand=True, padding=(0, 2))
    table.add_column(ratio=1, overflow="fold")
    table.add_column(ratio=1, overflow="fold")
    table.add_row(Text("\n".join([*lines, "", _pretty(came["body"].encode())])), Text("\n".join(right)))
    good = seen["signature"].startswith(("right", "not needed")) and not {"bug", "refused"} & set(seen)
    out.print(Panel(table, border_style="green" if good else "red"), soft_wrap=False)


def _pretty(data: bytes) -> str:
    try:
        return msgspec.json.format(data, indent=2).decode()
    except msgspec.MsgspecError:
        return data.decode("utf-8", "replace")
