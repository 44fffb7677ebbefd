"""A broker or database that is down at the start is waited for, and named; so is a port that is taken."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from e2e.deployment import KEY, Deployment, until


async def misses(deployment: Deployment, name: str, wanted: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            answer = await client.get(f"http://127.0.0.1:{deployment.ports[name]}/readyz")
        except httpx.TransportError:
            return False
        return answer.status_code == 503 and wanted in answer.json()["missing"]


async def hook_status(deployment: Deployment, name: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.post(f"http://127.0.0.1:{deployment.ports[name]}/hooks/chn_x/y")).status_code


@pytest.mark.parametrize("away", ["broker", "database"])
async def test_what_is_down_at_the_start_is_waited_for_and_named(
    tmp_path: Path, away: str, new_kafka_server: Callable[[], Any], new_mongo_server: Callable[[], Any]
) -> None:
    kafka, mongo = new_kafka_server(), new_mongo_server()
    settings = {
        "data": str(tmp_path / "data"),
        "keys": [KEY],
        "log": {"url": f"kafka://{kafka.bootstrap}", "partitions": 2, "replication": 1},
        "store": {"url": mongo.url},
    }
    deployment = Deployment(tmp_path, settings, [["run", "unifier"]])
    await deployment.command("topics", "apply")
    server = kafka if away == "broker" else mongo
    await asyncio.to_thread(server.kill)
    try:
        deployment.start_one("run unifier")
        wanted = "log" if away == "broker" else "state"
        await until(lambda: misses(deployment, "run unifier", wanted), f"it says that {wanted} is missing")
        assert await hook_status(deployment, "run unifier") in {404, 503}
        setting = "log.url" if away == "broker" else "store.url"
        await until(lambda: logged(deployment, "run unifier", setting), f"the log names {setting}")
        await asyncio.to_thread(server.restart)
        await deployment.ready("run unifier")
        assert deployment.stop() == {"run unifier": 0}
    finally:
        deployment.kill()


async def logged(deployment: Deployment, name: str, text: str) -> bool:
    return text in deployment.log(name)


async def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    deployment = Deployment(tmp_path, {"data": str(tmp_path / "data")}, [["up"]])
    with socket.create_server(("127.0.0.1", deployment.ports["up"])):
        deployment.start_one("up")
        await until(lambda: logged(deployment, "up", "http.port"), "the error names the setting")
    deployment.kill()
