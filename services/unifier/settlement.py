"""Making stored roots equal to what links say: identities to customers, strands to conversations.

A root of a strand changes by a `joined` entry in the strand's own timeline: a stale writer meets a taken number, or sees the
difference in its next pass. Whoever wrote looks again, until a pass finds nothing to write; whoever crashed in between comes
again, finds its message stored, and settles.
"""

from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from onethread.identity import digest
from unifier.links import Identity, Link, LinkKind
from unifier.model import Entry, Joined, Placement, scoped, tenant_of
from unifier.settling import roots, same_customer
from unifier.store.port import ConversationStore
from unifier.strands import Strands


class Settled(NamedTuple):
    """What a clean pass read: all nodes grown from the seeds, and their links."""

    nodes: frozenset[str]
    links: tuple[Link, ...]


class Settlement:
    """Settles for one batch; `now` is its clock, in ms."""

    def __init__(self, store: ConversationStore, strands: Strands, now: Callable[[], int]) -> None:
        self._store = store
        self._strands = strands
        self._now = now

    async def identities(self, seeds: Collection[str]) -> tuple[Settled, dict[str, Identity]]:
        """Write each identity's customer; returns what the clean pass read."""
        while True:
            nodes, links = await self._grow(seeds, "identity")
            people = await self._store.identities(nodes)
            known = nodes & people.keys()
            inside = [link for link in links if known.issuperset(link.ends)]
            ages = {node: people[node].age for node in known}
            want = roots(sorted(known), inside, lambda _a, _b: True, ages.__getitem__)
            wrong = {node: root for node, root in want.items() if people[node].customer != root}
            if not wrong:
                # A link whose end is not there yet (links of a later backup than identities) is not settled by this.
                return Settled(frozenset(known), tuple(inside)), people
            await self._store.set_customers(wrong)

    async def strands(self, seeds: Collection[str]) -> Settled:
        """Append `joined` where a strand's root is another than its links say; returns what the clean pass read."""
        while True:
            nodes, links = await self._grow(seeds, "strand")
            await self._strands.read(nodes)
            together = same_customer(await self._customers(links))
            want = roots(sorted(nodes), links, together)
            wrong = {node: root for node, root in want.items() if self._strands.head(node).root != root}
            if not wrong:
                return Settled(frozenset(nodes), tuple(links))
            await self._strands.try_append([self._joined(node, root, links) for node, root in sorted(wrong.items())])

    async def _grow(self, seeds: Collection[str], kind: LinkKind) -> tuple[set[str], list[Link]]:
        """Nodes reached over links of any state."""
        nodes, links, frontier = set(seeds), dict[str, Link](), set(seeds)
        while frontier:
            found = [link for link in await self._store.links_at(frontier) if link.kind == kind]
            links.update({link.id: link for link in found})
            frontier = {end for link in found for end in link.ends} - nodes
            nodes |= frontier
        return nodes, list(links.values())

    async def _customers(self, links: Iterable[Link]) -> dict[str, str]:
        needed = {who for link in links for evidence in link.evidence for who in evidence.needs}
        if not needed:
            return {}
        return {who: identity.customer for who, identity in (await self._store.identities(needed)).items()}

    def _joined(self, strand: str, root: str, links: Iterable[Link]) -> Entry:
        head = self._strands.head(strand)
        mine = tuple(sorted(link.id for link in links if strand in link.ends))
        # It claims the very next number: whoever decided by an older state of the strand meets it taken, and looks again.
        name = "evt_" + digest(strand, str(head.through + 1), "joined", root)
        return Entry(
            id=scoped(tenant_of(strand), name),
            strand=strand,
            seq=0,
            kind="joined",
            at=max(head.last_at, 0) or self._now(),
            stored_at=self._now(),
            placement=Placement(rule="joined"),
            joined=Joined(root=root, was=head.root, link_ids=mine),
        )
