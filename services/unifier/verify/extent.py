"""Which part of a store is looked at. It knows ids, and no store."""

import zlib

import msgspec

from unifier.model import plain


class Extent(msgspec.Struct, frozen=True):
    """What is looked at. `tenant` "": all. `since`: only strands founded since (ms). `percent`: so many of them, by their ids."""

    tenant: str = ""
    since: int = 0
    percent: int = 100

    @property
    def whole(self) -> bool:
        """Every strand of the tenants."""
        return not self.since and self.percent >= 100

    def has(self, strand: str) -> bool:
        """Whether a strand is among those. The same ids every time."""
        if self.since and _born(strand) < self.since:
            return False
        return self.percent >= 100 or zlib.crc32(strand.encode()) % 100 < self.percent


def _born(strand: str) -> int:
    """The time in a strand's id; one that has none counts as new."""
    digits = plain(strand).removeprefix("cnv_")[:14]
    return int(digits) if digits.isdecimal() else 1 << 60
