"""One telling by a real connector: everything that waits at its provider is read and threaded, or the process dies."""

import asyncio
from collections.abc import Callable
from typing import Any

from crash.telling import Parts, Telling, until

from email_ingest.connectors.imap.connector import Imap
from im_ingest.connectors.telegram.connector import Telegram
from onethread import envelope
from onethread.connector import Connector, Polling
from onethread.host.http import LentClient
from onethread.host.tasks import cancelled
from onethread.log.port import TopicPartition
from onethread.log.topics import MESSAGES, topics
from onethread.testing.failpoints import FailPoints, pointed
from social_ingest.connectors.mastodon.connector import Mastodon

CONNECTORS: dict[str, type[Connector[Any]]] = {"imap": Imap, "mastodon": Mastodon, "telegram": Telegram}
STILL = 10
"""So many looks in a row must see the same cursors, before all counts as read."""


class Reading:
    """What the log and the cursors say of one channel."""

    def __init__(self, parts: Parts, channel: str, messages: int) -> None:
        self._parts, self._channel, self._messages = parts, channel, messages
        self._seen, self._looks = [""], 0

    async def is_done(self) -> bool:
        """All messages are in the log, and the cursors rest."""
        if await self._arrived() < self._messages:
            return False
        cursors = await self._parts.plain_state.scan("cursors", self._channel)
        now = [f"{one.id} {one.version}" for one in cursors]
        self._looks = self._looks + 1 if now == self._seen else 0
        self._seen = now
        return self._looks >= STILL

    async def _arrived(self) -> int:
        records = await self._parts.plain_log.fetch(TopicPartition(MESSAGES, 0), 0)
        events = [envelope.read(record.value, record.headers) for record in records]
        return len({event.id for event in events if event.kind == "message"})


async def receive(telling: Telling, points: FailPoints, say: Callable[[str], None], client: LentClient) -> None:
    """Open, prepare, read everything, thread it, close."""
    entrance = telling.entrance
    assert entrance is not None
    parts = Parts(telling, points, say, client)
    async with parts.log, parts.state, parts.store:
        await parts.store.create_indexes()
        await parts.log.apply(topics(partitions=1))
        kind = CONNECTORS[entrance.connector]
        connector = kind(kind.settings_model().model_validate(entrance.settings))
        polls = Polling in connector.edges
        host = parts.polling if polls else parts.stream
        channel = parts.serve(entrance.connector, pointed(kind, connector, "polling" if polls else "stream", points))
        running = asyncio.create_task(host.run())
        await until(Reading(parts, channel.id, entrance.messages).is_done, running)
        await cancelled([running])
        await host.stop()
        await parts.work()
        await parts.close()
