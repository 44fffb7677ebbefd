"""What users saw: whoever typed a customer's address into a form became that customer; a merge deleted data or crossed tenants.

chatwoot/chatwoot#2762, chatwoot/chatwoot#2694, chatwoot/chatwoot PR 14884, chatwoot/chatwoot#2486, chatwoot/chatwoot#2811,
chatwoot/chatwoot#1937, chatwoot/chatwoot#5115. Here a claim is a suggestion for a person and shows nobody anything; a merge
with oneself does nothing; none crosses tenants; a merge that is undone leaves what there was; ids of the merged lead on.
"""

from typing import Any
from unittest.mock import ANY

import pytest
from failures.house import House, event, said, word

from onethread.event import Body, Claim, LinkEnd, LinkSet, Message

MAIL = Claim("email", "mia@example.org", evidence="dmarc")
CHAT = Claim("chat_user", "visitor-7", evidence="provider")
TYPED = Claim("email", "Mia@Example.org", evidence="form")
ORDER = Message(body=Body(text="My order 4711, to Harbour Street 5, please."))
HELLO = Message(body=Body(text="Hi, what did I order?"))


def her_mail(tenant: str) -> Any:
    """Mia, whose provider vouches for her address."""
    return event(tenant, "order@example.org", ORDER, 0, MAIL, network="email")


def a_visitor(tenant: str, *typed: Claim) -> Any:
    """Somebody at the chat, the hour after."""
    return event(tenant, "chat-1", HELLO, 60, CHAT, *typed, external_thread_id="visitor-7")


async def test_a_typed_address_is_a_suggestion_and_shows_no_history(house: House) -> None:
    await house.says(her_mail(house.tenant), a_visitor(house.tenant, TYPED))
    async with house.running():
        await house.quiet()
    mia, visitor = await house.who(MAIL, CHAT)
    assert mia["id"] != visitor["id"]
    assert (mia["suggestions"], visitor["suggestions"]) == (1, 1)
    assert [one["type"] for one in visitor["identities"]] == ["chat_user"]
    (seen,) = (await house.get("/v1/conversations", customer_id=visitor["id"]))["items"]
    assert [said(one) for one in await house.messages(seen["id"])] == ["Hi, what did I order?"]


async def test_a_merge_with_oneself_changes_nothing(house: House) -> None:
    await house.says(her_mail(house.tenant))
    async with house.running():
        await house.quiet()
        before = await everything(house)
        await house.says(word(house.tenant, MAIL, TYPED, "together", 90), word(house.tenant, MAIL, TYPED, "apart", 91))
        await house.quiet()
    assert await everything(house) == before
    assert await house.letters() == 0


async def test_a_merge_of_two_tenants_is_refused(house: House) -> None:
    mail, chat = her_mail(house.tenant), a_visitor("elsewhere")
    await house.says(mail, chat)
    ends = (LinkEnd(entry_id=mail.id), LinkEnd(entry_id=chat.id))
    async with house.running():
        await house.quiet()
        before = await everything(house)
        both = LinkSet(ends=ends, state="together", at=mail.received_at)  # type: ignore[arg-type]
        await house.says(word("elsewhere", MAIL, CHAT, "together", 90), event("elsewhere", "both", both, 91))
        await house.quiet()
    assert await everything(house) == before
    assert await house.letters("elsewhere") == 1  # the command that names a message of another tenant
    async with await house.opens_its_desk("elsewhere") as stranger:
        assert (await stranger.get(f"/v1/customers/{before['customers'][0]['id']}")).status_code == 404
        assert (await stranger.get(f"/v1/conversations/{before['conversations'][0]['id']}")).status_code == 404


@pytest.mark.parametrize("undone", ["apart", "auto"])  # a word against it, and no word any more
async def test_a_merge_that_is_undone_leaves_what_there_was_and_ids_lead_on(house: House, undone: str) -> None:
    await house.says(her_mail(house.tenant), a_visitor(house.tenant))
    async with house.running():
        await house.quiet()
        before = await everything(house)
        await house.says(word(house.tenant, MAIL, CHAT, "together", 90))
        await house.quiet()
        await both_ids_lead_to_one(house, before)
        await house.says(word(house.tenant, MAIL, CHAT, undone, 91))
        await house.quiet()
    after = await everything(house)
    if undone == "apart":  # the word itself is shown, and nothing else has changed
        assert {link["state"] for customer in after["customers"] for link in customer["links"]} == {"apart"}
        after["customers"] = [{**one, "links": [], "version": ANY} for one in after["customers"]]
    assert after == before


async def both_ids_lead_to_one(house: House, before: Any) -> None:
    """The ids that were there before the merge, and what they answer now."""
    for kind in ("customers", "conversations"):
        one, other = [await house.get(f"/v1/{kind}/{each['id']}") for each in before[kind]]
        assert one == other
        assert one["id"] == before[kind][0]["id"]  # the elder's
    assert len(await house.messages(before["conversations"][1]["id"])) == 2
    (mia, visitor) = await house.who(MAIL, CHAT)
    assert mia == visitor
    assert mia["former_ids"] == [before["customers"][1]["id"]]


async def everything(house: House) -> Any:
    """All that the API shows of people and what they said, but what counts changes: that a join was done, and undone."""
    conversations = await house.conversations()
    return {
        "conversations": [
            {**one, "version": "", "strands": [strand["id"] for strand in one["strands"]]} for one in conversations
        ],
        "messages": [await house.messages(one["id"]) for one in conversations],
        "customers": [one for one in await house.who(MAIL, CHAT) if one],
    }
