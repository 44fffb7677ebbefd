"""Onethread as its users run it: the command, its processes, its API over a socket. It knows no test."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import yaml

from onethread.testing.servers.ports import free_port

COMMAND = [sys.executable, "-c", "from all_in_one.cli import app; app()"]
PATIENCE = 60.0
KEY = "a master key of the tests, long enough"


async def until(holds: Callable[[], Awaitable[Any]], what: str, seconds: float = PATIENCE) -> Any:
    """Wait for a state, and return what it is. Raises AssertionError, saying what did not come."""
    last: Any = None
    try:
        async with asyncio.timeout(seconds):
            while not (last := await holds()):  # noqa: ASYNC110 -- the state is behind a socket
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"waited {seconds} s in vain until {what}; last seen: {last}") from None
    return last


class Deployment:
    """Processes over one set of settings. `services`: what to run, each as `onethread …`, to the port of its API."""

    def __init__(self, folder: Path, settings: dict[str, Any], services: list[list[str]]) -> None:
        self.folder = folder
        self.settings = settings
        self._services = services
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.ports = {" ".join(service): free_port() for service in services}

    @property
    def api_url(self) -> str:
        """Of the process that serves the conversation API: the last."""
        return f"http://127.0.0.1:{self.ports[' '.join(self._services[-1])]}"

    @property
    def hooks_url(self) -> str:
        """Of the process that serves Telegram's webhook."""
        name = next((name for name in self.ports if "im_ingest" in name), " ".join(self._services[-1]))
        return f"http://127.0.0.1:{self.ports[name]}"

    def config(self, service: str = "") -> Path:
        """The settings file of one process."""
        port = self.ports.get(service, 0)
        values = {**self.settings, "http": {"port": port, "public_url": self.hooks_url}}
        path = self.folder / f"{service.replace(' ', '-') or 'command'}.yaml"
        path.write_text(yaml.safe_dump(values), encoding="utf-8")
        return path

    async def command(self, *args: str) -> Any:
        """Run `onethread --json …` to its end; what it printed."""
        done = await asyncio.to_thread(self.run, *args)
        assert done.returncode == 0, f"{args}: {done.stderr.decode()}"
        return json.loads(done.stdout)

    def run(self, *args: str) -> subprocess.CompletedProcess[bytes]:
        """Run `onethread --json …`."""
        command = [*COMMAND, "--config", str(self.config()), "--json", *args]
        return subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False, env=environment())

    async def start(self) -> None:
        """Start every process, and wait until all are ready."""
        for service in self._services:
            self.start_one(" ".join(service))
        for name in self.ports:
            await self.ready(name)

    def start_one(self, name: str) -> None:
        """Start one process."""
        with (self.folder / f"{name.replace(' ', '-')}.log").open("ab") as log:
            command = [*COMMAND, "--config", str(self.config(name)), *name.split(" ")]
            self._processes[name] = subprocess.Popen(command, stdout=log, stderr=log, env=environment())

    async def ready(self, name: str) -> None:
        """Wait until a process is ready."""

        async def answers() -> bool:
            assert self._processes[name].poll() is None, f"{name} ended:\n{self.log(name)}"
            async with httpx.AsyncClient(trust_env=False) as client:
                try:
                    return (await client.get(f"http://127.0.0.1:{self.ports[name]}/readyz")).status_code == 200
                except httpx.TransportError:
                    return False

        await until(answers, f"{name} is ready")

    def log(self, name: str) -> str:
        """What a process logged."""
        return (self.folder / f"{name.replace(' ', '-')}.log").read_text(encoding="utf-8", errors="replace")[-4000:]

    def stop(self) -> dict[str, int]:
        """SIGTERM to all; their exit codes."""
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        return {name: process.wait(timeout=40) for name, process in self._processes.items()}

    def kill(self) -> None:
        """End whatever still runs."""
        for process in self._processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()


def environment() -> dict[str, str]:
    """Ours without settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("ONETHREAD_")}


@asynccontextmanager
async def deployed(folder: Path, settings: dict[str, Any], services: list[list[str]]) -> AsyncIterator[Deployment]:
    """A running deployment; topics and indexes are applied first, as an operator does."""
    deployment = Deployment(folder, settings, services)
    await deployment.command("topics", "apply")
    await deployment.command("indexes", "apply")
    try:
        await deployment.start()
        yield deployment
        codes = await asyncio.to_thread(deployment.stop)
        assert set(codes.values()) == {0}, {name: (code, deployment.log(name)) for name, code in codes.items() if code}
    finally:
        deployment.kill()


class Desk:
    """What a desk sees at the API."""

    def __init__(self, url: str, key: str) -> None:
        self.http = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, trust_env=False, timeout=20
        )

    async def get(self, path: str, **params: Any) -> Any:
        """One resource."""
        return (await self.http.get(path, params=params)).raise_for_status().json()

    async def conversations(self) -> list[dict[str, Any]]:
        """All, in the order of birth."""
        items: list[dict[str, Any]] = (await self.get("/v1/conversations", sort="created"))["items"]
        return items

    async def messages(self, conversation: str) -> list[dict[str, Any]]:
        """A conversation's messages as people read them, each with its placement."""
        path = f"/v1/conversations/{conversation}/entries"
        page = await self.get(path, kind="message", expand="placement", limit=200)
        return list(reversed(page["items"]))

    async def state(self) -> Any:
        """All there is to see, for comparing."""
        found = await self.conversations()
        entries = [await self.get(f"/v1/conversations/{one['id']}/entries", sort="seq", limit=200) for one in found]
        return found, [entry["items"] for entry in entries]
