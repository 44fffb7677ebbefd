"""The contract of the conversation store: timelines and runs, while others write. It knows no adapter."""
# ruff: noqa: D102  # a test's name is its sentence

import asyncio
from collections.abc import Callable

from unifier.model import Entry, Moved
from unifier.store.port import ConversationStore, Position
from unifier.testing.samples import MILLISECONDS, entry, fill, lean

NewStore = Callable[[], ConversationStore]


async def timeline(
    store: ConversationStore, strands: list[str], limit: int, kinds: list[str] | None = None
) -> list[Entry]:
    """All pages."""
    found: list[Entry] = []
    before: Position | None = None
    while page := await store.timeline(strands, before, limit, kinds):
        assert len(page) <= limit
        found += page
        before = Position(page[-1].at, page[-1].id)
    return found


class ReadingContract:
    """What a reader sees is in order, and once."""

    async def test_a_timeline_is_in_order_of_time_over_all_strands(self, store: ConversationStore) -> None:
        entries = [
            entry(f"acme/cnv_{n % 3}", n // 3 + 1, at=MILLISECONDS - n // 2, kind="message" if n % 4 else "receipt")
            for n in range(18)
        ]
        await store.insert(entries)
        expected = sorted(map(lean, entries), key=lambda one: (one.at, one.id), reverse=True)
        strands = ["acme/cnv_0", "acme/cnv_1", "acme/cnv_2", "acme/cnv_absent"]
        for limit in (1, 4, 100):
            assert await timeline(store, strands, limit) == expected
            messages = [one for one in expected if one.kind == "message"]
            assert await timeline(store, strands, limit, ["message", "call"]) == messages
        one_strand = [one for one in expected if one.strand == "acme/cnv_1"]
        assert await timeline(store, ["acme/cnv_1"], 4) == one_strand
        assert await store.timeline([], None, 10, None) == []
        assert await store.timeline(strands, None, 10, []) == []
        assert await store.timeline(strands, None, 0, None) == []

    async def test_moved_entries_are_read_where_they_were_moved_to(self, store: ConversationStore) -> None:
        entries = await fill(store.insert, "acme/cnv_1", 4)
        moved = [entries[1], entries[2]]
        await store.move({one.id: Moved(to="acme/cnv_2", at=5) for one in moved})
        await store.move({moved[1].id: Moved(to="acme/cnv_1", at=6)})  # and one back
        assert [one.seq for one in await timeline(store, ["acme/cnv_1"], 2)] == [4, 3, 1]
        assert [one.seq for one in await timeline(store, ["acme/cnv_2"], 2)] == [2]
        assert [one.seq for one in await timeline(store, ["acme/cnv_1", "acme/cnv_2"], 2)] == [4, 3, 2, 1]
        # Their place is where it was.
        assert [one.seq for one in await store.run("acme/cnv_1", 0, 9)] == [1, 2, 3, 4]
        assert [one.home for one in await store.run("acme/cnv_1", 1, 2)] == ["acme/cnv_2", "acme/cnv_1"]

    async def test_runs_go_on_after_each_strands_seq(self, store: ConversationStore) -> None:
        entries = [
            entry(f"acme/cnv_{strand}", seq, kind="receipt" if seq == 2 else "message")
            for strand in (2, 1, 3)
            for seq in (1, 2, 3)
        ]
        await store.insert(entries)
        after = {"acme/cnv_2": 1, "acme/cnv_1": 0, "acme/cnv_3": 3, "acme/cnv_absent": 0}
        found = await store.runs(after, 100, None)
        places = [("1", 1), ("1", 2), ("1", 3), ("2", 2), ("2", 3)]
        assert [(one.strand[-1], one.seq) for one in found] == places
        assert await store.runs(after, 4, None) == found[:4]
        messages = await store.runs(after, 100, ["message"])
        assert [(one.strand[-1], one.seq) for one in messages] == [("1", 1), ("1", 3), ("2", 3)]
        assert await store.runs({}, 100, None) == []
        assert await store.runs(after, 0, None) == []

    async def test_a_timeline_paged_while_others_write_has_what_was_there_once(self, new_store: NewStore) -> None:
        async with new_store() as reader, new_store() as writer:
            await reader.create_indexes()
            there = await fill(reader.insert, "acme/cnv_1", 30)
            reading = asyncio.Event()

            async def write() -> None:
                await reading.wait()
                for seq in range(31, 61):
                    await writer.insert([entry("acme/cnv_1", seq, at=MILLISECONDS + 5 * (seq % 13))])

            writing = asyncio.create_task(write())
            found: list[Entry] = []
            before: Position | None = None
            while page := await reader.timeline(["acme/cnv_1"], before, 3, None):
                reading.set()
                found += page
                before = Position(page[-1].at, page[-1].id)
            await writing
            ids = [one.id for one in found]
            assert len(set(ids)) == len(ids)
            assert {one.id for one in there} <= set(ids)
            assert [(one.at, one.id) for one in found] == sorted(((one.at, one.id) for one in found), reverse=True)

    async def test_a_run_read_while_others_write_has_no_hole(self, new_store: NewStore) -> None:
        async with new_store() as reader, new_store() as writer:
            await reader.create_indexes()

            async def write() -> None:
                for begin in range(1, 81, 4):
                    await writer.insert([entry("acme/cnv_1", seq) for seq in range(begin, begin + 4)])

            writing = asyncio.create_task(write())
            found: list[int] = []
            while len(found) < 80:
                found += [one.seq for one in await reader.runs({"acme/cnv_1": len(found)}, 7, None)]
                assert found == list(range(1, len(found) + 1))
            await writing
