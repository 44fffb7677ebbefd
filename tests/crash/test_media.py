"""Files and look-ups survive their process: killed on their way, each is stored once, told once, and no work is left."""

import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from crash.matrix import by_point, rigged_in_memory
from crash.ports import OF_FILES
from crash.rig import Received, Rig, rigged
from crash.sources import FILES, files, of_files
from soak.points import NAMES, backends

from onethread.testing.failpoints import Moment, without_label
from onethread.testing.figures import Figures, report

ON_THE_WAY = (
    "reader.", "state.put(fetches)", "state.put(looked_up)", "state.put(fetched)", "state.remove", "blobs.", "arriving.", "files.",
    "polling.download", "polling.lookup", "log.append",
)  # fmt: skip
BETWEEN = (
    "state.put(fetches):after",
    "state.put(looked_up):before",
    "reader.commit:before",
    "arriving.write:after",
    "files.rename:before",
    "files.sync:before",
    "blobs.put:after",
    "log.append(onethread.messages):before",
    "log.append(onethread.messages):after",
    "state.put(fetched):after",
    "state.remove(fetches):before",
    "state.remove(fetches):after",
)
"""A job is durable and the log not committed; a file is there and nobody told; it is told, and the job still there."""
MOST, PAIRS, SEED = 4, 24, 29
"""Moments of each point, from its first to its last; pairs of moments."""


class Files:
    """Kills where files are fetched, and looks what came of it."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.received: list[Received] = []
        self.wrong: list[str] = []
        self.kills = 0

    async def receive(self, *kills: Moment) -> list[Moment]:
        """The moments of the fetching, in the process that was not killed."""
        async with files() as source:
            found = await self._rig.receive(source.entrance, *kills)
        self.received.append(found)
        self.kills += len(kills)
        self.wrong += [f"killed at {kills}: {one}" for one in of_files(found)]
        return fetching(found.trace)

    async def kill_at(self, moments: Iterable[Moment]) -> list[tuple[Moment, list[Moment]]]:
        """At each, with what its second process came by."""
        return [(moment, await self.receive(moment)) for moment in moments]

    def judge(self, on: str, points: int) -> None:
        """Nothing is wrong, and nearly all kills came about."""
        killed = sum(found.killed for found in self.received)
        asked = sum(bool(found.killed) for found in self.received) * len(FILES)
        lost = len(self.wrong)
        report(
            Figures("files killed at a point", killed, asked, asked - lost, lost, on=on, points=points, equal=not lost)
        )
        assert not self.wrong, "\n".join(self.wrong)
        assert any(found.half for found in self.received), "no kill left half a file: what is tidied is not tried"
        assert killed >= 0.9 * self.kills, f"{killed} of {self.kills}"


def fetching(trace: list[Moment]) -> list[Moment]:
    """The moments between the first member of a group that reads the log, which fetches, and the second, which threads."""
    begin, end = (trace.index(Moment(point, nth)) for point, nth in (("log.join:before", 1), ("log.join:before", 2)))
    return [moment for moment in trace[begin:end] if moment.point.startswith(ON_THE_WAY)]


def some(moments: list[Moment], most: int) -> list[Moment]:
    """The first, the last, and others as far from one another; of one only, that in the middle."""
    if most == 1:
        return [moments[len(moments) // 2]]
    if len(moments) <= most:
        return moments
    return [moments[place * (len(moments) - 1) // (most - 1)] for place in range(most)]


async def test_a_file_is_stored_and_told_once_wherever_the_process_died() -> None:
    async with rigged_in_memory() as rig:
        tried = Files(rig)
        whole = await tried.receive()
        points = by_point(whole)
        await tried.kill_at([each for point in BETWEEN for each in some(points[point], 1)])
    tried.judge("SQLite", len(BETWEEN))
    reached = {without_label(point).partition(":")[0] for point in points}
    assert reached.issuperset(OF_FILES)


@pytest.mark.soak
async def test_it_is_so_at_every_point_and_at_pairs_of_them() -> None:
    chance = random.Random(SEED)
    async with rigged_in_memory() as rig:
        tried = Files(rig)
        points = by_point(await tried.receive())
        after = await tried.kill_at([each for found in points.values() for each in some(found, MOST)])
        for first, seconds in chance.sample(after, PAIRS):
            await tried.receive(first, chance.choice(seconds or [first]))
    tried.judge("SQLite", len(points))


@pytest.mark.soak
async def test_it_is_so_on_kafka_and_mongodb(tmp_path: Path) -> None:
    (tmp_path / "tellings").mkdir()
    with backends("kafka", tmp_path) as like:
        async with rigged(tmp_path / "tellings", like) as rig:
            tried = Files(rig)
            points = by_point(await tried.receive())
            await tried.kill_at([each for point in BETWEEN for each in some(points[point], 1)])
    tried.judge(NAMES["kafka"], len(BETWEEN))
