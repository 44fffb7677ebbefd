"""Who is one customer (I6, I7), and what every link says (I8, I10). It reads identities and links, and no message."""

from collections.abc import Iterable, Mapping, Sequence

from unifier.links import Identity, Link
from unifier.model import tenant_of
from unifier.settling import roots
from unifier.store.port import ConversationStore
from unifier.threading import link_id
from unifier.verify.findings import REBUILD, Finding, Report, replay


class Customers:
    """For one store. `most`: identities of one customer that are held at most."""

    def __init__(self, store: ConversationStore, report: Report, most: int) -> None:
        self._store = store
        self._report = report
        self._most = most

    async def redirects(self, page: Sequence[Identity]) -> dict[str, list[Finding]]:
        """What is wrong with the redirects of some identities."""
        leaders = await self._store.identities({one.customer for one in page})
        return {one.id: list(_redirected(one, leaders.get(one.customer))) for one in page}

    async def check(self, seed: str) -> list[Finding]:
        """The group of linked identities whose first id is `seed`: whether their customers are what their links say."""
        nodes, links = await self._grown(seed)
        if min(nodes) != seed:
            return []
        if len(nodes) > self._most:
            self._report.leave(f"groups of over {self._most} identities: not judged")
            return []
        people = await self._store.identities(nodes)
        known = nodes & people.keys()
        inside = [link for link in links if known.issuperset(link.ends)]
        ages = {one: people[one].age for one in known}
        want = roots(sorted(known), inside, lambda _a, _b: True, ages.__getitem__)
        wrong = sorted(one for one, root in want.items() if people[one].customer != root)
        found = []
        if wrong:
            what = f"{len(wrong)} identities are another customer's than their links say"
            found.append(Finding("I7", what, tuple(wrong[:5]), min(people[one].since for one in wrong)))
        return found

    async def _grown(self, seed: str) -> tuple[set[str], list[Link]]:
        nodes, links, frontier = {seed}, dict[str, Link](), {seed}
        while frontier and len(nodes) <= self._most:
            found = [link for link in await self._store.links_at(frontier) if link.kind == "identity"]
            links.update({link.id: link for link in found})
            frontier = {end for link in found for end in link.ends} - nodes
            nodes |= frontier
        return nodes, list(links.values())

    async def links(self, page: Sequence[Link]) -> dict[str, list[Finding]]:
        """What is wrong with some links by themselves: tenants, ids, and apart that is not apart."""
        apart = [link for link in page if link.state == "apart"]
        strands = {end for link in apart if link.kind == "strand" for end in link.ends}
        identities = {end for link in apart if link.kind == "identity" for end in link.ends}
        leads = {one: head.root for one, head in (await self._store.heads(strands)).items()} if strands else {}
        if identities:
            leads |= {one: who.customer for one, who in (await self._store.identities(identities)).items()}
        return {link.id: [*_crossing(link), *_joined(link, leads)] for link in page}


def _redirected(one: Identity, leader: Identity | None) -> Iterable[Finding]:
    if tenant_of(one.customer) != tenant_of(one.id):
        yield Finding("I10", "an identity is a customer of another tenant", (one.id, one.customer), one.since)
    elif leader is None:
        yield Finding("I6", "an identity leads to one that is not there", (one.id, one.customer), one.since)
    elif leader.customer != leader.id:
        yield Finding("I6", "an identity leads to one that leads on", (one.id, leader.id), one.since)
    elif leader.age > one.age:
        yield Finding("I6", "an identity leads to a younger one", (one.id, leader.id), one.since)


def _crossing(link: Link) -> Iterable[Finding]:
    ids = [*link.ends, *(who for reason in link.evidence for who in reason.needs)]
    since = min((reason.at for reason in link.evidence if reason.at), default=link.at)
    if any(tenant_of(one) != tenant_of(link.id) for one in ids):
        yield Finding(
            "I10", "a link names what is another tenant's", (link.id, *link.ends), since, (REBUILD, replay(since))
        )
    elif link.id != link_id(link.kind, *link.ends) or list(link.ends) != sorted(link.ends):
        yield Finding(
            "I7", "a link's id is not that of its ends", (link.id, *link.ends), since, (REBUILD, replay(since))
        )


def _joined(link: Link, leads: Mapping[str, str]) -> Iterable[Finding]:
    one, other = link.ends
    if link.state == "apart" and leads.get(one, one) == leads.get(other, other):
        yield Finding("I8", "what a person set apart is together", (link.id, *link.ends), link.at)
