"""`MongoConversations`: the conversation store's port over a MongoDB. Each method is one round trip, or a few."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from onethread.mongo import Mongo, UpdateOne
from unifier.links import Identity, Link, LinkWish, Opinion, Profile
from unifier.model import Clock, ClockClaim, ClockId, Entry, Head, HeadFilter, Moved, Outcome, Tail, tenant_of
from unifier.store.mongo import indexes
from unifier.store.mongo.audit import MongoAudit
from unifier.store.mongo.documents import each
from unifier.store.mongo.entries import Entries
from unifier.store.mongo.heads import Heads
from unifier.store.mongo.keys import Keys
from unifier.store.mongo.people import Identities, Links
from unifier.store.port import ConversationStore, Found, Position, slot_of


class MongoConversations(ConversationStore):
    """The store in the database `database` at `url`. What its methods promise is in the port.

    `create_indexes` comes first, once: without the unique (strand, seq) nothing is inserted. `deadline`: seconds until a step of
    an operation counts as failed.
    """

    def __init__(self, url: str, database: str, *, deadline: float = 10.0) -> None:
        self._mongo = Mongo(url, database, setting="store.url", deadline=deadline)
        names = ("entries", "keys", "conversations", "identities", "links", "meta")
        self._collections = {name: self._mongo.collection(name) for name in names}
        self._entries = Entries(self._collections["entries"])
        self._keys = Keys(self._collections["keys"])
        self._heads = Heads(self._collections["conversations"])
        self._identities = Identities(self._collections["identities"])
        self._links = Links(self._collections["links"])

    async def open(self) -> None:
        """See the port."""
        await self._mongo.open()

    async def close(self) -> None:
        """See the port."""
        await self._mongo.close()

    async def create_indexes(self) -> list[str]:
        """See the port."""
        first = UpdateOne({"_id": "epoch"}, {"$setOnInsert": {"value": 1}}, upsert=True)
        await self._collections["meta"].write([first])
        return await indexes.create(self._collections)

    async def epoch(self) -> int:
        """See the port."""
        found = await self._collections["meta"].find_one({"_id": "epoch"})
        return int(found["value"]) if found else 1

    @property
    def audit(self) -> MongoAudit:
        """See the port."""
        return MongoAudit(self._collections)

    # --- looking ---

    async def entries(self, ids: Collection[str]) -> dict[str, Entry]:
        """See the port."""
        return await self._entries.by_id(ids)

    async def keys(self, ids: Collection[str]) -> dict[str, str]:
        """See the port."""
        return await self._keys.keys(ids)

    async def clocks(self, ids: Collection[ClockId]) -> dict[ClockId, Clock]:
        """See the port."""
        return await self._keys.clocks(ids)

    async def identities(self, ids: Collection[str]) -> dict[str, Identity]:
        """See the port."""
        return await self._identities.by_id(ids)

    async def customers(self, roots: Collection[str]) -> dict[str, list[Identity]]:
        """See the port. Eldest first; a root that nobody has is absent."""
        return await self._identities.customers(roots)

    async def revisions(self, ids: Collection[str]) -> dict[str, int]:
        """See the port."""
        return (await self._revised(ids))[0]

    async def look(
        self, entries: Collection[str], keys: Collection[str], clocks: Collection[ClockId], people: Collection[str]
    ) -> Found:
        """See the port. All at the same time."""
        found = await asyncio.gather(
            self._entries.by_id(entries), self._keys.keys(keys), self._keys.clocks(clocks), self._revised(people)
        )
        return Found(*found[:3], *found[3])

    async def _revised(self, ids: Collection[str]) -> tuple[dict[str, int], int]:
        """Revisions, and the epoch: documents of one collection, so both are read at once."""
        if not ids:
            return {}, 0
        tenants = {tenant_of(one) for one in ids}
        found = await self._collections["meta"].find({"_id": each(["epoch", *map(_people, tenants)])})
        known = {document["_id"]: document for document in found}
        revisions = {one: known.get(_people(tenant_of(one)), {}).get(_slot(one), 0) for one in ids}
        return revisions, int(known.get("epoch", {}).get("value", 1))

    async def tails(self, strands: Collection[str]) -> dict[str, Tail]:
        """See the port."""
        known = await self._heads.by_id(strands)
        through = {strand: known[strand].through if strand in known else 0 for strand in strands}
        found = await self._entries.unfolded(through)
        return {strand: Tail(known.get(strand), found[strand]) for strand in strands}

    async def run(self, strand: str, after: int, limit: int) -> list[Entry]:
        """See the port."""
        return await self._entries.run(strand, after, limit)

    async def owned_keys(self, owner: str, after: str = "", limit: int = 500) -> list[tuple[str, str]]:
        """See the port."""
        return await self._keys.owned_keys(owner, after, limit)

    async def owned_clocks(
        self, owner: str, after: ClockId | None = None, limit: int = 500
    ) -> list[tuple[ClockId, Clock]]:
        """See the port."""
        return await self._keys.owned_clocks(owner, after, limit)

    # --- writing ---

    async def claim(
        self, keys: Mapping[str, str], clocks: Sequence[ClockClaim], identities: Sequence[Identity]
    ) -> None:
        """See the port."""
        await asyncio.gather(self._keys.claim(keys, clocks), self._identities.add(identities))

    async def insert(self, entries: Sequence[Entry]) -> list[Outcome]:
        """See the port."""
        return await self._entries.insert(entries)

    async def fold(self, heads: Sequence[tuple[Head, int]]) -> set[str]:
        """See the port."""
        return await self._heads.fold(heads)

    async def published(self, through: Mapping[str, int]) -> None:
        """See the port."""
        await self._heads.published(through)

    async def move(self, moves: Mapping[str, Moved]) -> None:
        """See the port."""
        await self._entries.move(moves)

    async def move_keys(self, keys: Mapping[str, str], at: int) -> None:
        """See the port."""
        await self._keys.move(keys, at)

    async def set_customers(self, customers: Mapping[str, str]) -> None:
        """See the port."""
        await self._identities.set_customers(customers)

    async def revise(self, ids: Collection[str]) -> None:
        """See the port."""
        slots: dict[str, dict[str, int]] = {}
        for one in ids:
            slots.setdefault(_people(tenant_of(one)), {})[_slot(one)] = 1
        raised = [UpdateOne({"_id": people}, {"$inc": slots[people]}, upsert=True) for people in sorted(slots)]
        lost = (await self._collections["meta"].write(raised)).duplicates
        # Two upserts of one new document met: the second attempt finds it.
        await self._collections["meta"].write([raised[place] for place in sorted(lost)])

    async def note_identities(self, profiles: Mapping[str, Profile], evidence: Mapping[str, Collection[str]]) -> None:
        """See the port."""
        await self._identities.note(profiles, evidence)

    async def reveal(self, identities: Sequence[Identity]) -> None:
        """See the port."""
        await self._identities.reveal(identities)

    # --- links ---

    async def links(self, ids: Collection[str]) -> dict[str, Link]:
        """See the port."""
        return await self._links.by_id(ids)

    async def links_at(self, ends: Collection[str]) -> list[Link]:
        """See the port. In id order."""
        return await self._links.at(ends)

    async def links_needing(self, identities: Collection[str]) -> list[Link]:
        """See the port. In id order."""
        return await self._links.needing(identities)

    async def wish(self, wishes: Sequence[LinkWish]) -> None:
        """See the port."""
        await self._links.wish(wishes)

    async def opine(self, opinions: Sequence[Opinion]) -> None:
        """See the port."""
        await self._links.opine(opinions)

    async def settled(self, revs: Mapping[str, int]) -> None:
        """See the port."""
        await self._links.settled(revs)

    # --- reading for the API ---

    async def heads(self, ids: Collection[str]) -> dict[str, Head]:
        """See the port."""
        return await self._heads.by_id(ids)

    async def strands_of(self, roots: Collection[str]) -> list[Head]:
        """See the port. Eldest first."""
        return await self._heads.of_roots(roots)

    async def list_heads(
        self,
        tenant: str,
        order: Literal["active", "created"],
        after: Position | None,
        limit: int,
        only: HeadFilter,
    ) -> list[Head]:
        """See the port."""
        return await self._heads.listed(tenant, order, after, limit, only)

    async def timeline(
        self, strands: Collection[str], before: Position | None, limit: int, kinds: Collection[str] | None
    ) -> list[Entry]:
        """See the port."""
        return await self._entries.timeline(strands, before, limit, kinds)

    async def runs(self, after: Mapping[str, int], limit: int, kinds: Collection[str] | None) -> list[Entry]:
        """See the port."""
        return await self._entries.runs(after, limit, kinds)

    async def about(self, targets: Collection[str]) -> list[Entry]:
        """See the port. Eldest first."""
        return await self._entries.about(targets)

    async def about_since(self, targets: Collection[str], at: int, limit: int) -> list[Entry]:
        """See the port."""
        return await self._entries.about_since(targets, at, limit)

    async def whole(self, entry_id: str) -> Entry | None:
        """See the port."""
        return await self._entries.whole(entry_id)


def _people(tenant: str) -> str:
    """The document of a tenant's revisions, beside the epoch."""
    return f"{tenant}/people"


def _slot(identity: str) -> str:
    return f"r{slot_of(identity)}"
