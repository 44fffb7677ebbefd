"""Tells providers where to call: at the start, before a subscription ends, and every six hours. It knows no provider.

One replica of the cluster does it, by lease. What goes wrong is the state of the channel's entrance, with what to do.
"""

import asyncio
from datetime import UTC, datetime

from onethread.connector import Subscribes, Webhook
from onethread.host.channel import Channel
from onethread.host.holding import while_held
from onethread.host.lent import Lender
from onethread.host.standing import SUBSCRIPTION, Standing
from onethread.host.trouble import Trouble
from onethread.state.leases import Leases

_EVERY = 6 * 3600.0
"""Seconds, also where a provider names no end: it may have forgotten us, or an admin changed it by hand."""
_EARLY = 0.8
"""Renewed after so much of its life."""
_WATCH = 5.0
"""Seconds between looks for a lease that another replica holds."""


class Subscriptions:
    """Keeps the webhooks of all channels registered."""

    def __init__(self, lender: Lender, leases: Leases, standing: Standing) -> None:
        self._lender, self._leases, self._standing = lender, leases, standing

    async def run(self) -> None:
        """Until cancelled."""
        channels = [one for one in self._lender.ingest.channels if isinstance(one.connector, Subscribes)]
        async with asyncio.TaskGroup() as tasks:
            for channel in channels:
                tasks.create_task(self._hold(channel))
            await asyncio.Event().wait()

    async def _hold(self, channel: Channel) -> None:
        while True:
            lease = await self._leases.acquire(channel.id, SUBSCRIPTION)
            if lease is not None:
                await while_held(self._leases, lease, lambda: self._keep(channel))
            await asyncio.sleep(_WATCH)

    async def _keep(self, channel: Channel) -> None:
        trouble = Trouble(channel, SUBSCRIPTION, self._lender, self._standing)
        while True:
            try:
                wait = await self._subscribed(channel)
                await trouble.worked()
            except Exception as error:  # noqa: BLE001 -- the table of `trouble` decides
                wait = await trouble.failed(error)
            await asyncio.sleep(wait)

    async def _subscribed(self, channel: Channel) -> float:
        """Register; returns the seconds until it is to be done again."""
        connector = channel.connector
        assert isinstance(connector, Subscribes)
        host = self._lender.host(channel)
        ends = await connector.subscribe(host, (host.url or None) if Webhook in connector.edges else None)
        if ends is None:
            return _EVERY
        return max(min((ends - datetime.now(UTC)).total_seconds() * _EARLY, _EVERY), 60.0)
