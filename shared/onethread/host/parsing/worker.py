"""One parser process as the host sees it: start, ask, end. It knows when one has to be killed, and nothing of what is asked.

A record's processor seconds are counted by the kernel, which ends the process. The host counts on the clock what the kernel
cannot see: a record that waits instead of computing.
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from typing import NamedTuple, Self

import msgspec

from onethread.errors import Retryable
from onethread.host.parsing.normalizing import Outcome, Over, Refused
from onethread.host.parsing.wire import HEAD, Answer, Job, Ready, Unmade, answers, framed

_STARTING = 60.0
"""Seconds on the clock until a process must be ready; it takes half a second where nobody else wants the processor."""
_ON_THE_CLOCK = 3
"""Times the processor seconds that a record may take on the clock, so that a busy machine does not count against it."""
_ENDING = 2.0
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "PYTHONDONTWRITEBYTECODE", "TMPDIR")
"""Of the environment, what a parser process gets: the rest may hold secrets."""


class Budget(NamedTuple):
    """What one record may take: `seconds` of a processor, `megabytes` (MiB) of the parser's memory. `processes`: at most."""

    seconds: float = 2.0
    megabytes: int = 256
    processes: int = 2


class Died(Exception):
    """The process ended on its own, or somebody killed it: the record may have done it, or not."""


class Unmakeable(Exception):
    """The connector cannot be made in the process; the text is the class of the exception."""


class Worker:
    """A process and its socket. Used by one task at a time; after `Over` and `Died` it is of no more use."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        seconds: float,
    ) -> None:
        self._process, self._reader, self._writer, self._seconds = process, reader, writer, seconds
        self.knows: set[int] = set()
        """The connectors made in it."""

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    @classmethod
    async def start(cls, budget: Budget) -> Self:
        """A process that is ready. Raises Retryable."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                process = await asyncio.to_thread(_spawned, theirs, budget)
        except OSError as error:
            ours.close()
            raise Retryable(
                f"a parser process cannot be started ({error.strerror}); is there memory for parsing.processes of them?"
            ) from error
        reader, writer = await asyncio.open_connection(sock=ours)
        worker = cls(process, reader, writer, budget.seconds)
        try:
            async with asyncio.timeout(_STARTING):
                ready = isinstance(await worker._answer(), Ready)
        except (TimeoutError, Died):
            ready = False
        if not ready:
            await worker.end()
            raise Retryable("a parser process ended as it started; is parsing.megabytes enough for the program itself?")
        return worker

    async def ask(self, job: Job, data: bytes) -> Outcome:
        """What became of the record. Raises Died, and Unmakeable."""
        try:
            async with asyncio.timeout(self._seconds * _ON_THE_CLOCK):
                answer = await self._asked(job, data)
        except TimeoutError:
            self.kill()
            await self.end()
            return Over("time")
        except Died:
            if await self.end() == -signal.SIGPROF:
                return Over("time")
            raise
        if isinstance(answer, Unmade):
            raise Unmakeable(answer.kind)
        assert not isinstance(answer, Ready)
        self.knows.add(job.connector)
        return answer

    async def end(self) -> int:
        """Close the socket, at which the process ends, and see to it that it has. Returns its exit status."""
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
        return await asyncio.to_thread(_ended, self._process)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    async def _asked(self, job: Job, data: bytes) -> Answer:
        try:
            self._writer.write(framed(job))
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise Died from error
        return await self._answer()

    async def _answer(self) -> Answer:
        try:
            size = int.from_bytes(await self._reader.readexactly(HEAD), "big")
            content = await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, OSError) as error:
            raise Died from error
        try:
            answer: Answer = answers.decode(content)
        except (msgspec.MsgspecError, UnicodeError) as error:
            # Structs are checked when they are read, not when they are made.
            return Refused("encode", f"an event with a field of a wrong type: {error}; mend the connector")
        return answer


def _spawned(theirs: socket.socket, budget: Budget) -> subprocess.Popen[bytes]:
    """A new interpreter, not a fork: threads of ours may hold locks. It says nothing anywhere but on its socket."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    limits = (str(theirs.fileno()), str(budget.seconds), str(budget.megabytes))
    return subprocess.Popen(  # noqa: S603 -- our own module
        [sys.executable, "-m", "onethread.host.parsing.child", *limits],
        pass_fds=(theirs.fileno(),),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _ended(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
