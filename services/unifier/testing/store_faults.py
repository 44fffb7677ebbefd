"""The contract of the conversation store: a writer that is killed leaves what can be done again. It knows no adapter."""
# ruff: noqa: D102  # a test's name is its sentence

import asyncio
import multiprocessing
from collections.abc import Callable
from functools import partial
from itertools import count
from multiprocessing.connection import Connection

import msgspec

from unifier.links import Profile
from unifier.model import ClockClaim, ClockId, Entry, Moved
from unifier.store.port import ConversationStore
from unifier.testing.samples import entry, head, identity, wish
from unifier.testing.store_links import opinion

NewStore = Callable[[], ConversationStore]
Said = Callable[[str], None]

STRANDS = [f"acme/cnv_{number}" for number in range(4)]
EACH = 3  # entries a strand and batch


class FaultsContract:
    """Whatever is cut short is mended by doing it again."""

    async def test_whatever_write_a_writer_was_killed_in_it_can_be_done_again(self, new_store: NewStore) -> None:
        spawning = multiprocessing.get_context("spawn")
        async with new_store() as store:
            await store.create_indexes()
            last = 0
            for step in ("claimed", "inserted", "linked", "folded", "published", "settled", "noted", "moved"):
                here, there = spawning.Pipe(duplex=False)
                writer = spawning.Process(target=_write_on, args=(new_store, last, there), daemon=True)
                writer.start()
                there.close()
                batch, said = await asyncio.to_thread(_kill_after, step, here, writer)
                await self.check(store, batch, said)
                await write(store, batch, lambda _: None)
                await self.check(store, batch, {"inserted", "folded", "published", "linked"})
                last = batch + 1

    async def check(self, store: ConversationStore, batch: int, said: set[str]) -> None:
        """What the writer was told is there; what it was not told may be, but never with a hole."""
        for strand in STRANDS:
            seqs = [one.seq for one in await store.run(strand, 0, 10_000)]
            assert seqs == list(range(1, len(seqs) + 1))
            assert EACH * batch <= len(seqs) <= EACH * (batch + 1)
            if "inserted" in said:
                assert len(seqs) == EACH * (batch + 1)
        heads = await store.heads(STRANDS)
        if "folded" in said:
            assert {one.through for one in heads.values()} == {EACH * (batch + 1)}
        if "published" in said:
            assert {one.published for one in heads.values()} == {EACH * (batch + 1)}
        if "linked" in said:
            assert len(await store.links_at([f"acme/cnv_b{batch}"])) == len(STRANDS)


async def write(store: ConversationStore, batch: int, said: Said) -> None:
    """All kinds of writes, once more or for the first time."""
    first = batch * EACH + 1
    entries = [entry(strand, seq) for strand in STRANDS for seq in range(first, first + EACH)]
    clocks = [ClockClaim(ClockId("acme/idn_mia", 10, batch), strand, batch * 10 + 1, free=True) for strand in STRANDS]
    mia = identity("acme", "mia")
    await store.claim({f"acme/idn_mia/mid/{one.id}": one.strand for one in entries}, clocks, [mia])
    said("claimed")
    await _insert(store, entries)
    said("inserted")
    wishes = [wish("acme", f"b{batch}", strand.removeprefix("acme/cnv_")) for strand in STRANDS]
    await store.wish(wishes)
    await store.opine([opinion(wishes[0], "together", 1)])
    said("linked")
    tails = await store.tails(STRANDS)
    through = first + EACH - 1
    await store.fold([(head(strand, through), tail.head.through if tail.head else 0) for strand, tail in tails.items()])
    said("folded")
    await store.published(dict.fromkeys(STRANDS, through))
    said("published")
    await store.settled({link.id: link.rev for link in await store.links_at([f"acme/cnv_b{batch}"])})
    said("settled")
    await store.note_identities({mia.id: Profile(at=batch, name="Mia Lang")}, {mia.id: ["dmarc"]})
    await store.set_customers({mia.id: mia.id})
    said("noted")
    await store.move({entries[0].id: Moved(to=STRANDS[1], at=batch + 1)})
    said("moved")


async def _insert(store: ConversationStore, entries: list[Entry]) -> None:
    while entries:
        outcomes = await store.insert(entries)
        assert all(outcome.result != "seq_taken" for outcome in outcomes), outcomes
        entries = [one for one, outcome in zip(entries, outcomes, strict=True) if outcome.result == "not_tried"]


def _write_on(new_store: NewStore, batch: int, told: Connection) -> None:
    async def work() -> None:
        async with new_store() as store:
            for number in count(batch):
                await write(store, number, partial(_tell, told, number))

    asyncio.run(work())


def _tell(told: Connection, batch: int, step: str) -> None:
    told.send((batch, step))


def _kill_after(step: str, told: Connection, writer: multiprocessing.process.BaseProcess) -> tuple[int, set[str]]:
    """Kill the writer when it says `step` for the second time; the batch it was in, and what it had said of that."""
    heard: list[tuple[int, str]] = []
    while sum(said == step for _, said in heard) < 2:
        heard.append(msgspec.convert(told.recv(), tuple[int, str]))
    writer.kill()
    writer.join()
    try:
        while True:
            heard.append(msgspec.convert(told.recv(), tuple[int, str]))
    except EOFError:
        batch = heard[-1][0] + (heard[-1][1] == "moved")
        return batch, {said for number, said in heard if number == batch}
