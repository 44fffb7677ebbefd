"""One authentic delivery on its way into the log, within the time its provider waits. It knows no HTTP."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import msgspec

from onethread import metrics
from onethread.connector import Answer, Misconfigured, Raw, Rejected, Request, Retryable, Wake, Webhook
from onethread.dead_letters import DeadLetter, of_request
from onethread.host.batch import Outcome
from onethread.host.channel import Channel
from onethread.host.ingest import Ingest
from onethread.host.showing import Seen
from onethread.logs import get_logger

_log = get_logger(__name__)

Waker = Callable[[Channel, Wake], Awaitable[None]]
_SHARE = 0.9
"""Of the seconds a provider waits, those in which we must be done; the rest is for the way back."""


_COST = 16 * 1024
"""Bytes that a delivery takes beside its body: connection, request, task."""
_COPIES = 6
"""Of a body in memory at most, while it is parsed, checked and written: itself, its record, its event, what the log holds."""


class Place:
    """Of one delivery among those in memory, from its first byte until nobody works on it any longer."""

    def __init__(self, deliveries: "Deliveries") -> None:
        self._deliveries = deliveries
        self._users = 1
        self._bytes = 0

    def take(self, size: int) -> bool:
        """Room for `size` bytes more of the body. False: there is none, and nothing was taken."""
        taken = self._deliveries.take(_COPIES * size)
        self._bytes += _COPIES * size if taken else 0
        return taken

    def enter(self) -> None:
        """One more works on it."""
        self._users += 1

    def leave(self) -> None:
        """One less; the last one frees it."""
        self._users -= 1
        if not self._users:
            self._deliveries.free(self._bytes)


class Deliveries:
    """Those in memory now: at most `admitted`, in `memory` bytes, those whose caller has been sent away already included."""

    def __init__(self, ingest: Ingest, wake: Waker, admitted: int, memory: int) -> None:
        self._ingest, self._wake, self._limit = ingest, wake, admitted
        self._places = 0
        self._free = memory
        self._writing: set[asyncio.Task[tuple[Answer, Outcome]]] = set()
        self._stopping = False

    @contextmanager
    def admission(self) -> Iterator[Place | None]:
        """A place for one more, while somebody waits for the answer; None: there is no room."""
        if self._stopping or self._places >= self._limit or not self.take(_COST):
            yield None
            return
        self._places += 1
        metrics.HOOKS_OPEN.set(to=self._places)
        place = Place(self)
        try:
            yield place
        finally:
            place.leave()

    def take(self, size: int) -> bool:
        """Of the memory. One alone is let in whatever its size: a limit below a body's would refuse it for ever."""
        if size > self._free and self._places > 1:
            return False
        self._free -= size
        return True

    def free(self, size: int) -> None:
        """A place with so many bytes is empty."""
        self._places -= 1
        self._free += size + _COST
        metrics.HOOKS_OPEN.set(to=self._places)

    async def deliver(self, channel: Channel, request: Request, started: float, place: Place) -> tuple[Answer, Outcome]:
        """The connector's answer and what became of the records, once all is durable. `started`: the loop's time at which the request arrived.

        Raises Retryable when that takes too long; the write goes on, and what is sent again is a duplicate then.
        Raises what `unpack` and the log raise.
        """
        connector = channel.connector
        assert isinstance(connector, Webhook)
        task = asyncio.create_task(self._durable(channel, request))
        self._writing.add(task)
        place.enter()
        task.add_done_callback(lambda _: place.leave())
        task.add_done_callback(self._writing.discard)
        left = started + _SHARE * connector.answer_within - asyncio.get_running_loop().time()
        try:
            done, _ = await asyncio.wait({task}, timeout=max(left, 0.0))
        finally:
            if not task.done():  # too slow, or the caller's task was cancelled
                task.add_done_callback(self._left_behind)
        if not done:
            raise Retryable("the log is too slow for this provider's patience; the write goes on")
        return task.result()

    async def stop(self) -> None:
        """Admit nothing more, and wait for the writes under way."""
        self._stopping = True
        while self._writing:
            await asyncio.wait(self._writing)

    @staticmethod
    def _left_behind(task: asyncio.Task[tuple[Answer, Outcome]]) -> None:
        if not task.cancelled() and (error := task.exception()):
            _log.warning("a delivery whose caller was told to come again could not be stored", error=error)

    async def _durable(self, channel: Channel, request: Request) -> tuple[Answer, Outcome]:
        records, wakes, failure = self._unpacked(channel, request)
        if failure is not None:
            letter = await self._set_body_aside(channel, request, failure)
            outcome = Outcome(dead_letters=(letter.id,), seen=(Seen(channel.id, letter=letter),))
        else:
            outcome = await self._ingest.records(channel, records)
        for wake in wakes:
            await self._wake(channel, wake)
        if self._ingest.taps and wakes:
            woken = tuple(Seen(channel.id, wake=wake) for wake in wakes)
            outcome = msgspec.structs.replace(outcome, seen=outcome.seen + woken)
        return self._answer(channel, request), outcome

    def _unpacked(self, channel: Channel, request: Request) -> tuple[list[Raw], list[Wake], Exception | None]:
        assert isinstance(channel.connector, Webhook)
        try:
            items = list(channel.connector.unpack(request))
            unknown = [item for item in items if not isinstance(item, Raw | Wake)]
            if unknown:
                raise TypeError(f"unpack yields Raw and Wake, not {type(unknown[0]).__name__}")  # noqa: TRY301 -- one way out
        except (Rejected, Retryable, Misconfigured):
            raise
        except Exception as error:  # noqa: BLE001 -- the body is kept, whatever it does to the connector's code
            return [], [], error
        records = [item for item in items if isinstance(item, Raw)]
        return records, [item for item in items if isinstance(item, Wake)], None

    async def _set_body_aside(self, channel: Channel, request: Request, error: Exception) -> DeadLetter:
        letter = of_request(
            request, tenant=channel.tenant, channel_id=channel.id, connector=channel.connector.name,
            detail=f"the body could not be unpacked: {type(error).__name__}: {error}; mend the settings or the connector, then replay",
        )  # fmt: skip
        await self._ingest.set_aside(letter)
        return letter

    def _answer(self, channel: Channel, request: Request) -> Answer:
        assert isinstance(channel.connector, Webhook)
        try:
            return channel.connector.answer(request)
        except Exception as error:  # noqa: BLE001 -- all is durable: the provider need not come again
            metrics.BUGS.add(channel.id, "answer")
            _log.error("answer raised what it should not", channel_id=channel.id, exc_info=error)
            return Answer()
