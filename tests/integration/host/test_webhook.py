import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterable
from typing import Any, ClassVar
from urllib.parse import urlsplit

import hostkit
import httpx
import pytest
from acme_ingest.connectors.acme.connector import Acme
from hostkit import HOOK, Kit, acme, body, channel, item, signature, until
from pydantic import SecretStr

from onethread import metrics
from onethread.connector import (
    Answer,
    Connector,
    Host,
    Keys,
    Misconfigured,
    Raw,
    Rejected,
    Request,
    Retryable,
    Wake,
)
from onethread.host.channel import Channel
from onethread.host.webhook import WebhookApp
from onethread.log.topics import DEAD_LETTERS, MESSAGES
from onethread.state.channel_states import ChannelStates

PATH = f"/hooks/chn_acme/{HOOK}"


class Entrance:
    """The running entrance and a client of it."""

    def __init__(self, kit: Kit, app: WebhookApp, client: httpx.AsyncClient, woken: list[tuple[str, Wake]]) -> None:
        self.kit, self.app, self.client, self.woken = kit, app, client, woken

    async def post(self, content: bytes, headers: dict[str, str] | None = None, path: str = PATH) -> httpx.Response:
        return await self.client.post(path, content=content, headers=signature(content) if headers is None else headers)

    async def state(self, channel_id: str = "chn_acme") -> str:
        found = await ChannelStates(self.kit.state).get(channel_id)
        return found.state if found else ""


class Fetched(Acme, Keys):
    """Verifies with a key it fetches: the signature header is `<key name> <key>`."""

    name = "acme_keys"
    fetches: ClassVar[list[str]] = []

    def key_names(self, request: Request) -> Iterable[str]:
        return (request.headers["x-acme-signature"].split(" ")[0],)

    async def load_key(self, host: Host, name: str) -> bytes:
        self.fetches.append(name)
        if name == "away":
            raise httpx.ConnectError("no route")
        if name != "good":
            raise Rejected("nobody's key")
        return b"sesame"

    def authenticate(self, request: Request) -> None:
        name, given = request.headers["x-acme-signature"].split(" ")
        if request.keys[name] != given.encode():
            raise Rejected("wrong key")


class Odd(Acme):
    """Does at each step what the test says, by the path."""

    name = "acme_odd"
    answer_within = 1.0

    def authenticate(self, request: Request) -> None:
        if request.path == "/authenticate":
            raise KeyError("x-acme-signature")

    def handshake(self, request: Request) -> Answer | None:
        if request.path == "/handshake":
            raise ValueError("no challenge")
        if request.path == "/challenge":
            return Answer(b'{"challenge": 1}', media_type="application/json")
        return None

    def unpack(self, request: Request) -> Iterable[Any]:
        match request.path:
            case "/rejected/400":
                raise Rejected("no such event here", status=400)
            case "/rejected":
                raise Rejected("wrong app", status=403)
            case "/retryable":
                raise Retryable("later", after=42)
            case "/misconfigured":
                raise Misconfigured("settings.aes_key: give 43 characters")
            case "/wake":
                return [Wake("inbox", "hint"), Raw(request.body)]
            case "/odd":
                return [Raw(request.body), 7]
            case "/url":
                return [Raw(json.dumps(item(request.url, text=request.query.get("a b", ""))).encode())]
        return [Raw(request.body)]

    def answer(self, request: Request) -> Answer:
        if request.path == "/answer":
            raise ValueError("no answer")
        return Answer(b"success", 200)


def no_host(channel: Channel) -> Host:
    return object()  # type: ignore[return-value]


