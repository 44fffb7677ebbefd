"""One telling by a real connector: everything that waits at its provider is read, fetched and threaded, or the process dies."""

import asyncio
from collections.abc import Callable
from typing import Any

from crash.telling import Parts, Telling, until

from email_ingest.connectors.imap.connector import Imap
from im_ingest.connectors.slack.connector import Slack
from im_ingest.connectors.telegram.connector import Telegram
from im_ingest.connectors.wecom_kf.connector import WeComKf
from onethread import envelope
from onethread.connector import Connector, Polling, Webhook
from onethread.host.errands import Errands
from onethread.host.fetching import Fetching
from onethread.host.http import LentClient
from onethread.host.jobs import Jobs
from onethread.host.media import Limits
from onethread.host.tasks import cancelled
from onethread.log.port import TopicPartition
from onethread.log.topics import MESSAGES, topics
from onethread.testing.failpoints import FailPoints, pointed
from social_ingest.connectors.mastodon.connector import Mastodon


class Frequent(WeComKf):
    """Polls as if five minutes went by at once."""

    interval = 0.05


CONNECTORS: dict[str, type[Connector[Any]]] = {
    "imap": Imap,
    "mastodon": Mastodon,
    "slack": Slack,
    "telegram": Telegram,
    "wecom_kf": WeComKf,
    "wecom_kf_poll": Frequent,
}
STILL = 10
"""So many looks in a row must see the same cursors, before all counts as read."""
LOST = 800
"""After so many, what is missing counts as lost."""
LIMITS = Limits(max_bytes=8 * 1024 * 1024, seconds=30.0)
MEDIA = "onethread.media.crash"


class Reading:
    """What the log and the cursors say of one channel."""

    def __init__(self, parts: Parts, channel: str, messages: int) -> None:
        self._parts, self._channel, self._messages = parts, channel, messages
        self._seen, self._looks = [""], 0

    async def is_done(self) -> bool:
        """All messages are in the log, or will never be, and the cursors rest."""
        arrived = await self._arrived()
        cursors = await self._parts.plain_state.scan("cursors", self._channel)
        now = [str(len(arrived)), *(f"{one.id} {one.version}" for one in cursors)]
        self._looks = self._looks + 1 if now == self._seen else 0
        self._seen = now
        return self._looks >= (STILL if len(arrived) >= self._messages else LOST)

    async def _arrived(self) -> set[str]:
        records = await self._parts.plain_log.fetch(TopicPartition(MESSAGES, 0), 0)
        events = [envelope.read(record.value, record.headers) for record in records]
        return {event.id for event in events if event.kind == "message" and event.channel_id == self._channel}


async def receive(telling: Telling, points: FailPoints, say: Callable[[str], None], client: LentClient) -> None:
    """Open, prepare, read everything, fetch what it refers to, thread it, close."""
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
        listening = [parts.listens()] if Webhook in connector.edges else []
        await until(Reading(parts, channel.id, entrance.messages).is_done, running)
        await cancelled([running])
        await host.stop()
        if entrance.fetches:
            await _fetch(parts)
        await parts.work()
        await parts.close()
        await cancelled(listening)


async def _fetch(parts: Parts) -> None:
    """Until no job is left, and none can come."""

    async def is_quiet() -> bool:
        return await parts.is_read(MEDIA) and not await parts.plain_state.scan("fetches")

    errands = Errands(parts.lender, parts.log, parts.blobs, LIMITS, parts.standing)
    fetching = Fetching(parts.lender, parts.log, Jobs(parts.state), errands, group=MEDIA, member="one", parallel=1)
    running = asyncio.create_task(fetching.run())
    await until(is_quiet, running)
    await cancelled([running])
