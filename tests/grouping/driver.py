"""Runs facts through the real unifier: several workers, one step at a time in the order of a schedule, with deaths and repeats.

Every call of a worker to the store or the log is one step; between two steps any other worker may go. A worker can die before
or after any of its writes: its batch, not committed, is then delivered again.
"""

import asyncio
import random
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

from grouping.as_events import event_of
from grouping.facts import WINDOW_HOURS, Dialogue, Fact, facts_of

from onethread.errors import Poison
from onethread.log.port import EventLog
from unifier.batch import Batch
from unifier.memory import Memory
from unifier.policy import HOUR, Policies, Policy
from unifier.publishing import Publisher
from unifier.reading import Reading, read
from unifier.store.port import ConversationStore, Found

WRITES = frozenset(
    {
        "claim",
        "insert",
        "fold",
        "published",
        "move",
        "move_keys",
        "revise",
        "set_customers",
        "note_identities",
        "reveal",
        "wish",
        "opine",
        "settled",
        "append",
    }
)
ENDLESS = 20_000
"""Steps of one delivery, dozens of times what it takes: a broken unifier may never end."""


class DiedError(BaseException):
    """The worker is gone, in the middle of something."""


class Step(NamedTuple):
    """A worker is about to call the store or the log."""

    worker: int
    call: str
    arguments: tuple[Any, ...] = ()


class Schedule(Protocol):
    """Decides who goes, and who dies."""

    def choose(self, waiting: Sequence[Step]) -> int:
        """The index of the step that is taken now; asked only when all workers wait."""

    def fate(self, step: Step) -> str:
        """Of a write that is taken: its worker dies `before` it, `after` it, or not ("")."""


class Turns:
    """Lets one worker go at a time, as a schedule says."""

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule
        self._waiting: list[tuple[Step, asyncio.Future[None]]] = []
        self._running = 0
        self._taken = 0

    def start(self, workers: int) -> None:
        """So many workers run from now on."""
        self._running = workers

    async def wait(self, step: Step) -> None:
        """Wait for this step's turn. Raises AssertionError where the delivery never ends."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((step, turn))
        self.leave()
        await turn

    def leave(self) -> None:
        """One worker less is running: it waits, or is finished."""
        self._running -= 1
        if self._running == 0 and self._waiting:
            _, turn = self._waiting.pop(self._schedule.choose([step for step, _ in self._waiting]))
            self._running = 1
            self._taken += 1
            if self._taken > ENDLESS:
                turn.set_exception(AssertionError(f"after {ENDLESS} steps there is no end"))
            else:
                turn.set_result(None)


class Stepped:
    """A port whose every call waits for its turn; one write may be the last thing its worker does."""

    def __init__(self, port: Any, turns: Turns, schedule: Schedule, worker: int) -> None:
        self._port = port
        self._turns = turns
        self._schedule = schedule
        self._worker = worker

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)

        async def step(*args: Any, **named: Any) -> Any:
            taken = Step(self._worker, name, args)
            await self._turns.wait(taken)
            fate = self._schedule.fate(taken) if name in WRITES else ""
            if fate == "before":
                raise DiedError(name)
            result = await method(*args, **named)
            if fate == "after":
                raise DiedError(name)
            return result

        return step

    async def look(self, entries: Any, keys: Any, clocks: Any, people: Any) -> Found:
        """Its parts one after the other, as an adapter may do it."""
        return Found(
            await self.entries(entries) if entries else {},
            await self.keys(keys) if keys else {},
            await self.clocks(clocks) if clocks else {},
            await self.revisions(people) if people else {},
            await self._port.epoch() if people else 0,
        )


class Chance:
    """A seeded schedule. `deaths`: after so many writes each, about, a worker dies.

    `loyalty`: how likely the worker that just went goes on. Races that need many steps of one worker between two of another
    come up only where it is high, those that need close alternation only where it is low.
    """

    def __init__(self, chance: random.Random, deaths: Sequence[int]) -> None:
        self._chance = chance
        self._loyalty = chance.choice((0.0, 0.5, 0.9))
        self._deaths = sorted(deaths)
        self._writes = 0

    def choose(self, waiting: Sequence[Step]) -> int:
        """See Schedule. Who went last waits at the end."""
        return -1 if self._chance.random() < self._loyalty else self._chance.randrange(len(waiting))

    def fate(self, step: Step) -> str:
        """See Schedule."""
        self._writes += 1
        if self._deaths and self._writes >= self._deaths[0]:
            self._deaths.pop(0)
            return self._chance.choice(("before", "after"))
        return ""


def new_batch(store: Any, log: Any, memory: Memory | None = None) -> Batch:
    """A batch that waits for no message that is not there; `memory`: its worker's."""
    return Batch(store, Publisher(store, log), lambda: 0, patience=0.0, memory=memory)


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
    facts = list(facts_of(dialogue))
    facts += chance.choices(facts, k=chance.choice((0, len(facts) // 3, len(facts))))
    chance.shuffle(facts)
    queue = batches(readings(tuple(facts), dialogue, tenant), chance)
    deaths = chance.sample(range(1, 12 * len(facts)), chance.choice((0, 1, 1, 2, 3)))
    schedule = Chance(chance, deaths)
    turns = Turns(schedule)

    size = chance.choice((0, 2, 100))
    moves = [reading.id for reading in readings(dialogue.moves, dialogue, tenant)]

    async def work(worker: int) -> None:
        stepped = Stepped(store, turns, schedule, worker)
        published = Stepped(log, turns, schedule, worker)
        memory = Memory(size)
        try:
            while queue:
                batch = queue.pop(0)
                if batch[0].id in moves[1:] and moves[0] != batch[0].id:  # moves of one message come in order
                    queue.append(batch)
                    await turns.wait(Step(worker, "nothing"))
                    continue
                try:
                    await new_batch(stepped, published, memory).apply(batch)
                except DiedError:
                    memory = Memory(size)
                    queue.insert(chance.randint(0, len(queue)), batch)
                except Poison:  # a command that is quicker than what it names: a dead letter, replayed later
                    queue.append(batch)
                else:
                    if moves and batch[0].id == moves[0]:
                        moves.pop(0)
        finally:
            turns.leave()

    turns.start(workers)
    await asyncio.gather(*map(work, range(workers)))
    while queue:  # a batch whose worker died when the others had gone home
        turns.start(1)
        await work(0)


def policies(dialogue: Dialogue, tenant: str) -> Policies:
    """How the channels of a dialogue group."""
    window = WINDOW_HOURS * HOUR
    tickets = Policy("threads", window)
    return Policies(Policy(window=window), channels={(tenant, f"chn_{place}"): tickets for place in dialogue.threads})


@lru_cache(maxsize=1000)
def readings(facts: tuple[Fact, ...], dialogue: Dialogue, tenant: str) -> list[Reading]:
    """Facts as the unifier reads them."""
    policy = policies(dialogue, tenant)
    events = [event_of(fact, dialogue, tenant) for fact in facts]
    return [read(event, policy.of(tenant, event.channel_id)) for event in events]


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
    said = zip(readings(dialogue.said, dialogue, tenant), dialogue.said, strict=True)
    ids = {reading.id: fact.number for reading, fact in said}
    entries = await store.entries(ids.keys())
    missing = ids.keys() - entries.keys()
    assert not missing, f"lost: {[ids[one] for one in missing]}"
    heads = await store.heads({entry.home for entry in entries.values()})
    groups: dict[str, set[int]] = {}
    for entry in entries.values():
        groups.setdefault(heads[entry.home].root, set()).add(ids[entry.id])
    return frozenset(frozenset(group) for group in groups.values())
