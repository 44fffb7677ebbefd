"""Every connector that has an entrance, behind the real one: what its fixtures record, damaged copies of it, and forgeries.

The clock stands at the time of each fixture, and public keys are those recorded in it, since no test calls a provider.
"""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import islice
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode

import httpx
import msgspec
import pytest
from hostkit import HOOK, Kit, channel
from recorded_requests import ENTRANCES, REQUESTS, SEALED, asked, is_authentic, of

from onethread.connector import Connector, Host, Request
from onethread.host.channel import Channel
from onethread.host.webhook import WebhookApp
from onethread.log.topics import DEAD_LETTERS, MESSAGES
from onethread.testing.connector_suite import waivers_in
from onethread.testing.fixtures import Case, folder_of, with_keys
from onethread.testing.mutations import DEEP, noise, replaced, truncations
from onethread.testing.signing import signed_anew
from onethread.testing.weixin_server import xml

MUTATIONS = 24
"""Of each fixture: these are for the way through the entrance; the contract's suite tries all of them on the connector."""


class Entrance:
    """The entrance of one case, and what came of a request."""

    def __init__(self, kit: Kit, client: httpx.AsyncClient, wakes: list[Any]) -> None:
        self._kit, self._client, self._wakes = kit, client, wakes

    async def post(self, request: Request) -> httpx.Response:
        """It arrives when it says it does."""
        self._kit.clock.time = request.arrived_at
        url = f"/hooks/chn_case/{HOOK}{request.path}"
        rest = {"params": request.query, "headers": request.headers, "content": request.body}
        return await self._client.request(request.method, url, **rest)  # type: ignore[arg-type]

    async def stored(self) -> int:
        """Records, dead letters and wakes so far."""
        extents = [await self._kit.log.extents(topic) for topic in (MESSAGES, DEAD_LETTERS)]
        return len(self._wakes) + sum(extent.end for each in extents for extent in each.values())


