"""What users saw: the download of a photo fails, and the message, even its contact and conversation, are gone; the retry is a duplicate.

chatwoot/chatwoot#15664, #15754 and #9809. Here the message is visible at once, its file `pending`. The file is fetched beside it, again
and again, until it is `stored` or `failed`; and what the provider delivers once more can still complete it.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx
import pytest
from failures.house import House, until, update

from onethread.testing.telegram_server import TelegramServer
from onethread.testing.whatsapp_server import WhatsAppServer

PHOTO = b"\x89PNG\r\n\x1a\n" + bytes(range(200))
SIZES = [{"file_id": "P1", "file_unique_id": "u1", "width": 800, "height": 600, "file_size": len(PHOTO)}]


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer() as server:
        yield server


async def _photo(house: House) -> Any:
    """The one file of the one message, None before the message is visible."""
    messages = await house.all_messages()
    return messages[0]["fact"]["attachments"][0] if messages else None


async def _becomes(house: House, status: str) -> Any:
    async def there() -> Any:
        photo = await _photo(house)
        return photo if photo and photo["status"] == status else None

    return await until(there, f"the file is {status}")


async def _bytes(house: House, photo: Any) -> httpx.Response:
    return await house.desk.get(f"/v1/attachments/{photo['id']}/content")


async def test_it_is_visible_at_once_and_complete_once_the_provider_answers(
    each_house: House, telegram: TelegramServer
) -> None:
    house, bot = each_house, each_house.takes_telegram(telegram)
    telegram.file_faults = [503, 404, 503]
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, house.running(replicas=3) as replicas:
        # getFile does not know it yet: it is refused until the file is there.
        assert await replicas[0].takes(client, bot, update(1, "", photo=SIZES)) == 200
        pending = await _becomes(house, "pending")
        assert (await _bytes(house, pending)).status_code == 409
        telegram.keep_file("P1", PHOTO, "photos/1.png")
        stored = await _becomes(house, "stored")
        assert stored["id"] == pending["id"]
        assert (stored["media_type"], stored["size_bytes"]) == ("image/png", len(PHOTO))
        assert (await _bytes(house, stored)).content == PHOTO
        assert not telegram.file_faults
        await house.quiet()
    (conversation,) = await house.conversations()
    assert conversation["message_count"] == 1


async def test_what_never_comes_is_failed_and_a_redelivery_completes_it(house: House, telegram: TelegramServer) -> None:
    bot = house.takes_telegram(telegram)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, house.running() as (replica,):
        await replica.takes(client, bot, update(1, "", photo=SIZES))
        pending = await _becomes(house, "pending")
        house.later = timedelta(days=2, minutes=1)
        failed = await _becomes(house, "failed")
        assert failed["id"] == pending["id"]
        assert (await _bytes(house, failed)).status_code == 404
        telegram.keep_file("P1", PHOTO, "photos/1.png")
        await replica.takes(client, bot, update(1, "", photo=SIZES))
        stored = await _becomes(house, "stored")
        assert (await _bytes(house, stored)).content == PHOTO
    assert len(await house.all_messages()) == 1


async def test_an_address_that_died_is_asked_for_again(house: House) -> None:
    async with WhatsAppServer() as whatsapp:
        whatsapp.file_faults = [404]
        async with _photo_by_whatsapp(house, whatsapp, time.time(), "stored") as stored:
            assert (await _bytes(house, stored)).content == PHOTO
            assert not whatsapp.file_faults


async def test_what_the_provider_keeps_no_longer_is_failed_at_once(house: House) -> None:
    long_ago = time.time() - 60 * 86400
    async with WhatsAppServer() as whatsapp, _photo_by_whatsapp(house, whatsapp, long_ago, "failed"):
        assert not [path for _, path, _ in whatsapp.calls if path == "65463453"]


@asynccontextmanager
async def _photo_by_whatsapp(house: House, whatsapp: WhatsAppServer, at: float, status: str) -> AsyncIterator[Any]:
    channel = house.takes_whatsapp(whatsapp)
    fields = whatsapp.keep_media("65463453", PHOTO, "image/png")
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, house.running() as (replica,):
        body = whatsapp.message({"type": "image", "image": fields, "timestamp": str(int(at))}, "351912000111")
        headers = {"x-hub-signature-256": whatsapp.signature(body)}
        assert (await client.post(replica.hook(channel), content=body, headers=headers)).status_code == 200
        yield await _becomes(house, status)
