"""What a failure of a pull means: how long to wait, and what its state says. One table for polling and streams; no loop.

Unauthorised      401, 403, or the provider's word for it: the token is dropped, once more at once; three in a row: `auth_required`
a revoked grant   `auth_required` at once
Misconfigured     `failing`, with what to do; again in five minutes
bugs, Poison      `failing`; back-off
other 4xx         `degraded`; back-off
Retryable         back-off, or the provider's wait; `failing` after three in a row
"""

from datetime import timedelta

from onethread import metrics
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable, Unauthorised
from onethread.host.backoff import Backoff
from onethread.host.channel import Channel
from onethread.host.faults import AccessRevoked, Bug, Refused, translated
from onethread.host.ingest import Stopped
from onethread.host.lent import Lender, Lent
from onethread.host.standing import Standing
from onethread.logs import get_logger
from onethread.state.channel_states import Reason, State

_log = get_logger(__name__)

_IN_A_ROW = 3
_STATES: tuple[tuple[type[OnethreadError], State, str], ...] = (
    (Misconfigured, "failing", "misconfigured"),
    (Stopped, "failing", "bugs"),
    (Bug, "failing", "bug"),
    (Poison, "failing", "refused_here"),
    (Refused, "degraded", "refused_there"),
)
_SAY_WHAT_TO_DO = frozenset({Misconfigured, Stopped, Bug, Poison})
_AUTHORISE = "renew the password or token in this channel's settings, or authorise it again at the provider"


class Trouble:
    """Of one pull of one channel; `part` is its name in the channel's state."""

    def __init__(self, channel: Channel, part: str, lender: Lender, standing: Standing) -> None:
        self._channel, self._part, self._standing = channel, part, standing
        self._now = lender.ingest.now
        self._person = lender.pace.person
        self._backoff = Backoff(lender.pace, lender.random)
        self._unauthorised = 0

    async def failed(self, error: BaseException, lent: Lent | None = None) -> float:
        """Seconds to wait before the next try; the state is reported."""
        ours = translated(error, self._now())
        if isinstance(ours, Bug):
            metrics.BUGS.add(self._channel.id, "pull")
            _log.error("a pull raised what it should not", channel_id=self._channel.id, part=self._part, exc_info=error)
        wait = self._backoff.failed(ours)
        if isinstance(ours, Unauthorised):
            self._unauthorised += 1
            if lent is not None:
                await self._drop_tokens(lent)
            if self._unauthorised == 1 and not isinstance(ours, AccessRevoked):
                return 0.0
            if self._needs_person(ours):
                wait = max(wait, self._person)
        state, reason = self._told(ours)
        if state is not None:
            next_try_at = self._now() + timedelta(seconds=round(wait))
            await self._standing.report(self._channel.id, self._part, state, reason, next_try_at)
        return wait

    async def worked(self, degraded: str = "") -> None:
        """It works, or works but for what `degraded` says."""
        self._backoff.worked()
        self._unauthorised = 0
        if degraded:
            await self._standing.report(self._channel.id, self._part, "degraded", Reason("bug", degraded, degraded))
        else:
            await self._standing.report(self._channel.id, self._part, "healthy")

    async def _drop_tokens(self, lent: Lent) -> None:
        try:
            await lent.drop_tokens()
        except Retryable as error:
            _log.warning("a refused token could not be dropped yet", channel_id=self._channel.id, error=error)

    def _needs_person(self, ours: OnethreadError) -> bool:
        return isinstance(ours, AccessRevoked) or self._unauthorised >= _IN_A_ROW

    def _told(self, ours: OnethreadError) -> tuple[State | None, Reason]:
        text = str(ours)
        if isinstance(ours, Unauthorised) and self._needs_person(ours):
            return "auth_required", Reason("auth_required", text, _AUTHORISE)
        for kind, state, code in _STATES:
            if isinstance(ours, kind):
                return state, Reason(code, text, text if kind in _SAY_WHAT_TO_DO else "")
        if self._backoff.failures >= _IN_A_ROW:
            return "failing", Reason("unreachable", text)
        return None, Reason()
