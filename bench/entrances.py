"""Deadlines at load: every connector's entrance with all connections busy, beside what its provider waits for an answer.

Each is sent one recorded delivery again and again, at the time at which it was recorded, so that signatures and keys are the
provider's own. The entrance does the whole work each time: what is already known is the unifier's business.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote, urlencode

import msgspec
from pydantic import SecretStr

from bench.backends import Backends
from bench.comparing import Entrant, Plan
from bench.contender import Incomplete, Notes
from bench.webhook import Entrance, NoOp
from onethread.blobs import Blobs
from onethread.connector import Connector, Host, Raw, Request, Wake, Webhook
from onethread.errors import OnethreadError
from onethread.host.channel import Channel, Channels
from onethread.host.ingest import Ingest
from onethread.host.standing import Standing
from onethread.host.webhook import WebhookApp
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import MESSAGES, topics
from onethread.registry import connectors
from onethread.state.sqlite import SqliteState
from onethread.testing.fixtures import Case, cases, with_keys

FAMILIES = ("email_ingest", "im_ingest", "social_ingest")
_HOOK = "the-unguessable-part"
_CHANNEL = "chn_recorded"


class Recorded(Entrance):
    """One connector's entrance, with a log of SQLite."""

    def __init__(self, connector: str, requests: int) -> None:
        super().__init__(connector, requests)

    async def prepare(self) -> None:
        """See Contender."""
        await self._load.give([_bytes(self._request)] * self._requests)

    async def application(self, folder: Path) -> Any:
        """See Entrance."""
        case, self._request = chosen(connectors(FAMILIES)[self.name])
        connector = with_keys(case.instance(), self._request.keys)
        assert isinstance(connector, Webhook)
        self._deadline, self._wakes = connector.answer_within, 0
        self._log, state = SqliteLog(folder / "log.sqlite"), SqliteState(folder / "state.sqlite")
        for part in (self._log, state):
            await self._stack.enter_async_context(part)
        await self._log.apply(topics(partitions=4))
        created, hook = datetime(2025, 1, 1, tzinfo=UTC), SecretStr(_HOOK)
        channel = Channel(id=_CHANNEL, tenant="acme", connector=connector, created_at=created, hook_secret=hook)
        arrived = self._request.arrived_at
        ingest = Ingest(self._log, Blobs((folder / "blobs").as_uri()), Channels([channel]), now=lambda: arrived)
        where = self._request.url.partition("/hooks/")[0] or "https://hooks.example"
        standing = Standing(state, ingest.now)
        app = WebhookApp(ingest, public_url=where, lend=_nobody, wake=self._woken, standing=standing)
        self._stack.push_async_callback(app.stop)
        self._taken = 0
        return app

    async def check(self) -> None:
        """See Contender: each accepted request left a record in the log, or a wake."""
        extents = await self._log.extents(MESSAGES)
        before, self._taken = self._taken, self._wakes + sum(one.end - one.begin for one in extents.values())
        if self._taken - before < self._requests:
            raise Incomplete(f"{self._taken - before} of {self._requests} accepted deliveries left something")

    def notes(self) -> Notes:
        """Also what the provider waits, and the part of it that the slowest hundredth took."""
        share = self._answers[-1].p99 / self._deadline
        return {**super().notes(), "provider waits": f"{self._deadline:g} s", "p99 of it": f"{share:.0%}"}

    async def _woken(self, _channel: Channel, _wake: Wake) -> None:
        self._wakes += 1


def plans(_backends: Backends, quick: bool) -> list[Plan]:  # noqa: FBT001 -- one signature for all benches
    """Every connector that has an entrance, beside a handler that does nothing."""
    requests = 200 if quick else 1_000
    ours = [Entrant(Recorded(name, requests)) for name, one in connectors(FAMILIES).items() if issubclass(one, Webhook)]
    title = "each connector's entrance, SQLite log; see p99 in the notes"
    entrants = (Entrant(NoOp("no-op Starlette handler", requests)), *ours)
    return [Plan("entrances", title, "requests", entrants, rounds=2 if quick else 3)]


def chosen(kind: type[Connector[Any]]) -> tuple[Case, Request]:
    """Of its recorded deliveries that are let in, the one of the most records: the longest of them. Raises Incomplete."""
    found = [
        (weight, case, request)
        for case in cases(kind)
        if (request := _post(case)) and (weight := _weight(case, request))
    ]
    if not found:
        raise Incomplete(f"{kind.name} has no recorded delivery that its entrance lets in")
    _, case, request = max(found, key=lambda each: each[0])
    return case, request


def _post(case: Case) -> Request | None:
    given = case.input().request
    return given.request() if given is not None and given.method == "POST" else None


def _weight(case: Case, request: Request) -> tuple[int, int] | None:
    connector: Any = case.instance()
    try:
        connector.authenticate(request)
        if connector.handshake(request) is not None:
            return None
        own = {"", connector.account}  # what is for another account has no channel here
        parts = [part for part in connector.unpack(request) if isinstance(part, Wake) or part.account in own]
        events = [event for part in parts if isinstance(part, Raw) for event in connector.normalize(part)]
    except (OnethreadError, ValueError, msgspec.MsgspecError):
        return None
    wakes = any(isinstance(part, Wake) for part in parts)
    return (len(parts), len(request.body)) if parts and (wakes or len(events) >= len(parts)) else None


def _bytes(request: Request) -> bytes:
    query = f"?{urlencode(request.query)}" if request.query else ""
    path = quote(f"/hooks/{_CHANNEL}/{_HOOK}{request.path}")
    headers = {**request.headers, "host": "hooks.example", "content-length": str(len(request.body))}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"POST {path}{query} HTTP/1.1\r\n{lines}\r\n".encode() + request.body


def _nobody(channel: Channel) -> Host:
    return cast("Host", channel)  # never used: the keys are at hand