@asynccontextmanager
async def entrance(kit: Kit, case: Case) -> AsyncIterator[Entrance]:
    """For one case after the other."""
    wakes: list[Any] = []

    async def wake(_to: Channel, what: Any) -> None:
        wakes.append(what)

    kit.channels.remove("chn_case")
    kit.channels.add(channel(with_keys(case.instance(), dict(asked(case).keys)), id="chn_case"))
    app = WebhookApp(
        kit.ingest,
        public_url="https://hooks.example",
        lend=lambda _: cast("Host", None),
        wake=wake,
        standing=kit.standing,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://hooks.example") as client:
        yield Entrance(kit, client, wakes)
    await app.stop()


every_connector = pytest.mark.parametrize("kind", ENTRANCES, ids=lambda kind: kind.name)


@every_connector
async def test_what_is_recorded_is_answered_as_recorded(kit: Kit, kind: type[Connector[Any]]) -> None:
    for case in (case for case in REQUESTS if case.connector is kind):
        recorded = msgspec.json.decode(case.output.read_bytes())
        async with entrance(kit, case) as at:
            before = await at.stored()
            answer = await at.post(asked(case))
            more = await at.stored() - before
        refused = isinstance(recorded, dict) and recorded.get("error") == "Rejected"
        if refused:
            assert (answer.status_code, more) == (recorded["status"], 0), case.name
        elif isinstance(recorded, dict) and "answer" in recorded:
            given = recorded["answer"]
            assert (answer.status_code, answer.text, more) == (given["status"], given["body"], 0), case.name
        else:
            assert answer.is_success, f"{case.name}: {answer.status_code}"
            assert bool(more) == bool(recorded), case.name


def damaged(case: Case) -> Iterator[tuple[str, bytes]]:
    """Copies of its body, each with a label; the same in every run."""
    body, dice = asked(case).body, random.Random(case.name)
    fields = [*replaced(body), *_of_a_form(body)]
    yield from dice.sample(fields, min(len(fields), MUTATIONS - 10))
    cuts = list(truncations(body))
    yield from dice.sample(cuts, min(len(cuts), 3))
    yield from islice(noise(body, seed=len(body)), 6)
    yield "deep", DEEP


def _of_a_form(body: bytes) -> Iterator[tuple[str, bytes]]:
    """Fields of JSON that came as a field of a form."""
    pairs = parse_qsl(body.decode("latin-1"))
    for name, value in pairs:
        for label, changed in replaced(value.encode("latin-1")) if value.startswith("{") else ():
            yield label, urlencode({**dict(pairs), name: changed}).encode()


@every_connector
async def test_a_damaged_delivery_signed_anew_is_no_error_of_ours(kit: Kit, kind: type[Connector[Any]]) -> None:
    """Where the kit does not know how it is signed, the damage is met before the signature is found wrong."""
    taken = 0
    for case in of(kind):
        request, settings = asked(case), case.instance().settings
        async with entrance(kit, case) as at:
            for label, body in damaged(case):
                sent, names = signed_anew(request, settings, settings, request.arrived_at, body)
                answer = await at.post(sent)
                assert answer.status_code < 500, f"{case.name}, {label}: {answer.status_code}"
                assert answer.status_code != 401 or not names, f"{case.name}, {label}: the signature is not ours"
                taken += answer.is_success
    assert taken or kind.name in SEALED


@pytest.mark.parametrize("name", SEALED)
async def test_a_damaged_message_that_is_sealed_is_no_error_of_ours(kit: Kit, name: str) -> None:
    kind = next(found for found in ENTRANCES if found.name == name)
    case, server = of(kind)[0], SEALED[name]
    request = asked(case)
    server.now = request.arrived_at.timestamp
    whole = xml(
        ToUserName=server.receiver, FromUserName="oOPENID0001", CreateTime=1767225600, MsgType="text", Content="Hi"
    )
    texts = [text for _, data in (*truncations(whole.encode()), *noise(whole.encode(), 1)) if (text := _text(data))]
    async with entrance(kit, case) as at:
        for text in (whole, "", "<xml/>", "[]", *random.Random(1).sample(texts, 60)):
            query, body = server._delivery(text)
            sent = msgspec.structs.replace(request, query=query, body=body.encode())
            answer = await at.post(sent)
            assert answer.status_code == 200, text


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def forged(case: Case) -> Iterator[tuple[str, Request]]:
    """What somebody else could send: without the signature, with another, over another body, and much later."""
    connector, request = case.instance(), asked(case)
    yield "unsigned", msgspec.structs.replace(request, headers={}, query={})
    for part in ("headers", "query"):
        values: dict[str, str] = dict(getattr(request, part))
        for name, value in values.items():
            rest = {key: old for key, old in values.items() if key != name}
            if is_authentic(connector, msgspec.structs.replace(request, **{part: rest})):
                continue  # no part of the signature
            yield f"without {name}", msgspec.structs.replace(request, **{part: rest})
            for wrong in ("", value[:-1], value + "0", "0" * len(value)):
                yield f"{name} is {wrong!r}", msgspec.structs.replace(request, **{part: {**rest, name: wrong}})
    waivers = waivers_in(folder_of(case.connector))
    if "body" not in waivers:
        yield "another body", msgspec.structs.replace(request, body=request.body + b" ")
    if "stale" not in waivers:
        yield "stale", msgspec.structs.replace(request, arrived_at=request.arrived_at + timedelta(days=3))


@every_connector
async def test_what_is_forged_stale_or_unsigned_gets_401_and_stores_nothing(
    kit: Kit, kind: type[Connector[Any]]
) -> None:
    for case in of(kind):
        async with entrance(kit, case) as at:
            for label, request in forged(case):
                answer = await at.post(request)
                assert answer.status_code == 401, f"{case.name}, {label}: {answer.status_code}"
            assert await at.stored() == 0, case.name
