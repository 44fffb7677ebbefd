"""How long to wait after a failure. Pure but for the random source that is passed in; it knows no clock.

Full jitter (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): many channels that lose one provider
at the same moment do not come back at the same moment.
"""

import random

import msgspec

from onethread.errors import Misconfigured, OnethreadError, Retryable
from onethread.host.ingest import Stopped


class Pace(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. Tests go faster."""

    first: float = 1.0
    """The first wait is up to this, the next up to twice as long, …"""
    longest: float = 300.0
    person: float = 300.0
    """After what only a person can mend."""
    contend: float = 3.0
    """Until somebody else's lease is looked at again."""
    watch: float = 1.0
    """Until the list of channels is looked at again."""
    wakes: float = 2.0
    """Until requests to pull that reached other replicas are looked at."""
    resources: float = 300.0
    """Until a provider is asked again what there is to pull."""
    settled: float = 5.0
    """A session that lives so long works."""


class Backoff:
    """The waits of one pull; `failures` in a row so far."""

    def __init__(self, pace: Pace, source: random.Random) -> None:
        self.failures = 0
        self._pace, self._random = pace, source

    def failed(self, error: OnethreadError) -> float:
        """Seconds to wait after this failure. The provider's own wait is never cut short."""
        self.failures += 1
        if isinstance(error, Misconfigured | Stopped):
            return self._pace.person
        if isinstance(error, Retryable) and error.after is not None:
            return error.after * self._random.uniform(1.0, 1.1)
        doubled = self._pace.first * 2.0 ** min(self.failures - 1, 30)
        return self._random.uniform(0.0, min(self._pace.longest, doubled))

    def worked(self) -> None:
        """Begin anew."""
        self.failures = 0