@pytest.fixture
async def entrance(kit: Kit) -> AsyncIterator[Entrance]:
    woken: list[tuple[str, Wake]] = []

    async def wake(to: Channel, what: Wake) -> None:
        woken.append((to.id, what))

    Fetched.fetches.clear()
    connectors: dict[str, Connector[Any]] = {
        "chn_acme": acme(),
        "chn_odd": Odd(acme().settings),
        "chn_keys": Fetched(acme().settings),
    }
    for channel_id, connector in connectors.items():
        kit.channels.add(channel(connector, id=channel_id))
    app = WebhookApp(
        kit.ingest, public_url="https://hooks.example.com/", lend=no_host, wake=wake, standing=kit.standing,
        body_limit=1024 * 1024, read_seconds=0.5, admitted=4, pause=0.05,
    )  # fmt: skip
    async with hostkit.served(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        yield Entrance(kit, app, client, woken)
    kit.log.gate.set()
    await app.stop()


async def test_a_signed_delivery_is_in_the_log_when_it_is_answered(entrance: Entrance) -> None:
    response = await entrance.post(body(item("m1"), item("m2", type="edit")))
    assert response.status_code == 200
    assert [(event.external_id, event.kind) for event in await entrance.kit.events()] == [
        ("m1", "message"), ("m2", "message.edited"),
    ]  # fmt: skip
    await until(entrance.state)
    assert await entrance.state() == "healthy"


@pytest.mark.parametrize("forged", [{}, {"x-acme-signature": "0" * 64}, {"x-acme-signature": "é"}, signature(b"other")])
async def test_a_forged_delivery_is_401_and_stores_nothing(entrance: Entrance, forged: dict[str, str]) -> None:
    headers = {name: text.encode() for name, text in forged.items()}
    response = await entrance.post(body(item()), headers)  # type: ignore[arg-type]
    assert response.status_code == 401
    assert response.headers["content-type"] == "application/problem+json"
    assert "secret" in response.json()["detail"]
    assert (await entrance.kit.events(), await entrance.kit.letters()) == ([], [])


async def test_a_rotated_secret_is_accepted_beside_the_new_one(entrance: Entrance) -> None:
    entrance.kit.channels.add(channel(acme(secrets=["new", hostkit.SECRET]), id="chn_two"))
    content = body(item())
    for secret, status in (("new", 200), (hostkit.SECRET, 200), ("retired", 401)):
        response = await entrance.post(content, signature(content, secret), f"/hooks/chn_two/{HOOK}")
        assert response.status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/hooks",
        "/hooks/",
        "/hooks/chn_acme",
        "/hooks/chn_acme/wrong-secret",
        f"/hooks/chn_none/{HOOK}",
        f"/hooks/chn_acme/{HOOK}x",
    ],
)
async def test_who_does_not_know_the_path_finds_nothing(entrance: Entrance, path: str) -> None:
    assert (await entrance.post(body(item()), path=path)).status_code == 404


async def test_a_channel_without_a_hook_secret_has_no_entrance(entrance: Entrance) -> None:
    entrance.kit.channels.add(channel(id="chn_bare", hook_secret=SecretStr("")))
    assert (await entrance.post(body(item()), path="/hooks/chn_bare//")).status_code == 404


async def test_a_large_body_is_refused_before_it_is_read(entrance: Entrance) -> None:
    assert (await entrance.post(b"x" * (20 * 1024 * 1024))).status_code == 413


async def test_a_large_body_of_no_stated_length_is_refused_while_it_is_read(entrance: Entrance) -> None:
    reader, writer = await asyncio.open_connection(*_address(entrance))
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    for _ in range(17):  # 1 MiB and one chunk more; the last chunk is never sent
        writer.write(chunk)
    assert b" 413 " in await reader.readline()
    writer.close()


async def test_a_body_that_comes_too_slowly_is_408(entrance: Entrance) -> None:
    reader, writer = await asyncio.open_connection(*_address(entrance))
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc".encode())
    assert b" 408 " in await reader.readline()
    writer.close()


async def test_two_lengths_are_refused(entrance: Entrance) -> None:
    reader, writer = await asyncio.open_connection(*_address(entrance))
    writer.write(
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()
    )
    assert b" 400 " in await reader.readline()
    writer.close()


async def test_a_caller_that_goes_away_leaves_nothing(entrance: Entrance) -> None:
    _, writer = await asyncio.open_connection(*_address(entrance))
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc".encode())
    await writer.drain()
    await until(lambda: metrics.HOOKS_OPEN.value() == 1)
    writer.transport.abort()
    await until(lambda: metrics.HOOKS_OPEN.value() == 0)


