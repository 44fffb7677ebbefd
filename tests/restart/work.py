"""A process that is one unifier worker: `python -m restart.work STAGE NAME`. It ends when its standard input does."""

import asyncio
import os
import signal
import sys
import threading

from restart.parts import committed_file, stage_of
from restart.story import POLICIES

from onethread.blobs import Blobs
from unifier.worker import Worker

BATCH = 20
"""Records of one batch: small, so that many commits lie between two kills."""


async def main(argument: str, name: str) -> None:
    """Work until killed, or asked to leave."""
    stage = stage_of(argument)
    async with stage.log(name) as log, stage.store() as store:
        worker = Worker(log, store, Blobs("memory:///"), member=name, policies=POLICIES, batch=BATCH)
        leave = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, leave.set)
        loop = asyncio.create_task(worker.run(leave))
        told = 0
        with committed_file(stage, name).open("ab", buffering=0) as file:
            while not loop.done():
                await asyncio.wait([loop], timeout=0.01)
                file.write(b"." * (worker.progress - told))
                told = worker.progress
        await loop
    os._exit(0)  # a thread waits for standard input


def end_with_the_test() -> None:
    """No worker outlives the play."""
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=end_with_the_test, daemon=True).start()
    asyncio.run(main(*sys.argv[1:]))
