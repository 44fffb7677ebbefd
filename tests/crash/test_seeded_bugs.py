"""The proof can fail: each way to lose or double a message is found by killing at a point."""

import asyncio
import shutil
from pathlib import Path

import pytest
from crash.bugs import BUGS, OF_SOURCES, Bug
from crash.matrix import Matrix, by_point, rigged_in_memory
from crash.sources import files, slack
from grouping.mutations import MUTATIONS

import im_ingest
import onethread
import unifier

EVERY_DAY = 2
"""So many of the bugs of sources; the others take as long, and show no more of the rig."""


@pytest.fixture(scope="module")
def wanted() -> str:
    """The state where the source is as it is."""

    async def told() -> str:
        async with rigged_in_memory() as rig:
            return (await rig.perform()).outcome.hash

    return asyncio.run(told())


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
async def test_a_seeded_bug_is_found(bug: Bug, wanted: str, tmp_path: Path) -> None:
    seed(bug, tmp_path)
    async with rigged_in_memory(paths=[tmp_path]) as rig:
        matrix = Matrix(rig, seed=1)
        await matrix.begin(wanted)
        for moment in [moment for point in bug.points for moment in matrix.moments[point]]:
            if matrix.faults:
                break
            await matrix.kill(moment)
    assert matrix.faults, f"not found by {len(matrix.verdicts)} kills: {bug.name}"


@pytest.mark.parametrize(
    "bug",
    [
        pytest.param(bug, id=bug.name, marks=[] if number < EVERY_DAY else [pytest.mark.soak])
        for number, bug in enumerate(OF_SOURCES)
    ],
)
async def test_a_seeded_bug_of_a_source_is_found(bug: Bug, tmp_path: Path) -> None:
    there = {"files": files, "slack": slack}[bug.source]
    seed(bug, tmp_path)
    wrong: list[str] = []
    async with rigged_in_memory(paths=[tmp_path]) as rig:
        async with there() as source:
            whole = by_point((await rig.receive(source.entrance)).trace)
        for moment in [moment for point in bug.points for moment in whole[point]]:
            async with there() as source:
                wrong += source.faults(await rig.receive(source.entrance, moment))
            if wrong:
                break
    assert wrong, f"not found: {bug.name}"


def test_what_shows_only_in_races_is_seeded_there() -> None:
    assert {"no unique (strand, seq)", "redelivery trusts settled"} <= {mutation.name for mutation in MUTATIONS}


def seed(bug: Bug, folder: Path) -> None:
    """A copy of the source with the bug."""
    for package in (onethread, unifier, im_ingest):
        source = Path(package.__path__[0])
        shutil.copytree(source, folder / source.name)
    file = folder / bug.file
    text = file.read_text(encoding="utf-8")
    assert text.count(bug.old) == 1, f"stale: the text to replace is in {bug.file} {text.count(bug.old)} times"
    file.write_text(text.replace(bug.old, bug.new), encoding="utf-8")
