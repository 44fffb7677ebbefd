"""Our own deep link comes back from a chat: it names an identity by its id, and perhaps before anything else has."""

import pytest
from grouping.as_events import claim
from grouping.driver import new_batch, readings
from grouping.facts import Dialogue, Said
from grouping.inline import in_memory

from onethread.identity import identity_id

ADDRESS, USER = "email:p0@example.com", "telegram_user:0"
CHAT = Said(0, "chat", 0, USER, thread="chat-0", also=(ADDRESS, "link_nonce"))
MAIL = Said(1, "mail", 60, ADDRESS)
BOTH = Dialogue((CHAT, MAIL))


def known_as(address: str) -> str:
    return f"acme/{identity_id('acme', claim(address))}"


@pytest.mark.parametrize("order", [(CHAT, MAIL), (MAIL, CHAT)], ids=["chat first", "mail first"])
async def test_in_either_order_it_is_one_customer_with_the_address(order: tuple[Said, Said]) -> None:
    async with in_memory() as (store, log, _):
        for said in order:
            await new_batch(store, log).apply(readings((said,), BOTH, "acme"))
        found = await store.identities([known_as(ADDRESS), known_as(USER)])
        entries = await store.entries([reading.id for reading in readings(BOTH.said, BOTH, "acme")])
        heads = await store.heads({entry.strand for entry in entries.values()})
    mail, chat = found[known_as(ADDRESS)], found[known_as(USER)]
    assert (mail.type, mail.value) == ("email", "p0@example.com")
    assert mail.customer == chat.customer
    assert len({head.root for head in heads.values()}) == 1


async def test_an_id_that_nobody_has_named_yet_is_kept_as_one() -> None:
    async with in_memory() as (store, log, _):
        await new_batch(store, log).apply(readings((CHAT,), BOTH, "acme"))
        (found,) = (await store.identities([known_as(ADDRESS)])).values()
    assert (found.type, found.value) == ("idn", known_as(ADDRESS).removeprefix("acme/"))
