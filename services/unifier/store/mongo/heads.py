"""Heads in MongoDB, the collection `conversations`: conditional folds, and the lists of the API."""

import asyncio
import secrets
from collections.abc import Collection as Several
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from onethread.mongo import Collection, Document, UpdateOne
from unifier.model import Head, HeadFilter, tenant_of
from unifier.store.mongo.documents import each, fields_of, head_of
from unifier.store.port import Position


class Heads:
    """The collection `conversations`."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def fold(self, heads: Sequence[tuple[Head, int]]) -> set[str]:
        """See the port. A bulk says how many it changed, not which: if not all, the mark that it left tells them."""
        mark = secrets.token_hex(8)
        written = await self._collection.write([_folding(head, expected, mark) for head, expected in heads])
        ids = {head.id for head, _ in heads}
        if written.matched + len(written.upserted) == len(heads):
            return ids
        marked = await self._collection.find({"_id": each(ids), "mark": mark}, fields={"_id": 1})
        return {document["_id"] for document in marked}

    async def published(self, through: Mapping[str, int]) -> None:
        """Raise `published`."""
        await self._collection.write(
            [UpdateOne({"_id": strand}, {"$max": {"published": seq}}) for strand, seq in through.items()]
        )

    async def by_id(self, ids: Several[str]) -> dict[str, Head]:
        """Heads by id."""
        return {head.id: head for head in await self._find({"_id": each(ids)})} if ids else {}

    async def of_roots(self, roots: Several[str]) -> list[Head]:
        """Heads with one of these roots."""
        found = await self._find({"root": each(roots)}) if roots else []
        return sorted(found, key=lambda head: head.id)

    async def listed(
        self,
        tenant: str,
        order: Literal["active", "created"],
        after: Position | None,
        limit: int,
        only: HeadFilter,
    ) -> list[Head]:
        """A page of a tenant's heads."""
        if not limit:
            return []
        where: Document = {"message_count": {"$gt": 0}, **_only(only)}
        if order == "created":
            where["_id"] = {"$gt": max(after.id if after else "", f"{tenant}/"), "$lt": f"{tenant}0"}
            return await self._find(where, sort=[("_id", 1)], limit=limit)
        where["tenant"] = tenant
        newest = [("last_at", -1), ("_id", -1)]
        if after is None:
            return await self._find(where, sort=newest, limit=limit)
        # Two ranges of the index; as one condition it would need an `$or`.
        same = {"$and": [where, {"last_at": after.at, "_id": {"$lt": after.id}}]}
        earlier = {"$and": [where, {"last_at": {"$lt": after.at}}]}
        parts = await asyncio.gather(*(self._find(part, sort=newest, limit=limit) for part in (same, earlier)))
        return [head for part in parts for head in part][:limit]

    async def _find(self, where: Document, **options: Any) -> list[Head]:
        return [head_of(document) for document in await self._collection.find(where, **options)]


def _folding(head: Head, expected: int, mark: str) -> UpdateOne:
    fields = fields_of(head)
    new = {"published": fields.pop("published")}  # of a stored head it is another's to raise
    change = {"$set": {**fields, "tenant": tenant_of(head.id), "mark": mark}, "$setOnInsert": new}
    return UpdateOne({"_id": head.id, "through": expected}, change, upsert=expected == 0)


def _only(only: HeadFilter) -> Document:
    where: Document = {}
    if only.channel_id:
        where["channel_ids"] = only.channel_id
    if only.network:
        where["networks"] = only.network
    if only.identities is not None:
        where["identity"] = each(only.identities)
    if only.active_from is not None:
        where.setdefault("last_at", {})["$gte"] = only.active_from
    if only.active_until is not None:
        where.setdefault("last_at", {})["$lt"] = only.active_until
    return where
