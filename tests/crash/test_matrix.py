"""Nothing is lost, wherever the process dies: killed at every fail-point of the path, and at pairs of them."""

from collections.abc import AsyncIterator

import pytest
from crash.matrix import Matrix, rigged_in_memory
from crash.ports import holes

from onethread.testing.figures import report

SEED = 20
PAIRS = 24


@pytest.fixture
async def matrix() -> AsyncIterator[Matrix]:
    async with rigged_in_memory() as rig:
        found = Matrix(rig, SEED)
        await found.begin()
        yield found


@pytest.mark.timeout(600)
async def test_what_is_killed_at_any_point_ends_in_the_same_state(matrix: Matrix) -> None:
    missing = holes(matrix.moments, "SQLite")
    assert not missing, missing[0]
    await matrix.kill_at(matrix.moments)
    missed = matrix.moments.keys() - matrix.points
    await matrix.kill_twice(PAIRS)
    report(matrix.figures("killed at a point", "SQLite"))
    assert not matrix.faults, "\n".join(matrix.faults)
    assert not missed, f"never died at {sorted(missed)}"
    assert len(matrix.pairs) > PAIRS / 2
