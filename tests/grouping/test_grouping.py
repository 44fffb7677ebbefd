"""Whatever the order, the repeats, the races and the deaths: the grouping is that of the plain reference."""

import random
from pathlib import Path

import pytest
from grouping.dialogues import dialogue
from grouping.driver import deliver, stored_grouping
from grouping.reference import grouping

from onethread.log.sqlite import SqliteLog
from onethread.log.topics import topics
from unifier.store.sqlite import SqliteConversations

DIALOGUES = 10
ORDERS = 20


@pytest.mark.parametrize("block", range(5))
async def test_any_order_ends_in_the_grouping_of_the_reference(tmp_path: Path, block: int) -> None:
    async with SqliteConversations(tmp_path / "conversations.sqlite") as store, SqliteLog(tmp_path / "log.sqlite") as log:
        await store.create_indexes()
        await log.apply(topics())
        for seed in range(block * DIALOGUES, (block + 1) * DIALOGUES):
            one = dialogue(seed)
            for order in range(ORDERS):
                tenant = f"t{seed}x{order}"
                await deliver(one, tenant, store, log, random.Random(f"{seed}/{order}"))
                assert await stored_grouping(one, tenant, store) == grouping(one, tenant), f"seed {seed}, order {order}: {one}"
