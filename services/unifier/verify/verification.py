"""All checks over one store, in pages: what is read when, and what is looked at again before it is said. The checks are elsewhere.

Memory holds a page, one group of strands, and the findings; what must be remembered of every strand is in the ledger, on disk.
While messages flow a look can meet a strand in the middle of a batch. So what is suspicious is looked at again, when the batches that
were in work then are committed, and is reported if nothing about it has changed; what changes at every look is counted as not judged.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from itertools import groupby
from typing import TypeVar

from onethread.log.port import EventLog
from unifier.links import Identity, Link
from unifier.model import Entry, Head, tenant_of
from unifier.policy import Policies
from unifier.store.audit import Claim, Place
from unifier.store.port import ConversationStore
from unifier.verify.conversations import Reasons
from unifier.verify.extent import Extent
from unifier.verify.findings import REBUILD, Finding, Report, Suspicion, replay, suspect
from unifier.verify.heads import unstored
from unifier.verify.ledger import Ledger
from unifier.verify.strands import Run
from unifier.verify.subjects import Subjects

T = TypeVar("T", Head, Identity, Link, Claim)

UNIQUE = "strand_seq"
"""The index without which two workers could write one place."""
SUSPICIONS = 2_000
"""So many subjects are looked at again; further ones are reported as they were met."""


class Verification:
    """One look at a store and its log (None: without the topic of changes).

    `page`: documents read at a time. `most`: messages of a conversation, and strands of a group, held at once. `looks`: how often a
    suspicion is looked at again, `patience` seconds apart; 0 at rest, when nobody writes. `told` hears what was counted so far.
    """

    def __init__(
        self,
        store: ConversationStore,
        ledger: Ledger,
        policies: Policies,
        extent: Extent,
        *,
        page: int = 500,
        most: int = 10_000,
        looks: int = 4,
        patience: float = 2.0,
        told: Callable[[Report], None] = lambda _: None,
    ) -> None:
        self.report = Report()
        self._store = store
        self._audit = store.audit
        self._ledger = ledger
        self._extent = extent
        self._page = page
        self._looks = looks
        self._patience = patience
        self._told = told
        self._subjects = Subjects(store, ledger, policies, self.report, page, most)
        self._suspicions: dict[tuple[str, str], set[Finding]] = {}

    async def run(self) -> Report:
        """Look at everything, in this order: entries, then what was published of them, then who leads whom, then links and keys."""
        await self._see_indexes()
        await self._see_entries()
        self.report.count("changes", await self._ledger.follow())
        await self._see_epoch()
        await self._see_heads()
        await self._see_unstored()
        await self._see_identities()
        await self._see_links()
        await self._see_claims()
        await self._look_again()
        return self.report

    # --- the first look ---

    async def _see_indexes(self) -> None:
        for name in await self._audit.missing_indexes():
            if name.endswith(UNIQUE):
                what = "the unique index of (strand, seq) is missing: two workers can write one place"
                self.report.add(Finding("I3", what, (name,), 0, (REBUILD, "onethread indexes apply")))
            else:
                self.report.leave(f"index {name} is missing, which costs speed: onethread indexes apply")

    async def _see_epoch(self) -> None:
        epoch = await self._store.epoch()
        if epoch < self._ledger.epoch:
            what = f"the store is of epoch {epoch}, and changes of epoch {self._ledger.epoch} are published: it was set back"
            self.report.add(Finding("I9", what, ("epoch",), 0, (replay(0),)))

    async def _see_entries(self) -> None:
        run: Run | None = None
        reasons: Reasons | None = None
        async for entries in self._entries():
            strands = {entry.strand for entry in entries}
            heads = await self._store.heads(strands)
            linked = {end for link in await self._store.links_at(strands) if link.kind == "strand" for end in link.ends}
            said = await self._subjects.rules.read(entries)
            self._suspect_all(await self._subjects.rules.check(said), {entry.id: entry.strand for entry in entries})
            for strand, mine in groupby(entries, key=lambda entry: entry.strand):
                if run is None or run.strand != strand:
                    self._end(run, reasons)
                    run = Run(strand, heads.get(strand))
                    # A strand with links is judged with those it is linked to.
                    reasons = None if strand in linked else Reasons(self._subjects.most)
                    self.report.count("strands")
                part = list(mine)
                self._suspect("strand", strand, [finding for entry in part for finding in run.take(entry)])
                if reasons and reasons.holds:
                    reasons.take(part, said)
            self.report.count("entries", len(entries))
            self._told(self.report)
        self._end(run, reasons)

    def _end(self, run: Run | None, reasons: Reasons | None) -> None:
        if run is None:
            return
        self._ledger.measure([(run.strand, run.last)])
        self._suspect("strand", run.strand, run.end())
        if reasons:
            self._suspect("strand", run.strand, reasons.end(self.report))

    async def _entries(self) -> AsyncIterator[list[Entry]]:
        """All entries; with a narrower extent those of its strands, as far as they have heads."""
        if self._extent.whole:
            place = Place()
            while page := await self._audit.entries_after(self._extent.tenant, place, self._page):
                place = Place(page[-1].strand, page[-1].seq)
                yield page
            return
        async for heads in self._pages(self._audit.heads_after):
            after = {head.id: 0 for head in heads if self._extent.has(head.id)}
            while after and (page := await self._store.runs(after, self._page, None)):
                last = page[-1]
                after = {strand: 0 for strand in after if strand > last.strand} | {last.strand: last.seq}
                yield page

    async def _see_heads(self) -> None:
        async for heads in self._pages(self._audit.heads_after):
            chosen = [head for head in heads if self._extent.has(head.id)]
            for strand, findings in (await self._subjects.heads.check(chosen)).items():
                self._suspect("strand", strand, findings)

    async def _see_unstored(self) -> None:
        after = ""
        while self._extent.whole and (page := self._ledger.unstored(self._extent.tenant, after, self._page)):
            after = page[-1].strand
            for known in page:
                self._suspect("strand", known.strand, [unstored(known)])

    async def _see_identities(self) -> None:
        async for people in self._pages(self._audit.identities_after):
            self.report.count("identities", len(people))
            for one, findings in (await self._subjects.customers.redirects(people)).items():
                self._suspect("identity", one, findings)

    async def _see_links(self) -> None:
        async for links in self._pages(self._audit.links_after):
            self.report.count("links", len(links))
            for one, findings in (await self._subjects.customers.links(links)).items():
                self._suspect("link", one, findings)
            for kind, seed in await self._seeds(links):
                if kind == "identity":
                    self._suspect("customer", seed, await self._subjects.customers.check(seed))
                elif self._extent.has(seed):
                    self._suspect("conversation", seed, await self._subjects.conversations.check(seed))
            self._told(self.report)

    async def _seeds(self, links: Sequence[Link]) -> list[tuple[str, str]]:
        """Where groups may begin, each in one page only: at a first end whose first link this is, and none of them leads lower."""
        around: dict[tuple[str, str], list[Link]] = {}
        firsts = {(link.kind, link.ends[0]) for link in links}
        for link in await self._store.links_at({end for _, end in firsts}):
            for end in link.ends:
                if (link.kind, end) in firsts:
                    around.setdefault((link.kind, end), []).append(link)
        seeds = []
        for link in links:
            mine = around.get((link.kind, link.ends[0]), [])
            if min(other.id for other in mine) == link.id and all(link.ends[0] <= other.ends[0] for other in mine):
                seeds.append((link.kind, link.ends[0]))
        return list(dict.fromkeys(seeds))

    async def _see_claims(self) -> None:
        async for claims in self._pages(self._audit.claims_after):
            self.report.count("keys", len(claims))
            for claim in claims:
                if any(tenant_of(strand) != tenant_of(claim.owner) for strand in claim.strands):
                    what = "a key or clock names a strand of another tenant"
                    # They do not say when. No worker changes the strand of a key, so a second look would see the same.
                    self.report.add(Finding("I10", what, (claim.owner, *claim.strands), 0, (REBUILD, replay(0))))

    async def _pages(self, scan: Callable[[str, str, int], Awaitable[list[T]]]) -> AsyncIterator[list[T]]:
        after = ""
        while page := await scan(self._extent.tenant, after, self._page):
            after = page[-1].id
            yield page

    # --- the second look ---

    def _suspect(self, kind: str, subject: str, findings: Iterable[Finding]) -> None:
        for one in suspect(kind, subject, findings):
            self._note(one)

    def _suspect_all(self, findings: Iterable[Finding], strands: Mapping[str, str]) -> None:
        """Findings on messages: with the strands they are in."""
        for finding in findings:
            self._note(Suspicion("strand", strands[finding.ids[0]], finding))

    def _note(self, one: Suspicion) -> None:
        key = (one.kind, one.subject)
        if not self._looks or (key not in self._suspicions and len(self._suspicions) >= SUSPICIONS):
            self.report.add(one.finding)
        else:
            self._suspicions.setdefault(key, set()).add(one.finding)

    async def _look_again(self) -> None:
        """Report what is found twice in the same words; numbers that moved in between are work in progress."""
        for number in range(self._looks):
            if not self._suspicions:
                return
            await self._ledger.rest(self._patience, batches=not number)
            await self._ledger.follow()
            before, self._suspicions = self._suspicions, {}
            for (kind, subject), findings in before.items():
                again = set(await self._subjects.look(kind, subject))
                for finding in sorted(again & findings, key=lambda one: (one.invariant, one.what, one.ids)):
                    self.report.add(finding)
                if again - findings and not again & findings:
                    self._suspicions[kind, subject] = again
        if self._suspicions:
            self.report.leave("changed at every look: try again when less is going on", len(self._suspicions))


async def check(store: ConversationStore, log: EventLog | None, policies: Policies, tenant: str = "") -> Report:
    """A store at rest, whole: for the end of a test."""
    ledger = Ledger(log)
    try:
        return await Verification(store, ledger, policies, Extent(tenant=tenant), looks=0).run()
    finally:
        ledger.close()
