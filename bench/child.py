"""A contender in a process of its own, so that memory and CPU seconds are its alone. It knows turns, not what is measured."""

import asyncio
import gc
import logging
import multiprocessing
import resource
import sys
import time
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.contender import Contender, Ending, Sample
from onethread import logs

_ROUND, _END = "round", "end"
_PATIENCE = 600.0  # seconds for one answer: filling a store before the first round takes minutes
_LONGEST = 300.0  # seconds for what is timed; it takes a few


class Failed(Exception):
    """A contender raised, or its process ended; holds what it said."""


class Child:
    """Starts the contender, asks it for rounds, ends it. All calls block."""

    def __init__(self, contender: Contender, folder: Path) -> None:
        self.contender = contender
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        folder.mkdir(parents=True)
        self._process = context.Process(target=_main, args=(contender, folder, theirs), name=contender.name)
        self._theirs = theirs

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()
        self._answer()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):
            self._pipe.send(None)  # after an orderly end nobody listens any more
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._pipe.close()

    def round(self) -> Sample:
        """One round. Raises Failed."""
        self._pipe.send(_ROUND)
        sample: Sample = self._answer()
        return sample

    def end(self) -> Ending:
        """Close the contender. Raises Failed."""
        self._pipe.send(_END)
        ending: Ending = self._answer()
        return ending

    def _answer(self) -> Any:
        try:
            if not self._pipe.poll(_PATIENCE):
                raise Failed(f"{self.contender.name}: no answer within {_PATIENCE:g} s")
            answer = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise Failed(f"{self.contender.name}: its process ended") from error
        if isinstance(answer, str):
            raise Failed(f"{self.contender.name}: {answer}")
        return answer


# --- the child's side ---


def _main(contender: Contender, folder: Path, pipe: Connection) -> None:
    logs.configure("ERROR")
    # A coordinator that a fresh broker has yet to choose is no error: it is asked again.
    logging.getLogger("aiokafka.consumer.group_coordinator").setLevel(logging.CRITICAL)
    asyncio.run(_serve(contender, folder, pipe))


async def _serve(contender: Contender, folder: Path, pipe: Connection) -> None:
    try:
        try:
            await contender.open(folder)
            pipe.send(None)
            # In a thread: while the others have their turn, members of groups go on to say that they live.
            while (asked := await asyncio.to_thread(pipe.recv)) == _ROUND:
                pipe.send(await _round(contender))
            used = contender.program()  # before the program is ended
        finally:
            await contender.close()
        if asked == _END:
            pipe.send(Ending(used.peak_bytes if used else peak_memory(), contender.notes()))
    except EOFError:
        return  # the one who asks is gone
    except Exception:  # noqa: BLE001 -- whatever it is, the one who waits for an answer must hear of it
        pipe.send(traceback.format_exc())


async def _round(contender: Contender) -> Sample:
    await contender.prepare()
    gc.collect()
    before, began = _cpu(contender), time.perf_counter()
    async with asyncio.timeout(_LONGEST):
        units = await contender.run()
    wall, cpu = time.perf_counter() - began, _cpu(contender) - before
    await contender.check()
    each = contender.seconds()
    return Sample(units, wall if each is None else each * units, cpu)


def _cpu(contender: Contender) -> float:
    if program := contender.program():
        return program.cpu
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_memory() -> int:
    """The most bytes this process had resident. Linux's own count: `getrusage` there also counts the parent's before exec."""
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
