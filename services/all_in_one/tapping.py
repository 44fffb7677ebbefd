"""Listens to a channel of the running service, by the state store that both have. It knows no channel's content and no table.

See `onethread.host.listeners` for the documents.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress

import msgspec

from all_in_one.sights import Show
from onethread.errors import Conflict, Retryable
from onethread.host.listeners import LEASE, SIGHTINGS, TAPS
from onethread.state.port import StateStore


class Tap:
    """`show`: what a service saw; `tell`: what a person should know besides. `end` it, whatever became of `run`.

    `every`: seconds between two looks; `patience`: seconds after which a running service should have answered.
    """

    def __init__(
        self,
        store: StateStore,
        channel_id: str,
        show: Show,
        tell: Callable[[str], None],
        *,
        every: float = 0.5,
        patience: float = 8.0,
    ) -> None:
        self._store, self._channel_id, self._show, self._tell = store, channel_id, show, tell
        self._every, self._patience = every, patience
        self._name = secrets.token_hex(8).encode()
        self._renewed = 0.0
        self._answered = self._away = False

    async def run(self) -> None:
        """Until cancelled. Raises Conflict when another has begun to listen to the channel."""
        began = time.monotonic()
        await self._take()
        await self._renew(begins=True)
        self._show({"listening": self._channel_id, "stored": "until it is shown"})
        while True:
            await self._round()
            if not self._answered and time.monotonic() - began > self._patience:
                self._answered = True
                self._tell(
                    "no running service shows what comes yet: start it with `onethread up`, with the same settings and data; "
                    "or serve the URL alone, with --port"
                )
            await asyncio.sleep(self._every)

    async def end(self) -> None:
        """Take the tap away, and what has not been shown. What cannot be removed now, a service removes."""
        with suppress(Retryable, Conflict):
            there = await self._store.get(TAPS, self._channel_id)
            if there is not None and there.value == self._name:
                await self._store.delete(TAPS, there.id, there.version)
                await self._take()

    async def _round(self) -> None:
        try:
            if time.monotonic() - self._renewed > LEASE / 3:
                await self._renew()
            for value in await self._take():
                self._answered = True
                self._show(msgspec.json.decode(value))
            self._away = False
        except Retryable as error:
            if not self._away:
                self._tell(f"{error} What comes meanwhile may not be shown.")
            self._away = True

    async def _renew(self, *, begins: bool = False) -> None:
        while True:
            there = await self._store.get(TAPS, self._channel_id)
            if there is not None and there.value != self._name and not begins:
                raise Conflict(f"another `onethread listen` has begun on {self._channel_id}; one at a time")
            try:
                await self._store.put(TAPS, self._channel_id, self._name, there.version if there else 0)
            except Conflict:
                continue
            self._renewed = time.monotonic()
            return

    async def _take(self) -> list[bytes]:
        """Remove what is there, and return it in the order in which it came."""
        found = await self._store.scan(SIGHTINGS, f"{self._channel_id}/")
        for document in found:
            with suppress(Conflict):  # a service removed it: it thought that nobody listens
                await self._store.delete(SIGHTINGS, document.id, document.version)
        return sorted((one.value for one in found), key=lambda value: str(msgspec.json.decode(value)["at"]))