async def test_a_body_that_is_cut_short_is_a_dead_letter_and_acknowledged(entrance: Entrance) -> None:
    content = body(item())[:-3]
    headers = {**signature(content), "authorization": "Bearer x", "x-shop": "1", "content-type": "application/json"}
    response = await entrance.client.post(f"{PATH}/in?token=t&page=2", content=content, headers=headers)
    assert response.status_code == 200
    (letter,) = await entrance.kit.letters()
    assert (letter.stage, letter.data, letter.media_type) == ("unpack", content, "application/json")
    assert letter.about == {"path": "/in", "query.page": "2"}
    assert letter.headers["x-shop"] == "1"
    assert not {"authorization", "x-acme-signature"} & set(letter.headers)


async def test_get_is_a_handshake_or_405(entrance: Entrance) -> None:
    assert (await entrance.client.get(PATH, params={"echo": "abc123"})).text == "abc123"
    response = await entrance.client.get(PATH)
    assert (response.status_code, response.headers["allow"]) == (405, "POST")
    assert (await entrance.client.put(PATH)).status_code == 405


async def test_a_handshake_needs_neither_log_nor_state(entrance: Entrance) -> None:
    await entrance.kit.log.close()
    await entrance.kit.state.close()
    assert (await entrance.client.get(PATH, params={"echo": "abc123"})).status_code == 200


async def test_while_the_log_is_away_nothing_is_acknowledged(entrance: Entrance) -> None:
    entrance.kit.log.away |= {MESSAGES, DEAD_LETTERS}
    for content in (body(item()), b"no json"):
        response = await entrance.post(content)
        assert response.status_code == 503
        assert int(response.headers["retry-after"]) >= 1
        assert "log.url" not in response.text
    await until(lambda: _is(entrance, "failing"))
    entrance.kit.log.away.clear()
    assert (await entrance.post(body(item()))).status_code == 200
    await until(lambda: _is(entrance, "healthy"))
    assert len(await entrance.kit.events()) == 1


async def test_a_log_that_is_closed_is_503(entrance: Entrance) -> None:
    await entrance.kit.log.close()
    assert (await entrance.post(body(item()))).status_code == 503


async def test_a_slow_log_is_503_in_time_the_write_goes_on_and_the_retry_is_a_duplicate(entrance: Entrance) -> None:
    content = json.dumps(item("m1")).encode()
    entrance.kit.log.gate.clear()
    began = asyncio.get_running_loop().time()
    response = await entrance.post(content, path=f"/hooks/chn_odd/{HOOK}")
    waited = asyncio.get_running_loop().time() - began
    assert response.status_code == 503
    assert 0.8 < waited < 1.0  # 90 % of `answer_within`
    entrance.kit.log.gate.set()
    (first,) = await until(entrance.kit.events)
    assert (await entrance.post(content, path=f"/hooks/chn_odd/{HOOK}")).status_code == 200
    first_again, second = await entrance.kit.events()
    assert first.id == first_again.id == second.id


async def test_more_than_fit_are_told_to_come_again_and_the_place_is_kept_while_the_write_goes_on(
    entrance: Entrance,
) -> None:
    entrance.kit.log.gate.clear()
    path = f"/hooks/chn_odd/{HOOK}"
    slow = await asyncio.gather(*[entrance.post(json.dumps(item(f"m{n}")).encode(), path=path) for n in range(4)])
    assert [response.status_code for response in slow] == [503] * 4
    began = asyncio.get_running_loop().time()
    full = await entrance.post(json.dumps(item("m9")).encode(), path=path)
    assert full.status_code == 503
    assert asyncio.get_running_loop().time() - began < 0.5  # nobody waits in a queue
    entrance.kit.log.gate.set()
    await until(lambda: metrics.HOOKS_OPEN.value() == 0)
    assert (await entrance.post(json.dumps(item("m9")).encode(), path=path)).status_code == 200
    assert {event.external_id for event in await entrance.kit.events()} == {"m0", "m1", "m2", "m3", "m9"}


async def test_one_bad_element_is_set_aside_alone_and_order_is_kept(entrance: Entrance) -> None:
    items = [item(f"m{n}") for n in range(12)]
    items[5] = {"type": "message", "id": 5}
    assert (await entrance.post(body(*items))).status_code == 200
    assert [event.external_id for event in await entrance.kit.events()] == [f"m{n}" for n in range(12) if n != 5]
    (letter,) = await entrance.kit.letters()
    assert (letter.stage, json.loads(letter.data)) == ("normalize", {"type": "message", "id": 5})


