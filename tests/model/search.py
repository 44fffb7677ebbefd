"""Explores everything that can happen to a scene: each order of steps, deaths at each write, partitions that change hands.

Breadth first, each state once. A state is a few numbers: stores and workers are kept once each, and what a step makes of them
is worked out once. After each step the invariants that it could have broken are looked at, at each end all of them. It knows
no step; `verdict` says what must hold.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import model.looking
import model.merging  # noqa: F401 -- these two bring their steps
from model.base import STEPS, Model
from model.scenes import Scene
from model.steps import begun
from model.verdict import at_the_end, at_the_step
from model.world import Memory, Store, Work

IDLE, COMMIT, BUSY = range(3)
"""What a worker is about to do: to wait for records, to commit, or a step."""


class State(NamedTuple):
    """The store, by number; of each partition what is committed, and who holds it; each worker; what may still go wrong."""

    store: int
    committed: tuple[int, ...]
    owner: tuple[int, ...]
    workers: tuple[int, ...]
    crashes: int
    moves: int


class Found(NamedTuple):
    """What an exploration came to. `wrong` "": nothing is; `way`: the steps that lead there; `cut`: it was not all."""

    states: int
    ends: int
    wrong: str = ""
    way: tuple[str, ...] = ()
    cut: bool = False

    def __str__(self) -> str:
        return "\n".join((self.wrong, *self.way))


class Search:
    """One exploration of one scene. `broken`: the mutation of the protocol, by name."""

    def __init__(self, scene: Scene, broken: str = "") -> None:
        self.scene = scene
        said = (*scene.before, *(msg for part in scene.parts for msg in part))
        self.model = Model({msg.id: msg for msg in said}, broken)
        self._stores: dict[Store, int] = {}
        self._works: dict[Work, int] = {}
        self._store_list: list[Store] = []
        self._work_list: list[Work] = []
        self._kinds: list[int] = []
        self._made: dict[tuple[int, int], tuple[int, int, str]] = {}
        self._verdicts: dict[int, str] = {}
        self._came_from: dict[State, State | None] = {}

    def explore(self, at_most: int = 20_000_000) -> Found:
        """All of it, or until something is wrong, or until so many states were seen."""
        parts, workers = len(self.scene.parts), self.scene.workers
        owner = tuple(part % workers for part in range(parts))
        idle, store = (self._work_number(Work()),) * workers, self._store_number(self._before())
        start = State(store, (0,) * parts, owner, idle, self.scene.crashes, self.scene.moves)
        seen, waiting, ends = self._came_from, deque([start]), 0
        seen[start] = None
        while waiting:
            state = waiting.popleft()
            last = True
            for _, following, wrong in self._after(state):
                last = False
                if following in seen:
                    continue
                seen[following] = state
                if wrong:
                    return Found(len(seen), ends, wrong, self._way(following))
                waiting.append(following)
            if last:
                ends += 1
                if wrong := self._at_the_end(state):
                    return Found(len(seen), ends, wrong, self._way(state))
            if len(seen) >= at_most:
                return Found(len(seen), ends, cut=True)
        return Found(len(seen), ends)

    # --- what may be next ---

    def _after(self, state: State) -> Iterator[tuple[str, State, str]]:
        """Each state that may be next, with what happened, and what is wrong with it."""
        store, committed, owner, workers, crashes, moves = state
        for number, work in enumerate(workers):
            if self._kinds[work] == IDLE:
                yield from self._polled(state, number)
            elif self._kinds[work] == COMMIT:
                yield f"{number} commit", self._committed(state, number, self._work_list[work]), ""
            else:
                new, further, wrong = self._made.get((store, work)) or self._step(store, work)
                rest = workers[number + 1 :]
                yield "", State(new, committed, owner, (*workers[:number], further, *rest), crashes, moves), wrong
                # What it has read dies with it, so a death matters only behind a write.
                if (
                    crashes
                    and new != store
                    and (self.scene.dying_zombies or owner[self._work_list[work].part] == number)
                ):
                    dead = (*workers[:number], self._work_number(Work()), *rest)
                    yield f"{number} dies", State(new, committed, owner, dead, crashes - 1, moves), wrong
        if moves:
            yield from self._moved(state)

    def _step(self, store: int, work: int) -> tuple[int, int, str]:
        before, doing = self._store_list[store], self._work_list[work]
        after, further = STEPS[doing.pc](self.model, before, self.model.said[doing.msg], doing)
        wrong = at_the_step(before, after)
        if further.pc == "commit":
            further = Work("commit", part=further.part, memory=further.memory)
        made = self._made[store, work] = (self._store_number(after), self._work_number(further), wrong)
        return made

    def _polled(self, state: State, number: int) -> Iterator[tuple[str, State, str]]:
        """It takes what follows the last commit of a partition that it holds."""
        for part, messages in enumerate(self.scene.parts):
            offset = state.committed[part]
            if state.owner[part] == number and offset < len(messages):
                memory = self._work_list[state.workers[number]].memory
                work = begun(self.model, self._store_list[state.store], messages[offset].id, part, memory)
                polled = _with(state, number, self._work_number(work))
                if self.model.broken == "commit first":
                    polled = polled._replace(committed=_raised(state.committed, part))
                yield f"{number} poll", polled, ""

    def _committed(self, state: State, number: int, work: Work) -> State:
        """Who does not hold the partition any more commits nothing: the broker refuses it."""
        part, done = work.part, _with(state, number, self._work_number(Work(memory=work.memory)))
        if state.owner[part] != number or self.model.broken == "commit first":
            return done
        return done._replace(committed=_raised(state.committed, part))

    def _moved(self, state: State) -> Iterator[tuple[str, State, str]]:
        """A rebalance: another gets the partition that somebody is working on."""
        for part, owner in enumerate(state.owner):
            work = state.workers[owner]
            if self._kinds[work] != IDLE and self._work_list[work].part == part:
                for other in range(self.scene.workers):
                    if other != owner:
                        owners = (*state.owner[:part], other, *state.owner[part + 1 :])
                        yield f"{part} to {other}", state._replace(owner=owners, moves=state.moves - 1), ""

    # --- numbers ---

    def _store_number(self, store: Store) -> int:
        if store not in self._stores:
            self._stores[store] = len(self._store_list)
            self._store_list.append(store)
        return self._stores[store]

    def _work_number(self, work: Work) -> int:
        if work not in self._works:
            self._works[work] = len(self._work_list)
            self._work_list.append(work)
            self._kinds.append({"idle": IDLE, "commit": COMMIT}.get(work.pc, BUSY))
        return self._works[work]

    # --- ends ---

    def _before(self) -> Store:
        """The store after what came in peace."""
        store = Store()
        for msg in self.scene.before:
            work = begun(self.model, store, msg.id, 0, Memory())
            while work.pc != "commit":
                store, work = STEPS[work.pc](self.model, store, msg, work)
        return store

    def _at_the_end(self, state: State) -> str:
        if any(done < len(part) for done, part in zip(state.committed, self.scene.parts, strict=True)):
            return "stuck: nothing can happen, and not all is committed"
        if state.store not in self._verdicts:
            self._verdicts[state.store] = at_the_end(self.model.said.values(), self._store_list[state.store])
        return self._verdicts[state.store]

    def _way(self, state: State) -> tuple[str, ...]:
        """The names of the steps to a state."""
        way: list[str] = []
        while (before := self._came_from[state]) is not None:
            way.append(next(self._named(before, what, each) for what, each, _ in self._after(before) if each == state))
            state = before
        return tuple(reversed(way))

    def _named(self, before: State, what: str, after: State) -> str:
        if what:
            return what
        number = next(
            n for n, work in enumerate(before.workers) if work != after.workers[n] or len(before.workers) == 1
        )
        return f"{number} {self._work_list[before.workers[number]].pc}"


def _with(state: State, number: int, work: int) -> State:
    return state._replace(workers=(*state.workers[:number], work, *state.workers[number + 1 :]))


def _raised(committed: tuple[int, ...], part: int) -> tuple[int, ...]:
    return (*committed[:part], committed[part] + 1, *committed[part + 1 :])
