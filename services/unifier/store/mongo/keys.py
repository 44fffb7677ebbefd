"""Keys and clocks in MongoDB, in one collection: the first claim decides the strand, every claim widens a span."""

from collections.abc import Collection as Several
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from onethread.errors import Retryable
from onethread.mongo import Collection, Document, InsertOne, Operation, UpdateOne
from unifier.model import Clock, ClockClaim, ClockId, Span, tenant_of
from unifier.store.mongo.documents import clock_id, clock_key, clocks_of, each, field_of, strand_of

_ROUNDS = 20  # each lost race means that another made the document, so the second attempt should find it


class Keys:
    """The collection `keys`."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def claim(self, keys: Mapping[str, str], clocks: Sequence[ClockClaim]) -> None:
        """Strands only where there are none; spans widen."""
        by_clock: dict[ClockId, list[ClockClaim]] = {}
        for claim in clocks:
            by_clock.setdefault(claim.id, []).append(claim)
        operations: list[Operation] = [
            UpdateOne({"_id": clock_key(clock)}, _widening(claims), upsert=True) for clock, claims in by_clock.items()
        ]
        # A key that is there already refuses the insert, and keeps its strand.
        inserts: list[Operation] = [InsertOne({"_id": key, "strand": strand}) for key, strand in keys.items()]
        for _ in range(_ROUNDS):
            lost = (await self._collection.write(operations + inserts)).duplicates
            # Two upserts of one new clock met: the second attempt finds it.
            operations, inserts = [operations[place] for place in lost if place < len(operations)], []
            if not operations:
                return
        raise Retryable("the keys of a batch could not be claimed: too many workers at once; it is tried again.")

    async def move(self, keys: Mapping[str, str], at: int) -> None:
        """Claimed keys name another strand."""
        earlier: Document = {"$or": [{"moved_at": {"$exists": False}}, {"moved_at": {"$lt": at}}]}
        await self._collection.write(
            [
                UpdateOne({"_id": key} | earlier, {"$set": {"strand": strand, "moved_at": at}})
                for key, strand in keys.items()
            ]
        )

    async def keys(self, ids: Several[str]) -> dict[str, str]:
        """Key id → strand."""
        found = await self._collection.find({"_id": each(ids)}) if ids else []
        return {document["_id"]: document["strand"] for document in found}

    async def clocks(self, ids: Several[ClockId]) -> dict[ClockId, Clock]:
        """The clocks that exist."""
        found = await self._collection.find({"_id": each(map(clock_key, ids))}) if ids else []
        return dict(map(_clock, found))

    async def owned_keys(self, owner: str, after: str, limit: int) -> list[tuple[str, str]]:
        """Keys of one owner, in id order."""
        # All ids that begin with owner + "/" come before owner + "0", the next character.
        inside = {"_id": {"$gt": max(after, owner + "/"), "$lt": owner + "0"}}
        found = await self._collection.find(inside, sort=[("_id", 1)], limit=limit) if limit else []
        return [(document["_id"], document["strand"]) for document in found]

    async def owned_clocks(self, owner: str, after: ClockId | None, limit: int) -> list[tuple[ClockId, Clock]]:
        """Clocks of one owner, in order of (window, bucket, grouping)."""
        begin = clock_key(after) if after else clocks_of(owner)
        inside = {"_id": {"$gt": begin, "$lt": owner + "$"}}  # the character after "#"
        found = await self._collection.find(inside, sort=[("_id", 1)], limit=limit) if limit else []
        return list(map(_clock, found))


def _widening(claims: Iterable[ClockClaim]) -> list[Document]:
    """A pipeline, since only that sets the strand if there is none: the document may have been made by one that was not free."""
    fields: Document = {}
    free = [claim for claim in claims if claim.free]
    if free:
        fields["strand"] = {"$ifNull": ["$strand", {"$literal": free[0].strand}]}
        fields["free"] = _wider("free", free)
    others: dict[str, list[ClockClaim]] = {}
    for claim in claims:
        if not claim.free:
            others.setdefault(f"seen.{field_of(claim.strand)}", []).append(claim)
    return [{"$set": fields | {path: _wider(path, seen) for path, seen in others.items()}}]


def _wider(path: str, claims: Sequence[ClockClaim]) -> Document:
    times = [claim.at for claim in claims]
    # $min and $max pass over what is missing.
    return {"lo": {"$min": [f"${path}.lo", min(times)]}, "hi": {"$max": [f"${path}.hi", max(times)]}}


def _clock(document: Document) -> tuple[ClockId, Clock]:
    clock = clock_id(document["_id"])
    tenant = tenant_of(clock.owner)
    seen = {strand_of(field, tenant): _span(span) for field, span in document.get("seen", {}).items()}
    free = _span(document["free"]) if "free" in document else None
    return clock, Clock(document.get("strand"), free, seen)


def _span(stored: Mapping[str, Any]) -> Span:
    return Span(stored["lo"], stored["hi"])
