"""Keeps connections open that providers push over. It knows sessions, and no protocol.

A session that returns is opened again; one that raises, after back-off. What it emits is durable before `emit` returns.
"""

import asyncio
from collections.abc import Sequence
from functools import partial

from onethread import metrics
from onethread.connector import Stream
from onethread.errors import Conflict
from onethread.host.batch import Streak
from onethread.host.channel import Channel
from onethread.host.lent import Lent
from onethread.host.pulling import PullHost
from onethread.host.tasks import cancelled
from onethread.host.trouble import Trouble
from onethread.state.leases import Lease


class StreamHost(PullHost):
    """Runs `Stream.session` of all channels that use it."""

    edge = Stream

    async def resources(self, channel: Channel) -> Sequence[str]:
        """See `PullHost`."""
        assert isinstance(channel.connector, Stream)
        return await channel.connector.resources(self.lender.host(channel))

    async def pull(self, channel: Channel, resource: str, lease: Lease) -> None:
        """See `PullHost`."""
        trouble = Trouble(channel, resource, self.lender, self.standing)
        streak, trust = Streak(), _Trust(self.pace.settled)
        await self.cursors.take(channel.id, resource, lease.fence)
        save = partial(self._save, channel.id, resource, lease.fence)
        try:
            while not await self.standing.paused(channel.id):
                lent = self.lender.lend(channel, resource, save=save, streak=streak)
                await asyncio.sleep(await self._session(channel, resource, lent, trouble, trust))
        except Conflict:
            return  # another holds the lease, with a higher fencing number

    async def _session(self, channel: Channel, resource: str, lent: Lent, trouble: Trouble, trust: "_Trust") -> float:
        """Seconds to wait before the next one. Raises Conflict when the lease is lost."""
        assert isinstance(channel.connector, Stream)
        cursor = await self.cursors.load(channel.id, resource)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        session = asyncio.create_task(channel.connector.session(lent, resource, cursor))
        try:
            lived = await self._watched(session, channel, lent, trouble, begun + trust.seconds)
            if not session.cancelled():
                session.result()
        except Conflict:
            raise
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 -- the table of `trouble` decides
            metrics.SESSIONS.add(channel.id, type(error).__name__)
            trust.failed(loop.time() - begun, emitted=lent.emitted is not None)
            return await trouble.failed(error, lent)
        finally:
            await cancelled([session])
        metrics.SESSIONS.add(channel.id, "ok")
        # One that returns as soon as it was opened would be opened in a circle.
        return 0.0 if lived or lent.emitted is not None else self.pace.first * self.lender.random.random()

    async def _watched(
        self, session: asyncio.Task[None], channel: Channel, lent: Lent, trouble: Trouble, trusted: float
    ) -> bool:
        """Wait for its end; True if it emitted, or lived until `trusted`, so that it works. A pause ends it."""
        loop, wait, lived = asyncio.get_running_loop(), self.pace.settled, False
        while not (await asyncio.wait({session}, timeout=wait))[0]:
            lived = lived or lent.emitted is not None or loop.time() >= trusted
            if lived:
                wait = self.pace.contend
                await trouble.worked(lent.emitted.degraded if lent.emitted is not None else "")
            if await self.standing.paused(channel.id):
                session.cancel()
                await asyncio.wait({session})
                return True
        return lived

    async def _save(self, channel_id: str, resource: str, fence: int, cursor: str) -> None:
        await self.cursors.save(channel_id, resource, cursor, fence)


class _Trust:
    """How long a session of one pull must live, if it emits nothing, before it is said to work: `seconds`.

    Longer than the last one that failed so: a session that waits in vain for a silent provider lives as long each time, and
    would be called healthy each time.
    """

    def __init__(self, settled: float) -> None:
        self.seconds = self._settled = settled

    def failed(self, lived: float, *, emitted: bool) -> None:
        """A session ended with an error, after so many seconds."""
        doubted = 1.5 * lived
        self.seconds = self._settled if emitted else min(max(self._settled, doubted), 10 * self._settled)
