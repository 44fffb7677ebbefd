"""One strand as its entries pass by: I1, I3 and I5, and what an entry says of tenants (I10). Pure; it keeps one head, no entries."""

from collections.abc import Iterator

import msgspec

from onethread.envelope import event_id
from onethread.event import Event
from unifier.folding import fold
from unifier.model import Entry, Head, plain, scoped, tenant_of
from unifier.verify.findings import REBUILD, THROW_OUT, Finding, replay


class Run:
    """The entries of one strand, given in order of their numbers. `head`: as stored, None: there is none."""

    def __init__(self, strand: str, head: Head | None) -> None:
        self.strand = strand
        self.last = 0
        self.stored_at = 0
        self._head = head
        self._folded: Head | None = None
        self._then: Head | None = None
        self._whole = True

    def take(self, entry: Entry) -> Iterator[Finding]:
        """The next entry; what is wrong with it, and with its place."""
        yield from of_entry(entry)
        if entry.seq != self.last + 1:
            self._whole = False
            gap = f"{self.last + 1} is missing" if entry.seq > self.last else f"{entry.seq} is there twice"
            since = self.stored_at or entry.stored_at
            yield Finding("I3", f"entry {gap}", (self.strand, entry.id), since, (REBUILD, replay(since)))
        if self._whole:
            self._folded = fold(self._folded, self.strand, [entry])
            if self._head and self._head.through == entry.seq:
                self._then = self._folded
        self.last = entry.seq
        self.stored_at = entry.stored_at

    def end(self) -> Iterator[Finding]:
        """All were given: what is wrong with the head. Of a strand with gaps nothing can be said."""
        head, ids, since = self._head, (self.strand,), self.stored_at
        if not self._whole:
            return
        if head is None:
            yield Finding("I5", f"{self.last} entries, and no head", ids, since)
        elif head.through > self.last:
            what = f"the head was folded to {head.through}, and there are {self.last} entries"
            yield Finding("I5", what, ids, since, (REBUILD, replay(since)))
        elif self._then and without_progress(self._then) != without_progress(head):
            yield Finding("I5", f"the head is not the fold of entries 1 to {head.through}", ids, since)
        elif head.through < self.last:
            yield Finding("I5", f"the head was folded to {head.through} of {self.last} entries", ids, since)


def without_progress(head: Head) -> Head:
    """A head without what the publisher keeps in it."""
    return msgspec.structs.replace(head, published=0)


def of_entry(entry: Entry) -> Iterator[Finding]:
    """What is wrong with one entry by itself."""
    again = (THROW_OUT, replay(entry.stored_at))
    if not plain(entry.id).startswith("evt_"):
        yield Finding("I1", "the entry's id is no event's id", (entry.id,), entry.stored_at, again)
    elif entry.event and not is_of(entry, entry.event):
        yield Finding("I1", "the entry's id is not its event's", (entry.id,), entry.stored_at, again)
    elif sum(part is not None for part in (entry.event, entry.joined, entry.moved_entries)) > 1:
        yield Finding("I1", "the entry is an event and a marker", (entry.id,), entry.stored_at, again)
    tenant = tenant_of(entry.id)
    if any(tenant_of(one) != tenant for one in named_by(entry)):
        mend = (REBUILD, replay(entry.stored_at))
        yield Finding("I10", "an entry names what is another tenant's", (entry.id, entry.strand), entry.stored_at, mend)


def is_of(entry: Entry, event: Event) -> bool:
    """Whether the entry is stored under its event's id, which is made of what the provider says."""
    made = event_id(event.tenant, event.network, event.account, event.kind, event.external_id, event.revision)
    return entry.id == scoped(event.tenant, event.id) and event.id == made and entry.kind == event.kind


def named_by(entry: Entry) -> Iterator[str]:
    """Every scoped id in an entry."""
    yield entry.strand
    yield from (one for one in (entry.target, entry.sender, entry.own, *entry.recipients) if one)
    if entry.moved:
        yield from (one for one in (entry.moved.to, entry.moved.source) if one)
    if entry.joined:
        yield from (entry.joined.root, entry.joined.was)
    if entry.event:
        yield scoped(entry.event.tenant, "")
