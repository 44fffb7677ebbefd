"""What a person moved stays where it was put, and what comes later follows it."""

from collections.abc import Iterable

import pytest
from grouping.driver import new_batch, readings, stored_grouping
from grouping.facts import Dialogue, Fact, Move, Said
from grouping.inline import Memory, in_memory

from onethread.errors import Poison

CUSTOMER, COLLEAGUE = "email:p0@example.com", "email:p1@example.com"


def mail(number: int, hours: int, *references: int, author: str = CUSTOMER) -> Said:
    return Said(number, "mail", hours * 60, author, references=references)


FIRST, ANSWER, OTHER = mail(0, 0), mail(1, 20, 0), mail(2, 100, author=COLLEAGUE)
AFTER_ANSWER, AFTER_FIRST = mail(3, 40, 1), mail(4, 60, 0)
MOVE, BACK = Move((1,), 0, to=2), Move((1,), 1, to=0)
ALL = Dialogue((FIRST, ANSWER, OTHER, AFTER_ANSWER, AFTER_FIRST), moves=(MOVE, BACK))


async def told(memory: Memory, facts: Iterable[Fact]) -> set[frozenset[int]]:
    """Deliver in this order; the conversations then."""
    facts = list(facts)
    for fact in facts:
        await new_batch(memory.store, memory.log).apply(readings((fact,), ALL, "acme"))
    here = Dialogue(tuple(fact for fact in facts if isinstance(fact, Said)))
    return set(await stored_grouping(here, "acme", memory.store))


def groups(*numbers: set[int]) -> set[frozenset[int]]:
    return {frozenset(group) for group in numbers}


async def test_a_mail_that_answers_a_moved_one_follows_it() -> None:
    async with in_memory() as memory:
        found = await told(memory, [FIRST, ANSWER, OTHER, MOVE, AFTER_ANSWER, AFTER_FIRST])
        assert found == groups({0, 4}, {1, 2, 3})
        again = [FIRST, ANSWER, OTHER, AFTER_ANSWER, AFTER_FIRST]
        assert await told(memory, again) == found


async def test_what_is_put_back_takes_its_answers_back() -> None:
    async with in_memory() as memory:
        assert await told(memory, [FIRST, ANSWER, OTHER, MOVE, BACK, AFTER_ANSWER]) == groups({0, 1, 3}, {2})


async def test_what_is_split_off_takes_its_answers_along() -> None:
    async with in_memory() as memory:
        found = await told(memory, [FIRST, ANSWER, Move((1,), 0), AFTER_ANSWER, AFTER_FIRST])
        assert found == groups({0, 4}, {1, 3})


async def test_a_move_of_a_message_that_is_not_there_changes_nothing() -> None:
    async with in_memory() as memory:
        with pytest.raises(Poison, match="no such message"):
            await told(memory, [FIRST, MOVE])
        assert await told(memory, [OTHER]) == groups({2})
