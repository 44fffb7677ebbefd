"""The contract of the conversation store: inserting entries, and racing for a place. It knows no adapter."""
# ruff: noqa: D102  # a test's name is its sentence

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec
import pytest

from onethread.event import Body, By, Event, Foreign, Message, Source, Unknown
from unifier.model import EntriesMoved, Entry, Joined, Matched, Moved, Outcome, Placement
from unifier.store.port import ConversationStore
from unifier.testing.samples import MILLISECONDS, entry, event, fill, lean

NewStore = Callable[[], ConversationStore]


def results(outcomes: list[Outcome]) -> list[str]:
    """Only what became of each."""
    return [outcome.result for outcome in outcomes]


class EntriesContract:
    """What is inserted stays; every place has one entry."""

    async def test_an_entry_comes_back_as_it_was(self, store: ConversationStore) -> None:
        rich = entry(
            "acme/cnv_1",
            1,
            target="acme/evt_0",
            sender="acme/idn_mia",
            recipients=("acme/idn_us",),
            stored_at=MILLISECONDS,
            placement=Placement(rule="named", matched=Matched(type="event", value="x", entry_id="e"), key="k"),
        )
        assert await store.insert([rich]) == [Outcome(rich.id, "inserted")]
        assert await store.whole(rich.id) == rich
        assert await store.entries([rich.id, "acme/evt_absent", rich.id]) == {rich.id: lean(rich)}
        assert await store.whole("acme/evt_absent") is None
        assert await store.entries([]) == {}

    @pytest.mark.parametrize(
        "text",
        ["", "\x00\x01\x1f", "مرحبا \u202e", "👩‍👩‍👧 \U0010ffff", '\\" $ne {"$gt": ""} %00 \'; DROP', "x" * 3_000_000],
        ids=["empty", "control", "bidi", "astral", "hostile", "huge"],
    )
    async def test_any_text_comes_back(self, store: ConversationStore, text: str) -> None:
        data = {text[:100] or "empty": [text[:100], {"$set": {"a.b": text[:10]}}], "a.b.c": 1, "$x": 2, "": None}
        happened = Event(
            external_id="x",
            fact=Message(body=Body(text=text), auth_results={"a.b\x00": "$c"}),
            channel_data=data,
            reply_context={"$a.b": "c.d"},
            source=Source(data=b"\xff\x00\xfe", about={"a.b\x00": "c"}),
        )
        one = entry("acme/cnv_1", 1, event=happened)
        await store.insert([one])
        assert await store.whole(one.id) == one
        assert await store.run("acme/cnv_1", 0, 10) == [lean(one)]

    async def test_whole_numbers_of_64_bits_and_fractions_come_back(self, store: ConversationStore) -> None:
        numbers = {"low": -(2**63), "high": 2**63 - 1, "more": 2**64 - 1, "half": 0.5, "tiny": 5e-324, "no": False}
        happened = event("x", channel_data={"numbers": numbers, "deep": deep(150)})
        one = entry("acme/cnv_1", 1, at=2**62, stored_at=2**62, event=happened)
        await store.insert([one])
        assert await store.whole(one.id) == one

    async def test_entries_that_are_no_message_come_back(self, store: ConversationStore) -> None:
        foreign = Foreign("poll.closed", b'{"kind": "poll.closed", "\\u0000": 1e400}')
        happened = event("x")
        entries = [
            entry("acme/cnv_1", 1, kind="joined", event=None, joined=Joined(root="acme/cnv_0", was="acme/cnv_1")),
            entry("acme/cnv_1", 2, kind="moved", event=None, moved_entries=EntriesMoved(
                entry_ids=("acme/evt_1",), source="acme/cnv_1", to="acme/cnv_2", messages=1, by=By(agent="a7"))),
            entry("acme/cnv_1", 3, kind="poll.closed", event=msgspec.structs.replace(happened, fact=foreign)),
            entry("acme/cnv_1", 4, kind="unknown", event=msgspec.structs.replace(happened, fact=Unknown(label="?"))),
        ]  # fmt: skip
        await store.insert(entries)
        assert await store.run("acme/cnv_1", 0, 10) == [lean(one) for one in entries]

    async def test_a_redelivery_finds_its_id_taken(self, store: ConversationStore) -> None:
        entries = await fill(store.insert, "acme/cnv_1", 3)
        assert results(await store.insert(entries)) == ["id_taken", "not_tried", "not_tried"]
        assert results(await store.insert(entries[2:])) == ["id_taken"]
        assert await store.run("acme/cnv_1", 0, 10) == [lean(one) for one in entries]

    async def test_the_same_event_elsewhere_finds_its_id_taken(self, store: ConversationStore) -> None:
        await store.insert([entry("acme/cnv_1", 1, "x")])
        assert results(await store.insert([entry("acme/cnv_2", 1, "x")])) == ["id_taken"]
        assert await store.run("acme/cnv_2", 0, 10) == []

    async def test_a_lost_race_is_told_and_stops_its_own_strand_only(self, store: ConversationStore) -> None:
        await fill(store.insert, "acme/cnv_1", 2)
        outcomes = await store.insert(
            [
                entry("acme/cnv_1", 4, "d"),  # given out of order: seq decides
                entry("acme/cnv_2", 1, "e"),
                entry("acme/cnv_1", 2, "b"),
                entry("acme/cnv_1", 3, "c"),
                entry("acme/cnv_2", 2, "f"),
            ]
        )
        assert results(outcomes) == ["not_tried", "inserted", "seq_taken", "not_tried", "inserted"]
        assert [outcome.id for outcome in outcomes] == [f"acme/evt_{name}" for name in "debcf"]
        assert len(await store.run("acme/cnv_1", 0, 10)) == 2

    async def test_conflicts_behind_the_first_stop_their_strands_only(self, store: ConversationStore) -> None:
        await store.insert([entry("acme/cnv_1", 2, "old")])
        await store.insert([entry("acme/cnv_4", 9, "known")])
        batch = [entry(f"acme/cnv_{strand}", seq, f"{strand}{seq}") for strand in (1, 2, 3) for seq in (1, 2, 3)]
        batch[7] = entry("acme/cnv_3", 2, "known")
        first, second, third = ["inserted", "seq_taken", "not_tried"], ["inserted"] * 3, ["inserted", "id_taken"]
        assert results(await store.insert(batch)) == [*first, *second, *third, "not_tried"]

    async def test_one_id_twice_in_a_batch_is_inserted_once(self, store: ConversationStore) -> None:
        batch = [entry("acme/cnv_1", 1, "x"), entry("acme/cnv_2", 1, "x")]
        assert sorted(results(await store.insert(batch))) == ["id_taken", "inserted"]

    async def test_an_empty_batch_is_none(self, store: ConversationStore) -> None:
        assert await store.insert([]) == []

    async def test_writers_that_race_for_places_leave_no_hole_and_no_double(self, new_store: NewStore) -> None:
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(new_store()) for _ in range(4)]
            await stores[0].create_indexes()
            won = await asyncio.gather(*(append(store, who, 12) for who, store in enumerate(stores)))
            for strand in ("acme/cnv_1", "acme/cnv_2"):
                stored = await stores[0].run(strand, 0, 1000)
                assert [one.seq for one in stored] == list(range(1, len(stored) + 1))
                assert Counter(one.id for one in stored) == Counter(one for ids in won for one in ids[strand])

    async def test_copies_of_one_batch_insert_it_once(self, new_store: NewStore) -> None:
        async with AsyncExitStack() as stack:
            stores = [await stack.enter_async_context(new_store()) for _ in range(4)]
            await stores[0].create_indexes()
            batch = [entry(f"acme/cnv_{strand}", seq) for strand in range(5) for seq in (1, 2, 3)]
            got = await asyncio.gather(*(store.insert(batch) for store in stores))
            for strand in range(5):
                stored = await stores[0].run(f"acme/cnv_{strand}", 0, 10)
                # Each place has one winner; a strand may end early, where every copy met another's entry.
                assert [one.seq for one in stored] == list(range(1, len(stored) + 1))
            inserted = Counter(outcome.id for outcomes in got for outcome in outcomes if outcome.result == "inserted")
            assert set(inserted.values()) == {1}
            assert "seq_taken" not in {outcome.result for outcomes in got for outcome in outcomes}

    async def test_of_moves_the_greatest_time_wins(self, store: ConversationStore) -> None:
        one = (await fill(store.insert, "acme/cnv_1", 1))[0]
        moves = [Moved(to=f"acme/cnv_{at}", at=at, by=By(key_id="key_1", agent="a7")) for at in (5, 9, 7, 9)]
        moves[3] = Moved(to="acme/cnv_late", at=9)  # an equal time changes nothing
        for moved in moves:
            await store.move({one.id: moved, "acme/evt_absent": moved})
        stored = (await store.entries([one.id]))[one.id]
        assert stored.moved == moves[1]
        assert (stored.strand, stored.seq, stored.home) == ("acme/cnv_1", 1, "acme/cnv_9")
        assert await store.whole("acme/evt_absent") is None
        await store.move({})

    async def test_a_run_is_paged_by_seq(self, store: ConversationStore) -> None:
        await fill(store.insert, "acme/cnv_1", 7)
        assert [one.seq for one in await store.run("acme/cnv_1", 0, 3)] == [1, 2, 3]
        assert [one.seq for one in await store.run("acme/cnv_1", 5, 3)] == [6, 7]
        assert await store.run("acme/cnv_1", 7, 3) == []

    async def test_what_is_about_a_message_is_found(self, store: ConversationStore) -> None:
        about = [entry("acme/cnv_1", seq, target=f"acme/evt_{seq % 2}", at=100 - seq) for seq in (1, 2, 3)]
        await store.insert([*about, entry("acme/cnv_1", 4)])
        assert await store.about(["acme/evt_1", "acme/evt_9"]) == [lean(about[2]), lean(about[0])]
        assert len(await store.about(["acme/evt_0", "acme/evt_1"])) == 3
        assert await store.about([""]) == []
        assert await store.about([]) == []

    async def test_what_is_about_a_message_is_found_from_a_time_on(self, store: ConversationStore) -> None:
        about = [entry("acme/cnv_1", seq, target=f"acme/evt_{seq % 2}", at=100 - seq) for seq in (1, 2, 3, 4)]
        await store.insert([*about, entry("acme/cnv_1", 5, at=200)])
        both = ["acme/evt_0", "acme/evt_1"]
        assert await store.about_since(both, 97, 9) == [lean(about[2]), lean(about[1]), lean(about[0])]
        assert await store.about_since(both, 97, 2) == [lean(about[2]), lean(about[1])]
        assert await store.about_since(["acme/evt_0"], 98, 9) == [lean(about[1])]
        assert await store.about_since(both, 100, 9) == []
        assert await store.about_since(both, 0, 0) == []
        assert await store.about_since([""], 0, 9) == []
        assert await store.about_since([], 0, 9) == []


def deep(levels: int) -> list[object]:
    """Lists in lists."""
    inner: list[object] = []
    for _ in range(levels):
        inner = [inner]
    return inner


async def append(store: ConversationStore, who: int, count: int) -> dict[str, list[str]]:
    """Append to two strands, two entries at a time, renumbering what lost; the ids that were inserted."""
    dice = random.Random(who)  # noqa: S311 -- no secret
    won: dict[str, list[str]] = {"acme/cnv_1": [], "acme/cnv_2": []}
    for number in range(0, count, 2):
        wanted = {strand: [f"w{who}_{strand[-1]}_{number + more}" for more in (0, 1)] for strand in won}
        while any(wanted.values()):
            batch: list[Entry] = []
            for strand, names in wanted.items():
                last = len(await store.run(strand, 0, 1000))
                batch += [entry(strand, last + place, name) for place, name in enumerate(names, 1)]
            dice.shuffle(batch)
            for one, outcome in zip(batch, await store.insert(batch), strict=True):
                if outcome.result == "inserted":
                    won[one.strand].append(one.id)
                    wanted[one.strand].remove(one.id.removeprefix("acme/evt_"))
    return won
