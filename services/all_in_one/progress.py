"""How far a running process has come: what is in its log since a moment, and whether the unifier has read it. It waits for nothing."""

from onethread.host.process import Process
from onethread.log.port import Record, TopicPartition
from onethread.log.topics import MESSAGES
from unifier.worker import GROUP

Ends = dict[int, int]
"""The next offset of each partition of the messages."""


async def ends(process: Process) -> Ends:
    """Where the log ends now."""
    return {partition: extent.end for partition, extent in (await process.log.extents(MESSAGES)).items()}


async def delivered(process: Process, since: Ends) -> int:
    """Records that connectors made since then; those of fetched files, which the host makes, are left out."""
    found = [
        record
        for partition in await ends(process)
        for record in await process.log.fetch(TopicPartition(MESSAGES, partition), since.get(partition, 0))
    ]
    return sum(not _of_files(record) for record in found)


def _of_files(record: Record) -> bool:
    return any(name == "ce_type" and b".message.completed." in value for name, value in record.headers)


async def caught_up(process: Process) -> bool:
    """Whether the unifier has read, and committed, all there is."""
    commits = await process.log.commits(GROUP, MESSAGES)
    return all(commits.get(partition, 0) >= end for partition, end in (await ends(process)).items())
