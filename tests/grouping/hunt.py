"""Looks for something the unifier does wrongly. Run with a broken unifier, it must find it: `python -m grouping.hunt [NAME …]`.

NAME is a scenario, `dialogues`, or `the loop`; without one, all of them. Exit status 1: found, and it says what; 0: nothing found.
"""

import asyncio
import contextlib
import random
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence

from grouping.as_events import event_of
from grouping.dialogues import dialogue, encounter
from grouping.driver import DiedError, Stepped, Turns, deliver, new_batch, readings, stored_grouping
from grouping.explorer import Bounds, Explorer
from grouping.facts import Dialogue, facts_of
from grouping.inline import in_memory
from grouping.invariants import Feed, check
from grouping.reference import grouping
from grouping.scenarios import BY_NAME

from onethread import envelope
from onethread.blobs import Blobs
from onethread.log.port import EventLog
from onethread.log.topics import MESSAGES
from unifier.model import scoped
from unifier.store.port import ConversationStore
from unifier.worker import GROUP, Worker

PATIENCE = 20.0
"""Seconds for one delivery, a thousand times what it takes."""


async def run(dialogues: Iterable[Dialogue], orders: int, store: ConversationStore, log: EventLog) -> str:
    """What is wrong with the outcome of these dialogues, each in so many orders, or ""."""
    feed = Feed(log)
    for number, said in enumerate(dialogues):
        for order in range(orders):
            found = await one_run(said, f"t{number}x{order}", store, log, feed)
            if found:
                return f"dialogue {number}, order {order}: {found}\n{said}"
        found = await replay(said, f"t{number}x{orders - 1}", store, log)
        if found:
            return f"dialogue {number}, replayed: {found}\n{said}"
    return ""


async def one_run(said: Dialogue, tenant: str, store: ConversationStore, log: EventLog, feed: Feed) -> str:
    """One dialogue in one order, seeded by the tenant's name; what is wrong with the outcome, or ""."""
    try:
        async with asyncio.timeout(PATIENCE):
            await deliver(said, tenant, store, log, random.Random(tenant))
            await check(said, tenant, store, feed)
            stored, wanted = await stored_grouping(said, tenant, store), grouping(said, tenant)
    except Exception as error:  # noqa: BLE001 -- whatever a broken unifier does, it is found
        return f"{type(error).__name__}: {error}"
    return "" if stored == wanted else f"{sorted(map(sorted, stored))} and not {sorted(map(sorted, wanted))}"


async def replay(said: Dialogue, tenant: str, store: ConversationStore, log: EventLog) -> str:
    """Delivers all facts once more, as they came about; what that changed, or ""."""
    entries = [reading.id for reading in readings(said.said, said, tenant)]
    strands = {entry.strand for entry in (await store.entries(entries)).values()}
    before = await store.heads(strands), await store.entries(entries)
    for fact in facts_of(said):
        await new_batch(store, log).apply(readings((fact,), said, tenant))
    after = await store.heads(strands), await store.entries(entries)
    return "" if before == after else f"{before} became {after}"


async def explore(name: str) -> str:
    """A scenario: its script, then all within its own bounds. Workers that do not remember what was before: less of it."""
    scenario = BY_NAME[name]
    async with in_memory() as memory:
        found = await Explorer(memory, scenario).follow() if scenario.script else None
    bounds = Bounds(scenario.preemptions, scenario.deaths, scenario.together)
    for warm, within in ((True, bounds), (False, bounds._replace(together=1))):
        if found is None and (warm or scenario.before):
            async with in_memory() as memory:
                found = await Explorer(memory, scenario).explore(within, warm=warm)
    return f"{name}: {found}" if found else ""


async def talk() -> str:
    """Some hundred deliveries of generated dialogues."""
    dialogues = (one for seed in range(50) for one in (encounter(seed), dialogue(seed)))
    async with in_memory() as (store, log, _):
        return await run(dialogues, 3, store, log)


async def worker_dies() -> str:
    """The loop's own promise: what is not done is not committed, and comes again."""
    said = dialogue(1)
    facts = [event_of(fact, said, "loop") for fact in facts_of(said)]
    async with in_memory() as (store, log, _):
        await log.append(MESSAGES, [envelope.draft(fact) for fact in facts])
        turns = Turns(_Deadly())
        turns.start(1)
        with contextlib.suppress(DiedError):
            await _work(log, Stepped(store, turns, _Deadly(), 0), len(facts))
        if any((await log.commits(GROUP, MESSAGES)).values()):
            return "worker: committed what is not done"
        await _work(log, store, len(facts))
        wanted = {scoped("loop", fact.id) for fact in facts if fact.kind not in COMMANDS}
        return "" if wanted == (await store.entries(wanted)).keys() else "worker: lost"


async def _work(log: EventLog, store: object, facts: int) -> None:
    """A worker until so many facts are committed, or it dies."""
    worker = Worker(log, store, Blobs("memory:///"), member="hunt")  # type: ignore[arg-type]
    stop = asyncio.Event()
    loop = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(PATIENCE):
        while not loop.done() and worker.progress < facts:
            await asyncio.wait([loop], timeout=0.01)
    stop.set()
    await loop


COMMANDS = {"link.set", "entries.move"}


class _Deadly:
    """Dies before it inserts."""

    def choose(self, waiting: Sequence[object]) -> int:
        return 0

    def fate(self, step: tuple[int, str]) -> str:
        return "before" if step[1] == "insert" else ""


HUNTS: dict[str, Callable[[], Awaitable[str]]] = {
    "the loop": worker_dies,
    "dialogues": talk,
    **{name: (lambda name=name: explore(name)) for name in BY_NAME},
}


async def main(names: Sequence[str]) -> int:
    """Hunt until something is found."""
    for name in names or HUNTS:
        found = await HUNTS[name]()
        if found:
            sys.stdout.write(found)
            return 1
    sys.stdout.write("nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
