"""A process with everything imported, which makes a copy of itself for each telling: `python -m crash.forks`.

Reads a telling a line; of each it says what the copy says, and `ended <status>`: minus the signal, where one killed it. It ends
when its input does.
"""

import asyncio
import gc
import importlib
import os
import signal
import sys
from pathlib import Path

import msgspec
from crash.entrances import receive
from crash.ports import PORTS, Port
from crash.shop import Polled, Streamed
from crash.telling import Telling, new_client, tell

from onethread import logs
from onethread.event import Claim
from onethread.host.http import LentClient
from onethread.identity import canonicalised
from onethread.testing.failpoints import FailPoints, killed_at, pointed
from onethread.testing.failpoints_drivers import watch_files, watch_kafka, watch_mongo, watch_sqlite

LATE = (
    "anyio._backends._asyncio",
    "anyio.to_thread",
    "uvicorn.lifespan.off",
    "uvicorn.protocols.websockets.websockets_sansio_impl",
)
"""What is imported at its first use, and would be in each copy anew."""
SECONDS = 60
"""After these a copy that neither ends nor dies is ended: it is stuck."""


def copy(telling: Telling, out: int, client: LentClient) -> None:
    """In the copy: tell, and leave the trace beside the files."""
    signal.alarm(SECONDS)
    points = FailPoints(killed_at(frozenset(telling.kills)))
    watch_files(points, Path(telling.folder) / "blobs")
    if telling.kafka:
        watch_kafka(points)
        watch_mongo(points)
    else:
        watch_sqlite(points)
    asyncio.run((receive if telling.entrance else tell)(telling, points, lambda line: said(out, line), client))
    (Path(telling.folder) / "trace").write_bytes(msgspec.json.encode(points.trace))


def said(out: int, line: str) -> None:
    """One line, whole."""
    os.write(out, f"{line}\n".encode())


def main() -> None:
    out = os.dup(1)
    os.dup2(2, 1)  # whatever else prints is no answer
    logs.configure("ERROR")
    for name in LATE:
        importlib.import_module(name)
    canonicalised(Claim("phone", "+15550100"))  # reads its tables
    for port in (*PORTS, Port(Polled, ""), Port(Streamed, "")):
        pointed(port.kind, None, "", FailPoints(), port.reads)  # makes the class
    client = new_client()
    gc.freeze()
    for line in sys.stdin.buffer:
        telling = msgspec.json.decode(line, type=Telling)
        child = os.fork()
        if child == 0:
            try:
                copy(telling, out, client)
            except BaseException:  # noqa: BLE001 -- the copy must not go on as if it were the original
                sys.excepthook(*sys.exc_info())
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        said(out, f"ended {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
