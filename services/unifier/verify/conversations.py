"""What is one conversation (I7): links against stored roots, and messages against links, one connected group of strands at a time.

A group that is larger than what is held in memory is left out, and counted as that.
"""

from collections.abc import Collection, Mapping, Sequence

from unifier.model import Entry, Head, Link, plain, tenant_of
from unifier.settling import roots, same_customer
from unifier.store.port import ConversationStore
from unifier.verify.findings import Finding, Report
from unifier.verify.rules import Rules, Said
from unifier.verify.ties import Ties

PAGE = 500
MOVED = "conversations in which a person moved messages: not made anew from their messages"


class Conversations:
    """For one store. `most`: strands of a group, and messages of a conversation, that are held at most."""

    def __init__(self, store: ConversationStore, rules: Rules, report: Report, most: int) -> None:
        self._store = store
        self._rules = rules
        self._report = report
        self.most = most

    async def check(self, seed: str) -> list[Finding]:
        """The group of strands whose eldest is `seed`; nothing if another is its eldest."""
        nodes, links = await self._grown(seed)
        if min(nodes) != seed:
            return []
        if len(nodes) > self.most:
            self._report.leave(f"groups of over {self.most} strands: not judged")
            return []
        heads = await self._store.heads(nodes)
        want = roots(sorted(nodes), links, same_customer(await self._customers(links)))
        wrong = sorted(node for node, root in want.items() if _root(heads, node) != root)
        found: list[Finding] = []
        if wrong:
            first = await self._store.run(wrong[0], 0, 1)
            since = first[0].stored_at if first else 0
            what = f"{len(wrong)} strands lead to another conversation than their links"
            found.append(Finding("I7", what, tuple(wrong[:5]), since))
        conversations: dict[str, list[str]] = {}
        for node, root in want.items():
            conversations.setdefault(root, []).append(node)
        for root in sorted(conversations):
            found += await self._reasons(conversations[root], links)
        return found

    async def _grown(self, seed: str) -> tuple[set[str], list[Link]]:
        nodes, links, frontier = {seed}, dict[str, Link](), {seed}
        while frontier and len(nodes) <= self.most:
            found = [link for link in await self._store.links_at(frontier) if link.kind == "strand"]
            links.update({link.id: link for link in found})
            frontier = {end for link in found for end in link.ends} - nodes
            nodes |= frontier
        return nodes, list(links.values())

    async def _customers(self, links: Sequence[Link]) -> dict[str, str]:
        needed = {who for link in links for reason in link.evidence for who in reason.needs}
        return {who: one.customer for who, one in (await self._store.identities(needed)).items()} if needed else {}

    async def _reasons(self, strands: Collection[str], links: Sequence[Link]) -> list[Finding]:
        """Whether the rules, or persons, bring together what is one conversation."""
        reasons = Reasons(self.most)
        for strand in sorted(strands):
            after = 0
            while reasons.holds and (page := await self._store.run(strand, after, PAGE)):
                after = page[-1].seq
                reasons.take(page, await self._rules.read(page))
        for link in links:
            if link.state == "together":
                reasons.ties.tie(*link.ends)
        return reasons.end(self._report)


def _root(heads: Mapping[str, Head], strand: str) -> str:
    """A strand without entries has no head, and leads itself."""
    return heads[strand].root if strand in heads else strand


class Reasons:
    """The messages of one conversation, given page by page: whether they belong together."""

    def __init__(self, most: int) -> None:
        self.ties = Ties()
        self._most = most
        self._moved = False
        self._stored: dict[str, tuple[str, int]] = {}

    @property
    def holds(self) -> bool:
        """Whether more may be given: not too many yet, and none that a person moved."""
        return len(self.ties) <= self._most and not self._moved

    def take(self, page: Sequence[Entry], said: Said) -> None:
        """A page of the conversation; `said` may hold what others said, too."""
        self._moved = self._moved or any(entry.moved or entry.moved_entries for entry in page)
        mine = {entry.id for entry in page}
        for entry, reading in zip(said.entries, said.readings, strict=True):
            if entry.id in mine:
                self.ties.take(reading, entry.strand, said.customers)
                self._stored[entry.id] = (entry.strand, entry.stored_at)

    def end(self, report: Report) -> list[Finding]:
        """What no rule joins."""
        if self._moved:
            report.leave(MOVED)
            return []
        if not self.holds:
            report.leave(f"conversations of over {self._most} messages: not made anew from their messages")
            return []
        groups = sorted(self.ties.groups(), key=len, reverse=True)
        found = []
        for stranger in (min(group) for group in groups[1:]):
            strand, since = self._stored[stranger]
            other = min(groups[0])
            what = "messages are in one conversation, and no rule joins them"
            found.append(Finding("I7", what, (stranger, other), since, (self._undoing(stranger, other, strand),)))
        return found

    def _undoing(self, stranger: str, other: str, strand: str) -> str:
        tenant = tenant_of(stranger)
        if self._stored[other][0] == strand:
            return f"onethread move {plain(stranger)} --tenant {tenant}"
        return f"onethread unlink {plain(stranger)} {plain(other)} --tenant {tenant}"
