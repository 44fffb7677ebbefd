"""`SqliteConversations`: the conversation store's port over one SQLite file. Each method is one transaction."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

from onethread.sqlite import Database
from unifier.links import Identity, Link, LinkWish, Opinion, Profile
from unifier.model import Clock, ClockClaim, ClockId, Entry, Head, HeadFilter, Moved, Outcome, Tail
from unifier.store.port import ConversationStore, Found, Position
from unifier.store.sqlite import entries, heads, keys, people, schema
from unifier.store.sqlite.audit import SqliteAudit


class SqliteConversations(ConversationStore):
    """The store in the file `path`; folder, file and tables are made as needed. What its methods promise is in the port.

    Several processes may share the file: each write waits up to `deadline` seconds for another's to end.
    """

    def __init__(self, path: str | Path, *, deadline: float = 10.0) -> None:
        self._database = Database(path, setting="store.url", prepare=schema.prepare, deadline=deadline)
        self._read = self._database.read
        self._write = self._database.write

    async def open(self) -> None:
        """See the port."""
        await self._database.open()

    async def close(self) -> None:
        """See the port."""
        await self._database.close()

    async def create_indexes(self) -> list[str]:
        """See the port."""
        return await self._write(schema.create_indexes)

    async def epoch(self) -> int:
        """See the port."""
        return await self._read(schema.epoch)

    @property
    def audit(self) -> SqliteAudit:
        """See the port."""
        return SqliteAudit(self._read, self._write)

    # --- looking ---

    async def entries(self, ids: Collection[str]) -> dict[str, Entry]:
        """See the port."""
        return await self._read(partial(entries.by_id, ids=ids))

    async def keys(self, ids: Collection[str]) -> dict[str, str]:
        """See the port."""
        return await self._read(partial(keys.keys, ids=ids))

    async def clocks(self, ids: Collection[ClockId]) -> dict[ClockId, Clock]:
        """See the port."""
        return await self._read(partial(keys.clocks, ids=ids))

    async def identities(self, ids: Collection[str]) -> dict[str, Identity]:
        """See the port."""
        return await self._read(partial(people.by_id, ids=ids))

    async def customers(self, roots: Collection[str]) -> dict[str, list[Identity]]:
        """See the port. Eldest first; a root that nobody has is absent."""
        return await self._read(partial(people.customers, roots=roots))

    async def revisions(self, ids: Collection[str]) -> dict[str, int]:
        """See the port."""
        return await self._read(partial(people.revisions, ids=ids))

    async def look(
        self, entries: Collection[str], keys: Collection[str], clocks: Collection[ClockId], people: Collection[str]
    ) -> Found:
        """See the port. At one moment."""
        return await self._read(partial(_look, named=entries, claimed=keys, clocks=clocks, identities=people))

    async def tails(self, strands: Collection[str]) -> dict[str, Tail]:
        """See the port."""

        def job(connection: sqlite3.Connection) -> dict[str, Tail]:
            known = heads.by_id(connection, strands)
            through = {strand: known[strand].through if strand in known else 0 for strand in strands}
            found = entries.unfolded(connection, through)
            return {strand: Tail(known.get(strand), found[strand]) for strand in strands}

        return await self._read(job)

    async def run(self, strand: str, after: int, limit: int) -> list[Entry]:
        """See the port."""
        return await self._read(partial(entries.run, strand=strand, after=after, limit=limit))

    async def owned_keys(self, owner: str, after: str = "", limit: int = 500) -> list[tuple[str, str]]:
        """See the port."""
        return await self._read(partial(keys.owned_keys, owner=owner, after=after, limit=limit))

    async def owned_clocks(
        self, owner: str, after: ClockId | None = None, limit: int = 500
    ) -> list[tuple[ClockId, Clock]]:
        """See the port."""
        return await self._read(partial(keys.owned_clocks, owner=owner, after=after, limit=limit))

    # --- writing ---

    async def claim(
        self, keys: Mapping[str, str], clocks: Sequence[ClockClaim], identities: Sequence[Identity]
    ) -> None:
        """See the port."""
        await self._write(partial(_claim, claimed=keys, clocks=clocks, identities=identities))

    async def insert(self, entries: Sequence[Entry]) -> list[Outcome]:
        """See the port."""
        return await self._write(partial(_insert, new=entries))

    async def fold(self, heads: Sequence[tuple[Head, int]]) -> set[str]:
        """See the port."""
        return await self._write(partial(_fold, folded=heads))

    async def published(self, through: Mapping[str, int]) -> None:
        """See the port."""
        await self._write(partial(heads.published, through=through))

    async def move(self, moves: Mapping[str, Moved]) -> None:
        """See the port."""
        await self._write(partial(entries.move, moves=moves))

    async def move_keys(self, keys: Mapping[str, str], at: int) -> None:
        """See the port."""
        await self._write(partial(_move_keys, moved=keys, at=at))

    async def set_customers(self, customers: Mapping[str, str]) -> None:
        """See the port."""
        await self._write(partial(people.set_customers, roots=customers))

    async def revise(self, ids: Collection[str]) -> None:
        """See the port."""
        await self._write(partial(people.revise, ids=ids))

    async def note_identities(self, profiles: Mapping[str, Profile], evidence: Mapping[str, Collection[str]]) -> None:
        """See the port."""
        await self._write(partial(people.note, profiles=profiles, evidence=evidence))

    async def reveal(self, identities: Sequence[Identity]) -> None:
        """See the port."""
        await self._write(partial(people.reveal, identities=identities))

    # --- links ---

    async def links(self, ids: Collection[str]) -> dict[str, Link]:
        """See the port."""
        return await self._read(partial(people.links, ids=ids))

    async def links_at(self, ends: Collection[str]) -> list[Link]:
        """See the port. In id order."""
        return await self._read(partial(people.links_at, ends=ends))

    async def links_needing(self, identities: Collection[str]) -> list[Link]:
        """See the port. In id order."""
        return await self._read(partial(people.links_needing, identities=identities))

    async def wish(self, wishes: Sequence[LinkWish]) -> None:
        """See the port."""
        await self._write(partial(people.wish, wishes=wishes))

    async def opine(self, opinions: Sequence[Opinion]) -> None:
        """See the port."""
        await self._write(partial(people.opine, opinions=opinions))

    async def settled(self, revs: Mapping[str, int]) -> None:
        """See the port."""
        await self._write(partial(people.settled, revs=revs))

    # --- reading for the API ---

    async def heads(self, ids: Collection[str]) -> dict[str, Head]:
        """See the port."""
        return await self._read(partial(heads.by_id, ids=ids))

    async def strands_of(self, roots: Collection[str]) -> list[Head]:
        """See the port. Eldest first."""
        return await self._read(partial(heads.of_roots, roots=roots))

    async def list_heads(
        self,
        tenant: str,
        order: Literal["active", "created"],
        after: Position | None,
        limit: int,
        only: HeadFilter,
    ) -> list[Head]:
        """See the port."""
        return await self._read(partial(heads.listed, tenant=tenant, order=order, after=after, limit=limit, only=only))

    async def timeline(
        self, strands: Collection[str], before: Position | None, limit: int, kinds: Collection[str] | None
    ) -> list[Entry]:
        """See the port."""
        return await self._read(partial(entries.timeline, strands=strands, before=before, limit=limit, kinds=kinds))

    async def runs(self, after: Mapping[str, int], limit: int, kinds: Collection[str] | None) -> list[Entry]:
        """See the port."""
        return await self._read(partial(entries.runs, after=after, limit=limit, kinds=kinds))

    async def about(self, targets: Collection[str]) -> list[Entry]:
        """See the port. Eldest first."""
        return await self._read(partial(entries.about, targets=targets))

    async def about_since(self, targets: Collection[str], at: int, limit: int) -> list[Entry]:
        """See the port."""
        return await self._read(partial(entries.about_since, targets=targets, at=at, limit=limit))

    async def whole(self, entry_id: str) -> Entry | None:
        """See the port."""
        return await self._read(partial(entries.whole, entry_id=entry_id))


# The port names some parameters like the modules here.


def _look(
    connection: sqlite3.Connection,
    named: Collection[str],
    claimed: Collection[str],
    clocks: Collection[ClockId],
    identities: Collection[str],
) -> Found:
    return Found(
        entries.by_id(connection, named) if named else {},
        keys.keys(connection, claimed) if claimed else {},
        keys.clocks(connection, clocks) if clocks else {},
        people.revisions(connection, identities) if identities else {},
        schema.epoch(connection) if identities else 0,
    )


def _claim(
    connection: sqlite3.Connection,
    claimed: Mapping[str, str],
    clocks: Sequence[ClockClaim],
    identities: Sequence[Identity],
) -> None:
    keys.claim(connection, claimed, clocks)
    people.add(connection, identities)


def _move_keys(connection: sqlite3.Connection, moved: Mapping[str, str], at: int) -> None:
    keys.move(connection, moved, at)


def _insert(connection: sqlite3.Connection, new: Sequence[Entry]) -> list[Outcome]:
    return entries.insert(connection, new)


def _fold(connection: sqlite3.Connection, folded: Sequence[tuple[Head, int]]) -> set[str]:
    return heads.fold(connection, folded)
