"""Brings one file, or says what its failure means: tried again, given up, or for a person to mend. It knows no job and no log."""

from contextlib import suppress

from onethread import metrics
from onethread.blobs import Blobs
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable, Unauthorised
from onethread.event import Attachment
from onethread.host.access import Barred
from onethread.host.channel import Channel
from onethread.host.faults import AccessRevoked, Bug, translated
from onethread.host.lent import Lender, Lent
from onethread.host.media import Broken, Limits, Outcome, at_url, brought
from onethread.logs import get_logger

_log = get_logger(__name__)


class Bringing:
    """Files of any channel, into one blob store. `lender`: for the connectors, their clock and their waits."""

    def __init__(self, lender: Lender, blobs: Blobs, limits: Limits) -> None:
        self._lender, self._blobs, self._limits = lender, blobs, limits

    async def file(self, channel: Channel, file: Attachment, until: float, other: str = "") -> Outcome:
        """What became of it. Raises Retryable when it may still come, which it may up to `until` (Unix seconds).

        `other`: see `brought`.
        """
        now = self._lender.ingest.now
        if file.expires_at and file.expires_at <= now():
            return _given_up(channel, Poison("the provider keeps it no longer"))
        try:
            return await self._with_fresh_access(channel, file, other)
        except OnethreadError as ours:
            if isinstance(ours, Retryable) and now().timestamp() < until:
                metrics.MEDIA.add(channel.id, "broken" if isinstance(ours, Broken) else "later")
                if isinstance(ours, Broken):
                    _log.warning("a file arrived broken", channel_id=channel.id, reason=str(ours))
                raise
            return _given_up(channel, ours)

    async def _with_fresh_access(self, channel: Channel, file: Attachment, other: str) -> Outcome:
        """The file. Where we are refused with a token, a new one is tried at once. Raises ours."""
        for again in (True, False):
            lent = self._lender.lend(channel)
            try:
                return await brought(channel, lent, file, self._blobs, self._limits, other)
            except Exception as error:
                ours, renewed = await self.judged(channel, lent, error)
                if again and renewed:
                    continue
                # A URL in a message is fetched without access of ours: nobody here can mend it.
                raise (Retryable(str(ours)) if isinstance(ours, Barred) and at_url(file.locator) else ours) from error
        raise AssertionError

    async def judged(self, channel: Channel, lent: Lent, error: Exception) -> tuple[OnethreadError, bool]:
        """What a connector's failure means: Barred, another Retryable, or for ever; and whether its token was dropped."""
        ours = translated(error, self._lender.ingest.now())
        if isinstance(ours, Bug):
            metrics.BUGS.add(channel.id, "fetch")
            _log.error("a download or look-up raised what it should not", channel_id=channel.id, exc_info=error)
        if isinstance(ours, Unauthorised):
            revoked = isinstance(ours, AccessRevoked)
            renewed = await _dropped(lent) and not revoked
            return Barred(str(ours), ours.after, todo=str(ours) if revoked else ""), renewed
        if isinstance(ours, Misconfigured):  # a person may mend it before the time is up
            return Barred(str(ours), self._lender.pace.person, todo=str(ours)), False
        if not isinstance(ours, Retryable | Poison):
            return Retryable(str(ours), self._lender.pace.person), False
        return ours, False


async def _dropped(lent: Lent) -> bool:
    with suppress(Retryable):  # it is dropped at the next failure then
        return await lent.drop_tokens()
    return False


def _given_up(channel: Channel, why: OnethreadError) -> Outcome:
    _log.warning("a file could not be fetched", channel_id=channel.id, reason=str(why))
    return Outcome("failed")
