"""A topic read again outside any group, all partitions merged by time. It knows records; what they say is not its matter.

Merged, because a command names messages that may lie in other partitions: read one partition after the other, it would come before them.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping

from onethread.log.port import EventLog, Extent, Record, TopicPartition

PAGE = 200
"""Records held of each partition at most."""


async def reread(
    log: EventLog, topic: str, extents: Mapping[int, Extent], page: int = PAGE
) -> AsyncIterator[list[Record]]:
    """Pages of the records in these extents: in order within a partition, and by the log's clock between partitions."""
    offsets = {partition: extent.begin for partition, extent in extents.items()}
    held: dict[int, deque[Record]] = {partition: deque() for partition in extents}
    while True:
        empty = [one for one, records in held.items() if not records and offsets[one] < extents[one].end]
        pages = await asyncio.gather(*(log.fetch(TopicPartition(topic, one), offsets[one], page) for one in empty))
        for one, records in zip(empty, pages, strict=True):
            held[one].extend(record for record in records if record.offset < extents[one].end)
            offsets[one] = records[-1].offset + 1 if records else extents[one].end
        found = _merged(held, {one for one, extent in extents.items() if offsets[one] < extent.end}, page)
        if found:
            yield found
        elif not any(held.values()) and all(offsets[one] >= extents[one].end for one in extents):
            return


def _merged(held: Mapping[int, deque[Record]], more: set[int], limit: int) -> list[Record]:
    """The earliest records; none beyond where a partition that has more to come ran out."""
    found: list[Record] = []
    while len(found) < limit:
        first = (
            min((records[0].written_at, one) for one, records in held.items() if records)
            if any(held.values())
            else None
        )
        if first is None or any(not held[one] for one in more):
            return found
        found.append(held[first[1]].popleft())
    return found
