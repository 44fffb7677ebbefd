"""When a partition is halted: too many records in a row that cannot be processed. It counts, and knows no log and no step.

One bad record is set aside, and the next ones go on. A row of them says that it is the code that is wrong, a bad deploy
mostly: then the partition stops where it is, before its data is shovelled aside, and a person mends the code. What was read
last of a halted partition is remembered in the state store, so that a restart tries that one record again and sets nothing
aside if it still fails.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec

from onethread.errors import Conflict
from onethread.log.port import Record, TopicPartition
from onethread.state.port import StateStore

LIMIT = 20
"""So many failures in a row halt a partition."""
_COLLECTION = "halts"


class Failure(NamedTuple):
    """Why a record cannot be processed: `stage` decode or unify, `reason` poison or bug. Tenant and channel where known."""

    record: Record
    stage: str
    reason: str
    detail: str
    tenant: str = ""
    channel_id: str = ""


class Verdict(NamedTuple):
    """What is to be done with one batch. `aside`: becomes dead letters. `offsets`: the next of each partition, to commit.

    `rows`: by partition how many failed in a row at its end, and the offset that goes on from there. `halted`: by whom.
    """

    aside: list[Failure]
    offsets: dict[TopicPartition, int]
    rows: dict[TopicPartition, tuple[int, int]]
    halted: dict[TopicPartition, Failure]


class Rows:
    """Failures in a row, of each partition this member reads. `limit`: of them in a row, which halts."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.halted: dict[TopicPartition, Failure] = {}
        self._rows: dict[TopicPartition, tuple[int, int]] = {}

    def begin(self, rows: Mapping[TopicPartition, tuple[int, int]]) -> None:
        """Try every partition again. `rows`: of those that were halted, here or at another member."""
        self.halted.clear()
        self._rows.update(rows)

    def admitted(self, records: Sequence[Record]) -> list[Record]:
        """Without those of halted partitions."""
        return [record for record in records if record.place not in self.halted] if self.halted else list(records)

    def judged(self, records: Sequence[Record], failures: Collection[Failure]) -> Verdict:
        """What follows for a batch of which these failed; nothing is remembered before `learn`."""
        bad = {(failure.record.place, failure.record.offset): failure for failure in failures}
        verdict = Verdict([], {}, {}, {})
        for record in records:
            place = record.place
            if place in verdict.halted:
                continue
            row, at = verdict.rows.get(place) or self._rows.get(place, (0, record.offset))
            failure = bad.get((place, record.offset))
            row = (row if at == record.offset else 0) + 1 if failure else 0
            if failure and row >= self.limit:
                verdict.halted[place] = failure
                verdict.rows[place] = (row - 1, record.offset)
                continue
            if failure:
                verdict.aside.append(failure)
            verdict.offsets[place] = record.offset + 1
            verdict.rows[place] = (row, record.offset + 1)
        return verdict

    def learn(self, verdict: Verdict) -> None:
        """The verdict was carried out and committed."""
        self._rows.update(verdict.rows)
        self.halted.update(verdict.halted)


class _Halt(msgspec.Struct, frozen=True):
    """A partition's row in the state store: so many failed up to, not including, the record at `offset`, which halted it."""

    row: int
    offset: int


_decode = msgspec.json.Decoder(_Halt).decode


class Halts:
    """The halted partitions of one topic, for all members of the group. `state` None: forgotten with the process."""

    def __init__(self, state: StateStore | None, topic: str) -> None:
        self._state, self._topic = state, topic
        self._known: dict[TopicPartition, tuple[int, int]] = {}

    async def rows(self) -> dict[TopicPartition, tuple[int, int]]:
        """By partition how many failed in a row, and the offset of the record that halted it. Raises Retryable."""
        if self._state is not None:
            found = await self._state.scan(_COLLECTION, f"{self._topic}/")
            halts = {int(document.id.rpartition("/")[2]): _decode(document.value) for document in found}
            self._known = {TopicPartition(self._topic, number): (one.row, one.offset) for number, one in halts.items()}
        return self._known

    async def carry_out(self, verdict: Verdict) -> None:
        """Remember what is halted, and forget what goes on. Raises Retryable."""
        for place in verdict.halted:
            if self._known.get(place) != verdict.rows[place]:
                await self._write(place, verdict.rows[place])
        for place in self._known.keys() & verdict.offsets.keys() - verdict.halted.keys():
            await self._write(place, None)

    async def _write(self, place: TopicPartition, row: tuple[int, int] | None) -> None:
        key = f"{place.topic}/{place.partition}"
        while self._state is not None:
            document = await self._state.get(_COLLECTION, key)
            version = document.version if document else 0
            try:
                if row is not None:
                    await self._state.put(_COLLECTION, key, msgspec.json.encode(_Halt(*row)), version)
                elif document is not None:
                    await self._state.delete(_COLLECTION, key, version)
            except Conflict:
                continue  # another member wrote it just now
            break
        if row is None:
            self._known.pop(place, None)
        else:
            self._known[place] = row
