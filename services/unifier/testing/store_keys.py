"""The contract of the conversation store: keys elect, clocks widen, identities are met. It knows no adapter."""
# ruff: noqa: D102  # a test's name is its sentence

import asyncio
import uuid
from collections.abc import Callable
from contextlib import AsyncExitStack
from itertools import pairwise

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unifier.links import Profile
from unifier.model import Clock, ClockClaim, ClockId, Span
from unifier.store.port import ConversationStore, Found
from unifier.testing.samples import fill, identity, lean

NewStore = Callable[[], ConversationStore]

SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]
"""Examples share a store on purpose, and adapters these tests: each example works on names of its own."""

_claims = st.lists(
    st.tuples(st.sampled_from(["acme/cnv_1", "acme/cnv_2", "acme/cnv_3"]), st.integers(-(2**40), 2**40), st.booleans()),
    max_size=12,
)


class KeysContract:
    """The first claim decides, whoever makes it."""

    async def test_the_first_claim_of_a_key_stays(self, store: ConversationStore) -> None:
        await store.claim({"acme/idn_1/mid/a": "acme/cnv_1", "acme/idn_1/mid/b": "acme/cnv_1"}, [], [])
        await store.claim({"acme/idn_1/mid/b": "acme/cnv_2", "acme/idn_1/mid/c": "acme/cnv_2"}, [], [])
        asked = [f"acme/idn_1/mid/{name}" for name in "abcd"]
        assert await store.keys(asked) == dict(
            zip(asked, ["acme/cnv_1", "acme/cnv_1", "acme/cnv_2"], strict=False)
        )  # fmt: skip
        assert await store.keys([]) == {}

    async def test_the_latest_move_of_a_key_stays(self, store: ConversationStore) -> None:
        await store.claim({"acme/idn_1/mid/a": "acme/cnv_1", "acme/idn_1/mid/b": "acme/cnv_1"}, [], [])
        for at, strand in ((5, "acme/cnv_5"), (9, "acme/cnv_9"), (7, "acme/cnv_7"), (9, "acme/cnv_late")):
            await store.move_keys({"acme/idn_1/mid/a": strand, "acme/idn_1/mid/absent": strand}, at)
        await store.claim({"acme/idn_1/mid/a": "acme/cnv_2"}, [], [])
        asked = [f"acme/idn_1/mid/{name}" for name in ("a", "b", "absent")]
        assert await store.keys(asked) == {asked[0]: "acme/cnv_9", asked[1]: "acme/cnv_1"}
        await store.move_keys({}, 1)

    async def test_an_election_of_many_workers_has_one_winner(self, new_store: NewStore) -> None:
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(new_store()) for _ in range(6)]
            await stores[0].create_indexes()
            keys = [f"acme/idn_1/mid/{number}" for number in range(5)]
            clocks = [ClockId("acme/idn_1", 1000, bucket) for bucket in range(5)]

            async def elect(who: int, store: ConversationStore) -> tuple[dict[str, str], dict[ClockId, Clock]]:
                mine = f"acme/cnv_{who}"
                claims = [ClockClaim(clock, mine, clock.bucket * 1000 + who, free=True) for clock in clocks]
                await store.claim(dict.fromkeys(keys, mine), claims, [identity("acme", "mia", since=who)])
                return await store.keys(keys), await store.clocks(clocks)

            seen = await asyncio.gather(*(elect(who, store) for who, store in enumerate(stores)))
            assert all(found == seen[0][0] and len(found) == 5 for found, _ in seen)
            winners = [{clock: one.strand for clock, one in found.items()} for _, found in seen]
            assert all(found == winners[0] and len(found) == 5 for found in winners)
            final = await stores[0].clocks(clocks)
            assert all(one.free == Span(at.bucket * 1000, at.bucket * 1000 + 5) for at, one in final.items())
            assert len(await stores[0].identities(["acme/idn_mia"])) == 1

    async def test_a_clock_that_was_only_seen_elects_later(self, store: ConversationStore) -> None:
        clock = ClockId("acme/idn_1", 1000, 5)
        await store.claim({}, [ClockClaim(clock, "acme/cnv_1", 5100, free=False)], [])
        assert await store.clocks([clock]) == {clock: Clock(None, None, {"acme/cnv_1": Span(5100, 5100)})}
        await store.claim({}, [ClockClaim(clock, "acme/cnv_2", 5200, free=True)], [])
        await store.claim({}, [ClockClaim(clock, "acme/cnv_3", 5050, free=True)], [])
        expected = Clock("acme/cnv_2", Span(5050, 5200), {"acme/cnv_1": Span(5100, 5100)})
        assert await store.clocks([clock, ClockId("acme/idn_1", 1000, 6)]) == {clock: expected}
        assert await store.clocks([]) == {}

    async def test_clocks_differ_by_owner_window_bucket_and_grouping(self, store: ConversationStore) -> None:
        ids = [
            ClockId("acme/idn_1", 1000, 5),
            ClockId("acme/idn_1", 1000, 5, "threads"),
            ClockId("acme/idn_1", 1000, -5),
            ClockId("acme/idn_1", 100, 5),
            ClockId("acme/idn_10", 1000, 5),
        ]
        await store.claim({}, [ClockClaim(one, f"acme/cnv_{n}", n, free=True) for n, one in enumerate(ids)], [])
        found = await store.clocks(ids)
        assert [found[one].strand for one in ids] == [f"acme/cnv_{n}" for n in range(5)]

    @settings(max_examples=25, deadline=None, suppress_health_check=SHARED)
    @given(claims=_claims, cuts=st.lists(st.integers(0, 12), max_size=3))
    async def test_spans_widen_in_any_order(
        self, store: ConversationStore, claims: list[tuple[str, int, bool]], cuts: list[int]
    ) -> None:
        clock = ClockId(f"acme/idn_{uuid.uuid4().hex}", 1000, 7)
        calls = [ClockClaim(clock, strand, at, free) for strand, at, free in claims]
        edges = [0, *sorted(cuts), len(calls)]
        for begin, end in pairwise(edges):
            await store.claim({}, calls[begin:end], [])
        free = [call for call in calls if call.free]
        times: dict[str, list[int]] = {}
        for call in calls:
            if not call.free:
                times.setdefault(call.strand, []).append(call.at)
        span = Span(min(call.at for call in free), max(call.at for call in free)) if free else None
        seen = {strand: Span(min(every), max(every)) for strand, every in times.items()}
        expected = {clock: Clock(free[0].strand if free else None, span, seen)} if calls else {}
        assert await store.clocks([clock]) == expected

    async def test_an_owners_keys_are_walked_in_order(self, store: ConversationStore) -> None:
        names = ["mid/a", "mid/b", "thread/1", "mid/a/2", "mid/ü"]
        keys = {f"acme/idn_1/{name}": f"acme/cnv_{name[-1]}" for name in names}
        others = ["acme/idn_10/mid/a", "acme/idn_0/mid/a", "acme/idn_1", "acmes/idn_1/mid/a", "acme/idn_1#/x"]
        await store.claim(keys | dict.fromkeys(others, "acme/cnv_x"), [], [])
        await store.claim({}, [ClockClaim(ClockId("acme/idn_1", 1000, 1), "acme/cnv_1", 1000, free=True)], [])
        assert await store.owned_keys("acme/idn_1") == sorted(keys.items())
        walked: list[tuple[str, str]] = []
        while page := await store.owned_keys("acme/idn_1", after=walked[-1][0] if walked else "", limit=2):
            walked += page
        assert walked == sorted(keys.items())

    async def test_an_owners_clocks_are_walked_in_order(self, store: ConversationStore) -> None:
        ids = [ClockId("acme/idn_1", window, bucket, grouping)
               for window in (900, 72 * 3_600_000) for bucket in (-3, 0, 9, 10, 2_000_000_000)
               for grouping in ("episodes", "threads")]  # fmt: skip
        claims = [ClockClaim(one, f"acme/cnv_{n % 3}", n, free=n % 2 == 0) for n, one in enumerate(ids)]
        more = [ClockClaim(one, f"acme/cnv_more{n % 3}", 7, free=False) for n, one in enumerate(ids)]
        other = ClockClaim(ClockId("acme/idn_10", 900, 5), "acme/cnv_x", 5, free=True)
        await store.claim({"acme/idn_1/mid/a": "acme/cnv_x"}, [*reversed(claims), *more, other], [])
        whole = await store.owned_clocks("acme/idn_1")
        assert [one for one, _ in whole] == sorted(ids)
        assert dict(whole) == await store.clocks(ids)
        walked: list[tuple[ClockId, Clock]] = []
        while page := await store.owned_clocks("acme/idn_1", after=walked[-1][0] if walked else None, limit=3):
            walked += page
        assert walked == whole

    # --- identities ------------------------------------------------------------------------------------------------

    async def test_an_identity_is_inserted_once(self, store: ConversationStore) -> None:
        profile = Profile(at=5, name="Mia Lang \U0001f600", locale="de")
        first = identity("acme", "mia", since=10, evidence=("dmarc",), profile=profile)
        await store.claim({}, [], [first, identity("acme", "tom")])
        await store.claim({}, [], [identity("acme", "mia", since=3, customer="acme/idn_other")])
        assert await store.identities(["acme/idn_mia", "acme/idn_absent"]) == {"acme/idn_mia": first}
        assert await store.identities([]) == {}

    async def test_identities_are_found_by_customer(self, store: ConversationStore) -> None:
        every = [identity("acme", name, since=since) for since, name in enumerate("cab")]
        await store.claim({}, [], every)
        await store.set_customers({one.id: "acme/idn_c" for one in every[:2]} | {"acme/idn_absent": "acme/idn_c"})
        found = await store.customers(["acme/idn_c", "acme/idn_b", "acme/idn_a"])
        assert {root: [one.id for one in members] for root, members in found.items()} == {
            "acme/idn_c": ["acme/idn_c", "acme/idn_a"],
            "acme/idn_b": ["acme/idn_b"],
        }
        await store.set_customers({})
        assert await store.customers([]) == {}

    @settings(max_examples=15, deadline=None, suppress_health_check=SHARED)
    @given(notes=st.permutations([0, 3, 5, 9]), kinds=st.permutations(["dmarc", "form", "provider"]))
    async def test_profiles_and_evidence_are_the_same_in_any_order(
        self, store: ConversationStore, notes: list[int], kinds: list[str]
    ) -> None:
        name = uuid.uuid4().hex
        one = identity("acme", name, evidence=("form",))
        await store.claim({}, [], [one])
        for at in notes:
            profiles = dict.fromkeys([one.id, "acme/idn_absent"], Profile(at=at, name=f"at {at}"))
            await store.note_identities(profiles, {})
        for kind in kinds:
            await store.note_identities({}, {one.id: [kind, "form"], "acme/idn_absent": [kind]})
        expected = msgspec.structs.replace(
            one, profile=Profile(at=9, name="at 9", times={"name": 9}), evidence=("dmarc", "form", "provider")
        )
        assert await store.identities([one.id, "acme/idn_absent"]) == {one.id: expected}

    async def test_of_words_of_the_same_time_the_last_counts(self, store: ConversationStore) -> None:
        one = identity("acme", "mia", profile=Profile(at=5, name="old", locale="de").told_at())
        await store.claim({}, [], [one])
        await store.note_identities({one.id: Profile(at=5, name="new")}, {})
        expected = Profile(at=5, name="new", locale="de").told_at()
        assert (await store.identities([one.id]))[one.id].profile == expected

    @settings(max_examples=15, deadline=None, suppress_health_check=SHARED)
    @given(
        order=st.permutations(
            [
                Profile(at=3, name="Mia", username="mia"),
                Profile(at=5, name="Mia Lang", locale="de", timezone="Europe/Berlin"),
                Profile(at=7, username="mialang", kind="bot"),
                Profile(at=9, name="Mia L."),
            ]
        )
    )
    async def test_of_each_field_the_latest_word_counts(self, store: ConversationStore, order: list[Profile]) -> None:
        one = identity("acme", uuid.uuid4().hex)
        await store.claim({}, [], [one])
        for profile in order:
            await store.note_identities({one.id: profile}, {})
        found = (await store.identities([one.id]))[one.id].profile
        times = {"name": 9, "username": 7, "kind": 7, "locale": 5, "timezone": 5}
        assert found == Profile(
            at=9, name="Mia L.", username="mialang", kind="bot", locale="de", timezone="Europe/Berlin", times=times
        )

    async def test_an_address_takes_the_place_of_a_mere_id(self, store: ConversationStore) -> None:
        mia, tom = identity("acme", "mia"), identity("acme", "tom")
        told = msgspec.structs.replace(mia, type="idn", scope="s", value="idn_mia", since=3, evidence=("link_nonce",))
        await store.claim({}, [], [told, tom])
        for value in ("mia@example.com", "another@example.com"):
            named = [msgspec.structs.replace(one, value=value, since=9, customer=tom.id) for one in (mia, tom)]
            await store.reveal([*named, identity("acme", "absent")])
        revealed = msgspec.structs.replace(told, type="email", scope="", value="mia@example.com")
        found = await store.identities([mia.id, tom.id, "acme/idn_absent"])
        assert found == {mia.id: revealed, tom.id: tom}
        await store.reveal([])

    # --- looking at once -------------------------------------------------------------------------------------------

    async def test_revisions_of_those_named_grow(self, store: ConversationStore) -> None:
        people = [f"acme/idn_{number}" for number in range(20)] + ["other/idn_1", "acme/idn_1/x"]
        assert await store.revisions(people) == dict.fromkeys(people, 0)
        await store.revise(["acme/idn_1", "other/idn_1"])
        await store.revise(["acme/idn_1"])
        found = await store.revisions(people)
        assert (found["acme/idn_1"], found["other/idn_1"]) == (2, 1)
        assert sum(found.values()) < 10  # few share the same
        await store.revise([])
        assert await store.revisions([]) == {}

    async def test_revisions_of_many_workers_grow_by_each(self, new_store: NewStore) -> None:
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(new_store()) for _ in range(6)]
            await stores[0].create_indexes()
            await asyncio.gather(*(one.revise(["acme/idn_1", "b/idn_1"]) for one in stores))
            assert await stores[0].revisions(["acme/idn_1", "b/idn_1"]) == {"acme/idn_1": 6, "b/idn_1": 6}

    async def test_neighbouring_clocks_are_found_too(self, store: ConversationStore) -> None:
        beside = [ClockId("acme/idn_1", 1000, bucket) for bucket in (-17, -16, -1, 0, 1, 15, 16, 17)]
        strangers = [ClockId("acme/idn_1", 1000, 0, "threads"), ClockId("acme/idn_1", 900, 0)]
        claims = [ClockClaim(one, f"acme/cnv_{n}", n, free=True) for n, one in enumerate([*beside, *strangers])]
        await store.claim({}, claims, [])
        for asked, expected in ((-16, {-17, -16}), (0, {-1, 0, 1}), (15, {15, 16}), (2, {1}), (3, set()), (18, {17})):
            found = await store.clocks([ClockId("acme/idn_1", 1000, asked)])
            assert {one.bucket for one in found} == expected
            assert found.keys() <= set(beside)

    async def test_a_look_finds_everything_at_once(self, store: ConversationStore) -> None:
        clock, [stored] = ClockId("acme/idn_1", 1000, 5), await fill(store.insert, "acme/cnv_1", 1)
        await store.claim({"acme/idn_1/mid/a": "acme/cnv_1"}, [ClockClaim(clock, "acme/cnv_1", 5100, free=True)], [])
        await store.revise(["acme/idn_1"])
        found = await store.look([stored.id, "acme/evt_absent"], ["acme/idn_1/mid/a"], [clock], ["acme/idn_1"])
        assert found.entries == {stored.id: lean(stored)}
        assert found.keys == {"acme/idn_1/mid/a": "acme/cnv_1"}
        assert found.clocks == {clock: Clock("acme/cnv_1", Span(5100, 5100))}
        assert (found.revisions, found.epoch) == ({"acme/idn_1": 1}, 1)
        assert await store.look([], [], [], []) == Found({}, {}, {}, {}, 0)
