"""What users saw: an album, or a burst of a contact nobody knew, opens one conversation for each message.

chatwoot/chatwoot#14058, chatwoot/chatwoot#14071, chatwoot/chatwoot#10798, RocketChat/Rocket.Chat#23476,
RocketChat/Rocket.Chat#24584. Here twenty messages come at once over three replicas: one customer, one conversation, and the
twenty are read as they were written, although Telegram's and WhatsApp's times have whole seconds only. The latter half of Telegram's is an album.
"""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from failures.house import House, said, update

from onethread.testing.telegram_server import TelegramServer
from onethread.testing.whatsapp_server import WhatsAppServer

COUNT = 20
NUMBER = "351912000111"


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


async def test_what_whatsapp_tells_of_one_second_is_read_in_the_order_in_which_it_came(each_house: House) -> None:
    """Half of it one by one, to one replica after the other; half in one body."""
    house, server = each_house, WhatsAppServer()
    channel, second = house.takes_whatsapp(server), server.tick()

    def written(number: int) -> dict[str, Any]:
        text = {"type": "text", "text": {"body": f"Message {number}"}}
        return {"from": NUMBER, "id": f"wamid.{number}", "timestamp": second, **text}

    bodies = [server.change(messages=[written(number)]) for number in range(COUNT // 2)]
    bodies.append(server.change(messages=[written(number) for number in range(COUNT // 2, COUNT)]))
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, house.running(replicas=3) as replicas:
        house.later = datetime.fromtimestamp(int(second), UTC) - datetime.now(UTC)
        for number, body in enumerate(bodies):
            house.later += timedelta(milliseconds=100)
            headers = {"x-hub-signature-256": server.signature(body)}
            answer = await client.post(replicas[number % 3].hook(channel), content=body, headers=headers)
            assert answer.status_code == 200
        await house.quiet()
    (conversation,) = await house.conversations()
    assert [said(one) for one in await house.messages(conversation["id"])] == [f"Message {n}" for n in range(COUNT)]
