"""The im ingest service as it is run: a photo sent to a bot is in the blob store, and the log says so."""

import asyncio
from ipaddress import ip_network
from pathlib import Path

from im_ingest.main import process
from onethread import assembly, envelope
from onethread.event import Event, MessageCompleted
from onethread.log.port import TopicPartition
from onethread.log.topics import MESSAGES
from onethread.settings import ChannelSettings, HttpSettings, LogSettings, MediaSettings, Settings
from onethread.testing.telegram_server import TelegramServer

PHOTO = b"\xff\xd8\xff" + bytes(range(250))
MIA = {"id": 700100200, "is_bot": False, "first_name": "Mia"}


async def _completion(settings: Settings) -> MessageCompleted:
    async with asyncio.timeout(20), assembly.event_log(settings, "test") as log:
        while True:
            records = await log.fetch(TopicPartition(MESSAGES, 0), 0)
            events: list[Event] = [envelope.read(record.value, record.headers) for record in records]
            for event in events:
                if isinstance(event.fact, MessageCompleted):
                    return event.fact
            await asyncio.sleep(0.02)


async def test_a_photo_sent_to_a_bot_is_stored_by_the_service(tmp_path: Path) -> None:
    async with TelegramServer(longest_poll=0.2) as telegram:
        bot = {"account": str(telegram.id), "bot_username": telegram.username, "token": telegram.token}
        channel = ChannelSettings(
            id="chn_bot", connector="telegram", allow_networks=(ip_network("127.0.0.0/8"),),
            settings={**bot, "edge": "polling", "secrets": ["a-secret"], "api_url": telegram.url},
        )  # fmt: skip
        settings = Settings(
            data=tmp_path, http=HttpSettings(port=0), log=LogSettings(partitions=1), channels=(channel,),
            media=MediaSettings(seconds=5),
        )  # fmt: skip
        telegram.keep_file("P1", PHOTO, "photos/1.jpg")
        telegram.file_faults = [503]
        service = process(settings)
        service.applies_topics()
        running = asyncio.create_task(service.run())
        try:
            async with asyncio.timeout(20):
                await service.ready.wait()
            sizes = [{"file_id": "P1", "file_unique_id": "u1", "width": 8, "height": 6}]
            await telegram.deliver(
                message_id=1, date=1767225600, chat={"id": MIA["id"], "type": "private"}, photo=sizes, **{"from": MIA}
            )
            (file,) = (await _completion(settings)).attachments
            assert (file.status, file.media_type) == ("stored", "image/jpeg")
            assert await assembly.blob_store(settings).get(file.sha256) == PHOTO
        finally:
            service.stop()
            assert await running
