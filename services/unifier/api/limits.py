"""How often a key may ask: a token bucket per key and kind of operation, in this process. It knows no key's name.

Told in the fields of draft-ietf-httpapi-ratelimit-headers. Several replicas each count for themselves.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

READS = 600
"""Requests a key may make in a window; what was not used is there at once, and comes back evenly."""
WINDOW = 60
"""Seconds."""


class Taken(NamedTuple):
    """`allowed`: whether there was one left; `left`: how many are; `full_in`: seconds until all are; `wait`: until one is."""

    allowed: bool
    left: int
    full_in: int
    wait: int


class Limits:
    """The buckets. `now`: Unix milliseconds; a clock that goes back refills nothing."""

    def __init__(self, now: Callable[[], int], *, reads: int = READS) -> None:
        self._now = now
        self._reads = reads
        self._buckets: dict[str, tuple[float, int]] = {}

    @property
    def policy(self) -> str:
        """`RateLimit-Policy`."""
        return f'"read";q={self._reads};w={WINDOW}'

    @property
    def reads(self) -> int:
        """Requests a window."""
        return self._reads

    def take(self, key: str) -> Taken:
        """Take one for a key."""
        now = self._now()
        left, since = self._buckets.get(key, (float(self._reads), now))
        rate = self._reads / WINDOW
        left = min(float(self._reads), left + max(now - since, 0) / 1000 * rate)
        allowed = left >= 1
        left -= allowed
        self._buckets[key] = (left, max(now, since))
        return Taken(allowed, int(left), math.ceil((self._reads - left) / rate), math.ceil(max(1 - left, 0) / rate))
