"""Where channels group by ticket, the hours of a customer suggest what only a person may join."""

from grouping.driver import new_batch, readings, stored_grouping
from grouping.facts import Dialogue, Said, Word
from grouping.inline import Memory, in_memory

from unifier.links import Link

ADDRESS, PHONE = "email:p0@example.com", "phone:+15550100"
MAIL = Said(0, "mail", 0, ADDRESS)
CHAT = Said(1, "chat", 60, PHONE, thread="chat-0")
SAME = Word((ADDRESS, PHONE), "together", 0)
JOIN = Word((0, 1), "together", 1)
DESK = Dialogue((MAIL, CHAT), (SAME, JOIN), threads=frozenset({"mail", "chat"}))


async def told(memory: Memory, *facts: Said | Word) -> set[frozenset[int]]:
    for fact in facts:
        await new_batch(memory.store, memory.log).apply(readings((fact,), DESK, "acme"))
    return set(await stored_grouping(DESK, "acme", memory.store))


async def links(memory: Memory) -> list[Link]:
    entries = await memory.store.entries([reading.id for reading in readings(DESK.said, DESK, "acme")])
    return await memory.store.links_at({entry.strand for entry in entries.values()})


async def test_a_chat_and_a_ticket_within_the_window_are_a_suggestion() -> None:
    async with in_memory() as memory:
        assert await told(memory, SAME, MAIL, CHAT) == {frozenset({0}), frozenset({1})}
        (link,) = await links(memory)
        assert (link.state, [(one.rule, one.counts) for one in link.evidence]) == ("auto", [("idle_window", False)])


async def test_a_person_takes_the_suggestion() -> None:
    async with in_memory() as memory:
        assert await told(memory, CHAT, MAIL, SAME, JOIN) == {frozenset({0, 1})}
