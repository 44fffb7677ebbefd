"""The parser process: reads records from a socket, normalises them one by one, answers. It knows no log, no store, no secret.

    python -m onethread.host.parsing.child FD SECONDS MEGABYTES

Its limits are kept by the kernel: no line of this program runs when they are met. It ends when the socket does, and so with
the process that started it, however that ended.
"""

import os
import resource
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, BinaryIO

import msgspec

from onethread.connector import Connector
from onethread.host.parsing.normalizing import Found, Over, Refused, normalized
from onethread.host.parsing.wire import HEAD, Job, Ready, Unmade, framed, jobs, made

_WRONG = (TypeError, ValueError, OverflowError, RecursionError, AttributeError, msgspec.MsgspecError)


def main() -> None:
    """Serve the socket of the first argument until it is closed."""
    descriptor, seconds, megabytes = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    with socket.socket(fileno=descriptor) as connection, connection.makefile("rb") as jobs_in:
        _limit(megabytes)
        connection.sendall(framed(Ready()))
        with suppress(BrokenPipeError, ConnectionResetError):  # the host is gone
            _serve(connection, jobs_in, seconds)


def _limit(megabytes: int) -> None:
    """No more memory than that, and no core file: it would hold what people wrote.

    `RLIMIT_DATA` counts what a process has for itself, heap and anonymous mappings (setrlimit(2)); programs and libraries,
    which all of these processes share, do not count.
    """
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # ends the process, whatever its interpreter is doing
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the host, which closes the socket when it is done
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    most = megabytes * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _serve(connection: socket.socket, jobs_in: BinaryIO, seconds: float) -> None:
    connectors: dict[int, Connector[Any]] = {}
    while head := jobs_in.read(HEAD):
        job = jobs.decode(jobs_in.read(int.from_bytes(head, "big")))
        if job.recipe is not None:
            try:
                connectors[job.connector] = made(job.recipe)
            except Exception as error:  # noqa: BLE001 -- whatever a connector's code raises: the host says it
                jobs_in.read(job.size)
                connection.sendall(framed(Unmade(type(error).__name__)))
                continue
        # Counted from here in processor seconds (ITIMER_PROF, setitimer(2)): waiting for a processor is not the record's fault.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        answer = _answer(connectors[job.connector], job, jobs_in)
        signal.setitimer(signal.ITIMER_PROF, 0)
        connection.sendall(answer)


def _answer(connector: Connector[Any], job: Job, jobs_in: BinaryIO) -> bytes:
    try:
        outcome = normalized(connector, msgspec.structs.replace(job.raw, data=jobs_in.read(job.size)), job.because)
        if isinstance(outcome, Found):
            return _written(outcome)
        return framed(outcome)
    except MemoryError:
        return framed(Over("memory"))


def _written(found: Found) -> bytes:
    try:
        return framed(found)
    except MemoryError:
        raise
    except _WRONG as error:
        detail = f"an event with a field of a wrong type ({type(error).__name__}); mend the connector"
        return framed(Refused("encode", detail))


if __name__ == "__main__":
    main()
    os._exit(0)  # nothing is left to be done, and a connector's threads are not waited for
