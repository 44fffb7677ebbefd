"""The checks over one store, and one subject of them looked at anew: a strand, an identity, a link, a group of either."""

from collections.abc import Awaitable, Callable, Mapping

from unifier.policy import Policies
from unifier.store.audit import Place
from unifier.store.port import ConversationStore
from unifier.verify.conversations import Conversations, Reasons
from unifier.verify.customers import Customers
from unifier.verify.findings import Finding, Report
from unifier.verify.groups import Groups
from unifier.verify.heads import Heads, unstored
from unifier.verify.ledger import Ledger
from unifier.verify.rules import Rules
from unifier.verify.strands import Run


class Subjects:
    """What is counted as not judged goes to `report`. `page`, `most`: see `Verification`."""

    def __init__(
        self, store: ConversationStore, ledger: Ledger, policies: Policies, report: Report, page: int, most: int
    ) -> None:
        self._store = store
        self._audit = store.audit
        self._ledger = ledger
        self._page = page
        self.most = most
        groups = Groups(store, most)
        self.rules = Rules(store, policies, groups)
        self.conversations = Conversations(store, groups, self.rules, report, most)
        self.customers = Customers(store, report, most)
        self.heads = Heads(store, ledger)
        self._looks: Mapping[str, Callable[[str], Awaitable[list[Finding]]]] = {
            "strand": self.strand,
            "conversation": self.conversations.check,
            "customer": self.customers.check,
            "identity": self.identity,
            "link": self.link,
        }

    async def look(self, kind: str, subject: str) -> list[Finding]:
        """Everything that is wrong with one subject now."""
        return await self._looks[kind](subject)

    async def strand(self, strand: str) -> list[Finding]:
        """Everything about one strand, anew."""
        head = (await self._store.heads([strand])).get(strand)
        run, found = Run(strand, head), list[Finding]()
        linked = any(link.kind == "strand" for link in await self._store.links_at([strand]))
        reasons = None if linked else Reasons(self.most)
        after = Place(strand, 0)
        while page := [one for one in await self._audit.entries_after("", after, self._page) if one.strand == strand]:
            after = Place(strand, page[-1].seq)
            said = await self.rules.read(page)
            found += [finding for entry in page for finding in run.take(entry)]
            found += await self.rules.check(said)
            if reasons and reasons.holds:
                reasons.take(page, said)
        found += [*run.end(), *(reasons.end(Report()) if reasons else ())]
        self._ledger.measure([(strand, run.last)])
        await self._ledger.follow()
        if head:
            found += (await self.heads.check([head]))[strand]
        elif not run.last and (known := self._ledger.of([strand]).get(strand)):
            found.append(unstored(known))
        return found

    async def identity(self, one: str) -> list[Finding]:
        """Where one identity leads."""
        people = await self._store.identities([one])
        return (await self.customers.redirects(list(people.values()))).get(one, [])

    async def link(self, one: str) -> list[Finding]:
        """What one link says."""
        links = await self._store.links([one])
        return (await self.customers.links(list(links.values()))).get(one, [])
