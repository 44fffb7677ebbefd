"""A site for each test, over each store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from desk.said import Company
from desk.site import Site, fresh, opened


@pytest.fixture(params=["sqlite", "mongo"])
async def site(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Site]:
    store = fresh(request.param, tmp_path, lambda: str(request.getfixturevalue("mongo_server").url))
    async with opened(store, tmp_path) as one:
        yield one


@pytest.fixture
async def sqlite_site(tmp_path: Path) -> AsyncIterator[Site]:
    """For what the store has no part in."""
    async with opened(fresh("sqlite", tmp_path, lambda: ""), tmp_path) as one:
        yield one


@pytest.fixture
def acme() -> Company:
    return Company("acme")
