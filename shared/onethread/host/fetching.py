"""Fetches what messages only refer to, once they are visible: reads the log, makes durable jobs, and has them done when due.

    topic messages ─► job (state store) ─► commit        job due ─► taken ─► done: files to blobs, look-ups to events ─► log

It knows no provider, and not how a job is done: see `onethread.host.errands`.
"""

import asyncio
from contextlib import suppress

from onethread import envelope, metrics
from onethread.connector import Lookups
from onethread.errors import Conflict, Misconfigured, Poison, Retryable
from onethread.host.channel import Channel, Channels
from onethread.host.completing import waiting
from onethread.host.errands import Errands, told_until
from onethread.host.jobs import DAY, Files, Held, Job, Jobs, Lookup, files_key, lookup_key
from onethread.host.lent import Lender
from onethread.host.places import Places
from onethread.host.tasks import cancelled
from onethread.log.port import EventLog, Reader, Record
from onethread.log.topics import MESSAGES
from onethread.logs import get_logger
from onethread.shielded import finished

_log = get_logger(__name__)

PATIENCE = 2 * DAY
"""Seconds for which a file or look-up is tried, if the provider names no earlier end."""
_BATCH = 500
_LOOKS = 10.0
"""So many times `Pace.wakes` between looks for the jobs of replicas that died."""
_TELLING = (b'"locator":', b'"lookups":')
"""What the JSON of an event that is worth decoding contains."""


class Fetching:
    """One member of the group that fetches for these channels. `group`: one a service; `parallel`: see `Places`."""

    def __init__(
        self, lender: Lender, log: EventLog, jobs: Jobs, errands: Errands, *, group: str, member: str, parallel: int
    ) -> None:
        self._channels: Channels = lender.ingest.channels
        self._log, self._jobs, self._errands = log, jobs, errands
        self._group, self._member = group, member
        self._tick = lender.pace.wakes
        self._places = Places(parallel)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._bell = asyncio.Event()
        self._end = asyncio.Event()

    async def run(self) -> None:
        """Until stopped or cancelled."""
        parts = [asyncio.create_task(self._read_on()), asyncio.create_task(self._work())]
        try:
            await asyncio.gather(*parts)
        finally:
            await cancelled(parts)

    async def stop(self) -> None:
        """Ask for the end; what is under way is given back."""
        self._end.set()
        self._bell.set()

    # --- from the log ---

    async def _read_on(self) -> None:
        delay = 0.1
        while not self._end.is_set():
            try:
                async with self._log.join(self._group, [MESSAGES], self._member) as reader:
                    while not self._end.is_set():
                        await self._once(reader)
                        delay = 0.1
            except (Retryable, Conflict) as error:
                _log.warning("fetching waits", reason=str(error), seconds=delay)
                with suppress(TimeoutError):
                    async with asyncio.timeout(delay):
                        await self._end.wait()
                delay = min(delay * 2, 10.0)

    async def _once(self, reader: Reader) -> None:
        records = await reader.poll(_BATCH, 0.5)
        for record in records:
            await self._note(record)
        if records:
            await reader.commit({record.place: record.offset + 1 for record in records})

    async def _note(self, record: Record) -> None:
        """Its jobs are durable when this returns."""
        named = next((text for name, text in record.headers if name == "ce_channelid"), b"").decode("utf-8", "replace")
        channel = self._channels.get(named)
        if channel is None or not any(mark in record.value for mark in _TELLING):
            return
        try:
            event = envelope.read(record.value, record.headers)
        except Poison:
            return  # the unifier sets it aside, and says so
        now, until = self._errands.now(), told_until(event, PATIENCE)
        if waiting(event):
            files = Job(channel.id, now, until, Files(record.partition, record.offset))
            await self._add(files_key(channel.id, event.id), files)
        if isinstance(channel.connector, Lookups) and now < until:
            for locator in event.lookups:
                await self._add_lookup(channel, locator, now)

    async def _add_lookup(self, channel: Channel, locator: str, now: float) -> None:
        if await self._jobs.asked(channel.id, locator, now):
            return
        await self._add(lookup_key(channel.id, locator), Job(channel.id, now, now + PATIENCE, Lookup(locator)))
        await self._jobs.note(channel.id, locator, now)

    async def _add(self, key: str, job: Job) -> None:
        if await self._jobs.add(key, job):
            self._places.add(key, job.due)
            self._bell.set()

    # --- what is due ---

    async def _work(self) -> None:
        loop, look, clean = asyncio.get_running_loop(), 0.0, 0.0
        try:
            while not self._end.is_set():
                try:
                    if loop.time() >= look:
                        await self._look()
                        look = loop.time() + _LOOKS * self._tick
                    if loop.time() >= clean:
                        await self._jobs.forget(self._errands.now())
                        await self._errands.tidy()
                        clean = loop.time() + 3600.0
                except (Retryable, Misconfigured) as error:
                    _log.warning("fetching waits", reason=str(error))
                self._start()
                await self._rest()
        finally:
            await cancelled(self._running.values())

    async def _look(self) -> None:
        """Also for what replicas left that are gone."""
        jobs = await self._jobs.all()
        for key, job in jobs.items():
            if self._channels.get(job.channel) is not None:
                self._places.add(key, job.due, again=job.tries > 0)

    def _start(self) -> None:
        now = self._errands.now()
        while (key := self._places.begin(now)) is not None:
            self._running[key] = asyncio.create_task(self._errand(key))
        metrics.FETCHES_WAITING.set(to=len(self._places))

    async def _rest(self) -> None:
        """Until something falls due, came or ended, but no longer than a tick: the clock may be set."""
        with suppress(TimeoutError):
            first = self._places.next() - self._errands.now()
            async with asyncio.timeout(min(max(first, 0.01), self._tick)):
                await self._bell.wait()
        self._bell.clear()

    async def _errand(self, key: str) -> None:
        due: float | None = None
        try:
            held = await self._jobs.take(key, self._errands.now(), self._errands.lease)
            channel = self._channels.get(held.job.channel) if held else None
            if held is not None and channel is not None:
                due = await self._done(channel, held)
        except (Retryable, Conflict) as error:  # log or store; it falls due again by itself
            _log.warning("fetching waits", reason=str(error))
        except Exception as error:  # noqa: BLE001 -- a bug of ours must not stop the others; it falls due again
            _log.error("fetching failed", exc_info=error)
        finally:
            del self._running[key]
            self._places.end(key)
            if due is not None:
                self._places.add(key, due, again=True)
            self._bell.set()

    async def _done(self, channel: Channel, held: Held) -> float | None:
        try:
            return await self._errands.do(channel, held)
        except asyncio.CancelledError:
            with suppress(Retryable, Conflict):
                await finished(held.give_back(self._errands.now()))
            raise
