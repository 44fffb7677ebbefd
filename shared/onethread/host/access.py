"""Whether we may fetch a channel's files, and look things up, as people are told: parts of the channel's state. It fetches nothing.

A file that is refused (401, 403) at its third try makes the channel `degraded`, as does one for which a setting is wrong at once;
the next file that arrives makes it healthy. So one forbidden file among others is said once, however often it is tried; and what the webhook
or a pull of the channel says is theirs: of all parts the worst is shown. Files at URLs that strangers wrote say nothing about our access.
Look-ups alike, as a part of their own.
"""

from datetime import datetime

from onethread.errors import Retryable
from onethread.host.standing import FILES, LOOKUPS, Standing
from onethread.state.channel_states import Reason

_IN_A_ROW = 3
_TODO = (
    "renew the token in this channel's settings, or give it the permission to read {} at the provider; "
    "what waits is then fetched by itself"
)
_NAMES = {FILES: "files", LOOKUPS: "profiles"}


class Barred(Retryable):
    """For a reason that a person must mend: what to do, where that is certain; "" where we were only refused."""

    def __init__(self, reason: str, after: float | None = None, todo: str = "") -> None:
        super().__init__(reason, after)
        self.todo = todo


class Access:
    """Says so. Both methods raise Retryable while the state store is away."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    async def refused(self, channel_id: str, part: str, why: Barred, times: int, next_try_at: datetime) -> None:
        """A message's files, or a look-up (`part`), were tried `times` times, this included, and refused."""
        if times == (1 if why.todo else _IN_A_ROW):
            what = _NAMES[part]
            reason = Reason(f"{what}_refused", f"{what} cannot be fetched: {why}", why.todo or _TODO.format(what))
            await self._standing.settle(channel_id, part, "degraded", reason, next_try_at)

    async def arrived(self, channel_id: str, part: str) -> None:
        """A file of the channel is stored, or a look-up brought something."""
        await self._standing.settle(channel_id, part, "healthy")
