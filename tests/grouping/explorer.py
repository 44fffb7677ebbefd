"""Tries the schedules of a small scenario one by one: all with so many preemptions and deaths, none twice.

Few preemptions find most races (Musuvathi and Qadeer, "Iterative context bounding for systematic testing of multithreaded
programs", PLDI 2007). A schedule is what it does beside going on with the worker that goes: *turns* (another worker goes,
which costs a preemption unless the one that went is finished or dead) and *deaths* (after a write).
"""

import asyncio
import sys
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from copy import deepcopy
from typing import NamedTuple

from grouping.driver import WRITES, DiedError, Step, Stepped, Turns, new_batch, readings, stored_grouping
from grouping.footprints import NOTHING, Footprint, footprint
from grouping.inline import Memory
from grouping.invariants import Feed, check
from grouping.reference import grouping
from grouping.scenarios import Batch, Die, Go, Scenario

from unifier.memory import Memory as Remembered
from unifier.reading import Reading

DIES = -1
"""In a deviation, in the place of the worker that goes instead: the one that goes dies after its write."""


class Deviation(NamedTuple):
    """At step `at`, `worker` goes, or the one that goes dies."""

    at: int
    worker: int


Plan = tuple[Deviation, ...]


class Point(NamedTuple):
    """One step as it was taken; `others` could have gone instead, for nothing if `free`."""

    step: Step
    others: tuple[int, ...]
    free: bool
    touched: Footprint


class Planned:
    """A schedule that follows a plan, and notes what else could have been done."""

    def __init__(self, plan: Plan) -> None:
        self._turns = {deviation.at: deviation.worker for deviation in plan if deviation.worker != DIES}
        self._deaths = {deviation.at for deviation in plan if deviation.worker == DIES}
        self._current: int | None = None
        self.trace: list[Point] = []

    def choose(self, waiting: Sequence[Step]) -> int:
        """See Schedule."""
        workers = [step.worker for step in waiting]
        default = self._current if self._current in workers else min(workers)
        chosen = self._turns.get(len(self.trace), default)
        return self._take(waiting, workers.index(chosen if chosen in workers else default))

    def _take(self, waiting: Sequence[Step], place: int) -> int:
        step = waiting[place]
        workers = {one.worker for one in waiting}
        free = self._current not in workers
        default = min(workers) if free else self._current
        others = tuple(sorted(workers - {step.worker, default}))
        self.trace.append(Point(step, others, free, footprint(step.call, step.arguments)))
        self._current = step.worker
        return place

    def fate(self, step: Step) -> str:
        """See Schedule."""
        if len(self.trace) - 1 not in self._deaths:
            return ""
        self._current = None
        return "after"


class Scripted(Planned):
    """A schedule that follows a script as far as it goes."""

    def __init__(self, script: Sequence[Go | Die]) -> None:
        super().__init__(())
        self._script = list(script)
        self._passed = 0
        self._dying = False

    def choose(self, waiting: Sequence[Step]) -> int:
        """See Schedule."""
        while self._script:
            now = self._script[0]
            place = next((place for place, step in enumerate(waiting) if step.worker == now.worker), None)
            if place is None:
                self._next()
            elif isinstance(now, Die):
                self._next()
                self._dying = True
                return self._take(waiting, place)
            elif waiting[place].call != now.until:
                return self._take(waiting, place)
            elif self._passed < now.times - 1:
                self._passed += 1
                return self._take(waiting, place)
            else:
                self._next()
        return super().choose(waiting)

    def fate(self, step: Step) -> str:
        """See Schedule."""
        dies, self._dying = self._dying, False
        if dies:
            self._current = None
        return "after" if dies else ""

    def _next(self) -> None:
        self._script.pop(0)
        self._passed = 0


class Bounds(NamedTuple):
    """How far to look: at most so many preemptions and deaths, and so many of both together."""

    preemptions: int = 2
    deaths: int = 1
    together: int = 2


class Further(NamedTuple):
    """A plan to try. With `behind`: it differs from one of a turn earlier only if `worker` can disturb what `behind` touches."""

    plan: Plan
    worker: int = DIES
    behind: Footprint | None = None