async def test_a_shared_entrance_serves_each_channel_of_the_app(entrance: Entrance) -> None:
    entrance.kit.channels.add(channel(acme("shop2"), id="chn_two", tenant="t2"))
    await entrance.post(body(item("m1", shop="shop1"), item("m2", shop="shop2"), item("m3", shop="shop9")))
    assert [(event.channel_id, event.external_id) for event in await entrance.kit.events()] == [
        ("chn_acme", "m1"), ("chn_two", "m2"),
    ]  # fmt: skip
    assert [letter.reason for letter in await entrance.kit.letters()] == ["no_channel"]


@pytest.mark.parametrize(
    ("step", "status"),
    [
        ("authenticate", 401),
        ("handshake", 401),
        ("rejected", 403),
        ("retryable", 503),
        ("misconfigured", 503),
        ("answer", 200),
        ("", 200),
    ],
)
async def test_what_a_connector_raises_decides_the_answer(entrance: Entrance, step: str, status: int) -> None:
    response = await entrance.post(json.dumps(item()).encode(), path=f"/hooks/chn_odd/{HOOK}/{step}")
    assert response.status_code == status
    assert "settings" not in response.text
    assert len(await entrance.kit.events()) == (status == 200)
    if step == "retryable":
        assert response.headers["retry-after"] == "42"
    if step == "misconfigured":
        found = await until(lambda: ChannelStates(entrance.kit.state).get("chn_odd"))
        assert (found.state, "aes_key" in found.reason.todo) == ("failing", True)


async def test_a_connectors_refusal_is_told_from_the_servers(entrance: Entrance) -> None:
    response = await entrance.post(b"{}", path=f"/hooks/chn_odd/{HOOK}/rejected/400")
    assert response.status_code == 400
    assert response.json()["detail"] == "The provider's request is not one this channel accepts."
    unsigned = await entrance.post(b"{}", {})
    assert {"signed", "old", "secret", "clock"} <= set(re.findall("[a-z]+", unsigned.json()["detail"]))


@pytest.mark.parametrize("step", ["authenticate", "handshake", "answer"])
async def test_bugs_of_an_entrance_are_counted(entrance: Entrance, step: str) -> None:
    before = metrics.BUGS.value("chn_odd", step)
    await entrance.post(json.dumps(item()).encode(), path=f"/hooks/chn_odd/{HOOK}/{step}")
    assert metrics.BUGS.value("chn_odd", step) == before + 1


async def test_a_challenge_by_post_is_answered_and_stores_nothing(entrance: Entrance) -> None:
    response = await entrance.post(b"{}", path=f"/hooks/chn_odd/{HOOK}/challenge")
    assert (response.json(), response.headers["content-type"]) == ({"challenge": 1}, "application/json")
    assert (await entrance.kit.events(), await entrance.kit.letters()) == ([], [])


async def test_a_wake_is_handed_on_once_the_records_are_durable(entrance: Entrance) -> None:
    await entrance.post(json.dumps(item()).encode(), path=f"/hooks/chn_odd/{HOOK}/wake")
    assert entrance.woken == [("chn_odd", Wake("inbox", "hint"))]
    assert len(await entrance.kit.events()) == 1


async def test_what_unpack_may_not_yield_sets_the_body_aside(entrance: Entrance) -> None:
    assert (await entrance.post(b"{}", path=f"/hooks/chn_odd/{HOOK}/odd")).status_code == 200
    assert [letter.stage for letter in await entrance.kit.letters()] == ["unpack"]


async def test_the_url_is_the_one_set_at_the_provider_whatever_the_host_header_says(entrance: Entrance) -> None:
    path = f"/hooks/chn_odd/{HOOK}/url?a%20b=%C3%BC&c="
    await entrance.post(b"{}", {"host": "evil.example"}, path)
    (event,) = await entrance.kit.events()
    assert event.external_id == f"https://hooks.example.com{path}"
    assert event.fact.body.text == "ü"  # type: ignore[union-attr]


