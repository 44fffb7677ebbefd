"""Files and look-ups survive their process: killed on their way, each is stored once, told once, and no work is left."""

import pytest
from crash.matrix import by_point, rigged_in_memory
from crash.ports import OF_FILES
from crash.rig import Received, Rig
from crash.sources import FILES, files, of_files

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
MOMENTS = 4
"""Of each point at most, from its first to its last."""


async def killed_at(rig: Rig, moment: Moment) -> Received:
    async with files() as source:
        return await rig.receive(source.entrance, moment)


def some(moments: list[Moment], most: int) -> list[Moment]:
    """The first, the last, and others as far from one another."""
    if len(moments) <= most:
        return moments
    return [moments[number * (len(moments) - 1) // max(most - 1, 1)] for number in range(most)]


@pytest.mark.parametrize(
    ("where", "most"),
    [pytest.param(BETWEEN, 1, id="between"), pytest.param(ON_THE_WAY, MOMENTS, id="anywhere", marks=pytest.mark.soak)],
)
async def test_a_file_is_stored_and_told_once_wherever_the_process_died(where: tuple[str, ...], most: int) -> None:
    async with rigged_in_memory() as rig:
        async with files() as source:
            whole = await rig.receive(source.entrance)
        assert not of_files(whole)
        points = {point: found for point, found in by_point(whole.trace).items() if point.startswith(where)}
        moments = [moment for found in points.values() for moment in some(found, most)]
        received = [(moment, await killed_at(rig, moment)) for moment in moments]
    wrong = [f"killed at {moment}: {one}" for moment, found in received for one in of_files(found)]
    killed = sum(found.killed for _, found in received)
    report(
        Figures(
            "files killed at a point", killed, killed * len(FILES), killed * len(FILES) - len(wrong), len(wrong),
            points=len(points), equal=not wrong,
        )
    )  # fmt: skip
    assert not wrong, "\n".join(wrong)
    assert any(found.half for _, found in received), "no kill left half a file: what is tidied is not tried"
    assert killed >= len(moments) - 2, f"{killed} of {moments}"
    assert set(BETWEEN) <= points.keys(), set(BETWEEN) - points.keys()
    reached = {without_label(moment.point).partition(":")[0] for moment in whole.trace}
    assert reached.issuperset(OF_FILES)
