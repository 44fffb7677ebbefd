"""Links from evidence: writing them, relating identities, and comparing the keys of identities that became one customer.

The order is what makes races harmless: customers are written before keys are compared, while a worker that writes a message
claims its keys before it reads the customer. So of a merge and a message that run side by side, the later sees both.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from unifier.links import Evidence, Identity, Link, LinkWish, Opinion
from unifier.model import Clock, ClockId, around
from unifier.reading import Reading
from unifier.settlement import Settlement
from unifier.store.port import ConversationStore
from unifier.strands import Strands
from unifier.threading import near, wish

WALK = 500
"""Keys compared at a time."""


class Merging:
    """The links of one batch."""

    def __init__(self, store: ConversationStore, strands: Strands, settlement: Settlement) -> None:
        self._store = store
        self._strands = strands
        self._settlement = settlement

    async def link(self, wishes: Sequence[LinkWish]) -> set[str]:
        """7. Upsert wanted links; returns the ends of those whose effect is not known to be written."""
        if not wishes:
            return set()
        await self._store.wish(wishes)
        links = await self._store.links({wish.id for wish in wishes})
        return {end for link in links.values() if not link.settled for end in link.ends}

    async def mark(self, links: Iterable[Link]) -> None:
        """Mark links settled, as the clean pass read them."""
        open_links = {link.id: link.rev for link in links if not link.settled}
        if open_links:
            await self._store.settled(open_links)

    async def relate(self, pairs: Sequence[LinkWish], repeated: Sequence[LinkWish] = ()) -> None:
        """Evidence on identities: link, settle customers, compare keys, settle strands, publish.

        Of `repeated` evidence the other copy may have died after it wrote by an older state, which others had settled
        before: so that `settled` is not trusted.
        """
        wishes = {(pair.id, pair.evidence.key): pair for pair in (*pairs, *repeated)}
        seeds = await self.link(list(wishes.values())) | {end for pair in repeated for end in pair.ends}
        if seeds:
            await self.resettle(seeds)

    async def opine(self, opinions: Sequence[Opinion]) -> None:
        """A person's word. A repeat does the whole again: it ends what a crash left."""
        await self._store.opine(opinions)
        people = {end for opinion in opinions if opinion.kind == "identity" for end in opinion.ends}
        strands = {end for opinion in opinions if opinion.kind == "strand" for end in opinion.ends}
        if people:
            await self.resettle(people)
        if strands:
            await self._settle_strands(strands)

    async def resettle(self, seeds: Collection[str]) -> None:
        """Customers, then every strand link that rests on one of these identities."""
        settled, people = await self._settlement.identities(seeds)
        # Whoever remembers them asks again from here on; who had asked before has made its claims, and meets the comparison.
        await self._store.revise(settled.nodes)
        wishes = await self.compare(people)
        if wishes:
            await self._store.wish(wishes)
        resting = await self._store.links_needing(settled.nodes) if settled.nodes else []
        strands = {end for link in resting if link.kind == "strand" for end in link.ends}
        if strands:
            await self._settle_strands(strands)
        await self.mark(settled.links)

    async def _settle_strands(self, seeds: Collection[str]) -> None:
        settled = await self._settlement.strands(seeds)
        await self._strands.fold(settled.nodes)
        await self._strands.publish(settled.nodes)
        await self.mark(settled.links)

    # --- comparing keys ---

    async def compare(self, people: Mapping[str, Identity]) -> list[LinkWish]:
        """Links between what different identities of one customer own: the same Message-ID, or hours that touch."""
        groups: dict[str, list[str]] = {}
        for person in people.values():
            groups.setdefault(person.customer, []).append(person.id)
        found: list[LinkWish] = []
        for members in groups.values():
            for walked in await self._smaller(sorted(members)):
                others = [other for other in members if other != walked]
                found += await self._compare_keys(walked, others)
                found += await self._compare_clocks(walked, others)
        return list({(item.id, item.evidence.key): item for item in found}.values())

    async def _smaller(self, members: list[str]) -> list[str]:
        """All but one of the members: the one that owns most need not be walked, since the others look it up."""
        if len(members) < 2:
            return []
        first_pages = {who: len(await self._store.owned_keys(who, limit=WALK)) for who in members}
        largest = max(members, key=lambda who: (first_pages[who], who))
        return [who for who in members if who != largest]

    async def _compare_keys(self, walked: str, others: Sequence[str]) -> list[LinkWish]:
        found: list[LinkWish] = []
        after = ""
        while page := await self._store.owned_keys(walked, after, WALK):
            after = page[-1][0]
            mine = dict(page)
            theirs = await self._store.keys([key.replace(walked, other, 1) for key in mine for other in others])
            for other in others:
                found += self.shared_keys(mine, walked, other, {**mine, **theirs}, None)
        return found

    @staticmethod
    def shared_keys(
        mine: Iterable[str], party: str, other: str, keys: Mapping[str, str], reading: Reading | None
    ) -> Iterator[LinkWish]:
        """T3 over two identities of one customer: the strands that the same Message-ID names for each (needs the pair)."""
        needs = tuple(sorted((party, other)))
        for key in mine:
            one, two = keys.get(key), keys.get(key.replace(party, other, 1))
            if one and two and one != two:
                where = {"entry_id": reading.id, "at": reading.at} if reading else {}
                yield wish(one, two, Evidence(rule="shared_reference", needs=needs, **where))  # type: ignore[arg-type]

    async def _compare_clocks(self, walked: str, others: Sequence[str]) -> list[LinkWish]:
        found: list[LinkWish] = []
        after: ClockId | None = None
        while page := await self._store.owned_clocks(walked, after, WALK):
            after = page[-1][0]
            wanted = {clock_id._replace(owner=other) for clock_id, _ in page for other in others}
            theirs = await self._store.clocks(wanted)
            found += near_pairs(page, theirs)
        return found


def near_pairs(mine: Iterable[tuple[ClockId, Clock]], theirs: Mapping[ClockId, Clock]) -> Iterator[LinkWish]:
    """T4 between the hours of two identities (needs the pair)."""
    owners = {clock_id.owner for clock_id in theirs}
    for clock_id, clock in mine:
        for owner in owners:
            needs = tuple(sorted((clock_id.owner, owner)))
            for bucket in around(clock_id._replace(owner=owner)):
                there = theirs.get(bucket)
                if there is None:
                    continue
                for found in near((clock_id.bucket, clock), (bucket.bucket, there), clock_id.window, clock_id.grouping):
                    yield wish(found.one, found.other, Evidence(rule="idle_window", counts=found.counts, needs=needs))
