"""The kit of the host's tests, on the import path."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "packages"))

import hostkit


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[hostkit.Kit]:
    async with hostkit.kit(tmp_path) as parts:
        yield parts
