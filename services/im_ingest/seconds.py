"""Milliseconds for providers that tell whole seconds: what was said within one second keeps the order in which it came. It knows no provider.

The milliseconds are of our own, so they are made once, when a record comes, and kept with it: normalised again it has the same time.
What a provider sends once more may get others, and changes nothing, since the first copy counts.
"""

from datetime import datetime, timedelta

TOGETHER = 100
"""So many that came together are told apart."""
SOON, LATE = 2_000, 16_000
"""Milliseconds after its second: until `SOON` nearly every record is there; what comes after `LATE` is one that was sent again."""
FINE, COARSE = 3, 61
"""Milliseconds that become one, before and after `SOON`: so all of it fits into a second, with `TOGETHER`."""


def spread(second: datetime, seen: datetime, place: int = 0) -> int:
    """Milliseconds, below a thousand, to be added to a second. `seen`: when it came; `place`: among those that came together."""
    late = min(max((seen - second) // timedelta(milliseconds=1), 0), LATE)
    return min(late, SOON) // FINE + max(late - SOON, 0) // COARSE + min(place, TOGETHER)
