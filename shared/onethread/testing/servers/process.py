"""A server under test: a process with a data folder, a port and a log file. It knows no protocol, only when to ask for an answer."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from onethread.errors import Misconfigured
from onethread.testing.servers.ports import LOOPBACK, free_port, is_free

# Reads until this process is gone, however it ended, then kills the server's process group: no server outlives a killed test run.
_GUARD = 'read -r _; kill -9 "-$1"'


def wait_until(holds: Callable[[], bool], timeout: float = 10.0, what: str = "the state waited for") -> None:
    """Block until `holds()`; asked every 20 ms. Raises `TimeoutError` naming `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come about within {timeout:g} s")
        time.sleep(0.02)


def connect(host: str, port: int, timeout: float = 2.0) -> socket.socket:
    """A blocking connection whose every operation gives up after `timeout` seconds; for the question "is it ready?"."""
    return socket.create_connection((host, port), timeout=timeout)


class ServerProcess(ABC):
    """One server: `start`, then `kill` (SIGKILL), `restart` on the same data and port, `stop`. All calls block.

    A context manager too. Not thread-safe: one test drives it. Subclasses say how to run it and when it answers.
    """

    name: ClassVar[str]
    can_be_killed: ClassVar[bool] = True
    patience: ClassVar[float] = 60.0  # seconds until a start counts as failed; two busy cores are slow

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.host = LOOPBACK
        self.port = free_port()
        self.started_in = 0.0  # seconds the last start took until the first answer
        self._prepared = False
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @classmethod
    @abstractmethod
    def missing(cls) -> str | None:
        """None if this machine can run it, else one sentence that says how to get it. Cheap: it starts and fetches nothing."""

    @abstractmethod
    def prepare(self) -> None:
        """Write configuration and lay out the data folder; called once, before the first start."""

    @abstractmethod
    def command(self) -> list[str]:
        """The program and its arguments; it must stay in the foreground."""

    @abstractmethod
    def answers(self) -> bool:
        """Ask once, over its own protocol. False, or an `OSError`, while it is not ready; an open port is no answer."""

    def account(self) -> tuple[int, int] | None:
        """The user and group ids to run as; None: those of the tests."""
        return None

    @property
    def log_path(self) -> Path:
        """Standard output and error of every start so far."""
        return self.folder / "server.log"

    @property
    def running(self) -> bool:
        """Whether the process lives, answering or not."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The server's process id. Raises `RuntimeError` when it does not run."""
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"{self.name} does not run")
        return self._process.pid

    def start(self) -> None:
        """Start and return once it answers. Raises `Misconfigured` with the end of its log when it does not."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._prepared:
            self.prepare()
            self._prepared = True
        began = time.monotonic()
        self._launch()
        try:
            wait_until(lambda: not self.running or self._ready(), self.patience, "its first answer")
        except TimeoutError as error:
            self.kill()
            raise Misconfigured(self._complaint(str(error))) from error
        if not self.running:
            self.kill()
            raise Misconfigured(self._complaint("it ended at once"))
        self.started_in = time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL, to all its processes; returns when the port is free again. Nothing happens if it does not run."""
        if self._process is not None:
            self._end_guard()
            self._kill_group(self._process)

    def restart(self) -> None:
        """Kill it if it still runs, and start it again on the same data and the same port."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """SIGTERM and ten seconds to end in good order, then SIGKILL. Nothing happens if it does not run."""
        if self._process is None:
            return
        self._end_guard()
        self._process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(10)
        self._kill_group(self._process)

    def discard(self) -> None:
        """End it for good, at once; nobody needs its data any more."""
        self.kill()

    def log_tail(self, lines: int = 15) -> str:
        """The last lines of its log."""
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _ready(self) -> bool:
        try:
            return self.running and self.answers()
        except OSError:
            return False

    def _launch(self) -> None:
        user, group = self.account() or (None, None)
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own: Ctrl-C reaches the tests first, and kill() all its children
                user=user,
                group=group,
                extra_groups=None if user is None else [],
            )
        guard = ["/bin/sh", "-c", _GUARD, "guard", str(self._process.pid)]
        self._guard = subprocess.Popen(guard, stdin=subprocess.PIPE, start_new_session=True)

    def _end_guard(self) -> None:
        # Before the server's process is reaped: after that its number may belong to somebody else.
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.kill()
            self._guard.wait()
            self._guard.stdin.close()
        self._guard = None

    def _kill_group(self, process: subprocess.Popen[bytes]) -> None:
        if process.poll() is None:  # once it is reaped, its number is no longer ours to signal
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._process = None
        wait_until(lambda: is_free(self.port), 10, f"the release of {self.name}'s port {self.port}")

    def _complaint(self, reason: str) -> str:
        return f"{self.name} did not start ({reason}); see {self.log_path}, which ends:\n{self.log_tail()}"
