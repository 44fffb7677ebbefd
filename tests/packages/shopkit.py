"""A shop whose messages name files and people, its provider on loopback, and the part of the host that fetches them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import Any

import hostkit
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from onethread import metrics
from onethread.connector import Connector, Downloads, Host, Lookups, Media, Raw, Token
from onethread.errors import Misconfigured, Poison, Retryable
from onethread.event import Attachment, CallRecording, Claim, Contact, Event, Message, MessageCompleted, Party
from onethread.host.errands import Errands
from onethread.host.fetching import Fetching
from onethread.host.jobs import Jobs
from onethread.host.media import Limits
from onethread.testing.serving import Loopback

CONTENT = b"%PDF-1.7 a bill"
LOOPBACK = (ip_network("127.0.0.0/8"),)


class Settings(BaseModel):
    """Where the shop's files are."""

    account: str = "shop1"
    url: str = ""


class Shop(Connector[Settings], Downloads, Lookups):
    """Its records name files and people; both are asked for later."""

    name = network = "shop"
    edges = ()

    def normalize(self, raw: Raw) -> Iterable[Event]:
        said = json.loads(raw.data)
        who = Party(claims=(Claim("shop_user", said["from"]),), name=said.get("name", ""))
        if "name" in said:
            yield Event(said["id"], Contact(), sender=who)
            return
        files = tuple(
            Attachment(
                locator=one,
                sha256=said.get("sha256", ""),
                media_type=said.get("media_type", ""),
                expires_at=datetime.fromisoformat(said["until"]) if "until" in said else None,
            )
            for one in said["files"]
        )
        if "call" in said:
            yield Event(said["id"], CallRecording(call=said["call"], attachment=files[0]), "completed", sender=who)
            return
        yield Event(said["id"], Message(attachments=files), sender=who, lookups=tuple(said.get("lookups", ())))

    async def download(self, host: Host, locator: str) -> Media:
        if locator == "gone":
            raise Poison("the shop deleted it")
        if locator == "unscoped":
            raise Misconfigured("give the app the scope files:read, and install it anew")
        if locator.startswith("token/"):
            bearer = await host.token("files", self._renewed)
            return Media(f"{self.settings.url}/{locator}", {"authorization": bearer})
        return Media(f"{self.settings.url}/{locator}", {"authorization": "Bearer s3cret"}, ("text/html",))

    async def _renewed(self, old: Token | None) -> Token:
        number = int(old.value) + 1 if old else 1
        return Token(str(number), datetime(2100, 1, 1, tzinfo=UTC))

    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        answer = await host.http.get(f"{self.settings.url}/{locator}")
        if answer.status_code == 202:
            raise Retryable("not yet")
        return [Raw(answer.content)]


class Provider:
    """Answers by path; `seen`: path and credentials of each request."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Response]] = {}
        self.seen: list[tuple[str, str]] = []
        self.served = Loopback(Starlette(routes=[Route("/{path:path}", self._answer)]))

    async def _answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        self.seen.append((path, request.headers.get("authorization", "")))
        queue = self.answers.get(path) or [Response(status_code=404)]
        return queue.pop(0) if len(queue) > 1 else queue[0]


Tell = Callable[..., Awaitable[None]]


@asynccontextmanager
async def fetching(
    kit: hostkit.Kit, provider: Provider, limits: Limits | None = None, *, parallel: int = 8, **fields: Any
) -> AsyncIterator[Tell]:
    """The running part; what is yielded takes a record as a provider's."""
    fields = {"allow_networks": LOOPBACK, **fields}
    channel = hostkit.channel(Shop(Settings(url=provider.served.url)), **fields)
    kit.channels.add(channel)
    kit.clock.runs()
    replica = hostkit.Replica(kit, "one")
    limits = limits or Limits(max_bytes=4096, seconds=2.0)
    errands = Errands(replica.lender, kit.log, kit.blobs, limits, replica.standing)
    part = Fetching(replica.lender, kit.log, Jobs(kit.state), errands, group="media", member="one", parallel=parallel)
    running = asyncio.create_task(part.run())

    async def tell(**record: Any) -> None:
        await kit.ingest.records(channel, [Raw(json.dumps({"from": "mia", **record}).encode())])

    try:
        yield tell
    finally:
        await part.stop()
        await running
        await replica.lender.close()


async def files(kit: hostkit.Kit) -> list[Attachment]:
    """As the latest word on them says; none while there is none."""
    told = [event.fact for event in await kit.events() if isinstance(event.fact, MessageCompleted)]
    return list(told[-1].attachments) if told else []


async def ended(kit: hostkit.Kit) -> list[str]:
    """The statuses, once no file waits."""

    async def all_ended() -> bool:
        found = await files(kit)
        return bool(found) and all(file.status != "pending" for file in found)

    await hostkit.until(all_ended)
    return [file.status for file in await files(kit)]


def outcomes(outcome: str) -> float:
    return metrics.MEDIA.value("chn_acme", outcome)


async def all_told(kit: hostkit.Kit, number: int) -> bool:
    return sum(event.kind == "message.completed" for event in await kit.events()) == number


async def recordings(kit: hostkit.Kit, status: str) -> bool:
    facts = [event.fact for event in await kit.events()]
    return any(isinstance(fact, CallRecording) and fact.attachment.status == status for fact in facts)


async def none_left(kit: hostkit.Kit) -> bool:
    return not await kit.state.scan("fetches")


async def rows(kit: hostkit.Kit) -> dict[str, int]:
    """Of the state store's table, traces of what was deleted included."""
    ours = (
        "SELECT collection, count(*) FROM documents WHERE collection IN ('fetches', 'looked_up', 'fetched') GROUP BY 1"
    )
    rows = await kit.state._database.read(lambda connection: connection.execute(ours).fetchall())
    return {str(name): int(number) for name, number in rows}


async def failed(kit: hostkit.Kit, external_id: str) -> bool:
    told = [event.fact for event in await kit.events() if event.external_id == external_id]
    return any(isinstance(fact, MessageCompleted) and fact.attachments[0].status == "failed" for fact in told)


def cut_short() -> StreamingResponse:
    """More is announced than comes."""

    async def half() -> AsyncIterator[bytes]:
        yield CONTENT[:5]
        raise ConnectionResetError("the provider's disk failed")

    return StreamingResponse(half(), headers={"content-length": str(len(CONTENT))})