def further(plan: Plan, trace: Sequence[Point], bounds: Bounds) -> Iterator[Further]:
    """Each plan with one more deviation, behind those that the plan has."""
    deaths = sum(deviation.worker == DIES for deviation in plan)
    preemptions = sum(d.worker != DIES and not trace[d.at].free for d in plan if d.at < len(trace))
    last = plan[-1] if plan else Deviation(-1, DIES)
    left = bounds.together - deaths - preemptions
    for at in range(max(last.at, 0), len(trace)):
        point = trace[at]
        if at > last.at and (point.free or (preemptions < bounds.preemptions and left > 0)):
            behind = trace[at - 1].touched if at - 1 > last.at and not point.free else None
            yield from (Further((*plan, Deviation(at, worker)), worker, behind) for worker in point.others)
        death_is_new = at > last.at or last.worker != DIES
        if death_is_new and deaths < bounds.deaths and left > 0 and point.step.call in WRITES:
            yield Further((*plan, Deviation(at, DIES)))


class Found(NamedTuple):
    """A schedule that ends wrongly."""

    plan: Plan
    what: str
    trace: list[Point]

    def __str__(self) -> str:
        went = [f"{number}: {point.step.worker} {point.step.call}" for number, point in enumerate(self.trace)]
        return f"{self.what}\nplan {[tuple(deviation) for deviation in self.plan]}\n" + "\n".join(went)


TENANT = "acme"


class Explorer:
    """Explores one scenario; what was there before it is there again before each schedule."""

    def __init__(self, memory: Memory, scenario: Scenario) -> None:
        self._memory = memory
        self._scenario = scenario
        self._wanted = grouping(scenario.dialogue, TENANT)
        self.schedules = 0

    async def explore(self, bounds: Bounds, at_most: int = sys.maxsize, *, warm: bool = True) -> Found | None:
        """The first schedule within the bounds that ends wrongly, None if there is none. `at_most`: schedules tried.

        `warm`: each worker remembers what was there before, as if it had written it.

        A turn is left out while the other worker was never seen to touch what the step before it touches: one step earlier it
        leads to the same.
        """
        await self._prepare(warm=warm)
        plans = deque([Further(())])  # few deviations first: a race that needs one is found soon
        left_out: list[Further] = []
        reach: dict[int, Footprint] = defaultdict(lambda: NOTHING)
        while plans and self.schedules < at_most:
            plan = plans.popleft().plan
            planned = Planned(plan)
            what = await self._run(planned)
            if what:
                return Found(plan, what, planned.trace)
            for point in planned.trace:
                reach[point.step.worker] |= point.touched
            left_out += further(plan, planned.trace, bounds)
            if not plans:
                matters = [one.behind is None or one.behind.disturbs(reach[one.worker]) for one in left_out]
                plans.extend(one for one, does in zip(left_out, matters, strict=True) if does)
                left_out = [one for one, does in zip(left_out, matters, strict=True) if not does]
        return None

    async def follow(self) -> Found | None:
        """The scenario's script alone."""
        await self._prepare(warm=True)
        scripted = Scripted(self._scenario.script)
        what = await self._run(scripted)
        return Found((), what, scripted.trace) if what else None

    async def _prepare(self, *, warm: bool) -> None:
        """What was there before. `warm`: every worker remembers it."""
        remembered = Remembered()
        for batch in self._scenario.before:
            await new_batch(self._memory.store, self._memory.log, remembered).apply(self._read(batch))
        self._remembered = remembered if warm else Remembered()
        self._memory.remember()

    def _read(self, batch: Batch) -> list[Reading]:
        return readings(batch, self._scenario.dialogue, TENANT)

    async def _run(self, planned: Planned) -> str:
        self.schedules += 1
        self._memory.go_back()
        store, dialogue = self._memory.store, self._scenario.dialogue
        try:
            await self._race(planned, [[*map(self._read, batches)] for batches in self._scenario.workers])
            await check(dialogue, TENANT, store, Feed(self._memory.log))
            stored = await stored_grouping(dialogue, TENANT, store)
        except Exception as error:  # noqa: BLE001 -- whatever a broken unifier does, it is found
            return f"{type(error).__name__}: {error}"
        return (
            ""
            if stored == self._wanted
            else f"{sorted(map(sorted, stored))} and not {sorted(map(sorted, self._wanted))}"
        )

    async def _race(self, planned: Planned, queues: list[list[list[Reading]]]) -> None:
        turns = Turns(planned)

        async def work(worker: int) -> None:
            stepped = Stepped(self._memory.store, turns, planned, worker)
            published = Stepped(self._memory.log, turns, planned, worker)
            memory = deepcopy(self._remembered)
            try:
                while queues[worker]:
                    try:
                        await new_batch(stepped, published, memory).apply(queues[worker][0])
                    except DiedError:
                        memory = Remembered()
                        if worker in self._scenario.zombies:
                            return  # its partition is another's, who has the same batch
                    else:
                        queues[worker].pop(0)
            finally:
                turns.leave()

        turns.start(len(queues))
        await asyncio.gather(*map(work, range(len(queues))))
