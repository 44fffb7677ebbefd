"""The contract of the conversation store: links, whose state is the same in any order of arrival. It knows no adapter."""
# ruff: noqa: D102  # a test's name is its sentence

import asyncio
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from onethread.event import By
from unifier.links import Evidence, Link, LinkWish, Opinion
from unifier.store.port import ConversationStore
from unifier.testing.samples import wish
from unifier.testing.store_keys import SHARED

NewStore = Callable[[], ConversationStore]

NEEDS = ("acme/idn_a", "acme/idn_b")

_steps = st.lists(
    st.one_of(
        st.tuples(st.just("wish"), st.sampled_from(["thread", "idle_window", "named"])),
        st.tuples(st.sampled_from(["auto", "together", "apart"]), st.integers(1, 4)),
    ),
    max_size=8,
)


def without_rev(link: Link) -> Link:
    """A link but for what counts its changes."""
    return msgspec.structs.replace(link, rev=0, settled=False)


def opinion(like: LinkWish, state: object, at: int) -> Opinion:
    """A person's word. Who said it follows from the rest, so that equal times are equal words."""
    states = {"auto": "auto", "together": "together", "apart": "apart"}
    return msgspec.convert((like.id, like.kind, like.ends, states[str(state)], at, {"agent": f"{state} {at}"}), Opinion)


class LinksContract:
    """A link gathers reasons and opinions."""

    async def test_a_wish_is_idempotent(self, store: ConversationStore) -> None:
        wanted = wish("acme", "1", "2", needs=NEEDS, matched="a@example.com", entry_id="acme/evt_1", at=7)
        expected = Link(id=wanted.id, kind="strand", ends=wanted.ends, evidence=(wanted.evidence,))
        for _ in range(3):
            await store.wish([wanted, wanted])
            assert await store.links([wanted.id, "acme/lnk_absent"]) == {wanted.id: expected}
        # The same reason found again, elsewhere and later, is no new one.
        await store.wish([wish("acme", "1", "2", needs=NEEDS[::-1], matched="other", at=9)])
        assert await store.links([wanted.id]) == {wanted.id: expected}
        assert await store.links([]) == {}
        await store.wish([])

    async def test_a_new_reason_unsettles_and_an_old_one_does_not(self, store: ConversationStore) -> None:
        first, second = wish("acme", "1", "2"), wish("acme", "1", "2", needs=NEEDS)
        await store.wish([first])
        await store.settled({first.id: 1, "acme/lnk_absent": 1})
        await store.wish([first])
        link = (await store.links([first.id]))[first.id]
        assert (link.settled, link.rev) == (True, 1)
        await store.wish([first, second])
        link = (await store.links([first.id]))[first.id]
        assert (link.settled, link.rev, len(link.evidence)) == (False, 2, 2)

    async def test_settled_needs_the_rev_that_was_read(self, store: ConversationStore) -> None:
        wanted = wish("acme", "1", "2")
        await store.wish([wanted])
        await store.opine([opinion(wanted, "together", 5)])
        await store.settled({wanted.id: 1})
        assert not (await store.links([wanted.id]))[wanted.id].settled
        await store.settled({wanted.id: 2})
        link = (await store.links([wanted.id]))[wanted.id]
        assert (link.settled, link.rev) == (True, 2)
        await store.settled({})

    async def test_an_opinion_stands_against_reasons_and_older_opinions(self, store: ConversationStore) -> None:
        wanted = wish("acme", "1", "2")
        said = Opinion(wanted.id, wanted.kind, wanted.ends, "apart", 5, By(key_id="key_1", agent="a7"))
        await store.opine([said])  # a person may be first
        await store.wish([wanted])
        await store.opine([opinion(wanted, "together", 4), opinion(wanted, "together", 5)])
        link = (await store.links([wanted.id]))[wanted.id]
        expected = Link(
            id=wanted.id, kind="strand", ends=wanted.ends, state="apart", at=5, by=said.by, evidence=(wanted.evidence,),
            rev=2,
        )  # fmt: skip
        assert link == expected
        await store.opine([])

    @settings(max_examples=25, deadline=None, suppress_health_check=SHARED)
    @given(data=st.data(), steps=_steps)
    async def test_reasons_and_opinions_give_the_same_link_in_any_order(
        self, store: ConversationStore, data: st.DataObject, steps: list[tuple[str, object]]
    ) -> None:
        # Two opinions of one time that differ have no order; the log gives each command a time of its own.
        by_time = {at: (state, at) for state, at in steps if state != "wish"}
        steps = [step for step in steps if step[0] == "wish"] + list(by_time.values())
        links = []
        for order in (steps, data.draw(st.permutations(steps))):
            name = uuid.uuid4().hex
            for what, value in order:
                wanted = wish("acme", "1", name, rule=str(value))
                if what == "wish":
                    await store.wish([wanted])
                else:
                    assert isinstance(value, int)
                    await store.opine([opinion(wanted, what, value)])
            found = await store.links([f"acme/lnk_1_{name}"])
            links += [without_rev(msgspec.structs.replace(link, id="", ends=("", ""))) for link in found.values()]
        assert len(links) in ((2,) if steps else (0,))
        assert all(link == links[0] for link in links)

    async def test_reasons_of_many_workers_are_all_kept(self, new_store: NewStore) -> None:
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(new_store()) for _ in range(6)]
            await stores[0].create_indexes()
            rules = [f"rule_{who}" for who in range(6)]
            said = opinion(wish("acme", "1", "2"), "apart", 5)
            work = [store.wish([wish("acme", "1", "2", rule=rule)]) for store, rule in zip(stores, rules, strict=True)]
            await asyncio.gather(*work, *(store.opine([said]) for store in stores))
            link = (await stores[0].links([said.id]))[said.id]
            assert [reason.rule for reason in link.evidence] == rules
            assert (link.state, link.rev) == ("apart", 7)

    async def test_links_are_found_by_their_ends(self, store: ConversationStore) -> None:
        await store.wish([wish("acme", "1", "2"), wish("acme", "2", "3"), wish("acme", "4", "5")])
        await store.opine([opinion(wish("acme", "2", "6"), "apart", 1)])
        found = await store.links_at(["acme/cnv_2", "acme/cnv_3"])
        assert [link.id for link in found] == ["acme/lnk_1_2", "acme/lnk_2_3", "acme/lnk_2_6"]
        assert await store.links_at(["acme/cnv_9"]) == []
        assert await store.links_at([]) == []

    async def test_links_are_found_by_what_their_reasons_need(self, store: ConversationStore) -> None:
        await store.wish([wish("acme", "1", "2"), wish("acme", "2", "3", needs=NEEDS)])
        await store.wish([wish("acme", "1", "2", rule="idle_window", needs=("acme/idn_b", "acme/idn_c"))])
        assert [link.id for link in await store.links_needing(["acme/idn_a"])] == ["acme/lnk_2_3"]
        found = await store.links_needing(["acme/idn_a", "acme/idn_b", "acme/idn_c"])
        assert [link.id for link in found] == ["acme/lnk_1_2", "acme/lnk_2_3"]
        assert found[0].evidence == (
            Evidence(rule="idle_window", needs=("acme/idn_b", "acme/idn_c")),
            Evidence(rule="shared_reference"),
        )
        assert await store.links_needing(["acme/idn_z"]) == []
        assert await store.links_needing([]) == []
