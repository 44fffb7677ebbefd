"""What is one conversation (I7): links against stored roots, and messages against links, one connected group of strands at a time.

A group that is larger than what is held in memory is left out, and counted as that.
"""

from collections.abc import Collection, Sequence

from unifier.links import Link
from unifier.model import Entry, plain, tenant_of
from unifier.store.port import ConversationStore
from unifier.verify.findings import Finding, Report
from unifier.verify.groups import Group, Groups
from unifier.verify.rules import Rules, Said
from unifier.verify.ties import Ties

PAGE = 500
MOVED = "conversations in which a person moved messages: not made anew from their messages"


class Conversations:
    """For one store. `most`: messages of a conversation that are held at most."""

    def __init__(self, store: ConversationStore, groups: Groups, rules: Rules, report: Report, most: int) -> None:
        self._store = store
        self._groups = groups
        self._rules = rules
        self._report = report
        self._most = most

    async def check(self, seed: str) -> list[Finding]:
        """The group of strands whose eldest is `seed`; nothing if another is its eldest."""
        group = await self._groups.of(seed)
        if group is None:
            self._report.leave(f"groups of over {self._groups.most} strands: not judged")
            return []
        if min(group.roots) != seed:
            return []
        found = await self._led(group)
        conversations: dict[str, list[str]] = {}
        for strand, root in group.roots.items():
            conversations.setdefault(root, []).append(strand)
        for root in sorted(conversations):
            found += await self._reasons(conversations[root], group.links)
        return found

    async def _led(self, group: Group) -> list[Finding]:
        """Whether the heads lead where the links say; a strand without entries has no head, and leads itself."""
        heads = await self._store.heads(group.roots)
        led = {strand: heads[strand].root if strand in heads else strand for strand in group.roots}
        wrong = sorted(strand for strand, root in group.roots.items() if led[strand] != root)
        if not wrong:
            return []
        first = await self._store.run(wrong[0], 0, 1)
        what = f"{len(wrong)} strands lead to another conversation than their links"
        return [Finding("I7", what, tuple(wrong[:5]), first[0].stored_at if first else 0)]

    async def _reasons(self, strands: Collection[str], links: Sequence[Link]) -> list[Finding]:
        """Whether the rules, or persons, bring together what is one conversation."""
        reasons = Reasons(self._most)
        for strand in sorted(strands):
            after = 0
            while reasons.holds and (page := await self._store.run(strand, after, PAGE)):
                after = page[-1].seq
                reasons.take(page, await self._rules.read(page))
        for link in links:
            if link.state == "together":
                reasons.ties.tie(*link.ends)
        return reasons.end(self._report)


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
