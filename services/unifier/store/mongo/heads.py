"""Heads in MongoDB, the collection `conversations`: conditional folds, and the lists of the API."""

import asyncio
import secrets
from collections.abc import Collection as Several
from collections.abc import Mapping, Sequence
from itertools import chain
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
        if written.modified + len(written.upserted) == len(heads):
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
        """A page of a tenant's heads: ranges of an index that are asked for at the same time, and merged."""
        if not limit:
            return []
        mine = [one for one in only.identities or () if tenant_of(one) == tenant]
        owners = [{"tenant": tenant}] if only.identities is None else [{"identity": one} for one in set(mine)]
        if order == "created":
            sort, ranges = [("_id", 1)], [_born_after(tenant, after, only)]
        else:
            sort, ranges = [("last_at", -1), ("_id", -1)], _active_before(after, only)
        wanted = {"listed": True, **_only(only)}
        parts = await asyncio.gather(
            *(self._find(owner | wanted | part, sort=sort, limit=limit) for owner in owners for part in ranges)
        )
        found = sorted(chain.from_iterable(parts), key=_age if order == "created" else _activity)
        return found[:limit] if order == "created" else found[: -limit - 1 : -1]

    async def _find(self, where: Document, **options: Any) -> list[Head]:
        return [head_of(document) for document in await self._collection.find(where, **options)]


def _folding(head: Head, expected: int, mark: str) -> UpdateOne:
    """A pipeline that leaves a head as it is if its `through` is another: so `_id` alone finds it, in any server's plan."""
    fields = fields_of(head)
    told = {"published": {"$max": ["$published", fields.pop("published")]}}  # another may have raised it further
    new = {**fields, "tenant": tenant_of(head.id), "listed": head.talk_count > 0, "mark": mark}
    folded = {"$mergeObjects": ["$$ROOT", {"$literal": new}, told]}
    is_expected = {"$eq": [{"$ifNull": ["$through", 0]}, expected]}
    change = [{"$replaceWith": {"$cond": [is_expected, folded, "$$ROOT"]}}]
    return UpdateOne({"_id": head.id}, change, upsert=expected == 0)


def _age(head: Head) -> str:
    return head.id


def _activity(head: Head) -> tuple[int, str]:
    return (head.last_at, head.id)


def _only(only: HeadFilter) -> Document:
    channels = {"channel_ids": only.channel_id} if only.channel_id else {}
    return channels | ({"networks": only.network} if only.network else {})


def _born_after(tenant: str, after: Position | None, only: HeadFilter) -> Document:
    times = _between(only.active_from, only.active_until)
    born = {"$gt": max(after.id if after else "", f"{tenant}/"), "$lt": f"{tenant}0"}
    return {"_id": born} | ({"last_at": times} if times else {})


def _active_before(after: Position | None, only: HeadFilter) -> list[Document]:
    """Ranges of the index: those of the same time, and those before; as one condition it would need an `$or`."""
    begin, end = only.active_from, only.active_until
    if after is None:
        times = _between(begin, end)
        return [{"last_at": times} if times else {}]
    earlier: Document = {"last_at": _between(begin, after.at if end is None else min(end, after.at))}
    if (begin is not None and after.at < begin) or (end is not None and after.at >= end):
        return [earlier]
    return [{"last_at": after.at, "_id": {"$lt": after.id}}, earlier]


def _between(begin: int | None, end: int | None) -> Document:
    return ({} if begin is None else {"$gte": begin}) | ({} if end is None else {"$lt": end})
