"""The unifier's only loop: poll, thread, commit. It knows the order of things; the steps are in `unifier.batch`.

Offsets are committed last and explicitly. On any error before, nothing is committed and the batch comes again; a stored
event is never "done", only the commit says done.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

from onethread import envelope
from onethread.blobs import Blobs
from onethread.dead_letters import INLINE_BYTES, dead_letter
from onethread.dead_letters import draft as dead_letter_draft
from onethread.errors import Conflict, Poison, Retryable
from onethread.log.port import EventLog, Reader, Record, TopicPartition
from onethread.log.topics import DEAD_LETTERS, MESSAGES
from onethread.logs import get_logger
from unifier.batch import Batch
from unifier.policy import Policies
from unifier.publishing import Publisher
from unifier.reading import Reading, moment, read
from unifier.store.port import ConversationStore

GROUP = "onethread.unifier"
BATCH = 500
"""Records of one batch."""
TRIES = 3
"""How often a record may fail alone before it becomes a dead letter."""

_logger = get_logger(__name__)


def wall_clock() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Worker:
    """One member of the unifier's group."""

    def __init__(
        self,
        log: EventLog,
        store: ConversationStore,
        blobs: Blobs,
        *,
        member: str,
        policies: Policies | None = None,
        now: Callable[[], int] = wall_clock,
        batch: int = BATCH,
    ) -> None:
        self._log = log
        self._store = store
        self._member = member
        self._policies = policies or Policies()
        self._now = now
        self._batch = batch
        self._blobs = blobs
        self._publisher = Publisher(store, log)
        self.progress = 0
        """Records committed since the start: liveness is progress."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set: what was polled is finished and committed first."""
        delay = 0.1
        while not stop.is_set():
            try:
                async with self._log.join(GROUP, [MESSAGES], self._member) as reader:
                    while not stop.is_set():
                        await self._once(reader)
                        delay = 0.1
            except (Retryable, Conflict) as error:
                _logger.warning("unifier.retry", reason=str(error), seconds=delay)
                await _wait(stop, delay)
                delay = min(delay * 2, 10.0)

    async def _once(self, reader: Reader) -> None:
        records = await reader.poll(self._batch, 0.5)
        if records:
            await self.apply(records)
            await reader.commit(_next_offsets(records))
            self.progress += len(records)

    async def apply(self, records: Sequence[Record]) -> None:
        """Thread records; what can never be threaded is a dead letter, confirmed, when this returns."""
        readings: list[tuple[Record, Reading]] = []
        for record in records:
            try:
                event = envelope.read(record.value, record.headers)
                readings.append((record, read(event, self._policies.of(event.tenant, event.channel_id))))
            except Poison as error:
                await self._set_aside(record, None, "decode", "poison", str(error))
        run: list[tuple[Record, Reading]] = []
        for item in readings:
            if item[1].role == "command":
                await self._apply_together(run)
                await self._apply_alone(*item)
                run = []
            else:
                run.append(item)
        await self._apply_together(run)

    async def _apply_together(self, run: list[tuple[Record, Reading]]) -> None:
        """All at once; if that cannot be, one by one, so that a bad one is set aside alone."""
        if not run:
            return
        try:
            await self._new_batch().apply([reading for _, reading in run])
        except (Retryable, Conflict):
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, it must not stop the others
            _logger.warning("unifier.batch_failed", error=type(error).__name__, records=len(run))
            for record, reading in run:
                await self._apply_alone(record, reading)

    async def _apply_alone(self, record: Record, reading: Reading) -> None:
        for attempt in range(1, TRIES + 1):
            try:
                await self._new_batch().apply([reading])
            except (Retryable, Conflict):
                raise
            except Poison as error:
                await self._set_aside(record, reading, "unify", "poison", str(error))
                return
            except Exception as error:  # noqa: BLE001 -- a bug of ours; the record waits for its mending
                if attempt == TRIES:
                    await self._set_aside(record, reading, "unify", "bug", type(error).__name__)
            else:
                return

    async def _set_aside(self, record: Record, reading: Reading | None, stage: str, reason: str, detail: str) -> None:
        """A dead letter, confirmed when this returns; raises Retryable where even that cannot be written: we stop then."""
        _logger.error("unifier.set_aside", stage=stage, reason=reason, partition=record.partition, offset=record.offset)
        event = reading.event if reading else None
        letter = dead_letter(
            record.value,
            origin="unifier",
            tenant=event.tenant if event else "",
            channel_id=event.channel_id if event else "",
            connector="",
            stage=stage,
            reason=reason,
            detail=detail,
            at=moment(self._now()),
            blob=await self._blobs.put(record.value) if len(record.value) > INLINE_BYTES else "",
            media_type="application/json",
            record=(record.topic, record.partition, record.offset),
        )
        await self._log.append(DEAD_LETTERS, [dead_letter_draft(letter)])

    def _new_batch(self) -> Batch:
        return Batch(self._store, self._publisher, self._now)


def _next_offsets(records: Sequence[Record]) -> dict[TopicPartition, int]:
    offsets: dict[TopicPartition, int] = {}
    for record in records:
        offsets[record.place] = max(offsets.get(record.place, 0), record.offset + 1)
    return offsets


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
