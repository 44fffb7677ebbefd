"""When the latest message of each channel came, for people: noted now and then in its state. It knows no message."""

import asyncio
from collections.abc import Mapping
from datetime import datetime

from onethread.errors import Retryable
from onethread.state.channel_states import ChannelStates

EVERY = 30.0
"""Seconds between two notes: nobody needs it more exactly, and the store has other work."""


class Latest:
    """Notes what `came` says: by channel, when a message of it was last made durable by this process."""

    def __init__(self, came: Mapping[str, datetime], states: ChannelStates, *, every: float = EVERY) -> None:
        self._came, self._states, self._every = came, states, every
        self._noted: dict[str, datetime] = {}

    async def run(self) -> None:
        """Until cancelled. While the store is away nothing is noted; the next note says it all."""
        while True:
            await asyncio.sleep(self._every)
            try:
                await self.note()
            except Retryable:
                continue

    async def note(self) -> None:
        """What is new since the last note. Raises Retryable."""
        for channel, at in tuple(self._came.items()):
            if self._noted.get(channel) != at:
                await self._states.saw_message(channel, at)
                self._noted[channel] = at
