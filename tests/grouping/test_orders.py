"""Every order of a chain of answers, up to six messages: each ends in the one conversation it is."""

from collections.abc import Sequence

import pytest
from grouping.driver import new_batch, readings, stored_grouping
from grouping.facts import Dialogue, Said
from grouping.inline import Memory, in_memory
from grouping.reference import grouping

from unifier.reading import Reading

TENANT = "acme"
CUSTOMER = "email:p0@example.com"
LONGEST = 6
DAY = 24 * 60


def mails(length: int) -> Dialogue:
    """Each answers the one before it and names no other, days apart, so that nothing but the answer holds them together."""
    return Dialogue(
        tuple(
            Said(n, "mail", n * DAY, CUSTOMER, references=(n - 1,) if n else ())
            for n in range(length)
        )
    )  # fmt: skip


def comments(length: int) -> Dialogue:
    """In threads of their own each quotes the one before it: the network's word, whoever writes."""
    return Dialogue(
        tuple(
            Said(n, "group", n * DAY, f"user:{n}", thread=f"topic-{n}", quotes=n - 1 if n else None)
            for n in range(length)
        )
    )


def edited(length: int) -> Dialogue:
    """A message, then edits of it and reactions to it."""
    first = Said(0, "chat", 0, CUSTOMER, thread="chat")
    later = [Said(n, "chat", n * DAY, CUSTOMER, thread="chat", about=0, reaction=n % 2 == 0) for n in range(1, length)]
    return Dialogue((first, *later))


class Orders:
    """Delivers one message after the other in every order; what orders begin with alike is delivered once."""

    def __init__(self, dialogue: Dialogue, memory: Memory) -> None:
        self._dialogue = dialogue
        self._memory = memory
        self._expected = grouping(dialogue, TENANT)
        self.tried = 0

    async def try_all(self, left: Sequence[Reading]) -> None:
        if not left:
            self.tried += 1
            assert await stored_grouping(self._dialogue, TENANT, self._memory.store) == self._expected
        for one in left:
            self._memory.remember()
            await new_batch(self._memory.store, self._memory.log).apply([one])
            await self.try_all([other for other in left if other is not one])
            self._memory.go_back()
            self._memory.forget()


@pytest.mark.parametrize("chain", [mails, comments, edited])
async def test_every_order_of_a_chain_ends_in_one_conversation(chain: object) -> None:
    dialogue = chain(LONGEST)  # type: ignore[operator]
    assert len(grouping(dialogue, TENANT)) == 1
    async with in_memory() as memory:
        orders = Orders(dialogue, memory)
        await orders.try_all(readings(dialogue.said, dialogue, TENANT))
    assert orders.tried == 720
