"""Finds what cannot be threaded: all together, then halves, then alone. It knows no log, and sets nothing aside itself."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from itertools import groupby

from onethread.errors import Conflict, Misconfigured, Poison, Retryable
from onethread.log.port import Record, TopicPartition
from onethread.logs import get_logger
from unifier.halting import Failure
from unifier.reading import Reading

TRIES = 3
"""How often a record may fail alone before it counts as one that fails for good."""

_NOT_THE_RECORD = (Retryable, Conflict, Misconfigured)
"""Nothing is wrong with what was given: it waits."""

Run = Sequence[tuple[Record, Reading]]

_logger = get_logger(__name__)


class Isolation:
    """One batch of the worker. `apply` threads readings together, as a whole or not at all, and may be called again.

    `failures` collects what fails for good. `felt` is told each time the fate of some is known. When `limit` records of a
    partition failed in a row the rest of it is left alone: the partition is halted.
    """

    def __init__(
        self,
        apply: Callable[[list[Reading]], Awaitable[None]],
        failures: list[Failure],
        felt: Callable[[Run], None],
        limit: int,
    ) -> None:
        self._apply, self._failures, self._felt, self._limit = apply, failures, felt, limit
        self._rows = Counter[TopicPartition]()

    async def thread(self, run: Run) -> None:
        """All of them, in order. A command goes alone: it may wait for what it names."""
        for alone, part in groupby(run, key=lambda item: item[1].role == "command"):
            for piece in ([item] for item in part) if alone else [list(part)]:
                await self._together(piece)

    async def _together(self, run: Run) -> None:
        """One bad one among n costs some 2 log n applications, so that those behind it need not wait for long."""
        run = [item for item in run if self._rows[item[0].place] < self._limit]
        if len(run) <= 1:
            await self._alone(run)
            return
        try:
            await self._apply([reading for _, reading in run])
        except _NOT_THE_RECORD:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, it must not stop the others
            _logger.warning("unifier.batch_failed", error=type(error).__name__, records=len(run))
        else:
            self._worked(run)
            return
        middle = len(run) // 2
        await self._together(run[:middle])
        await self._together(run[middle:])

    async def _alone(self, run: Run) -> None:
        for record, reading in run:
            for attempt in range(1, TRIES + 1):
                try:
                    await self._apply([reading])
                except _NOT_THE_RECORD:
                    raise
                except Poison as error:
                    self._failed(record, reading, "poison", str(error))
                    break
                except Exception as error:  # noqa: BLE001 -- a bug of ours; the record waits for its mending
                    if attempt == TRIES:
                        self._failed(record, reading, "bug", type(error).__name__)
                else:
                    self._worked(run)
                    break

    def _worked(self, run: Run) -> None:
        for record, _ in run:
            self._rows[record.place] = 0
        self._felt(run)

    def _failed(self, record: Record, reading: Reading, reason: str, detail: str) -> None:
        self._rows[record.place] += 1
        event = reading.event
        self._failures.append(Failure(record, "unify", reason, detail, event.tenant, event.channel_id))
        self._felt([(record, reading)])