async def test_a_fetched_key_is_kept_and_a_made_up_one_is_asked_for_once(entrance: Entrance) -> None:
    path = f"/hooks/chn_keys/{HOOK}"
    for given, status in (
        ("good sesame", 200),
        ("good wrong", 401),
        ("bad x", 401),
        ("bad x", 401),
        ("away x", 503),
        ("x", 401),
    ):
        response = await entrance.post(body(item()), {"x-acme-signature": given}, path)
        assert response.status_code == status, given
    assert Fetched.fetches == ["good", "bad", "away", "x"]
    entrance.kit.clock.advance(hours=25)
    await entrance.post(body(item()), {"x-acme-signature": "good sesame"}, path)
    assert Fetched.fetches[-1] == "good"


async def test_made_up_keys_cost_the_provider_few_questions_and_shut_nobody_out(entrance: Entrance) -> None:
    path = f"/hooks/chn_keys/{HOOK}"

    async def told(given: str) -> int:
        return (await entrance.post(body(item()), {"x-acme-signature": given}, path)).status_code

    assert await told("good sesame") == 200
    assert [await told(f"made-up-{number} x") for number in range(30)] == [401] * 20 + [503] * 10
    assert Fetched.fetches == ["good", *(f"made-up-{number}" for number in range(20))]
    assert await told("good sesame") == 200
    assert await told("made-up-3 x") == 401
    entrance.kit.clock.advance(hours=25)
    assert [await told(f"more-{number} x") for number in range(21)] == [401] * 20 + [503]
    assert await told("good sesame") == 200, "its day is over, but it was the provider's"
    entrance.kit.clock.advance(minutes=1)
    assert await told("made-up-29 x") == 401
    assert Fetched.fetches[-1] == "made-up-29"


async def test_refusals_in_a_row_are_shown_at_the_channel_until_one_is_let_in(entrance: Entrance) -> None:
    """With a wrong secret every delivery is refused: a channel that looks well then, or only silent, would mislead."""
    forged = {**signature(body(item())), "x-acme-signature": "v1=0"}

    async def told(*, genuine: bool) -> None:
        await entrance.post(body(item()), None if genuine else forged)
        await entrance.kit.standing.said()

    await told(genuine=True)
    for genuine in (False, False, True, False, False):
        await told(genuine=genuine)
    assert await entrance.state() == "healthy", "never three in a row"
    await told(genuine=False)
    found = await ChannelStates(entrance.kit.state).get("chn_acme")
    assert found is not None
    assert (found.state, found.reason.code) == ("degraded", "refused")
    assert "x-acme-signature" in found.reason.text
    assert "onethread listen" in found.reason.todo
    await told(genuine=True)
    assert await entrance.state() == "healthy"


async def test_a_request_without_what_names_the_key_is_401(entrance: Entrance) -> None:
    assert (await entrance.post(body(item()), {}, f"/hooks/chn_keys/{HOOK}")).status_code == 401


async def test_after_stop_nothing_is_taken_and_what_was_taken_is_written(entrance: Entrance) -> None:
    entrance.kit.log.gate.clear()
    delivery = asyncio.create_task(entrance.post(body(item())))
    await until(lambda: metrics.HOOKS_OPEN.value() == 1)
    stopping = asyncio.create_task(entrance.app.stop())
    await until(lambda: entrance.app._deliveries._stopping)
    assert (await entrance.post(body(item("m2")))).status_code == 503
    entrance.kit.log.gate.set()
    await stopping
    assert (await delivery).status_code == 200
    assert [event.external_id for event in await entrance.kit.events()] == ["m1"]


async def _is(entrance: Entrance, state: str) -> bool:
    return await entrance.state() == state


def _address(entrance: Entrance) -> tuple[str, int]:
    parts = urlsplit(str(entrance.client.base_url))
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


async def test_an_entrance_that_only_sets_aside_is_not_healthy_until_something_is_understood(
    entrance: Entrance,
) -> None:
    assert (await entrance.post(body({"type": "message", "id": "m1"}))).status_code == 200
    await until(entrance.state)
    assert await entrance.state() == "degraded"
    assert (await entrance.post(b"{")).status_code == 200
    await entrance.kit.standing.said()
    assert (await entrance.state(), len(await entrance.kit.letters())) == ("degraded", 2)
    assert (await entrance.post(body(item("m2")))).status_code == 200
    await until(lambda: _is_healthy(entrance))


async def _is_healthy(entrance: Entrance) -> bool:
    return await entrance.state() == "healthy"
