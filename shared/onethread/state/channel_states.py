"""How each channel is doing, for people: state, reason and what to do. It knows no connector."""

from collections.abc import Callable
from datetime import datetime
from typing import Literal

import msgspec

from onethread.errors import Conflict
from onethread.state.port import StateStore

State = Literal["starting", "healthy", "degraded", "failing", "auth_required", "paused"]

_COLLECTION = "channel_states"


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why. `code` is for programs, `text` for people, `todo` says what to change and where. No secret, no message."""

    code: str = ""
    text: str = ""
    todo: str = ""


class ChannelState(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """How one channel is doing.

    `since`: when it came into this state. `next_try_at`: when the host tries again (None: it works, or waits for a person).
    """

    channel: str
    state: State = "starting"
    reason: Reason = Reason()
    since: datetime
    next_try_at: datetime | None = None
    last_message_at: datetime | None = None


_decode = msgspec.json.Decoder(ChannelState).decode


class ChannelStates:
    """States by channel id. Times are passed in, with their zone."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    async def report(
        self,
        channel: str,
        state: State,
        *,
        now: datetime,
        reason: Reason | None = None,
        next_try_at: datetime | None = None,
    ) -> ChannelState:
        """Set the state; `since` moves only when it is another one. What is so already is not written again."""

        def changed(old: ChannelState | None) -> ChannelState:
            since = old.since if old and old.state == state else now
            last = old.last_message_at if old else None
            return ChannelState(
                channel=channel,
                state=state,
                reason=reason or Reason(),
                since=since,
                next_try_at=next_try_at,
                last_message_at=last,
            )

        return await self._change(channel, changed)

    async def saw_message(self, channel: str, at: datetime) -> ChannelState:
        """A message came at `at`; the latest is kept. Call it now and then, not for every message."""

        def changed(old: ChannelState | None) -> ChannelState:
            if old is None:
                return ChannelState(channel=channel, since=at, last_message_at=at)
            latest = max(at, old.last_message_at or at)
            return msgspec.structs.replace(old, last_message_at=latest)

        return await self._change(channel, changed)

    async def get(self, channel: str) -> ChannelState | None:
        """The state of one channel, None: it was never started."""
        document = await self._store.get(_COLLECTION, channel)
        return _decode(document.value) if document else None

    async def list(self) -> list[ChannelState]:
        """All channels', in id order."""
        return [_decode(document.value) for document in await self._store.scan(_COLLECTION)]

    async def _change(self, channel: str, changed: Callable[[ChannelState | None], ChannelState]) -> ChannelState:
        while True:
            document = await self._store.get(_COLLECTION, channel)
            old = _decode(document.value) if document else None
            new = changed(old)
            if new == old:
                return new
            try:
                version = document.version if document else 0
                await self._store.put(_COLLECTION, channel, msgspec.json.encode(new), version)
            except Conflict:  # two replicas report at once: look again, so that neither's message time is lost
                continue
            return new
