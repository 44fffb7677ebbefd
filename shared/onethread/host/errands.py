"""How one job is done: the files of an event, or a look-up, and how the log is told. It knows no schedule."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

from onethread import envelope, metrics
from onethread.blobs import Blobs
from onethread.connector import Lookups
from onethread.errors import Retryable
from onethread.event import Attachment, Event
from onethread.host.access import Access, Barred
from onethread.host.backoff import Backoff
from onethread.host.bringing import Bringing
from onethread.host.channel import Channel
from onethread.host.completing import completion, waiting
from onethread.host.jobs import Files, Held, Lookup
from onethread.host.lent import Lender
from onethread.host.media import Broken, Limits, Outcome
from onethread.host.shrinking import fitted
from onethread.host.standing import FILES, LOOKUPS, Standing
from onethread.log.port import EventLog, TopicPartition
from onethread.log.topics import MESSAGES
from onethread.logs import get_logger

_log = get_logger(__name__)


class _Round(NamedTuple):
    """What one try brought; `failure`: why it must be tried again, for want of access rather than for another reason."""

    outcomes: dict[str, Outcome]
    other: dict[str, str]
    failure: Retryable | None


class Errands:
    """Does jobs over one log and one blob store. `lender`: for the connectors, their clock and their waits."""

    def __init__(self, lender: Lender, log: EventLog, blobs: Blobs, limits: Limits, standing: Standing) -> None:
        self._lender, self._log, self._blobs, self._limits = lender, log, blobs, limits
        self._bringing, self._access = Bringing(lender, blobs, limits), Access(standing)

    @property
    def lease(self) -> float:
        """Seconds after which a job whose process died is taken by another: more than one file may take."""
        return 2 * self._limits.seconds

    def now(self) -> float:
        """Unix seconds."""
        return self._lender.ingest.now().timestamp()

    async def tidy(self) -> None:
        """Remove what killed processes left of files on their way. Raises Retryable."""
        await self._blobs.tidy()

    async def do(self, channel: Channel, held: Held) -> float | None:
        """One try. The time at which the next is due; None: done. Raises Conflict when the job is lost, Retryable for log and store."""
        about = held.job.about
        return await (
            self._files(channel, held, about) if isinstance(about, Files) else self._look_up(channel, held, about)
        )

    # --- files ---

    async def _files(self, channel: Channel, held: Held, about: Files) -> float | None:
        event = await self._event(held, about)
        files = waiting(event) if event is not None else {}
        if event is None or not files:
            await held.done()
            return None
        outcomes, other, failure = await self._round(channel, held, about, files)
        if outcomes != about.outcomes:
            await self._tell(completion(event, outcomes, self._lender.ingest.now()))
        arrived = [outcomes[number] for number in outcomes.keys() - about.outcomes.keys()]
        if failure is None:
            whole = all(outcome.status == "stored" for outcome in outcomes.values())
            noted = [held.fetched.note(event.id, self.now())] if whole else []
            await asyncio.gather(self._count(channel, arrived), *noted)
            await held.done()
            return None
        await self._count(channel, arrived)
        left = [file.expires_at for number, file in files.items() if number not in outcomes]
        ends = [moment.timestamp() for moment in left if moment]
        return await self._again(
            channel, held, msgspec.structs.replace(about, outcomes=outcomes, other=other), failure, *ends
        )

    async def _event(self, held: Held, about: Files) -> Event | None:
        """The event whose files they are; None: retention was faster, or all are stored, and it was delivered again."""
        records = await self._log.fetch(TopicPartition(MESSAGES, about.partition), about.offset, 1)
        if not records or records[0].offset != about.offset:
            return None
        event = envelope.read(records[0].value, records[0].headers)
        return None if await held.fetched.has(event.id, self.now()) else event

    async def _round(self, channel: Channel, held: Held, about: Files, files: dict[str, Attachment]) -> _Round:
        outcomes, other = dict(about.outcomes), dict(about.other)
        failure: Retryable | None = None
        left = {number: file for number, file in files.items() if number not in outcomes}
        for turn, (number, file) in enumerate(left.items()):
            if turn:  # the lease under which the job was taken is for one file
                await held.change(msgspec.structs.replace(held.job, due=self.now() + self.lease))
            try:
                outcomes[number] = await self._bringing.file(channel, file, held.job.until, other.get(number, ""))
            except Retryable as error:
                if isinstance(error, Broken) and error.sha256:
                    other[number] = error.sha256
                failure = failure if isinstance(failure, Barred) else error
        return _Round(outcomes, other, failure)

    async def _count(self, channel: Channel, brought: Sequence[Outcome]) -> None:
        for outcome in brought:
            metrics.MEDIA.add(channel.id, outcome.status)
        if any(outcome.status == "stored" for outcome in brought):
            await self._access.arrived(channel.id, FILES)

    async def _tell(self, event: Event) -> None:
        _, draft = fitted(event, envelope.encode_value(event))
        await self._log.append(MESSAGES, [draft])
        metrics.EVENTS.add(event.channel_id, event.kind)

    # --- look-ups ---

    async def _look_up(self, channel: Channel, held: Held, about: Lookup) -> float | None:
        connector = channel.connector
        if not isinstance(connector, Lookups):  # it was, when the job was made
            await held.done()
            return None
        lent = self._lender.lend(channel)
        try:
            async with asyncio.timeout(self._limits.seconds):
                records = await connector.lookup(lent, about.locator)
        except Exception as error:  # noqa: BLE001 -- connectors raise anything; the table of `faults` decides
            ours, _ = await self._bringing.judged(channel, lent, error)
            if isinstance(ours, Retryable) and self.now() < held.job.until:
                metrics.LOOKUPS.add(channel.id, "later")
                return await self._again(channel, held, about, ours)
            metrics.LOOKUPS.add(channel.id, "failed")
            _log.warning("a look-up was given up", channel_id=channel.id, reason=str(ours))
        else:
            outcome = await self._lender.ingest.records(channel, records)
            self._lender.ingest.taps.records(outcome.seen)
            metrics.LOOKUPS.add(channel.id, "ok")
            await self._access.arrived(channel.id, LOOKUPS)
        await held.done()
        return None

    # --- failures ---

    async def _again(
        self, channel: Channel, held: Held, about: Files | Lookup, failure: Retryable, *ends: float
    ) -> float:
        due = await self._later(held, about, failure, *ends)
        if isinstance(failure, Barred):
            part, when = FILES if isinstance(about, Files) else LOOKUPS, datetime.fromtimestamp(due, UTC)
            await self._access.refused(channel.id, part, failure, held.job.refused, when)
        return due

    async def _later(self, held: Held, about: Files | Lookup, failure: Retryable, *ends: float) -> float:
        """The last try is at the very end of the time there is."""
        backoff = Backoff(self._lender.pace, self._lender.random)
        backoff.failures = held.job.tries
        due = min(self.now() + backoff.failed(failure), held.job.until, *ends)
        refused = held.job.refused + isinstance(failure, Barred)
        job = msgspec.structs.replace(held.job, due=due, about=about, tries=backoff.failures, refused=refused)
        await held.change(job)
        return due


def told_until(event: Event, seconds: float) -> float:
    """Unix seconds until which what an event names is fetched."""
    return (event.ingested_at or datetime.now(UTC)).timestamp() + seconds
