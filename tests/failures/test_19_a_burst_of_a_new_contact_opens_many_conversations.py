"""What users saw: an album, or a burst of a contact nobody knew, opens one conversation for each message.

chatwoot/chatwoot#14058, chatwoot/chatwoot#14071, chatwoot/chatwoot#10798, RocketChat/Rocket.Chat#23476,
RocketChat/Rocket.Chat#24584. Here twenty messages come at once over three replicas: one customer, one conversation, and the
twenty are read as they were written, although Telegram's times have whole seconds only. The latter half is an album.
"""

import asyncio
from typing import Any

import httpx
from failures.house import House, said, update

from onethread.testing.telegram_server import TelegramServer

COUNT = 20


def written(number: int) -> dict[str, Any]:
    """One of the burst: a text, or a photo of the album with its caption."""
    if number < COUNT // 2:
        return update(number, f"Message {number}")
    photo = [{"file_id": f"P{number}", "file_unique_id": f"u{number}", "width": 8, "height": 6}]
    return update(number, "", media_group_id="13500", photo=photo, caption=f"Message {number}")


async def test_it_is_one_customer_and_one_conversation_in_order(each_house: House) -> None:
    house, telegram = each_house, TelegramServer()
    for number in range(COUNT):
        telegram.keep_file(f"P{number}", b"GIF89a", f"photos/{number}.gif")
    async with telegram, httpx.AsyncClient(trust_env=False, timeout=30) as client:
        bot = house.takes_telegram(telegram)
        async with house.running(replicas=3) as replicas:
            takes = (replicas[n % 3].takes(client, bot, written(n)) for n in reversed(range(COUNT)))
            assert await asyncio.gather(*takes) == [200] * COUNT
            await house.quiet()
    (conversation,) = await house.conversations()
    messages = await house.messages(conversation["id"])
    assert [said(one) for one in messages] == [f"Message {n}" for n in range(COUNT)]
    assert {one["sender"]["customer_id"] for one in messages} == {conversation["customer_id"]}
    assert [one["message_count"] for one in await house.conversations()] == [COUNT]
