"""Runs the parts of the long run as processes, two at a time, and ends what takes too long. It knows no fault and no table."""

import asyncio
import os
import signal
import time
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

PATIENCE = 30.0
"""Seconds in which a part that is told to end tidies up."""


class Job(msgspec.Struct):
    """One process. `seconds`: after these it is told to end; `steady`: it minds the time itself, so to be cut is a failure."""

    name: str
    command: Sequence[str]
    seconds: float
    steady: bool = False


class Ended(msgspec.Struct):
    """What became of it. `how`: "passed", "failed", "cut" (its time was up)."""

    name: str
    how: str
    seconds: float
    last_lines: list[str] = []


Teller = Callable[[str, str], None]
"""Told the name of a job and its newest line."""


async def run_all(
    jobs: Sequence[Job], until: float, environment: Mapping[str, str], folder: Path, tell: Teller
) -> list[Ended]:
    """In order, as many at once as there are hands; `until`: the loop's time at which everything ends."""
    waiting, ended = list(jobs), list[Ended]()

    async def hand() -> None:
        while waiting:
            job = waiting.pop(0)
            ended.append(await _run(job, until, environment, folder, tell))

    await asyncio.gather(hand(), hand())
    return ended


async def _run(job: Job, until: float, environment: Mapping[str, str], folder: Path, tell: Teller) -> Ended:
    loop = asyncio.get_running_loop()
    seconds = job.seconds if job.steady else min(job.seconds, until - loop.time())
    if seconds < 1:
        return Ended(job.name, "cut", 0.0, ["there was no time left to begin it"])
    began = time.monotonic()
    tell(job.name, "begins")
    process = await asyncio.create_subprocess_exec(
        *job.command,
        stdout=PIPE,
        stderr=STDOUT,
        env={**os.environ, **environment},
        start_new_session=True,
        cwd=Path(__file__).parents[2],
    )
    cutting = loop.call_later(seconds, _tell_to_end, process)
    lines: list[str] = []
    assert process.stdout is not None
    with (folder / f"{job.name.replace('/', ' ')}.log").open("ab", buffering=0) as log:
        async for line in process.stdout:
            log.write(line)
            lines = [*lines[-20:], line.decode(errors="replace").rstrip()]
            tell(job.name, lines[-1])
    code = await process.wait()
    cutting.cancel()
    took = time.monotonic() - began
    how = _how(code, lines, cut=took >= seconds and not job.steady)
    tell(job.name, how)
    return Ended(job.name, how, took, lines if how == "failed" else lines[-1:])


def _how(code: int, lines: Sequence[str], *, cut: bool) -> str:
    """pytest says 5 where it found no test of this form; what failed before it was cut, it says in its last lines."""
    if code in {0, 5}:
        return "passed"
    said = any(line.startswith(("FAILED ", "ERROR ")) for line in lines)
    return "cut" if cut and not said else "failed"


def _tell_to_end(process: Process) -> None:
    """As a person would; whoever does not is killed, with all that it started."""
    if process.returncode is None:
        process.send_signal(signal.SIGINT)
        asyncio.get_running_loop().call_later(PATIENCE, _kill, process)


def _kill(process: Process) -> None:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
