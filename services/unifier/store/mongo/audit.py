"""Scans and repairs of the conversation store in MongoDB. What a document means is said where it is written."""

from collections.abc import Collection as Several
from collections.abc import Iterator, Mapping, Sequence

from onethread.mongo import Collection, DeleteOne, Document, UpdateOne
from unifier.links import Identity, Link
from unifier.model import Entry, Head, tenant_of
from unifier.store.audit import Audit, Claim, Kind, Place, bounds
from unifier.store.mongo import indexes
from unifier.store.mongo.documents import (
    NO_CLOCK,
    bucket_field,
    clocks_on,
    entry_of,
    fields_of,
    head_of,
    identity_of,
    link_of,
    strand_of,
)

_NAMES: dict[Kind, str] = {
    "entries": "entries",
    "claims": "keys",
    "heads": "conversations",
    "identities": "identities",
    "links": "links",
}
_PLACE = [("strand", 1), ("seq", 1)]
_LEAN = {"event.source": 0}
_PART = "!"
"""Between a document and the field of one clock in it. No id holds it: they are made of tenants' names and of hashes."""


class MongoAudit(Audit):
    """See the port."""

    def __init__(self, collections: Mapping[str, Collection]) -> None:
        self._collections = collections

    async def missing_indexes(self) -> list[str]:
        """See the port."""
        return await indexes.missing(self._collections)

    async def entries_after(self, tenant: str, after: Place, limit: int) -> list[Entry]:
        """See the port. The rest of one strand, then whole strands: as one condition it would need an `$or`."""
        begin, end = bounds(tenant, after.strand)
        found: list[Document] = []
        entries = self._collections["entries"]
        if begin == after.strand:
            rest: Document = {"strand": begin, "seq": {"$gt": after.seq}}
            found = await entries.find(rest, fields=_LEAN, sort=_PLACE, limit=limit)
        if len(found) < limit:
            others: Document = {"strand": {"$gt": begin, "$lt": end}}
            found += await entries.find(others, fields=_LEAN, sort=_PLACE, limit=limit - len(found))
        return [entry_of(document) for document in found]

    async def heads_after(self, tenant: str, after: str, limit: int) -> list[Head]:
        """See the port."""
        return [head_of(document) for document in await self._page("heads", tenant, after, limit)]

    async def identities_after(self, tenant: str, after: str, limit: int) -> list[Identity]:
        """See the port."""
        return [identity_of(document) for document in await self._page("identities", tenant, after, limit)]

    async def links_after(self, tenant: str, after: str, limit: int) -> list[Link]:
        """See the port."""
        return [link_of(document) for document in await self._page("links", tenant, after, limit)]

    async def claims_after(self, tenant: str, after: str, limit: int) -> list[Claim]:
        """See the port. In order of `_id`; a document of clocks is one claim for each."""
        place, _, part = after.partition(_PART)
        begun = await self._collections["keys"].find({"_id": place}) if part else []
        found = [claim for document in begun for claim in _claims(document) if claim.id > after]
        while len(found) < limit and (page := await self._page("claims", tenant, place, limit)):
            place = page[-1]["_id"]
            found += [claim for document in page for claim in _claims(document)]
        return found[:limit]

    async def _page(self, kind: Kind, tenant: str, after: str, limit: int) -> list[Document]:
        begin, end = bounds(tenant, after)
        inside: Document = {"_id": {"$gt": begin, "$lt": end}}
        return await self._collections[_NAMES[kind]].find(inside, sort=[("_id", 1)], limit=limit)

    # --- repairs ---

    async def set_epoch(self, epoch: int) -> None:
        """See the port."""
        await self._collections["meta"].write([UpdateOne({"_id": "epoch"}, {"$max": {"value": epoch}}, upsert=True)])

    async def put_heads(self, heads: Sequence[Head]) -> None:
        """See the port."""
        await self._collections["conversations"].write(
            [UpdateOne({"_id": head.id}, {"$set": _fields(head)}, upsert=True) for head in heads]
        )

    async def renumber(self, seqs: Mapping[str, int]) -> None:
        """See the port."""
        await self._collections["entries"].write(
            [UpdateOne({"_id": one}, {"$set": {"seq": seq}}) for one, seq in seqs.items()], ordered=True
        )

    async def unsettle(self, links: Several[str]) -> None:
        """See the port."""
        await self._collections["links"].write([UpdateOne({"_id": one}, {"$set": {"settled": False}}) for one in links])

    async def drop(self, kind: Kind, ids: Several[str]) -> None:
        """See the port."""
        collection = self._collections[_NAMES[kind]]
        parts = [one.partition(_PART) for one in ids]
        clocks = [(one, field) for one, _, field in parts if field]
        await collection.write([DeleteOne({"_id": one}) for one, _, field in parts if not field])
        await collection.write([UpdateOne({"_id": one}, {"$unset": {field: ""}}) for one, field in clocks])
        # Walks count on a clock in every document.
        await collection.write([DeleteOne({"_id": one, **NO_CLOCK}) for one in {one for one, _ in clocks}])


def _fields(head: Head) -> Document:
    return {**fields_of(head), "tenant": tenant_of(head.id), "listed": head.talk_count > 0}


def _claims(document: Document) -> Iterator[Claim]:
    name: str = document["_id"]
    if "#" not in name:
        yield Claim(name, name, (document["strand"],))
        return
    for clock, bucket in clocks_on(document):
        strands = [bucket["strand"]] if bucket.get("strand") else []
        strands += [strand_of(field, tenant_of(clock.owner)) for field in bucket.get("seen", {})]
        yield Claim(f"{name}{_PART}{bucket_field(clock)}", clock.owner, tuple(strands))
