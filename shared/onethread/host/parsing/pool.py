"""The parser processes of a host, and which records go there. It knows no log: what becomes of the outcome is not its business.

A record of JSON or of a form, of 32 kB at most, is normalised where it came in: its work is bounded by its size, and is done
before a process could be asked. Everything else, all mail first of all, goes to a parser process.

    normalize in a process ─► events
      │ over its budget, or raised
      ▼
    excerpt in a process ─► the same events, marked degraded
      │ over its budget, raised, or the connector has none
      ▼
    a dead letter

A process that dies without having met a limit may have been killed by somebody, and one that has read before may be full of
what it read: the record is tried again, in a new one. No other record is ever lost with a process, since it holds one at a time.
"""

import asyncio
import itertools
from collections.abc import AsyncGenerator, Sequence
from typing import Any, Self
from weakref import WeakKeyDictionary

import msgspec

from onethread import metrics
from onethread.connector import Connector, Excerpts, Raw
from onethread.errors import Misconfigured, Retryable
from onethread.host.parsing.normalizing import Found, Outcome, Over, Raised, normalized
from onethread.host.parsing.wire import Job, Recipe, recipe
from onethread.host.parsing.worker import Budget, Died, Unmakeable, Worker
from onethread.host.tasks import cancelled
from onethread.logs import get_logger

_log = get_logger(__name__)

INLINE_BYTES = 32 * 1024
_INLINE_TYPES = frozenset({"application/json", "application/x-www-form-urlencoded"})
_TRIES = 3


class Parsed(msgspec.Struct, frozen=True):
    """What became of a record. `instead_of`: why `outcome` holds an excerpt; None: it holds all there is."""

    outcome: Outcome
    instead_of: Raised | Over | None = None


def inline(raw: Raw) -> bool:
    """Whether a record is normalised where it came in."""
    return len(raw.data) <= INLINE_BYTES and raw.media_type in _INLINE_TYPES


class Parsers:
    """At most `budget.processes` of them, each started when it is first needed. `close` ends them.

    Without a budget there are none, and everything is normalised here: for tools and tests whose records are their own.
    """

    def __init__(self, budget: Budget | None = None) -> None:
        self.budget = budget or Budget()
        self._here = budget is None
        self._turn = asyncio.Semaphore(self.budget.processes)
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._closed = False
        self._numbers = itertools.count()
        self._recipes: WeakKeyDictionary[Connector[Any], tuple[int, Recipe]] = WeakKeyDictionary()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def pids(self) -> list[int]:
        """Of the processes that live."""
        return [worker.pid for worker in (*self._idle, *self._busy)]

    async def close(self) -> None:
        """End all processes. Who still waits for one is told to come again."""
        self._closed = True
        ending, self._idle = self._idle, []
        for worker in self._busy:
            worker.kill()
        for worker in ending:
            await worker.end()

    async def each(self, asked: Sequence[tuple[Connector[Any], Raw]]) -> AsyncGenerator[Parsed, None]:
        """`parsed` of all, in order; while the caller writes one down, the processes read the next. Close it when it is left."""
        ahead: dict[int, asyncio.Task[Parsed]] = {}
        try:
            for number, one in enumerate(asked):
                for later in range(number, min(number + 1 + self.budget.processes, len(asked))):
                    if later not in ahead and not self._is_read_here(asked[later][1]):
                        ahead[later] = asyncio.create_task(self.parsed(*asked[later]))
                yield await (ahead.pop(number) if number in ahead else self.parsed(*one))
        finally:
            await cancelled(ahead.values())

    async def parsed(self, connector: Connector[Any], raw: Raw) -> Parsed:
        """Normalise one record; where that fails for good, make the excerpt of it. Raises Retryable and Misconfigured."""
        first = await self._outcome(connector, raw, "")
        if not isinstance(first, Raised | Over) or not isinstance(connector, Excerpts):
            return Parsed(first)
        second = await self._outcome(connector, raw, f"{self.why(first)}; this is its beginning")
        return Parsed(second, first) if isinstance(second, Found) and second.events else Parsed(first)

    def why(self, failure: Raised | Over) -> str:
        """The beginning of a sentence for people who see the excerpt, or the dead letter."""
        if isinstance(failure, Raised):
            return f"not read: {failure.kind} in the connector"
        limit = {
            "time": f"took more than parsing.seconds ({self.budget.seconds:g})",
            "memory": f"took more than parsing.megabytes ({self.budget.megabytes})",
            "crash": f"ended the process that read it, {_TRIES} times",
        }[failure.cause]
        return f"not read: it {limit}"

    async def _outcome(self, connector: Connector[Any], raw: Raw, because: str) -> Outcome:
        if self._is_read_here(raw):
            return normalized(connector, raw, because)
        for attempt in range(_TRIES):
            try:
                outcome, new = await self._asked(connector, raw, because, fresh=attempt > 0)
            except Died:
                self._replaced("crash")
                continue
            if isinstance(outcome, Over):
                self._replaced(outcome.cause)
                if outcome.cause == "memory" and not new:
                    continue  # it may have been what earlier records left behind
            return outcome
        return Over("crash")

    def _is_read_here(self, raw: Raw) -> bool:
        return self._here or inline(raw)

    async def _asked(self, connector: Connector[Any], raw: Raw, because: str, *, fresh: bool) -> tuple[Outcome, bool]:
        """The outcome, and whether the process had read nothing before. `fresh`: such a one is wanted. Raises Died."""
        number, made = self._recipe(connector)
        async with self._turn:
            worker = await self._worker(fresh=fresh)
            new = not worker.knows
            self._busy.add(worker)
            well = False
            try:
                head = msgspec.structs.replace(raw, data=b"")
                job = Job(number, head, len(raw.data), because, None if number in worker.knows else made)
                outcome = await worker.ask(job, raw.data)
                well = not isinstance(outcome, Over)
            except Unmakeable as error:
                well = True
                raise Misconfigured(
                    f"connector {connector.name} cannot be made without its secrets ({error}): it must not need them before "
                    "they are used"
                ) from error
            finally:
                self._busy.discard(worker)
                if well:
                    self._idle.append(worker)
                else:  # also when we are cancelled: its answer would be taken for the next one
                    worker.kill()
                    await asyncio.shield(worker.end())
            return outcome, new

    async def _worker(self, *, fresh: bool) -> Worker:
        if self._idle:
            worker = self._idle.pop()
            if worker.lives and not fresh:
                return worker
            await worker.end()
        if self._closed:
            raise Retryable("the parser processes were stopped")
        return await Worker.start(self.budget)

    def _recipe(self, connector: Connector[Any]) -> tuple[int, Recipe]:
        known = self._recipes.get(connector)
        if known is None:
            known = self._recipes[connector] = (next(self._numbers), recipe(connector))
        return known

    def _replaced(self, cause: str) -> None:
        metrics.PARSERS_ENDED.add(cause)
        _log.warning("a parser process ended", cause=cause)
