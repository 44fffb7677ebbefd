import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from typing import Any

import httpx
import pytest
from hostkit import served, until

from onethread import metrics
from onethread.errors import Misconfigured, Retryable
from onethread.host.health import Health
from onethread.host.lifecycle import Service
from onethread.host.server import HttpServer

PROGRAM = """
import asyncio, sys, time
from onethread import logs
from onethread.host.lifecycle import Service
from onethread.host.server import HttpServer

async def app(scope, receive, send):
    print("request", flush=True)
    await asyncio.sleep(float(sys.argv[2]))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})

async def hang():
    print(port, flush=True)
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if sys.argv[1] == "blocked":
                time.sleep(3600)
            if sys.argv[1] != "deaf":
                raise

async def close():
    print("closed", flush=True)

async def main():
    service, server = Service(grace=3.0), HttpServer(app, "127.0.0.1", 0, stop_seconds=1)
    global port
    port = server.bind()
    service.runs("work", hang)
    service.runs("http", server.run_until_stopped, server.stop)
    service.closes("log", close)
    return await service.run()

logs.configure()
sys.exit(0 if asyncio.run(main()) else 1)
"""


async def started(kind: str, seconds: float) -> tuple[Process, int]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, kind, str(seconds), stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    return process, int(await process.stdout.readline())


async def test_sigterm_finishes_what_was_taken_and_closes_clients() -> None:
    process, port = await started("good", 0.3)
    async with httpx.AsyncClient(trust_env=False) as client:
        request = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/"))
        assert process.stdout is not None
        assert await process.stdout.readline() == b"request\n"
        process.send_signal(signal.SIGTERM)
        assert (await request).text == "ok"
    out, _ = await process.communicate()
    assert (out, process.returncode) == (b"closed\n", 0)


@pytest.mark.parametrize("kind", ["deaf", "blocked"])
async def test_what_hangs_does_not_outlive_the_deadline(kind: str) -> None:
    process, _ = await started(kind, 0)
    began = asyncio.get_running_loop().time()
    process.send_signal(signal.SIGTERM)
    await process.communicate()
    assert process.returncode == 70
    assert asyncio.get_running_loop().time() - began < 6.0


async def test_a_slow_client_does_not_outlive_the_deadline() -> None:
    process, port = await started("good", 3600)
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert process.stdout is not None
    assert await process.stdout.readline() == b"request\n"
    process.send_signal(signal.SIGINT)
    out, _ = await process.communicate()
    assert out == b"closed\n"
    writer.close()


async def test_a_part_that_ends_by_itself_ends_the_process_unclean() -> None:
    service, closed = Service(grace=1.0), []

    async def breaks() -> None:
        raise Retryable("the broker is away")

    async def close() -> None:
        closed.append(1)

    service.runs("worker", breaks)
    service.closes("log", close)
    assert await service.run() is False
    assert closed == [1]


async def test_parts_stop_in_the_reverse_order_of_their_start_and_one_that_fails_does_not_keep_the_others() -> None:
    service, order = Service(grace=1.0), []

    def stopper(name: str) -> Any:
        async def stop() -> None:
            order.append(name)
            if name == "b":
                raise ValueError("cannot")

        return stop

    for name in ("a", "b", "c"):
        service.runs(name, asyncio.Event().wait, stopper(name))  # type: ignore[arg-type]
        service.closes(f"close {name}", stopper(f"close {name}"))
    asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGTERM)
    assert await service.run() is False
    assert order == ["c", "b", "a", "close c", "close b", "close a"]


async def test_ready_names_what_is_missing_and_alive_what_is_stuck() -> None:
    health, away, stuck = Health(), {"log"}, [False]

    def probe(name: str) -> Any:
        async def ask() -> None:
            if name in away:
                raise Retryable("log.url: kafka.internal:9092 is away")

        return ask

    health.needs("log", probe("log"))
    health.needs("state", probe("state"))
    health.watches("unifier", lambda: not stuck[0])
    async with served(health) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        response = await client.get("/readyz")
        assert (response.status_code, response.json()) == (503, {"status": "missing", "missing": ["log"]})
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        away.clear()
        await until(lambda: _status(client, "/readyz", 200), 5)
        stuck[0] = True
        response = await client.get("/healthz")
        assert (response.status_code, response.json()["stuck"]) == (503, ["unifier"])
        health.stop()
        assert (await client.get("/readyz")).json()["missing"] == ["stopping"]
        metrics.BUGS.add("chn_x", "normalize")
        exposed = (await client.get("/metrics")).text
        assert "# TYPE onethread_connector_bugs_total counter\n" in exposed
        assert 'onethread_connector_bugs_total{channel_id="chn_x",stage="normalize"}' in exposed
        assert (await client.get("/x")).status_code == 404


async def _status(client: httpx.AsyncClient, path: str, status: int) -> bool:
    return (await client.get(path)).status_code == status


async def echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(scope["path"]).encode()})


async def test_a_header_that_does_not_end_is_cut_off() -> None:
    server = HttpServer(echo, "127.0.0.1", 0, header_seconds=0.3)
    port = server.bind()
    running = asyncio.create_task(server.run_until_stopped())
    silent, half, kept, large = [await asyncio.open_connection("127.0.0.1", port) for _ in range(4)]
    half[1].write(b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
    kept[1].write(b"GET /one HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200" in await kept[0].readline()
    kept[1].write(b"GET /two HTTP/1.1\r\n")
    large[1].write(b"GET / HTTP/1.1\r\nX: " + b"x" * 200_000)
    assert b" 400 " in await large[0].readline()
    for reader, writer in (silent, half, kept):
        async with asyncio.timeout(5):
            assert b"two" not in await reader.read()
        writer.close()
    large[1].close()
    await server.stop()
    await running


async def test_a_port_that_is_taken_says_which_setting() -> None:
    first = HttpServer(echo, "127.0.0.1", 0)
    port = first.bind()
    with pytest.raises(Misconfigured, match=r"http\.port"):
        HttpServer(echo, "127.0.0.1", port).bind()
    running = asyncio.create_task(first.run_until_stopped())
    await until(lambda: first.started)
    await first.stop()
    await running
