"""Whether we may fetch a channel's files, as people are told: a part of the channel's state. It fetches nothing, and counts in the job.

A file that is refused (401, 403) at its third try makes the channel `degraded`, as does one for which a setting is wrong at once;
the next file that arrives makes it healthy. So one forbidden file among others is said once, however often it is tried; and what the webhook
or a pull of the channel says is theirs: of all parts the worst is shown. Files at URLs that strangers wrote say nothing about our access.
"""

from datetime import datetime

from onethread.errors import Retryable
from onethread.host.standing import FILES, Standing
from onethread.state.channel_states import Reason

_IN_A_ROW = 3
_TODO = (
    "renew the token in this channel's settings, or give it the permission to read files at the provider; "
    "files that wait are then fetched by themselves"
)


class Barred(Retryable):
    """For a reason that a person must mend: what to do, where that is certain; "" where we were only refused."""

    def __init__(self, reason: str, after: float | None = None, todo: str = "") -> None:
        super().__init__(reason, after)
        self.todo = todo


class Access:
    """Says so. Both methods raise Retryable while the state store is away."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    async def refused(self, channel_id: str, why: Barred, times: int, next_try_at: datetime) -> None:
        """A message's files were tried `times` times, this included, and refused."""
        if times == (1 if why.todo else _IN_A_ROW):
            reason = Reason("files_refused", f"files of messages cannot be fetched: {why}", why.todo or _TODO)
            await self._standing.settle(channel_id, FILES, "degraded", reason, next_try_at)

    async def arrived(self, channel_id: str) -> None:
        """A file of the channel is stored."""
        await self._standing.settle(channel_id, FILES, "healthy")
