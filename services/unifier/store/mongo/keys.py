"""Keys and clocks in MongoDB, in one collection: the first claim decides the strand, every claim widens a span."""

import asyncio
from collections.abc import Collection as Several
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from onethread.errors import Retryable
from onethread.mongo import Collection, Document, InsertOne, Operation, UpdateOne
from unifier.model import Clock, ClockClaim, ClockId, Span, around, tenant_of
from unifier.store.mongo.documents import bucket_field, clocks_of, clocks_on, each, field_of, shelf_key, strand_of

_LONG = 100
_PARTS = 3
"""In how many parts a list of more than `_LONG` ids is asked for."""
_ROUNDS = 20  # each lost race means that another made the document, so the second attempt should find it


class Keys:
    """The collection `keys`."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def claim(self, keys: Mapping[str, str], clocks: Sequence[ClockClaim]) -> None:
        """Strands only where there are none; spans widen."""
        shelves: dict[str, dict[str, list[ClockClaim]]] = {}
        for claim in clocks:
            shelves.setdefault(shelf_key(claim.id), {}).setdefault(bucket_field(claim.id), []).append(claim)
        operations: list[Operation] = [
            UpdateOne({"_id": shelf}, [{"$set": _widening(buckets)}], upsert=True) for shelf, buckets in shelves.items()
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
        """The clocks that exist, of these buckets and of those beside them."""
        wanted = {bucket for clock in ids for bucket in around(clock)}
        shelves = sorted(set(map(shelf_key, wanted)))
        # Side by side: a server may hold each document that it finds against the whole list.
        many = _PARTS if len(shelves) > _LONG else min(len(shelves), 1)
        parts = [shelves[part::many] for part in range(many)]
        found = await asyncio.gather(*(self._collection.find({"_id": each(part)}) for part in parts))
        documents = chain.from_iterable(found)
        return {clock: one for document in documents for clock, one in _clocks(document) if clock in wanted}

    async def owned_keys(self, owner: str, after: str, limit: int) -> list[tuple[str, str]]:
        """Keys of one owner, in id order."""
        # All ids that begin with owner + "/" come before owner + "0", the next character.
        inside = {"_id": {"$gt": max(after, owner + "/"), "$lt": owner + "0"}}
        found = await self._collection.find(inside, sort=[("_id", 1)], limit=limit) if limit else []
        return [(document["_id"], document["strand"]) for document in found]

    async def owned_clocks(self, owner: str, after: ClockId | None, limit: int) -> list[tuple[ClockId, Clock]]:
        """Clocks of one owner, in order of (window, bucket, grouping)."""
        begin = shelf_key(after._replace(grouping="episodes")) if after else clocks_of(owner)  # the first of that shelf
        inside = {"_id": {"$gte": begin, "$lt": owner + "$"}}  # the character after "#"
        # Each document holds a clock, but for the two at which the last page ended, and the last may lack its neighbour.
        found = await self._collection.find(inside, sort=[("_id", 1)], limit=limit + 3) if limit else []
        clocks = sorted((pair for document in found for pair in _clocks(document)), key=lambda pair: pair[0])
        return [(clock, one) for clock, one in clocks if after is None or clock > after][:limit]


def _widening(buckets: Mapping[str, Iterable[ClockClaim]]) -> Document:
    """For a pipeline, since only that sets the strand if there is none: a bucket may have been made by one that was not free."""
    fields: Document = {}
    for bucket, claims in buckets.items():
        free = [claim for claim in claims if claim.free]
        if free:
            strand = f"{bucket}.strand"
            fields[strand] = {"$ifNull": [f"${strand}", {"$literal": free[0].strand}]}
            fields[f"{bucket}.free"] = _wider(f"{bucket}.free", free)
        others: dict[str, list[ClockClaim]] = {}
        for claim in claims:
            if not claim.free:
                others.setdefault(f"{bucket}.seen.{field_of(claim.strand)}", []).append(claim)
        fields |= {path: _wider(path, seen) for path, seen in others.items()}
    return fields


def _wider(path: str, claims: Sequence[ClockClaim]) -> Document:
    times = [claim.at for claim in claims]
    # $min and $max pass over what is missing.
    return {"lo": {"$min": [f"${path}.lo", min(times)]}, "hi": {"$max": [f"${path}.hi", max(times)]}}


def _clocks(document: Document) -> Iterator[tuple[ClockId, Clock]]:
    for clock, bucket in clocks_on(document):
        tenant = tenant_of(clock.owner)
        seen = {strand_of(field, tenant): _span(span) for field, span in bucket.get("seen", {}).items()}
        free = _span(bucket["free"]) if "free" in bucket else None
        yield clock, Clock(bucket.get("strand"), free, seen)


def _span(stored: Mapping[str, Any]) -> Span:
    return Span(stored["lo"], stored["hi"])
