"""Runs a dialogue through the real unifier: several workers, one step at a time in a seeded order, with deaths and repeats.

Every call of a worker to the store or the log is one step; between two steps any other worker may go. A worker can die before
or after any of its writes: its batch, not committed, is then delivered again.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from grouping.dialogues import WINDOW_HOURS, Dialogue, events

from onethread.log.port import EventLog
from unifier.batch import Batch
from unifier.model import scoped
from unifier.policy import HOUR, Policies, Policy
from unifier.publishing import Publisher
from unifier.reading import Reading, read
from unifier.store.port import ConversationStore

POLICIES = Policies(Policy(window=WINDOW_HOURS * HOUR))
WRITES = frozenset(
    {
        "claim",
        "insert",
        "fold",
        "published",
        "move",
        "set_customers",
        "note_identities",
        "wish",
        "opine",
        "settled",
        "append",
    }
)


class DiedError(BaseException):
    """The worker is gone, in the middle of something."""


class Turns:
    """Lets one task go at a time, in a seeded order.

    `loyalty`: how likely the task that just ran goes on. Races that need many steps of one worker between two of another
    come up only where it is high, those that need close alternation only where it is low.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._loyalty = chance.choice((0.0, 0.5, 0.9))
        self._waiting: list[asyncio.Future[None]] = []
        self._running = 0

    async def wait(self) -> None:
        """Wait for this task's turn."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._done()
        await turn

    def start(self, tasks: int) -> None:
        """So many tasks run from now on."""
        self._running = tasks

    def _done(self) -> None:
        self._running -= 1
        if self._running == 0 and self._waiting:
            stays = self._chance.random() < self._loyalty
            turn = self._waiting.pop(-1 if stays else self._chance.randrange(len(self._waiting)))
            self._running = 1
            turn.set_result(None)

    def leave(self) -> None:
        """This task is finished."""
        self._done()


class Stepped:
    """A port whose every call waits for its turn; one write may be the last thing its worker does."""

    def __init__(self, port: Any, turns: Turns, deaths: Callable[[str], str]) -> None:
        self._port = port
        self._turns = turns
        self._deaths = deaths

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        async def step(*args: Any, **named: Any) -> Any:
            await self._turns.wait()
            fate = self._deaths(name) if name in WRITES else ""
            if fate == "before":
                raise DiedError(name)
            result = await method(*args, **named)
            if fate == "after":
                raise DiedError(name)
            return result

        return step


async def deliver(
    dialogue: Dialogue,
    tenant: str,
    store: ConversationStore,
    log: EventLog,
    chance: random.Random,
    *,
    workers: int = 3,
) -> None:
    """Deliver all facts, shuffled, some twice, in small batches; returns when everything is committed."""
    facts = list(events(dialogue, tenant))
    facts += chance.choices(facts, k=chance.choice((0, len(facts) // 3, len(facts))))
    chance.shuffle(facts)
    queue = batches([read(fact, POLICIES.of(tenant, fact.channel_id)) for fact in facts], chance)
    turns = Turns(chance)
    doomed = sorted(chance.sample(range(1, 12 * len(facts)), chance.choice((0, 1, 1, 2, 3))))
    count = 0

    def fate(_name: str) -> str:
        nonlocal count
        count += 1
        if doomed and count >= doomed[0]:
            doomed.pop(0)
            return chance.choice(("before", "after"))
        return ""

    async def work() -> None:
        try:
            while queue:
                batch = queue.pop(0)
                stepped: Any = Stepped(store, turns, fate)
                published: Any = Stepped(log, turns, fate)
                try:
                    await Batch(stepped, Publisher(stepped, published), lambda: 0).apply(batch)
                except DiedError:
                    queue.insert(chance.randint(0, len(queue)), batch)
        finally:
            turns.leave()

    turns.start(workers)
    await asyncio.gather(*(work() for _ in range(workers)))
    while queue:  # a batch whose worker died when the others had gone home
        turns.start(1)
        await work()


def batches(readings: Sequence[Reading], chance: random.Random) -> list[list[Reading]]:
    """Small batches; a command is one of its own, as the worker does it."""
    found: list[list[Reading]] = []
    for reading in readings:
        alone = reading.role == "command"
        if found and not alone and found[-1][0].role != "command" and len(found[-1]) < chance.randint(1, 4):
            found[-1].append(reading)
        else:
            found.append([reading])
    return found


async def stored_grouping(dialogue: Dialogue, tenant: str, store: ConversationStore) -> frozenset[frozenset[int]]:
    """The conversations that the store holds, as sets of the numbers said."""
    ids = dict(zip((scoped(tenant, fact.id) for fact in events(dialogue, tenant)), dialogue.said, strict=False))
    entries = await store.entries(ids.keys())
    missing = ids.keys() - entries.keys()
    assert not missing, f"lost: {[ids[one].number for one in missing]}"
    heads = await store.heads({entry.home for entry in entries.values()})
    groups: dict[str, set[int]] = {}
    for entry in entries.values():
        groups.setdefault(heads[entry.home].root, set()).add(ids[entry.id].number)
    return frozenset(frozenset(group) for group in groups.values())
