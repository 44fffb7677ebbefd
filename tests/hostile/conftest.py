"""The host's kit, with parser processes and connectors that do what they are told."""

import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "packages"))

import hostkit

from onethread.host.ingest import Ingest
from onethread.host.parsing.pool import Parsers
from onethread.host.parsing.worker import Budget


@pytest.fixture
async def kit(tmp_path: Path) -> AsyncIterator[hostkit.Kit]:
    async with hostkit.kit(tmp_path) as parts:
        yield parts


@pytest.fixture
async def parsers() -> AsyncIterator[Parsers]:
    """With a budget that a test can wait for."""
    async with Parsers(Budget(seconds=0.4, megabytes=128)) as made:
        yield made


@pytest.fixture
def ingest(kit: hostkit.Kit) -> Callable[[Parsers], Ingest]:
    """The host's way in, through these parsers."""
    return lambda parsers: Ingest(kit.log, kit.blobs, kit.channels, kit.tokens, parsers=parsers, now=kit.clock)
