"""How each pull and entrance of a channel is doing, summed up to the channel's state. It decides nothing.

It logs once when something breaks and once when it works again. Parts of one channel may be held by different replicas. So each writes its own part first and then looks at all: of two that
write side by side, the later sees both.
"""

import asyncio
from collections.abc import Callable, Collection
from datetime import datetime

import msgspec

from onethread import metrics
from onethread.errors import Conflict, Retryable
from onethread.logs import get_logger
from onethread.state.channel_states import ChannelStates, Reason, State
from onethread.state.port import StateStore

_log = get_logger(__name__)

ENTRANCE = "(webhook)"
"""The part that is the channel's webhook; pulls are named by their resource."""
SUBSCRIPTION = "(subscription)"
"""The part that is its registration at the provider."""
FILES, LOOKUPS = "(files)", "(look-ups)"
"""The parts that are fetching what its messages refer to; they begin with the first trouble."""
_PARTS = "channel_parts"
_PAUSES = "channel_pauses"
_WORST_FIRST: tuple[State, ...] = ("paused", "auth_required", "failing", "degraded", "starting", "healthy")
_WELL = frozenset({"healthy", "starting"})


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of one part."""

    state: State = "starting"
    reason: Reason = Reason()
    next_try_at: datetime | None = None


_decode = msgspec.json.Decoder(Part).decode


class Standing:
    """The channels' states as this process sees and reports them. `now` is the clock."""

    def __init__(self, store: StateStore, now: Callable[[], datetime]) -> None:
        self._store, self._now = store, now
        self._states = ChannelStates(store)
        self._known: dict[tuple[str, str], Part] = {}
        self._saying: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def report(
        self,
        channel_id: str,
        part: str,
        state: State,
        reason: Reason | None = None,
        next_try_at: datetime | None = None,
    ) -> None:
        """Say how a part is. Costs nothing while nothing changes; while the store is away, it is said again next time."""
        new = Part(state, reason or Reason(), next_try_at)
        old = self._known.get((channel_id, part))
        if new == old:
            return
        self._say(channel_id, part, old, new)
        self._known[channel_id, part] = new
        try:
            await self._write(_PARTS, f"{channel_id}/{part}", msgspec.json.encode(new))
            await self.sum_up(channel_id)
        except Retryable:
            # In the log all the same; written again as soon as the store answers.
            self._known[channel_id, part] = msgspec.structs.replace(new, reason=Reason(code="not written"))

    async def settle(
        self,
        channel_id: str,
        part: str,
        state: State,
        reason: Reason | None = None,
        next_try_at: datetime | None = None,
    ) -> None:
        """`report`, of a part that many replicas speak of: compared with what is stored, not with our own last word.

        That it is healthy is not said of a part that nothing is known of. Raises Retryable.
        """
        document = await self._store.get(_PARTS, f"{channel_id}/{part}")
        if document is not None:
            self._known[channel_id, part] = _decode(document.value)
        elif state == "healthy":
            return
        await self.report(channel_id, part, state, reason, next_try_at)

    async def begin(self, channel_id: str, part: str) -> None:
        """A part that nothing is known of is starting. Raises Retryable."""
        if await self._store.get(_PARTS, f"{channel_id}/{part}") is None:
            await self.report(channel_id, part, "starting")

    def report_soon(self, channel_id: str, part: str, state: State, reason: Reason | None = None) -> None:
        """`report`, for those who have no time to wait for the store; one at a time, however long it is away."""
        key = (channel_id, part)
        if key not in self._saying and self._known.get(key) != Part(state, reason or Reason()):
            task = asyncio.create_task(self.report(channel_id, part, state, reason))
            self._saying[key] = task
            task.add_done_callback(lambda _: self._saying.pop(key, None))

    async def said(self) -> None:
        """Wait for what `report_soon` began."""
        while self._saying:
            await asyncio.wait(self._saying.values())

    async def forget(self, channel_id: str, part: str) -> None:
        """The part is no more: the provider has no such inbox any longer. Raises Retryable."""
        self._known.pop((channel_id, part), None)
        await self._remove(_PARTS, f"{channel_id}/{part}")
        await self.sum_up(channel_id)

    async def keep_only(self, channel_id: str, parts: Collection[str]) -> None:
        """Forget all parts but these. Raises Retryable."""
        for document in await self._store.scan(_PARTS, f"{channel_id}/"):
            part = document.id.removeprefix(f"{channel_id}/")
            if part not in parts:
                await self.forget(channel_id, part)

    async def pause(self, channel_id: str) -> None:
        """Stop pulling for a channel, on every replica. What is pushed is still taken: it would be lost. Raises Retryable."""
        await self._write(_PAUSES, channel_id, b"{}")
        await self.sum_up(channel_id)

    async def resume(self, channel_id: str) -> None:
        """Pull again. Raises Retryable."""
        await self._remove(_PAUSES, channel_id)
        await self.sum_up(channel_id)

    async def paused(self, channel_id: str) -> bool:
        """Whether a person paused the channel. Raises Retryable."""
        return await self._store.get(_PAUSES, channel_id) is not None

    async def sum_up(self, channel_id: str) -> None:
        """Report the worst of all parts as the channel's state. Raises Retryable."""
        parts = [_decode(document.value) for document in await self._store.scan(_PARTS, f"{channel_id}/")]
        if await self.paused(channel_id):
            parts.append(Part("paused", Reason("paused", "a person paused this channel", "resume it to go on")))
        worst = min(parts or [Part()], key=lambda part: _WORST_FIRST.index(part.state))
        await self._states.report(
            channel_id, worst.state, now=self._now(), reason=worst.reason, next_try_at=worst.next_try_at
        )
        for state in _WORST_FIRST:
            metrics.CHANNEL_STATE.set(channel_id, state, to=float(state == worst.state))

    def _say(self, channel_id: str, part: str, old: Part | None, new: Part) -> None:
        where = {"channel_id": channel_id, "part": part, "state": new.state}
        broken_before = old is not None and old.state not in _WELL
        if new.state not in _WELL and (not broken_before or (old is not None and old.state != new.state)):
            todo = {"todo": new.reason.todo} if new.reason.todo not in {"", new.reason.text} else {}
            _log.warning("a channel needs attention", reason=new.reason.text, **todo, **where)
        elif new.state == "healthy" and broken_before:
            _log.info("a channel works again", **where)

    async def _write(self, collection: str, key: str, value: bytes) -> None:
        while True:
            document = await self._store.get(collection, key)
            if document is not None and document.value == value:
                return
            try:
                await self._store.put(collection, key, value, document.version if document else 0)
            except Conflict:
                continue
            return

    async def _remove(self, collection: str, key: str) -> None:
        while (document := await self._store.get(collection, key)) is not None:
            try:
                await self._store.delete(collection, key, document.version)
            except Conflict:
                continue
