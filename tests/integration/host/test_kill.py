"""A process that takes webhooks is killed again and again: what it acknowledged is in the log."""

import asyncio
import json
import random
import sys
from asyncio.subprocess import PIPE, Process
from functools import partial
from pathlib import Path

import httpx
from hostkit import HOOK, body, item, kit, signature, until

PROGRAM = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import hostkit
from onethread.host.server import HttpServer
from onethread.host.webhook import WebhookApp

async def main():
    async with hostkit.kit(Path(sys.argv[2])) as parts:
        parts.channels.add(hostkit.channel())
        app = WebhookApp(parts.ingest, public_url="http://x", lend=lambda c: None, wake=None, standing=parts.standing)
        server = HttpServer(app, "127.0.0.1", 0)
        print(server.bind(), flush=True)
        await server.run_until_stopped()

asyncio.run(main())
"""


async def started(folder: Path) -> tuple[Process, int]:
    packages = str(Path(__file__).parents[2] / "packages")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", PROGRAM, packages, str(folder), stdout=PIPE)
    assert process.stdout is not None
    return process, int(await process.stdout.readline())


async def send_until_it_dies(port: int, first: int, accepted: list[str]) -> int:
    """Posts one after the other; returns the number of the next. An unanswered one counts as not accepted."""
    number = first
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            content = body(item(f"m{number}"))
            try:
                answer = await client.post(
                    f"http://127.0.0.1:{port}/hooks/chn_acme/{HOOK}", content=content, headers=signature(content)
                )
            except httpx.TransportError:
                return number
            assert answer.status_code == 200
            accepted.append(f"m{number}")
            number += 1


def more_than(count: int, accepted: list[str]) -> bool:
    return len(accepted) > count


async def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    source, accepted, number = random.Random(11), [], 0
    for _ in range(4):
        process, port = await started(tmp_path)
        senders = asyncio.gather(*[send_until_it_dies(port, number + 10_000 * n, accepted) for n in range(3)])
        await until(partial(more_than, len(accepted) + source.randint(5, 40), accepted))
        process.kill()
        number = max(number % 10_000 for number in await senders) + 1
        await process.wait()
    async with kit(tmp_path) as parts:
        events = await parts.events()
        stored = {json.loads(event.source.text or "")["id"] for event in events if event.source}
    assert set(accepted) <= stored
    assert len(accepted) >= 20
