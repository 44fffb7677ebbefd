"""What the API looks up: conversations, customers and entries by any id they ever had, with what a page needs beside them.

Each method is a constant number of queries, whatever the size of its page. A strand may change its conversation between two
of them: then it looks again.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from onethread.event import Attachment
from unifier.api import schemas, views
from unifier.api.entry_views import Scene
from unifier.api.facts import files, parties
from unifier.api.ids import (
    attachment_id,
    entry_of_attachment,
    founder,
    identity_of_customer,
    inside,
)
from unifier.api.message_state import CONTENT, about_itself, receipts_about
from unifier.api.placements import Why
from unifier.api.problems import not_found
from unifier.folding import fold
from unifier.links import Identity
from unifier.model import Entry, Head, tenant_of
from unifier.reading import identity_of
from unifier.store.port import ConversationStore

TRIES = 3
"""A join can come between two queries; a strand that is still beside its conversation then is one not folded yet."""

MOST_RECEIPTS = 1000
"""Read for one page, eldest first. Beyond them a page that spans so many shows its newest messages as not read yet."""

_TALKING = CONTENT | {"call", "call.recording", "postback", "rating"}
"""Kinds that others are about: reactions, receipts, edits."""


class Found(NamedTuple):
    """A conversation: its strands, eldest first."""

    root: str
    strands: tuple[Head, ...]


class Reader:
    """Looks up for one request or many; it remembers nothing."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    # --- conversations ---

    async def conversation(self, tenant: str, given: str) -> Found:
        """The conversation of any id that one of its strands, or an event in it, has given it. Raises `not-found`."""
        strand = inside(tenant, given, "cnv_")
        if strand is None:
            raise not_found()
        for _ in range(TRIES):
            head = await self._head(strand)
            strands = {one.id: one for one in await self._store.strands_of([head.root])}
            if head.id in strands:
                break
        strands.setdefault(head.id, head)  # stored, and not folded yet by the worker that writes it
        return Found(head.root, tuple(strands[one] for one in sorted(strands)))

    async def _head(self, strand: str) -> Head:
        stored = (await self._store.heads([strand])).get(strand)
        if stored:
            return stored
        name = founder(strand)
        entry = (await self._store.entries([name])).get(name)
        if entry is None:
            raise not_found()
        tail = (await self._store.tails([entry.home]))[entry.home]
        return tail.head or fold(None, entry.home, tail.entries)

    async def strands_of(self, roots: Collection[str]) -> dict[str, list[Head]]:
        """The strands of several conversations, by root, eldest first."""
        found: dict[str, list[Head]] = {}
        for head in sorted(await self._store.strands_of(roots) if roots else (), key=lambda one: one.id):
            found.setdefault(head.root, []).append(head)
        return found

    async def people_of(self, strands: Iterable[Head]) -> dict[str, Identity]:
        """Everybody whom these heads name."""
        ids = {one.identity for head in strands for one in head.participants} | {head.identity for head in strands}
        return await self.people(ids)

    async def people(self, ids: Iterable[str]) -> dict[str, Identity]:
        """Identities by id."""
        wanted = {one for one in ids if one}
        return await self._store.identities(wanted) if wanted else {}

    # --- customers ---

    async def customer(self, tenant: str, given: str) -> str | None:
        """The root identity of a customer by any id it ever had; None where there is none."""
        identity = identity_of_customer(tenant, given)
        known = await self.people([identity]) if identity else {}
        return known[identity].customer if identity in known else None

    async def customers(self, roots: Collection[str]) -> dict[str, schemas.Customer]:
        """Documents of customers, by root."""
        found = await self._store.customers(roots) if roots else {}
        ids = {one.id for identities in found.values() for one in identities}
        links = await self._store.links_at(ids) if ids else []
        return {root: views.customer(root, identities, links) for root, identities in found.items()}

    async def identities_of(self, root: str) -> tuple[str, ...]:
        """The ids of a customer's identities."""
        return tuple(one.id for one in (await self._store.customers([root])).get(root, ()))

    # --- entries ---

    async def entry(self, tenant: str, given: str) -> Entry:
        """One entry. Raises `not-found`."""
        name = inside(tenant, given, "evt_")
        found = (await self._store.entries([name])).get(name) if name else None
        if found is None:
            raise not_found()
        return found

    async def scene(self, entries: Sequence[Entry], known: Iterable[Head] = ()) -> Scene:
        """What showing these entries takes. `known`: heads that were read already."""
        roots = {head.id: head.root for head in known}
        missing = {entry.home for entry in entries} - roots.keys()
        if missing:
            roots |= {head.id: head.root for head in (await self._store.heads(missing)).values()}
        targets = {about_itself(entry) for entry in entries if entry.kind in _TALKING}
        about: dict[str, list[Entry]] = {}
        for entry in chain(*await asyncio.gather(self._about(targets), self._up_to_a_time(entries))):
            about.setdefault(entry.target, []).append(entry)
        shown = [*entries, *(entry for group in about.values() for entry in group if entry.kind in CONTENT)]
        return Scene(roots, await self.people(one for entry in shown for one in _people_in(entry)), about)

    async def _about(self, targets: set[str]) -> list[Entry]:
        return await self._store.about(targets) if targets else []

    async def _up_to_a_time(self, entries: Sequence[Entry]) -> list[Entry]:
        """Receipts that may be about what we sent, as all of a thread's messages up to a time; they came later than these."""
        sent = [entry for entry in entries if receipts_about(entry)]
        if not sent:
            return []
        targets, since = {receipts_about(entry) for entry in sent}, min(entry.at for entry in sent)
        return await self._store.about_since(targets, since, MOST_RECEIPTS)

    async def why(self, entries: Sequence[Entry], scene: Scene, strands: Collection[str] = ()) -> Why:
        """What explaining the placements of these entries takes. `strands`: those of their conversation, if known."""
        homes = {entry.home for entry in entries}
        if not strands:
            roots = {scene.conversation(entry) for entry in entries}
            strands = {head.id for head in await self._store.strands_of(roots)}
        links = await self._store.links_at({*strands, *homes})
        roots_of = dict(scene.roots)
        unknown = {end for link in links for end in link.ends} - roots_of.keys()
        if unknown:
            roots_of |= {head.id: head.root for head in (await self._store.heads(unknown)).values()}
        needed = {who for link in links for evidence in link.evidence for who in evidence.needs}
        people = await self.people(needed)
        known = await self._store.customers({one.customer for one in people.values()}) if people else {}
        people |= {one.id: one for group in known.values() for one in group}
        pairs = await self._store.links_at(people) if people else []
        return Why(tuple(links), people, tuple(link for link in pairs if link.kind == "identity"), roots_of)

    async def file(self, tenant: str, given: str) -> tuple[Entry, Attachment]:
        """An attachment, and the entry that holds it. Raises `not-found`."""
        name = entry_of_attachment(tenant, given)
        entry = (await self._store.entries([name])).get(name) if name else None
        held = files(entry.event.fact) if entry and entry.event else ()
        index = next((n for n in range(len(held)) if entry and attachment_id(entry.id, n) == given), None)
        if entry is None or index is None:
            raise not_found()
        return entry, held[index]


def _people_in(entry: Entry) -> Iterable[str]:
    yield entry.sender
    yield from entry.recipients
    if entry.event:
        tenant = tenant_of(entry.id)
        for party in parties(entry.event.fact):
            if party.claims:
                yield identity_of(tenant, party.claims[0])
