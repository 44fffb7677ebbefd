"""The contract of the conversation store: scans in order of ids, and repairs. It knows no adapter."""
# ruff: noqa: D102  # a test's name is its sentence

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from unifier.links import Link
from unifier.model import ClockClaim, ClockId, Head
from unifier.store.audit import Audit, Claim, Place
from unifier.store.port import ConversationStore
from unifier.testing.samples import entry, head, identity, lean, wish

T = TypeVar("T", Head, Link, Claim)

OWNER = "acme/idn_mia"


async def scanned(scan: Callable[[str, str, int], Awaitable[list[T]]], tenant: str, limit: int) -> list[T]:
    """All pages."""
    found: list[T] = []
    while page := await scan(tenant, found[-1].id if found else "", limit):
        assert len(page) <= limit
        found += page
    return found


async def places(audit: Audit, tenant: str, limit: int) -> list[Place]:
    """The places of all entries, page by page."""
    found: list[Place] = []
    while page := await audit.entries_after(tenant, found[-1] if found else Place(), limit):
        assert len(page) <= limit
        found += [Place(one.strand, one.seq) for one in page]
    return found


class AuditContract:
    """Whoever looks at everything sees everything once, and can mend it."""

    async def test_entries_are_scanned_strand_by_strand(self, store: ConversationStore) -> None:
        strands = ["acme/cnv_1", "acme/cnv_2", "acme-2/cnv_1", "acme2/cnv_1"]
        written = [entry(strand, seq) for strand in strands for seq in (1, 2, 3)]
        await store.insert(written)
        for limit in (1, 2, 4, 100):
            assert await places(store.audit, "acme", limit) == [
                Place(strand, seq) for strand in strands[:2] for seq in (1, 2, 3)
            ]
            everything = await places(store.audit, "", limit)
            assert everything == sorted(Place(one.strand, one.seq) for one in written)
        assert await store.audit.entries_after("acme", Place(), 1) == [lean(written[0])]
        assert await store.audit.entries_after("nobody", Place(), 9) == []

    async def test_heads_identities_and_links_are_scanned_in_order(self, store: ConversationStore) -> None:
        for tenant in ("acme", "acme-2", "other"):
            await store.fold([(head(f"{tenant}/cnv_{number}", 1), 0) for number in range(5)])
            await store.claim({}, [], [identity(tenant, name) for name in "abcde"])
            await store.wish([wish(tenant, "0", str(number)) for number in range(1, 6)])
        for limit in (2, 100):
            heads = await scanned(store.audit.heads_after, "acme", limit)
            assert [one.id for one in heads] == [f"acme/cnv_{number}" for number in range(5)]
            links = await scanned(store.audit.links_after, "acme", limit)
            assert [one.id for one in links] == [f"acme/lnk_0_{number}" for number in range(1, 6)]
            assert len(await scanned(store.audit.heads_after, "", limit)) == 15
        people = await store.audit.identities_after("acme", "acme/idn_b", 2)
        assert people == [identity("acme", "c"), identity("acme", "d")]

    async def test_keys_and_clocks_are_scanned_with_the_strands_they_name(self, store: ConversationStore) -> None:
        clocks = [
            ClockClaim(ClockId(OWNER, 10, bucket), f"acme/cnv_{bucket}", bucket * 10, free=bucket < 3)
            for bucket in range(5)
        ]
        keys = {f"{OWNER}/mid/{number}": "acme/cnv_1" for number in range(5)}
        await store.claim(keys | {"other/id/a": "other/cnv_1"}, clocks, [])
        for limit in (1, 3, 100):
            found = await scanned(store.audit.claims_after, "acme", limit)
            named = sorted(one.strands for one in found)
            assert named == sorted([("acme/cnv_1",)] * 5 + [(claim.strand,) for claim in clocks])
            assert {one.owner for one in found} == {OWNER, *keys}
            assert len(await scanned(store.audit.claims_after, "", limit)) == 11
        await store.audit.drop("claims", [one.id for one in found if "acme/cnv_1" in one.strands])
        assert await store.keys(keys) == {}
        assert len(await scanned(store.audit.claims_after, "", 100)) == 5
        assert ClockId(OWNER, 10, 1) not in await store.clocks([ClockId(OWNER, 10, 1)])

    async def test_an_epoch_only_rises(self, store: ConversationStore) -> None:
        for asked, then in ((3, 3), (2, 3), (4, 4)):
            await store.audit.set_epoch(asked)
            assert await store.epoch() == then

    async def test_heads_are_written_whole(self, store: ConversationStore) -> None:
        await store.fold([(head("acme/cnv_1", 3, published=3), 0)])
        new = [head("acme/cnv_1", 2, subject="Kettle"), head("acme/cnv_2", 1)]
        for _ in range(2):
            await store.audit.put_heads(new)
            assert await store.heads(["acme/cnv_1", "acme/cnv_2"]) == {one.id: one for one in new}
        await store.audit.drop("heads", ["acme/cnv_1"])
        assert (await store.heads(["acme/cnv_1", "acme/cnv_2"])).keys() == {"acme/cnv_2"}
        listed = await store.strands_of(["acme/cnv_2"])
        assert listed == new[1:]

    async def test_entries_are_renumbered_in_the_order_given(self, store: ConversationStore) -> None:
        written = [entry("acme/cnv_1", seq) for seq in (1, 3, 4)]
        await store.insert(written)
        await store.audit.renumber({written[1].id: 2, written[2].id: 3})
        run = await store.run("acme/cnv_1", 0, 10)
        assert run == [lean(msgspec.structs.replace(one, seq=seq)) for seq, one in enumerate(written, 1)]
        whole = await store.whole(written[2].id)
        assert whole == msgspec.structs.replace(written[2], seq=3)
        await store.audit.drop("entries", [written[2].id])
        assert len(await store.run("acme/cnv_1", 0, 10)) == 2

    async def test_links_are_unsettled_and_dropped(self, store: ConversationStore) -> None:
        wishes = [wish("acme", "0", name, needs=("acme/idn_a", "acme/idn_b")) for name in "12"]
        await store.wish(wishes)
        await store.settled({one.id: 1 for one in wishes})
        await store.audit.unsettle([wishes[0].id])
        links = await store.links([one.id for one in wishes])
        assert [links[one.id].settled for one in wishes] == [False, True]
        await store.audit.drop("links", [wishes[0].id])
        assert [one.id for one in await store.links_needing(["acme/idn_a"])] == [wishes[1].id]

    async def test_nothing_is_missing_once_indexes_were_created(self, store: ConversationStore) -> None:
        assert await store.audit.missing_indexes() == []
