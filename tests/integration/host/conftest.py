"""The kit of the host's tests, on the import path."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "packages"))

import hostkit
import shopkit


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[hostkit.Kit]:
    async with hostkit.kit(tmp_path) as parts:
        yield parts


@pytest.fixture
async def provider() -> AsyncIterator[shopkit.Provider]:
    made = shopkit.Provider()
    async with made.served:
        yield made
