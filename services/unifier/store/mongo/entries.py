"""Entries in MongoDB: insert, move, and every way they are read. It knows one collection; who asks is not its matter."""

import asyncio
from collections.abc import Collection as Several
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby
from typing import Any, Literal

import msgspec

from onethread.errors import Misconfigured
from onethread.mongo import Collection, Document, InsertOne, UpdateOne
from unifier.model import Entry, Moved, Outcome
from unifier.store.mongo.documents import each, entry_of, of_entry
from unifier.store.mongo.indexes import PLACE
from unifier.store.port import Position

Result = Literal["inserted", "id_taken", "seq_taken", "not_tried"]

_LEAN = {"event.source": 0}


class Entries:
    """The collection `entries`."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self._indexed = False

    # --- writing ---

    async def insert(self, entries: Sequence[Entry]) -> list[Outcome]:
        """See the port. The first of every strand in one unordered bulk; then the rest in an ordered one, so no hole appears."""
        await self._require_index()
        places = sorted(range(len(entries)), key=lambda place: (entries[place].strand, entries[place].seq))
        strands = [list(group) for _, group in groupby(places, key=lambda place: entries[place].strand)]
        results: dict[int, Result] = dict.fromkeys(places, "not_tried")
        firsts = [strand[0] for strand in strands]
        refused = await self._bulk(entries, firsts, results, ordered=False)
        rest = [place for strand in strands if strand[0] not in refused for place in strand[1:]]
        while rest:
            refused = await self._bulk(entries, rest, results, ordered=True)
            if not refused:
                break
            stopped = min(refused)
            # Behind it all is untried: of its own strand for good, of the others in a next bulk.
            behind = rest[rest.index(stopped) + 1 :]
            rest = [place for place in behind if entries[place].strand != entries[stopped].strand]
        await self._tell_apart(entries, results)
        return [Outcome(entry.id, results[place]) for place, entry in enumerate(entries)]

    async def _bulk(
        self, entries: Sequence[Entry], places: list[int], results: dict[int, Result], *, ordered: bool
    ) -> set[int]:
        operations = [InsertOne(of_entry(entries[place])) for place in places]
        duplicates = (await self._collection.write(operations, ordered=ordered)).duplicates
        tried = places[: min(duplicates) + 1] if ordered and duplicates else places
        results.update(dict.fromkeys(tried, "inserted"))
        for number, fields in duplicates.items():
            results[places[number]] = "id_taken" if fields == ("_id",) else "seq_taken"
        return {places[number] for number in duplicates}

    async def _tell_apart(self, entries: Sequence[Entry], results: dict[int, Result]) -> None:
        # A redelivery violates both indexes, and it is the server's choice which one it names.
        unsure = {entries[place].id: place for place, result in results.items() if result == "seq_taken"}
        if unsure:
            for document in await self._collection.find({"_id": each(unsure)}, fields={"_id": 1}):
                results[unsure[document["_id"]]] = "id_taken"

    async def _require_index(self) -> None:
        if not self._indexed and PLACE not in await self._collection.index_names():
            raise Misconfigured(
                "the database of store.url lacks its indexes, without which order is lost: create them."
            )
        self._indexed = True

    async def move(self, moves: Mapping[str, Moved]) -> None:
        """Set `moved` where its `at` is greater than the stored one's."""
        await self._collection.write(
            [
                UpdateOne(
                    {"_id": entry, "$or": [{"moved": {"$exists": False}}, {"moved.at": {"$lt": moved.at}}]},
                    {"$set": {"moved": msgspec.to_builtins(moved), "home": moved.to}},
                )
                for entry, moved in moves.items()
            ]
        )

    # --- reading ---

    async def by_id(self, ids: Several[str]) -> dict[str, Entry]:
        """Entries by id."""
        return {entry.id: entry for entry in await self._find({"_id": each(ids)})} if ids else {}

    async def whole(self, entry_id: str) -> Entry | None:
        """One entry with its source."""
        document = await self._collection.find_one({"_id": entry_id})
        return entry_of(document) if document else None

    async def run(self, strand: str, after: int, limit: int, kinds: Several[str] | None = None) -> list[Entry]:
        """Entries of one strand after a seq."""
        if not limit:
            return []
        seqs = {"$gt": after}
        if kinds is None:
            seqs["$lte"] = (
                after + limit
            )  # a strand has no holes: this is the page, whatever the server makes of the limit
        where = {"strand": strand, "seq": seqs, **_of_kinds(kinds)}
        return await self._find(where, sort=[("seq", 1)], limit=limit)

    async def runs(self, after: Mapping[str, int], limit: int, kinds: Several[str] | None) -> list[Entry]:
        """Entries of several strands, each after its seq, by (strand, seq). The strands are one conversation's, so they are few."""
        found = await asyncio.gather(*(self.run(strand, after[strand], limit, kinds) for strand in sorted(after)))
        return list(chain.from_iterable(found))[:limit]

    async def unfolded(self, through: Mapping[str, int]) -> dict[str, list[Entry]]:
        """All entries of each strand after its seq, in order.

        One index range a strand, asked for at the same time: a single `$or` of all pairs is a plan that not every server finds.
        """
        queries = [
            self._find({"strand": strand, "seq": {"$gt": seq}}, sort=[("seq", 1)]) for strand, seq in through.items()
        ]
        return dict(zip(through, await asyncio.gather(*queries), strict=True))

    async def about(self, targets: Several[str]) -> list[Entry]:
        """Entries about one of these messages, eldest first."""
        found = await self._find({"target": each(targets)}) if targets else []
        return sorted(found, key=lambda entry: (entry.at, entry.id))

    async def about_since(self, targets: Several[str], at: int, limit: int) -> list[Entry]:
        """Entries about one of these from a time on, eldest first."""
        if not targets or not limit:
            return []
        where = {"target": each(targets), "at": {"$gte": at}}
        return await self._find(where, sort=[("at", 1), ("_id", 1)], limit=limit)

    async def timeline(
        self, strands: Several[str], before: Position | None, limit: int, kinds: Several[str] | None
    ) -> list[Entry]:
        """Entries read in these strands, newest first."""
        if not limit:
            return []
        pages = await asyncio.gather(*(self._page(strand, before, limit, kinds) for strand in sorted(set(strands))))
        newest = sorted(chain.from_iterable(pages), key=lambda entry: (entry.at, entry.id), reverse=True)
        return newest[:limit]

    async def _page(
        self, strand: str, before: Position | None, limit: int, kinds: Several[str] | None
    ) -> Iterable[Entry]:
        where: Document = {"home": strand, **_of_kinds(kinds)}
        order = [("at", -1), ("_id", -1)]
        if before is None:
            return await self._find(where, sort=order, limit=limit)
        # Two ranges of the index; as one condition it would need an `$or`.
        same, earlier = {"at": before.at, "_id": {"$lt": before.id}}, {"at": {"$lt": before.at}}
        parts = (self._find(where | part, sort=order, limit=limit) for part in (same, earlier))
        return chain.from_iterable(await asyncio.gather(*parts))

    async def _find(self, where: Document, **options: Any) -> list[Entry]:
        return [entry_of(document) for document in await self._collection.find(where, fields=_LEAN, **options)]


def _of_kinds(kinds: Several[str] | None) -> Document:
    if kinds is None:
        return {}
    return {"kind": next(iter(kinds)) if len(kinds) == 1 else each(kinds)}
