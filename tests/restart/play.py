"""Directs the play: tells the producer how far to go, kills at seeded moments, and brings back whoever is gone."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import IO, NamedTuple, Self

from restart.parts import Stage, accepted_file, committed_file

import unifier

PATIENCE = 120.0
"""Seconds without any progress after which the play counts as stuck."""
WORKERS = ("one", "two")


class Actor:
    """A process of the play. It is started again whenever it is found gone; `anew`: under a new name each time."""

    def __init__(self, stage: Stage, *arguments: str, anew: bool = False) -> None:
        self._anew = anew
        self._arguments = [sys.executable, "-m", f"restart.{arguments[0]}", stage.as_argument(), *arguments[1:]]
        self._log = Path(stage.folder) / f"{'-'.join(arguments)}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def start(self) -> bool:
        """Start it if it does not run; whether it did not."""
        if self._process is not None:
            if self._process.poll() is None:
                return False
            self._input.close()
        paths = os.pathsep.join((str(Path(__file__).parents[1]), str(Path(unifier.__file__).parents[1])))
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._arguments[:-1], f"{self._arguments[-1]}{self.starts}"] if self._anew else self._arguments,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": paths},
            )
        self.starts += 1
        return True

    def tell(self, line: str) -> None:
        """Write a line to it; one that is gone hears it when it is back."""
        try:
            self._input.write(line.encode())
            self._input.flush()
        except BrokenPipeError:
            return

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._input.close()

    def leave(self) -> None:
        """SIGTERM: it ends in good order."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    @property
    def _input(self) -> IO[bytes]:
        assert self._process is not None
        assert self._process.stdin is not None
        return self._process.stdin


class Kill(NamedTuple):
    """Who was killed, how many messages had been accepted by then, and how many records committed; `at`: monotonic."""

    victim: str
    accepted: int
    committed: int
    at: float


class Play:
    """One telling of the story. `victims`: what can be killed beside the actors, and brought back, by name."""

    def __init__(
        self,
        stage: Stage,
        victims: Mapping[str, Callable[[], None]],
        workers: Sequence[str] = WORKERS,
        *,
        anew: bool = False,
    ) -> None:
        """`anew`: who comes back joins the group as somebody else."""
        self._stage = stage
        self._producer = Actor(stage, "produce")
        self._workers = {name: Actor(stage, "work", name, anew=anew) for name in workers}
        self._victims = {
            **victims,
            "producer": self._producer.kill,
            **{f"worker {name}": actor.kill for name, actor in self._workers.items()},
            **{f"worker {name} leaves": actor.leave for name, actor in self._workers.items()},
        }
        self._granted = 0
        self.kills: list[Kill] = []
        self.recovery: list[float] = []
        """Seconds from each fault until records were committed again."""
        self.last_kill = 0.0
        """When it was, by the monotonic clock."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for actor in (self._producer, *self._workers.values()):
            actor.kill()

    def perform(self, kills: Mapping[str, int], seed: int) -> None:
        """Send everything, and kill each victim so many times, in seeded order at seeded moments."""
        chance = random.Random(seed)
        acts = [name for name, times in kills.items() for _ in range(times)]
        chance.shuffle(acts)
        step = self._stage.count // (len(acts) + 1)
        for act, victim in enumerate(acts):
            # From here on, and not from the start: whom a kill hit between a commit and its account left the account short.
            moment = self.committed + chance.randrange(1, step)
            self._grant((act + 1) * step)
            self._until(partial(self._is_due, moment))
            self.kills.append(Kill(victim, self.accepted, self.committed, time.monotonic()))
            self.last_kill = time.monotonic()
            self._victims[victim]()
        self._grant(self._stage.count)
        self._until(lambda: self.accepted >= self._stage.count)

    def _is_due(self, moment: int) -> bool:
        return self.committed >= moment

    @property
    def accepted(self) -> int:
        """Messages confirmed to the producer."""
        file = accepted_file(self._stage)
        return file.read_bytes().count(b"\n") if file.exists() else 0

    @property
    def committed(self) -> int:
        """Records that workers say they have committed; a kill may take some of the account, never add."""
        one = committed_file(self._stage, "*")
        return sum(file.stat().st_size for file in one.parent.glob(one.name))

    def _grant(self, upto: int) -> None:
        self._granted = upto
        self.keep_alive()
        self._producer.tell(f"{upto}\n")

    def keep_alive(self) -> None:
        """Start again whoever is gone."""
        for actor in self._workers.values():
            actor.start()
        if self.accepted < self._stage.count and self._producer.start():
            self._producer.tell(f"{self._granted}\n")

    def _until(self, holds: Callable[[], bool]) -> None:
        before, since = -1, time.monotonic()
        while not holds():
            self.keep_alive()
            committed = self.committed
            while len(self.recovery) < len(self.kills) and committed > self.kills[len(self.recovery)].committed:
                self.recovery.append(time.monotonic() - self.kills[len(self.recovery)].at)
            now = self.accepted + committed
            if now != before:
                before, since = now, time.monotonic()
            if time.monotonic() - since > PATIENCE:
                raise AssertionError(f"stuck at {self.accepted} accepted, {self.committed} committed: {self.kills}")
            time.sleep(0.01)
