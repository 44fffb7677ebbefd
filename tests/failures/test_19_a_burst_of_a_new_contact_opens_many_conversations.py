"""What users saw: an album, or a burst of a contact nobody knew, opens one conversation for each message.

chatwoot/chatwoot#14058, chatwoot/chatwoot#14071, chatwoot/chatwoot#10798, RocketChat/Rocket.Chat#23476,
RocketChat/Rocket.Chat#24584. Here twenty messages come at once over three replicas: one customer, one conversation, and the
twenty are read as they were written, although Telegram's times have whole seconds only.
"""

import asyncio

import httpx
from failures.house import House, said, update

COUNT = 20


async def test_it_is_one_customer_and_one_conversation_in_order(each_house: House) -> None:
    house, bot = each_house, each_house.takes_telegram()
    updates = [update(n, f"Message {n}") for n in range(COUNT)]
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, house.running(replicas=3) as replicas:
        statuses = await asyncio.gather(
            *(replicas[n % 3].takes(client, bot, one) for n, one in enumerate(reversed(updates)))
        )
        assert statuses == [200] * COUNT
        await house.quiet()
    (conversation,) = await house.conversations()
    messages = await house.messages(conversation["id"])
    assert [said(one) for one in messages] == [f"Message {n}" for n in range(COUNT)]
    assert {one["sender"]["customer_id"] for one in messages} == {conversation["customer_id"]}
    assert [one["message_count"] for one in await house.conversations()] == [COUNT]
