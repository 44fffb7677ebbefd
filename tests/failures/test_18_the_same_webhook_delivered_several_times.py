"""What users saw: a provider delivers one webhook several times, at once or seconds apart, and the message multiplies.

chatwoot/chatwoot#6046, chatwoot/chatwoot PR 6220, PR 13359 and PR 9187, zammad/zammad#5164. Here the same update comes five
times to three replicas at once, and again ten minutes later: it is one message, and one change for who follows the changes.
"""

import asyncio
from datetime import timedelta

import httpx
from failures.house import House, Replica, said, update


async def test_it_is_one_message_and_one_change(each_house: House) -> None:
    house, bot = each_house, each_house.takes_telegram()
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, house.running(replicas=3) as replicas:

        async def five_times() -> None:
            """The same bytes, to all replicas in parallel."""
            where: list[Replica] = [replicas[n % 3] for n in range(5)]
            statuses = await asyncio.gather(*(one.takes(client, bot, update(1, "Where is it?")) for one in where))
            assert statuses == [200] * 5

        await five_times()
        await house.quiet()
        house.later = timedelta(minutes=10)
        await five_times()
        await house.quiet()
    (message,) = await house.all_messages()
    assert said(message) == "Where is it?"
    (conversation,) = await house.conversations()
    assert conversation["message_count"] == 1
    assert list((await house.changes()).values()) == [1]
