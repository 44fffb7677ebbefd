"""Small races, every schedule within bounds: none ends with a grouping, or a store, that is not as promised."""

import pytest
from grouping.explorer import Bounds, Explorer
from grouping.hunt import explore
from grouping.inline import in_memory
from grouping.scenarios import SCENARIOS, Scenario

by_name = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)


@by_name
async def test_no_schedule_ends_wrongly(scenario: Scenario) -> None:
    assert await explore(scenario.name) == ""


@pytest.mark.soak
@pytest.mark.timeout(0)
@by_name
async def test_no_schedule_of_more_preemptions_and_deaths_ends_wrongly(scenario: Scenario) -> None:
    async with in_memory() as memory:
        explorer = Explorer(memory, scenario)
        assert await explorer.explore(Bounds(preemptions=3, deaths=2, together=3), at_most=40_000) is None
        print(f"{scenario.name}: {explorer.schedules} schedules")  # noqa: T201 -- a figure for the person who asked
