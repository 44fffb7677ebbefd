import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import RedirectResponse, Response
from hostkit import served
from websockets.utils import accept_key

from onethread.errors import Misconfigured, Poison
from onethread.host.faults import AddressRefused
from onethread.host.http import LentClient, _redirected
from onethread.host.sockets import Closed, websocket

LOOPBACK = (ip_network("127.0.0.0/8"),)


class Site:
    """Redirects, fails and records what reaches it."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[Request] = []
        self.app = FastAPI()
        self.app.add_api_route("/to", self.to, methods=["GET", "POST"])
        self.app.add_api_route("/end", self.end, methods=["GET", "POST"])
        self.app.add_api_route("/status/{code}", self.status)
        self.app.add_api_websocket_route("/socket", self.socket)

    async def to(self, url: str, code: int = 302) -> Response:
        return RedirectResponse(url, status_code=code)

    async def end(self, request: Request) -> Response:
        self.seen.append(request)
        return Response("end")

    async def status(self, code: int) -> Response:
        return Response('{"error": "why"}', status_code=code)

    async def socket(self, socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(await socket.receive_text())
        await socket.close(4004, "no")


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    one = Site()
    async with served(one.app) as url:
        one.url = url
        yield one


@pytest.fixture
async def client() -> AsyncIterator[LentClient]:
    async with LentClient(LOOPBACK) as lent:
        yield lent


async def test_it_reads_what_is_there(site: Site, client: LentClient) -> None:
    assert (await client.get(f"{site.url}/end")).text == "end"


@pytest.mark.parametrize("code", [400, 404, 429, 500])
async def test_a_status_of_400_and_above_raises_with_the_answer_and_without_the_url(
    site: Site, client: LentClient, code: int
) -> None:
    with pytest.raises(httpx.HTTPStatusError) as raised:
        await client.get(f"{site.url}/status/{code}?token=canary")
    assert raised.value.response.json() == {"error": "why"}
    assert "canary" not in str(raised.value)
    async with client.stream("GET", f"{site.url}/end") as response:
        assert await response.aread() == b"end"


async def test_without_a_setting_our_own_network_is_not_reached(site: Site) -> None:
    port = httpx.URL(site.url).port
    async with LentClient() as guarded:
        for host in ("127.0.0.1", "localhost", "2130706433", "x@127.0.0.1", "[::ffff:127.0.0.1]"):
            with pytest.raises(AddressRefused):
                await guarded.get(f"http://{host}:{port}/end")
    assert site.seen == []


async def test_a_redirect_into_a_network_that_is_not_allowed_is_refused(site: Site, client: LentClient) -> None:
    with pytest.raises(AddressRefused):
        await client.get(f"{site.url}/to", params={"url": "http://169.254.169.254/latest/meta-data"})


async def test_credentials_do_not_follow_a_redirect_to_another_host(site: Site, client: LentClient) -> None:
    elsewhere = site.url.replace("127.0.0.1", "localhost")
    secrets = {"authorization": "canary", "x-api-key": "canary", "cookie": "canary=canary", "accept": "text/plain"}
    await client.get(f"{site.url}/to", params={"url": f"{elsewhere}/end"}, headers=secrets)
    await client.get(f"{site.url}/to", params={"url": "/end"}, headers=secrets)
    other, same = site.seen
    assert "canary" not in str(other.headers)
    assert other.headers["accept"] == "text/plain"
    assert other.headers["host"] == elsewhere.removeprefix("http://")
    assert same.headers["x-api-key"] == "canary"


async def test_a_body_does_not_follow_a_redirect_to_another_host(site: Site, client: LentClient) -> None:
    elsewhere = site.url.replace("127.0.0.1", "localhost")
    with pytest.raises(Poison, match="another host"):
        await client.post(
            f"{site.url}/to", params={"url": f"{elsewhere}/end", "code": "307"}, data={"secret": "canary"}
        )
    assert site.seen == []


async def test_redirects_in_a_circle_end(site: Site, client: LentClient) -> None:
    circle = f"{site.url}/to"
    with pytest.raises(Poison, match="more than 5"):
        await client.get(circle, params={"url": _loop(circle, 8)})


def _loop(base: str, depth: int) -> str:
    url = f"{base.rsplit('/', 1)[0]}/end"
    for _ in range(depth):
        url = str(httpx.URL(base, params={"url": url}))
    return url


def test_https_is_not_left_for_http() -> None:
    old = httpx.Request("GET", "https://api.example/x")
    with pytest.raises(Poison, match="https to http"):
        _redirected(old, httpx.Request("GET", "http://api.example/x"))


async def test_the_connection_goes_to_the_address_that_was_checked(
    site: Site, client: LentClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "rebind.example":
            return real(host, port, *args, **kwargs)
        asked.append(host)
        return real("127.0.0.1" if len(asked) == 1 else "127.0.0.2", port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    port = httpx.URL(site.url).port
    assert (await client.get(f"http://rebind.example:{port}/end")).text == "end"
    assert len(asked) == 1


@pytest.mark.parametrize("steps", range(20))
async def test_a_client_that_is_closed_in_the_middle_of_a_request_leaves_no_connection(steps: int) -> None:
    """httpx forgets the one that is being opened then: it would be open until the process ends."""
    came, came_and_went = asyncio.Event(), asyncio.Event()

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.set()
        with contextlib.suppress(ConnectionError):
            while await reader.readline():
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        writer.close()
        came_and_went.set()

    async with asyncio.timeout(10), await asyncio.start_server(answers, "127.0.0.1", 0) as server:
        client = LentClient(LOOPBACK)
        asking = asyncio.create_task(client.get(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"))
        for _ in range(steps):
            await asyncio.sleep(0)
        await client.aclose()
        await asyncio.wait({asking})
        if came.is_set() or asking.exception() is None:
            await came_and_went.wait()


async def test_a_websocket_is_guarded_alike_and_its_end_is_retryable(site: Site) -> None:
    url = site.url.replace("http", "ws") + "/socket"
    with pytest.raises(AddressRefused):
        async with websocket(url, {}, ()):
            pass
    async with websocket(url, {"authorization": "x"}, LOOPBACK) as open_one:
        await open_one.send("hello")
        assert await open_one.receive() == "hello"
        with pytest.raises(Closed) as raised:
            await open_one.receive()
        with pytest.raises(Closed):
            await open_one.send("more")
    assert (raised.value.code, raised.value.text) == (4004, "no")


async def test_a_websocket_whose_end_is_cut_short_is_gone_for_the_other_side_too() -> None:
    """Nobody else would close it: it would be open until the process ends."""
    opened, asked, gone = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def never_closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        key = next(
            line.partition(": ")[2] for line in head.split("\r\n") if line.lower().startswith("sec-websocket-key")
        )
        upgrade = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade"
        writer.write(f"{upgrade}\r\nSec-WebSocket-Accept: {accept_key(key)}\r\n\r\n".encode())
        with contextlib.suppress(ConnectionError):
            while await reader.read(1000):
                asked.set()
        writer.close()
        gone.set()

    async def use(port: int) -> None:
        async with websocket(f"ws://127.0.0.1:{port}/", {}, LOOPBACK):
            opened.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(10), await asyncio.start_server(never_closes, "127.0.0.1", 0) as server:
        using = asyncio.create_task(use(server.sockets[0].getsockname()[1]))
        for reached in (opened, asked):
            await reached.wait()
            using.cancel()
        with pytest.raises(asyncio.CancelledError):
            await using
        await gone.wait()


async def test_a_websocket_has_a_websockets_url() -> None:
    with pytest.raises(Misconfigured, match="wss://"):
        async with websocket("https://api.example", {}, ()):
            pass
