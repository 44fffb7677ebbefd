"""Keeps one pull running for each resource of each channel, on one replica of the cluster. What a pull does, the subclasses say.

channels ─► resources ─► lease ─► pull, while the lease is held ─► released
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import ClassVar

from onethread.host.channel import Channel
from onethread.host.holding import while_held
from onethread.host.lent import Lender
from onethread.host.standing import ENTRANCE, FILES, LOOKUPS, SUBSCRIPTION, Standing
from onethread.host.tasks import cancelled
from onethread.host.trouble import Trouble
from onethread.state.cursors import Cursors
from onethread.state.leases import Lease, Leases

_RESOURCES = "(resources)"


class PullHost(ABC):
    """Serves the channels of `lender.ingest.channels` that use `edge`; changes of the list are seen within a second."""

    edge: ClassVar[type]

    def __init__(self, lender: Lender, leases: Leases, cursors: Cursors, standing: Standing) -> None:
        self.lender, self.ingest, self.pace = lender, lender.ingest, lender.pace
        self.leases, self.cursors, self.standing = leases, cursors, standing
        self._serving: dict[str, tuple[Channel, asyncio.Task[None]]] = {}
        self._held: set[tuple[str, str]] = set()

    async def run(self) -> None:
        """Serve until cancelled; `stop` is called after that."""
        while True:
            wanted = {each.id: each for each in self.ingest.channels if self.edge in each.connector.edges}
            for channel_id, (channel, task) in tuple(self._serving.items()):
                if wanted.get(channel_id) is not channel:
                    await cancelled([task])
                    del self._serving[channel_id]
            for channel_id, channel in wanted.items():
                if channel_id not in self._serving:
                    self._serving[channel_id] = (channel, asyncio.create_task(self._serve(channel)))
            await asyncio.sleep(self.pace.watch)

    async def stop(self) -> None:
        """Finish the page that is being written, and let the leases go."""
        serving, self._serving = [task for _, task in self._serving.values()], {}
        await cancelled(serving)

    def holds(self, channel_id: str, resource: str) -> bool:
        """Whether this replica pulls the resource now."""
        return (channel_id, resource) in self._held

    @abstractmethod
    async def resources(self, channel: Channel) -> Sequence[str]:
        """What there is to pull."""

    @abstractmethod
    async def pull(self, channel: Channel, resource: str, lease: Lease) -> None:
        """Pull while the lease is held; may be cancelled at any time. Returns when the channel is paused."""

    async def _serve(self, channel: Channel) -> None:
        pulls: dict[str, asyncio.Task[None]] = {}
        trouble = Trouble(channel, _RESOURCES, self.lender, self.standing)
        try:
            while True:
                wait = self.pace.resources
                try:
                    names = set(await self.resources(channel))
                    await self.standing.keep_only(
                        channel.id, {*names, ENTRANCE, FILES, LOOKUPS, SUBSCRIPTION, _RESOURCES}
                    )
                    await self._match(channel, names, pulls)
                    await trouble.worked()
                except Exception as error:  # noqa: BLE001 -- the table of `trouble` decides; what is pulled goes on
                    wait = await trouble.failed(error)
                await asyncio.sleep(wait)
        finally:
            await cancelled(pulls.values())

    async def _match(self, channel: Channel, names: set[str], pulls: dict[str, asyncio.Task[None]]) -> None:
        for name in set(pulls) - names:
            await cancelled([pulls.pop(name)])
        for name in sorted(names - set(pulls)):
            await self.standing.begin(channel.id, name)
            pulls[name] = asyncio.create_task(self._contend(channel, name))

    async def _contend(self, channel: Channel, resource: str) -> None:
        trouble = Trouble(channel, resource, self.lender, self.standing)
        while True:
            try:
                held = not await self.standing.paused(channel.id) and await self.held(channel, resource)
                trouble = Trouble(channel, resource, self.lender, self.standing)
                wait = 0.0 if held else self.pace.contend * self.lender.random.uniform(0.8, 1.2)
            except Exception as error:  # noqa: BLE001 -- the state store is away, or the host has a bug: again in any case
                wait = await trouble.failed(error)
            await asyncio.sleep(wait)

    async def held(self, channel: Channel, resource: str) -> bool:
        """Pull under a lease; False if somebody else holds it."""
        lease = await self.leases.acquire(channel.id, resource)
        if lease is None:
            return False
        self._held.add((channel.id, resource))
        try:
            await while_held(self.leases, lease, partial(self.pull, channel, resource, lease))
        finally:
            self._held.discard((channel.id, resource))
        return True
