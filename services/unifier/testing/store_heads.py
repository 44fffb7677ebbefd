"""The contract of the conversation store: heads are folded once, and listed in two orders. It knows no adapter."""
# ruff: noqa: D102  # a test's name is its sentence

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Literal

import msgspec
import pytest

from unifier.model import Head, HeadFilter, Participant, Tail
from unifier.store.port import ConversationStore, Position
from unifier.testing.samples import entry, fill, head, lean

NewStore = Callable[[], ConversationStore]

ALL = HeadFilter()


async def pages(
    store: ConversationStore, tenant: str, order: Literal["active", "created"], limit: int, only: HeadFilter = ALL
) -> list[str]:
    """The names of all heads of a list, page by page."""
    found: list[Head] = []
    after: Position | None = None
    while page := await store.list_heads(tenant, order, after, limit, only):
        assert len(page) <= limit
        found += page
        after = Position(page[-1].last_at if order == "active" else 0, page[-1].id)
    return [one.id.partition("cnv_")[2] for one in found]


class HeadsContract:
    """A head is what its entries say."""

    async def test_a_head_comes_back_as_it_was(self, store: ConversationStore) -> None:
        rich = head(
            "acme/cnv_1", 3, root="acme/cnv_0", identity="acme/idn_mia", created_at=5, waiting_since=7,
            subject="Kettle \U0001f600", status="resolved", networks=("email", "whatsapp"), channel_ids=("chn_1",),
            place_kinds=("mailbox",), participants=(Participant(identity="acme/idn_mia", role="customer"),), published=2,
        )  # fmt: skip
        assert await store.fold([(rich, 0)]) == {rich.id}
        assert await store.heads([rich.id, "acme/cnv_absent"]) == {rich.id: rich}
        assert await store.heads([]) == {}
        bare = Head(id=rich.id, root=rich.id, through=4)
        assert await store.fold([(bare, 3)]) == {rich.id}  # what is as by default now is set back too
        assert await store.heads([rich.id]) == {rich.id: msgspec.structs.replace(bare, published=2)}

    async def test_a_fold_needs_the_number_that_was_read(self, store: ConversationStore) -> None:
        assert await store.fold([(head("acme/cnv_1", 2), 1)]) == set()
        assert await store.heads(["acme/cnv_1"]) == {}
        assert await store.fold([(head("acme/cnv_1", 2), 0), (head("acme/cnv_2", 5), 0)]) == {
            "acme/cnv_1",
            "acme/cnv_2",
        }
        mixed = [
            (head("acme/cnv_1", 3), 2),
            (head("acme/cnv_2", 6), 4),
            (head("acme/cnv_3", 1), 0),
            (head("acme/cnv_4", 9), 8),
        ]
        assert await store.fold(mixed) == {"acme/cnv_1", "acme/cnv_3"}
        found = await store.heads([f"acme/cnv_{number}" for number in range(1, 5)])
        assert {one.id[-1]: one.through for one in found.values()} == {"1": 3, "2": 5, "3": 1}
        assert await store.fold([(head("acme/cnv_1", 9), 0)]) == set()
        assert await store.fold([]) == set()

    async def test_of_many_folds_at_once_one_is_written(self, new_store: NewStore) -> None:
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(new_store()) for _ in range(5)]
            await stores[0].create_indexes()
            for expected in range(4):
                folds = [
                    [(head(f"acme/cnv_{n}", expected + 1, subject=f"{who}"), expected) for n in range(3)]
                    for who in range(5)
                ]
                won = await asyncio.gather(*(store.fold(fold) for store, fold in zip(stores, folds, strict=True)))
                found = await stores[0].heads([f"acme/cnv_{n}" for n in range(3)])
                for strand, one in found.items():
                    assert [who for who, ids in enumerate(won) if strand in ids] == [int(one.subject)]

    async def test_published_only_rises_and_outlives_folds(self, store: ConversationStore) -> None:
        await store.fold([(head("acme/cnv_1", 2), 0)])
        for seq in (2, 1):
            await store.published({"acme/cnv_1": seq, "acme/cnv_absent": 5})
            assert (await store.heads(["acme/cnv_1"]))["acme/cnv_1"].published == 2
        await store.fold([(head("acme/cnv_1", 3, published=0), 2)])
        assert (await store.heads(["acme/cnv_1"]))["acme/cnv_1"].published == 2
        await store.fold([(head("acme/cnv_1", 4, published=3), 3)])
        assert (await store.heads(["acme/cnv_1"]))["acme/cnv_1"].published == 3
        await store.fold([(head("acme/cnv_1", 9, published=9), 3)])  # it is not written
        assert (await store.heads(["acme/cnv_1"]))["acme/cnv_1"].published == 3
        assert await store.heads(["acme/cnv_absent"]) == {}
        await store.published({})

    async def test_a_tail_is_a_head_and_what_it_does_not_know(self, store: ConversationStore) -> None:
        first = await fill(store.insert, "acme/cnv_1", 4)
        second = await fill(store.insert, "acme/cnv_2", 2)
        await store.fold([(head("acme/cnv_1", 3), 0), (head("acme/cnv_3", 1), 0)])
        tails = await store.tails(["acme/cnv_1", "acme/cnv_2", "acme/cnv_3", "acme/cnv_absent"])
        assert tails == {
            "acme/cnv_1": Tail(head("acme/cnv_1", 3), [lean(first[3])]),
            "acme/cnv_2": Tail(None, [lean(one) for one in second]),
            "acme/cnv_3": Tail(head("acme/cnv_3", 1), []),
            "acme/cnv_absent": Tail(None, []),
        }
        assert await store.tails([]) == {}

    async def test_strands_are_found_by_their_root(self, store: ConversationStore) -> None:
        await store.fold([(head(f"acme/cnv_{n}", 1, root=f"acme/cnv_{n % 2}"), 0) for n in range(4)])
        found = await store.strands_of(["acme/cnv_1", "acme/cnv_absent"])
        assert [one.id for one in found] == ["acme/cnv_1", "acme/cnv_3"]
        assert len(await store.strands_of(["acme/cnv_1", "acme/cnv_0"])) == 4
        assert await store.strands_of([]) == []

    @pytest.mark.parametrize("limit", [1, 2, 100])
    async def test_heads_are_listed_by_activity_and_by_age(self, store: ConversationStore, limit: int) -> None:
        times = {"a": 30, "b": 10, "c": 20, "d": 20, "e": 20}
        await store.fold([(head(f"acme/cnv_{name}", 1, last_at=at), 0) for name, at in times.items()])
        await store.fold([(head("acme/cnv_silent", 1, message_count=0, talk_count=0), 0)])
        assert await pages(store, "acme", "active", limit) == ["a", "e", "d", "c", "b"]
        assert await pages(store, "acme", "created", limit) == ["a", "b", "c", "d", "e"]
        assert await store.list_heads("acme", "active", None, 0, ALL) == []

    async def test_a_list_is_filtered(self, store: ConversationStore) -> None:
        for number, (channels, networks, who) in enumerate(
            [
                (("x",), ("email",), "mia"),
                (("x", "y"), ("email", "sms"), "tom"),
                (("y",), ("sms",), "mia"),
                ((), (), ""),
            ]
        ):
            one = head(
                f"acme/cnv_{number}", 1, last_at=number * 10, channel_ids=channels, networks=networks,
                identity=f"acme/idn_{who}" if who else "",
            )  # fmt: skip
            await store.fold([(one, 0)])
        for only, expected in (
            (HeadFilter(channel_id="x"), "01"),
            (HeadFilter(network="sms"), "12"),
            (HeadFilter(channel_id="x", network="sms"), "1"),
            (HeadFilter(channel_id="xy"), ""),
            (HeadFilter(identities=("acme/idn_mia", "acme/idn_absent")), "02"),
            (HeadFilter(identities=()), ""),
            (HeadFilter(active_from=10), "123"),
            (HeadFilter(active_until=10), "0"),
            (HeadFilter(active_from=10, active_until=30, identities=("acme/idn_tom", "acme/idn_mia")), "12"),
        ):
            for limit in (1, 10):
                assert await pages(store, "acme", "created", limit, only) == list(expected), only
                assert await pages(store, "acme", "active", limit, only) == list(reversed(expected)), only

    async def test_tenants_never_meet(self, store: ConversationStore) -> None:
        tenants = ("a", "ab", "b", "a.b", "A")
        for tenant in tenants:
            await store.fold([(head(f"{tenant}/cnv_{name}", 1, identity=f"{tenant}/idn_x"), 0) for name in "xy"])
            await store.insert([entry(f"{tenant}/cnv_x", 1)])
        for tenant in tenants:
            for order in ("active", "created"):
                found = await store.list_heads(tenant, order, None, 100, ALL)
                assert {one.id for one in found} == {f"{tenant}/cnv_x", f"{tenant}/cnv_y"}
                # A cursor of another tenant, were it ever let in, opens nothing either.
                for place in (Position(0, "A/cnv_x"), Position(2**60, "a/cnv_x")):
                    strange = await store.list_heads(tenant, order, place, 100, ALL)
                    assert all(one.id.startswith(f"{tenant}/") for one in strange)
            foreign = HeadFilter(identities=tuple(f"{other}/idn_x" for other in tenants if other != tenant))
            assert await store.list_heads(tenant, "active", None, 100, foreign) == []
            assert await store.list_heads(tenant, "created", None, 100, foreign) == []
            assert [one.id for one in await store.run(f"{tenant}/cnv_x", 0, 9)] == [f"{tenant}/evt_x_1"]
