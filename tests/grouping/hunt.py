"""Looks for a dialogue that the unifier groups wrongly. Run with a broken unifier, it must find one: `python -m grouping.hunt`.

Exit status 1: found, and the first line says what; 0: nothing found.
"""

import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from grouping.dialogues import Dialogue, dialogue, encounter, events
from grouping.driver import POLICIES, DiedError, Stepped, Turns, deliver, stored_grouping
from grouping.invariants import Feed, check
from grouping.reference import grouping

from onethread import envelope
from onethread.blobs import Blobs
from onethread.log.port import EventLog
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import MESSAGES, topics
from unifier.model import scoped
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations
from unifier.worker import Worker

PATIENCE = 20.0
"""Seconds for one delivery, a thousand times what it takes: a broken unifier may never end."""


async def run(dialogues: Iterable[Dialogue], orders: int, folder: Path) -> str:
    """What is wrong with the outcome of these dialogues, each in so many orders, or ""."""
    async with SqliteConversations(folder / "conversations.sqlite") as store, SqliteLog(folder / "log.sqlite") as log:
        await store.create_indexes()
        await log.apply(topics())
        feed = Feed(log)
        found = await worker_dies(store, log)
        if found:
            return found
        for number, said in enumerate(dialogues):
            for order in range(orders):
                found = await one_run(said, f"t{number}x{order}", store, log, feed)
                if found:
                    return f"dialogue {number}, order {order}: {found}\n{said}"
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


async def worker_dies(store: ConversationStore, log: EventLog) -> str:
    """The loop's own promise: what is not committed comes again."""
    facts = list(events(dialogue(1), "loop"))
    await log.append(MESSAGES, [envelope.draft(fact) for fact in facts])
    turns = Turns(random.Random(1))
    stepped: object = Stepped(store, turns, lambda name: "before" if name == "insert" else "")
    for port in (stepped, store):
        turns.start(1)
        worker = Worker(log, port, Blobs("memory:///"), member="hunt", policies=POLICIES)  # type: ignore[arg-type]
        stop = asyncio.Event()
        loop = asyncio.create_task(worker.run(stop))
        deadline = time.monotonic() + PATIENCE
        try:
            while not loop.done() and worker.progress < len(facts):
                if time.monotonic() > deadline:
                    return "worker: what was not committed does not come again"
                await asyncio.wait([loop], timeout=0.02)
        finally:
            stop.set()
            with contextlib.suppress(DiedError):
                await loop
    stored = await store.entries({scoped("loop", fact.id) for fact in facts if fact.kind != "link.set"})
    return "" if len(stored) == len({f.id for f in facts if f.kind != "link.set"}) else "worker: lost"


def main() -> int:
    """Hunt through some hundred deliveries."""
    memory = Path("/dev/shm")  # where there is one: here the disk only costs time, no power is lost
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        dialogues = [
            one for seed in range(50) for one in (*(encounter(4 * seed + n) for n in range(4)), dialogue(seed))
        ]
        found = asyncio.run(run(dialogues, 5, Path(folder)))
    sys.stdout.write(found or "nothing found")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
