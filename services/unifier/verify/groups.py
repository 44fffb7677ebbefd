"""Strands that links connect, and who leads them by what the links say. It reads links and customers, no head and no message."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from unifier.links import Link
from unifier.settling import roots, same_customer
from unifier.store.port import ConversationStore


class Group(NamedTuple):
    """Strands connected by links of any state, and each one's root as the links say it."""

    links: Sequence[Link]
    roots: Mapping[str, str]

    @property
    def is_spoken_of(self) -> bool:
        """Whether a person set some of them apart."""
        return any(link.state == "apart" for link in self.links)


class Groups:
    """For one store. `most`: strands of a group that are held at most."""

    def __init__(self, store: ConversationStore, most: int) -> None:
        self._store = store
        self.most = most

    async def of(self, strand: str) -> Group | None:
        """The group of a strand; None if it is too large."""
        nodes, links, frontier = {strand}, dict[str, Link](), {strand}
        while frontier:
            found = [link for link in await self._store.links_at(frontier) if link.kind == "strand"]
            links.update({link.id: link for link in found})
            frontier = {end for link in found for end in link.ends} - nodes
            nodes |= frontier
            if len(nodes) > self.most:
                return None
        together = same_customer(await self._customers(links.values()))
        return Group(list(links.values()), roots(sorted(nodes), links.values(), together))

    async def _customers(self, links: Iterable[Link]) -> dict[str, str]:
        needed = {who for link in links for reason in link.evidence for who in reason.needs}
        return {who: one.customer for who, one in (await self._store.identities(needed)).items()} if needed else {}
