"""Asks providers for what is new, page by page. It knows cursors and waits, and no provider.

A cursor is saved once its page is in the log, under the lease's fencing number: a crash in between repeats the page, and the
events of a repeated page have the ids they had.
"""

import asyncio
from collections.abc import Sequence

from onethread import metrics
from onethread.connector import Page, Polling, Wake
from onethread.errors import Conflict, Retryable
from onethread.host.batch import Streak
from onethread.host.channel import Channel
from onethread.host.lent import Lender
from onethread.host.pulling import PullHost
from onethread.host.standing import Standing
from onethread.host.tasks import background, cancelled
from onethread.host.trouble import Trouble
from onethread.host.wakes import Alarm, Notes
from onethread.logs import get_logger
from onethread.shielded import finished
from onethread.state.cursors import Cursors
from onethread.state.leases import Lease, Leases

_log = get_logger(__name__)

_TRIES = 5
"""Of a pull that somebody asked for and that no list names."""


class PollingHost(PullHost):
    """Runs `Polling.fetch` of all channels that use it. `notes`: how a Wake reaches the replica that holds the resource."""

    edge = Polling

    def __init__(self, lender: Lender, leases: Leases, cursors: Cursors, standing: Standing, notes: Notes) -> None:
        super().__init__(lender, leases, cursors, standing)
        self._notes = notes
        self._alarms: dict[tuple[str, str], Alarm] = {}
        self._listed: dict[str, frozenset[str]] = {}
        self._once: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """See `PullHost`."""
        reading = asyncio.create_task(self._read_notes())
        try:
            await super().run()
        finally:
            await cancelled([reading])

    async def stop(self) -> None:
        """See `PullHost`."""
        await cancelled(self._once)
        await super().stop()

    async def wake(self, channel: Channel, wake: Wake) -> None:
        """Pull now, wherever the resource is held. Never fails: a lost Wake only delays."""
        if Polling not in channel.connector.edges:
            _log.warning("a Wake for a channel that does not poll", channel_id=channel.id)
        elif self._is_ours(channel.id, wake.resource):
            self._follow(channel, wake)
        else:
            await self._leave_note(channel, wake)

    async def resources(self, channel: Channel) -> Sequence[str]:
        """See `PullHost`."""
        assert isinstance(channel.connector, Polling)
        names = channel.connector.resources()
        self._listed[channel.id] = frozenset(names)
        return names

    async def pull(self, channel: Channel, resource: str, lease: Lease) -> None:
        """See `PullHost`. A resource of no list is pulled to its end once, with a few tries."""
        poll = _Poll(self, channel, resource, lease, self._alarm(channel.id, resource))
        try:
            await poll.begin()
            while self.lists(channel.id, resource) or poll.goes_on():
                if await self.standing.paused(channel.id):
                    return
                await poll.round()
        except Conflict:
            return  # another holds the lease, with a higher fencing number

    def lists(self, channel_id: str, resource: str) -> bool:
        """Whether the connector names the resource by itself."""
        return resource in self._listed.get(channel_id, ())

    def _alarm(self, channel_id: str, resource: str) -> Alarm:
        return self._alarms.setdefault((channel_id, resource), Alarm())

    def _is_ours(self, channel_id: str, resource: str) -> bool:
        """Held here; or of no list, so that whoever is first may pull it."""
        unlisted = resource not in self._listed.get(channel_id, (resource,))
        return self.holds(channel_id, resource) or unlisted

    def _follow(self, channel: Channel, wake: Wake) -> None:
        self._alarm(channel.id, wake.resource).ring(wake.hint)
        if not self.holds(channel.id, wake.resource):
            background(self._pull_once(channel, wake), self._once)

    async def _pull_once(self, channel: Channel, wake: Wake) -> None:
        try:
            if await self.held(channel, wake.resource):
                await self.standing.forget(channel.id, wake.resource)
            else:
                await self._leave_note(channel, wake)  # for the replica that is pulling it now
        except Retryable as error:
            _log.warning("a Wake was lost; the next fetch comes by itself", channel_id=channel.id, error=error)
        finally:
            self._alarms.pop((channel.id, wake.resource), None)

    async def _leave_note(self, channel: Channel, wake: Wake) -> None:
        try:
            await self._notes.leave(channel.id, wake, self.ingest.now())
        except Retryable as error:
            _log.warning("a Wake was lost; the next fetch comes by itself", channel_id=channel.id, error=error)

    async def _read_notes(self) -> None:
        while True:
            await asyncio.sleep(self.pace.wakes)
            try:
                for document, channel_id, wake in await self._notes.look():
                    channel = self.ingest.channels.get(channel_id)
                    if channel and self._is_ours(channel_id, wake.resource) and await self._notes.take(document):
                        self._follow(channel, wake)
            except Retryable:
                continue  # every pull says so already


class _Poll:
    """One pull of one resource, under one lease."""

    def __init__(self, host: PollingHost, channel: Channel, resource: str, lease: Lease, alarm: Alarm) -> None:
        self._host, self._channel, self._resource, self._lease, self._alarm = host, channel, resource, lease, alarm
        self._trouble = Trouble(channel, resource, host.lender, host.standing)
        self._streak = Streak()
        self._cursor: str | None = None
        self._failures = 0
        self._ended = False
        self._degraded = ""

    async def begin(self) -> None:
        """Read the cursor; whoever held the lease before can save none any more."""
        self._cursor = await self._host.cursors.take(self._channel.id, self._resource, self._lease.fence)

    def goes_on(self) -> bool:
        """Whether a pull of no list is to be continued."""
        return not self._ended and self._failures < _TRIES

    async def round(self) -> None:
        """One page, and the wait after it. Raises Conflict when the lease is lost."""
        connector = self._channel.connector
        assert isinstance(connector, Polling)
        lent = self._host.lender.lend(self._channel, self._resource, hint=self._alarm.hint(), streak=self._streak)
        try:
            page = await connector.fetch(lent, self._resource, self._cursor)
            await finished(self._store(page))
        except Conflict:
            raise
        except Exception as error:  # noqa: BLE001 -- the table of `trouble` decides
            self._failures += 1
            self._alarm.keep(lent.hint)
            metrics.FETCHES.add(self._channel.id, type(error).__name__)
            await asyncio.sleep(await self._trouble.failed(error, lent))
            return
        metrics.FETCHES.add(self._channel.id, "ok")
        self._failures, self._ended = 0, not page.more
        if page.more:
            self._alarm.keep(lent.hint)  # what woke us is behind the rest of it, too
        await self._wait(page, connector.interval)

    async def _store(self, page: Page) -> None:
        outcome = await self._host.ingest.records(self._channel, page.records, self._streak)
        self._host.ingest.taps.records(outcome.seen)
        if page.cursor is not None and page.cursor != self._cursor:
            await self._host.cursors.save(self._channel.id, self._resource, page.cursor, self._lease.fence)
            self._cursor = page.cursor
        if page.records or not self._degraded:  # an empty page does not mend what broke
            self._degraded = outcome.degraded
        await self._trouble.worked(self._degraded)

    async def _wait(self, page: Page, interval: float) -> None:
        if page.wait is not None:
            await asyncio.sleep(page.wait)  # the provider's budget: not even a Wake cuts it short
        elif page.more or self._ended_unlisted():
            await asyncio.sleep(0)
        else:
            await self._alarm.wait(interval)

    def _ended_unlisted(self) -> bool:
        return self._ended and not self._host.lists(self._channel.id, self._resource)
