"""The unifier's only loop: poll, thread, commit. It knows the order of things; the steps are in `unifier.batch`.

Offsets are committed last and explicitly. On any error before, nothing is committed and the batch comes again; a stored
event is never "done", only the commit says done.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence

from onethread import envelope, metrics
from onethread.blobs import Blobs
from onethread.dead_letters import INLINE_BYTES, DeadLetter, dead_letter, place_of
from onethread.dead_letters import draft as dead_letter_draft
from onethread.errors import Conflict, Poison, Retryable
from onethread.log.port import EventLog, Reader, Record, TopicPartition
from onethread.log.topics import DEAD_LETTERS, MESSAGES
from onethread.logs import get_logger
from onethread.state.port import StateStore
from unifier.batch import Batch
from unifier.halting import LIMIT, Failure, Halts, Rows, Verdict
from unifier.isolating import Isolation, Run
from unifier.memory import Memory
from unifier.policy import Policies
from unifier.publishing import Publisher
from unifier.reading import Reading, moment, read
from unifier.store.port import ConversationStore

GROUP = "onethread.unifier"
BATCH = 500
"""Records of one batch."""
_logger = get_logger(__name__)


def wall_clock() -> int:
    """Unix milliseconds."""
    return time.time_ns() // 1_000_000


class Worker:
    """One member of the unifier's group.

    `row_limit`: records in a row that cannot be processed, at which a partition is halted; `state` remembers that over
    restarts, and for other members.
    """

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
        state: StateStore | None = None,
        row_limit: int = LIMIT,
    ) -> None:
        self._log = log
        self._store = store
        self._member = member
        self._policies = policies or Policies()
        self._now = now
        self._batch = batch
        self._blobs = blobs
        self._publisher = Publisher(store, log)
        self._memory = Memory()
        self._rows = Rows(row_limit)
        self._halts = Halts(state, MESSAGES)
        self._reader: Reader | None = None
        self._furthest: dict[TopicPartition, int] = {}
        self._pulse = 0
        self.progress = 0
        """Records committed since the start: liveness is progress."""

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set: what was polled is finished and committed first. Raises Misconfigured where a person must act."""
        delay = 0.1
        while not stop.is_set():
            try:
                async with self._log.join(GROUP, [MESSAGES], self._member) as reader:
                    self._reader = reader
                    self._rows.begin(await self._halts.rows())
                    while not stop.is_set():
                        await self._once(reader)
                        delay = 0.1
            except (Retryable, Conflict) as error:
                self._pulse += isinstance(error, Retryable)  # it says itself what is away: it is not stuck
                _logger.warning("unifier.retry", reason=str(error), seconds=delay)
                await _wait(stop, delay)
                delay = min(delay * 2, 10.0)
            finally:
                self._reader = None

    @property
    def halted(self) -> list[str]:
        """The partitions that stopped at a row of records which cannot be processed, for people."""
        return [f"{place.topic}/{place.partition} halted" for place in sorted(self._rows.halted)]

    async def waiting(self) -> object | None:
        """None while nothing waits to be read, else what changes with every step forward. Raises Retryable.

        For `onethread.host.watchdog`. A halted partition waits for a person, and a restart would not help.
        """
        extents = await self._log.extents(MESSAGES)
        commits = await self._log.commits(GROUP, MESSAGES)
        behind = {
            TopicPartition(MESSAGES, number)
            for number, extent in extents.items()
            if extent.end > max(commits.get(number, 0), extent.begin)
        } - self._rows.halted.keys()
        held = self._reader.assignment if self._reader else frozenset()
        if held:
            return self._pulse if behind & held else None
        # Other members may hold them all; where none does, nobody's commits move.
        return (self._pulse, sorted(commits.items())) if behind else None

    async def _once(self, reader: Reader) -> None:
        records = self._rows.admitted(await reader.poll(self._batch, 0.5))
        if records:
            verdict = await self.apply(records)
            await reader.commit(verdict.offsets)
            self._rows.learn(verdict)
            self.progress += sum(record.offset < verdict.offsets.get(record.place, 0) for record in records)

    async def apply(self, records: Sequence[Record]) -> Verdict:
        """Thread records; what can never be threaded is a dead letter, confirmed, when this returns; a halt is remembered."""
        failures: list[Failure] = []
        readings: list[tuple[Record, Reading]] = []
        for record in records:
            found = self._read(record)
            if isinstance(found, Failure):
                failures.append(found)
            else:
                readings.append((record, found))
        await Isolation(self._thread, failures, self._felt, self._rows.limit).thread(readings)
        verdict = self._rows.judged(records, failures)
        await self._set_aside(verdict.aside)
        await self._halts.carry_out(verdict)
        self._say(verdict)
        return verdict

    def _read(self, record: Record) -> Reading | Failure:
        try:
            event = envelope.read(record.value, record.headers)
            return read(event, self._policies.of(event.tenant, event.channel_id))
        except Poison as error:
            return Failure(record, "decode", "poison", str(error))
        except Exception as error:  # noqa: BLE001 -- a bug of ours; the record waits for its mending
            return Failure(record, "decode", "bug", type(error).__name__)

    def _say(self, verdict: Verdict) -> None:
        """A partition that halts is said here, and shown until it goes on."""
        for place in verdict.rows:
            metrics.HALTED.set(place.topic, str(place.partition), to=float(place in verdict.halted))
        for place, failure in verdict.halted.items():
            _logger.error(
                "unifier.halted",
                partition=place.partition,
                offset=failure.record.offset,
                in_a_row=self._rows.limit,
                reason=f"{failure.stage}: {failure.reason}",
                detail=failure.detail,
                todo="mend the unifier, or go back to the version before, and restart it: it goes on with this record",
            )

    def _felt(self, run: Run) -> None:
        """Their fate is known. It is a step forward if none of them came before: the same work again and again is none."""
        for record, _ in run:
            if record.offset > self._furthest.get(record.place, -1):
                self._furthest[record.place] = record.offset
                self._pulse += 1

    async def _set_aside(self, failures: Sequence[Failure]) -> None:
        """Dead letters, confirmed when this returns; raises Retryable where even that cannot be written: we stop then."""
        if not failures:
            return
        letters = [await self._letter(failure) for failure in failures]
        await self._log.append(DEAD_LETTERS, [dead_letter_draft(letter) for letter in letters])
        for letter in letters:
            metrics.DEAD_LETTERS.add(letter.channel_id, letter.stage, letter.reason)
            where = {"partition": letter.partition, "offset": letter.offset}
            _logger.error(
                "unifier.set_aside", dead_letter_id=letter.id, stage=letter.stage, reason=letter.reason, **where
            )

    async def _letter(self, failure: Failure) -> DeadLetter:
        record = failure.record
        return dead_letter(
            record.value,
            origin="unifier",
            tenant=failure.tenant,
            channel_id=failure.channel_id,
            connector="",
            stage=failure.stage,
            reason=failure.reason,
            detail=failure.detail,
            at=moment(self._now()),
            blob=await self._blobs.put(record.value) if len(record.value) > INLINE_BYTES else "",
            media_type="application/json",
            headers=_cloud_event(record),
            record=place_of(record),
        )

    async def _thread(self, readings: list[Reading]) -> None:
        await Batch(self._store, self._publisher, self._now, memory=self._memory).apply(readings)


def _cloud_event(record: Record) -> dict[str, str]:
    """The headers that belong to the event, so that it can be sent again as it came."""
    return {
        name: text.decode("utf-8", "replace")
        for name, text in record.headers
        if name.startswith("ce_") or name == "content-type"
    }


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
