"""Tells an orchestrator how the process is: /healthz, /readyz and /metrics as a plain ASGI application. It mends nothing.

/healthz   503 only if we ourselves are stuck: a restart helps
/readyz    503 while something we need is missing, named; a restart does not help
           200 with `attention` where we work, and a person must look at something
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from onethread import metrics
from onethread.connector import Answer
from onethread.host.problems import problem, send_answer
from onethread.logs import get_logger

_log = get_logger(__name__)

_PROBE_SECONDS = 3.0
_KEPT_SECONDS = 2.0
"""However often one asks, the log and the stores are asked no more than this."""


class Health:
    """`needs` and `watches` are called while the process is put together."""

    def __init__(self) -> None:
        self._needs: dict[str, Callable[[], Awaitable[object]]] = {}
        self._watches: dict[str, Callable[[], bool]] = {}
        self._tells: list[Callable[[], Sequence[str]]] = []
        self._wanted: set[str] = set()
        self._missing: tuple[str, ...] = ()
        self._away: tuple[str, ...] = ()
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()
        self._stopping = False

    def needs(self, name: str, probe: Callable[[], Awaitable[object]]) -> None:
        """Ready only while `probe` returns within three seconds."""
        self._needs[name] = probe

    def wants(self, name: str, probe: Callable[[], Awaitable[object]]) -> None:
        """Named at /readyz while `probe` does not return in time; ready all the same, since most works without it."""
        self._needs[name] = probe
        self._wanted.add(name)

    def watches(self, name: str, alive: Callable[[], bool]) -> None:
        """Alive only while this says so: for what can be stuck although the process runs."""
        self._watches[name] = alive

    def tells(self, what: Callable[[], Sequence[str]]) -> None:
        """Shown at /readyz without making it false: what works otherwise is not taken out of service."""
        self._tells.append(what)

    def stop(self) -> None:
        """Not ready any more: send us nothing, we are about to end."""
        self._stopping = True

    async def missing(self) -> tuple[str, ...]:
        """The names of what is missing; at most two seconds old."""
        async with self._lock:
            now = asyncio.get_running_loop().time()
            if now - self._asked_at >= _KEPT_SECONDS:
                names = list(self._needs)
                there = await asyncio.gather(*[self._answers(name) for name in names])
                self._away = tuple(name for name, good in zip(names, there, strict=True) if not good)
                missing = tuple(name for name in self._away if name not in self._wanted)
                if missing != self._missing:
                    (_log.warning if missing else _log.info)("not ready" if missing else "ready", missing=missing)
                self._missing, self._asked_at = missing, asyncio.get_running_loop().time()
        return (*self._missing, *(("stopping",) if self._stopping else ()))

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ARG002 -- ASGI
        """See ASGI 3."""
        path = scope["path"]
        if path.endswith("/healthz"):
            await send_answer(send, _status("stuck", [name for name, alive in self._watches.items() if not alive()]))
        elif path.endswith("/readyz"):
            await send_answer(send, _status("missing", await self.missing(), self._told()))
        elif path.endswith("/metrics"):
            await send_answer(send, Answer(metrics.exposition().encode(), media_type=metrics.CONTENT_TYPE))
        else:
            await send_answer(send, problem(404))

    def _told(self) -> list[str]:
        away = [f"{name} is away" for name in self._away if name in self._wanted]
        return away + [one for what in self._tells for one in what()]

    async def _answers(self, name: str) -> bool:
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                await self._needs[name]()
        except Exception as error:  # noqa: BLE001 -- whatever it is, the thing is not there
            if name not in self._away:
                _log.warning("something we need is away", what=name, error=error)
            return False
        return True


def _status(what: str, names: Sequence[str], told: Sequence[str] = ()) -> Answer:
    body: dict[str, Any] = {"status": "ok"} if not names else {"status": what, what: list(names)}
    if told:
        body["attention"] = list(told)
    return Answer(json.dumps(body).encode(), 503 if names else 200, "application/json")
