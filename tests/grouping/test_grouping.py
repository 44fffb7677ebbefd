"""Whatever the order, the repeats, the races and the deaths: the grouping is that of the plain reference."""

from pathlib import Path

import pytest
from grouping.dialogues import dialogue, encounter
from grouping.hunt import run

DIALOGUES = 10
ORDERS = 20


@pytest.mark.parametrize("block", range(5))
async def test_any_order_ends_in_the_grouping_of_the_reference(tmp_path: Path, block: int) -> None:
    seeds = range(block * DIALOGUES, (block + 1) * DIALOGUES)
    dialogues = [one for seed in seeds for one in (dialogue(seed), encounter(seed))]
    assert await run(dialogues, ORDERS, tmp_path) == ""
