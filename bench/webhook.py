"""P4: a signed webhook, checked and durable, against a no-op handler on the same server class and the same client."""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.backends import Backends
from bench.comparing import Entrant, Goal, Plan
from bench.contender import Contender, Incomplete, Notes
from bench.load import Answers, Load
from onethread.blobs import Blobs
from onethread.connector import Connector, Host, Wake
from onethread.errors import Misconfigured
from onethread.host.channel import Channel, Channels
from onethread.host.ingest import Ingest
from onethread.host.server import HttpServer
from onethread.host.standing import Standing
from onethread.host.webhook import WebhookApp
from onethread.log.kafka import KafkaLog
from onethread.log.port import EventLog
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import MESSAGES, topics
from onethread.own_tokens import OwnTokens
from onethread.state.sqlite import SqliteState

CONNECTIONS = 64
GOAL = Goal("P4", must=0.40, stretch=0.60)
_SECRET = "a-secret-of-the-example-shop"
_HOOK = "the-unguessable-part"
_PATH = f"/hooks/chn_acme/{_HOOK}"
_EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "acme"


class Entrance(Contender):
    """An application on `HttpServer`, and a client in another process. A request is a unit."""

    def __init__(self, name: str, requests: int) -> None:
        self.name, self._requests = name, requests

    async def open(self, folder: Path) -> None:
        """See Contender."""
        self._stack = contextlib.AsyncExitStack()
        self._number = itertools.count()
        self._answers: list[Answers] = []
        server = HttpServer(await self.application(folder), "127.0.0.1", 0, stop_seconds=1)
        port = server.bind()
        serving = asyncio.create_task(server.run_until_stopped())
        self._stack.push_async_callback(_stopped, server, serving)
        self._load = Load(port, CONNECTIONS)
        self._stack.callback(self._load.close)

    async def close(self) -> None:
        """See Contender."""
        await self._stack.aclose()

    async def prepare(self) -> None:
        """See Contender: signed just now, since the signature covers the time."""
        await self._load.give([_request(next(self._number)) for _ in range(self._requests)])

    async def run(self) -> int:
        """See Contender."""
        answers = await self._load.burst()
        self._answers.append(answers)
        return answers.accepted

    def notes(self) -> Notes:
        """How long a request took with all connections busy."""
        last = self._answers[-1]
        return {"p50": f"{last.p50 * 1e3:.1f} ms", "p99": f"{last.p99 * 1e3:.1f} ms", "connections": CONNECTIONS}

    async def application(self, folder: Path) -> Any:
        """The ASGI application."""
        raise NotImplementedError


class NoOp(Entrance):
    """Answers at once; it does not even read the body."""

    async def application(self, folder: Path) -> Any:  # noqa: ARG002 -- it stores nothing
        """See Entrance."""

        async def handle(request: Request) -> Response:  # noqa: ARG001 -- it looks at nothing
            return Response()

        return Starlette(routes=[Route(_PATH, handle, methods=["POST"])])


class Ours(Entrance):
    """`WebhookApp` and `Ingest` with the example connector: answered when the log has confirmed. `bootstrap` "": SQLite."""

    def __init__(self, name: str, requests: int, bootstrap: str = "") -> None:
        super().__init__(name, requests)
        self._bootstrap = bootstrap

    async def application(self, folder: Path) -> Any:
        """See Entrance."""
        self._log: EventLog = (
            KafkaLog(self._bootstrap, client_id="bench") if self._bootstrap else SqliteLog(folder / "log.sqlite")
        )
        state = SqliteState(folder / "state.sqlite")
        for part in (self._log, state):
            await self._stack.enter_async_context(part)
        await self._log.apply(topics(partitions=4))
        tokens = OwnTokens([SecretStr("a-signing-key-of-some-length")])
        ingest = Ingest(self._log, Blobs((folder / "blobs").as_uri()), Channels([_channel()]), tokens)
        standing = Standing(state, ingest.now)
        app = WebhookApp(ingest, public_url="https://hooks.example", lend=_nobody, wake=_unawakened, standing=standing)
        self._stack.push_async_callback(app.stop)
        self._stored = await self._count()
        return app

    async def check(self) -> None:
        """See Contender: each accepted request is one more record in the log."""
        before, self._stored = self._stored, await self._count()
        if self._stored - before != self._requests:
            raise Incomplete(f"{self._stored - before} of {self._requests} accepted messages are in the log")

    async def _count(self) -> int:
        return sum(extent.end - extent.begin for extent in (await self._log.extents(MESSAGES)).values())


def plans(backends: Backends, quick: bool) -> list[Plan]:  # noqa: FBT001 -- one signature for all benches
    """The no-op, SQLite, and Kafka where it can be started."""
    requests = 500 if quick else 1_500
    entrants = [Entrant(NoOp("no-op Starlette handler", requests)), Entrant(Ours("onethread, SQLite log", requests))]
    title = "signed webhook, checked, normalised, confirmed by the log"
    try:
        kafka = Ours("onethread, Kafka log", requests, backends.kafka())
    except Misconfigured as error:
        title += f" (Kafka: {error})"
    else:
        entrants.append(Entrant(kafka, GOAL))
    return [Plan("webhook", title, "requests", tuple(entrants), rounds=3 if quick else 5)]


# --- the request ---


def _request(number: int) -> bytes:
    """A message of 0.6 kB, with the example's signature and the usual headers of a provider."""
    now = datetime.now(UTC)
    item = {
        "type": "message",
        "id": f"m{number}",
        "at": int(now.timestamp() * 1000),
        "chat": f"chat-{number % 97}",
        "user": f"customer-{number % 97}",
        "name": "Mia Lang",
        "text": "The kettle leaks from below. Where can I send it back? " * 8,
    }
    body = msgspec.json.encode({"items": [item]})
    at = str(int(now.timestamp()))
    signature = hmac.new(_SECRET.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    head = (
        f"POST {_PATH} HTTP/1.1\r\nhost: hooks.example\r\nuser-agent: Acme-Hooks/1.0\r\naccept: */*\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        f"x-acme-signature: v1={signature}\r\nx-acme-timestamp: {at}\r\n\r\n"
    )
    return head.encode() + body


def _channel() -> Channel:
    connector = _acme()
    created = datetime(2026, 1, 1, tzinfo=UTC)
    return Channel(id="chn_acme", tenant="acme", connector=connector, created_at=created, hook_secret=SecretStr(_HOOK))


def _acme() -> Connector[Any]:
    sys.path.append(str(_EXAMPLE))  # in place of an installation
    from onethread_acme.connectors.acme.connector import Acme, Settings

    connector: Connector[Any] = Acme(Settings(account="shop-1", secrets=[SecretStr(_SECRET)]))
    return connector


def _nobody(channel: Channel) -> Host:
    raise RuntimeError(f"the connector of {channel.id} fetches no keys")


async def _unawakened(channel: Channel, wake: Wake) -> None:
    raise RuntimeError(f"the connector of {channel.id} wakes nothing, but said {wake}")


async def _stopped(server: HttpServer, serving: asyncio.Task[None]) -> None:
    await server.stop()
    await serving
