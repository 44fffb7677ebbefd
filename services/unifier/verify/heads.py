"""Heads against their leaders (I6), tenants (I10), and the topic of changes (I9). It reads no entry but the last one published."""

from collections.abc import Iterator, Sequence

from unifier.model import Head, tenant_of
from unifier.store.port import ConversationStore
from unifier.verify.findings import REBUILD, Finding, replay
from unifier.verify.ledger import Known, Ledger


class Heads:
    """For one store; the ledger has measured every strand, and followed the topic after that."""

    def __init__(self, store: ConversationStore, ledger: Ledger) -> None:
        self._store = store
        self._ledger = ledger

    async def check(self, page: Sequence[Head]) -> dict[str, list[Finding]]:
        """What is wrong with some heads, by strand."""
        leaders = await self._store.heads({head.root for head in page})
        known = self._ledger.of({head.id for head in page})
        found: dict[str, list[Finding]] = {}
        for head in page:
            mine = known.get(head.id, Known(head.id))
            found[head.id] = list(_redirected(head, leaders.get(head.root)))
            if not mine.length and head.through:
                mend = (REBUILD, replay(head.created_at))
                what = "a head, and none of its entries"
                found[head.id].append(Finding("I5", what, (head.id,), head.created_at, mend))
            unpublished = self._unpublished(head, mine)
            if unpublished:
                found[head.id].append(await self._dated(head.id, *unpublished))
        return found

    def _unpublished(self, head: Head, known: Known) -> tuple[str, int, bool] | None:
        """What is wrong with its changes, from which entry on, and whether it is the store that lacks something."""
        last, length = known.last, known.length
        if not self._ledger.follows or (self._ledger.cut and not last):
            return None
        moved = known.root and known.root != head.root and not self._ledger.cut
        wrong = [
            (known.gap > 0, f"change {known.gap} was never published, and later ones were", known.gap, False),
            (last > length, f"{last} changes are published, and {length} entries are stored", length, True),
            (head.published > last, f"{head.published} changes count as published, and {last} are", last + 1, False),
            (last < length, f"{last} of {length} changes are published", last + 1, False),
            (bool(moved), "the changes tell of another conversation than the head", last, False),
        ]
        return next(((what, seq, behind) for holds, what, seq, behind in wrong if holds), None)

    async def _dated(self, strand: str, what: str, seq: int, behind: bool) -> Finding:  # noqa: FBT001 -- see `_unpublished`
        entries = await self._store.run(strand, max(seq - 1, 0), 1)
        since = entries[0].stored_at if entries else 0
        return Finding("I9", what, (strand,), since, (replay(since),) if behind else (REBUILD,))


def unstored(known: Known) -> Finding:
    """A strand of the topic that the store does not have."""
    what = f"{known.last} changes are published, and no entry is stored"
    return Finding("I9", what, (known.strand,), known.stored_at, (replay(known.stored_at),))


def _redirected(head: Head, leader: Head | None) -> Iterator[Finding]:
    """A leader without entries has no head, and leads itself."""
    if tenant_of(head.root) != tenant_of(head.id) or (head.identity and tenant_of(head.identity) != tenant_of(head.id)):
        yield Finding("I10", "a head names what is another tenant's", (head.id, head.root), head.created_at)
    elif head.root > head.id:
        yield Finding("I6", "a strand leads to a younger one", (head.id, head.root), head.created_at)
    elif leader and leader.root != leader.id:
        yield Finding("I6", "a strand leads to one that leads on", (head.id, leader.id), head.created_at)
