"""Mastodon against the simulator of a server: what is streamed, what is caught up with, and where the cursor stands."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from onethread.envelope import event_id
from onethread.errors import OnethreadError, Retryable
from onethread.event import Event, Message
from onethread.testing.mastodon_server import MastodonServer
from onethread.testing.recording_host import RecordingHost
from social_ingest.connectors.mastodon.api import Api
from social_ingest.connectors.mastodon.connector import Mastodon, Settings
from social_ingest.connectors.mastodon.reading import Reading

MIA, BEN = "mia@remote.example", "ben@third.example"


class Prompt(Mastodon):
    quiet = 0.02


def connector(server: MastodonServer, **settings: str) -> Prompt:
    common = {"account": server.acct, "base_url": server.url, "access_token": server.token}
    return Prompt(Settings.model_validate({**common, **settings}))


@pytest.fixture
async def server() -> AsyncIterator[MastodonServer]:
    async with MastodonServer() as running:
        yield running


@pytest.fixture
async def host(server: MastodonServer) -> AsyncIterator[RecordingHost]:
    async with RecordingHost(connector(server)) as lent:
        yield lent


@asynccontextmanager
async def session(server: MastodonServer, host: RecordingHost, mastodon: Mastodon | None = None) -> AsyncIterator[None]:
    """A session, opened again whenever it ends, as the host does; caught up and listening when the body begins."""
    chosen = mastodon or connector(server)

    async def keep_open() -> None:
        while True:
            with suppress(Retryable):
                await chosen.session(host, "", host.cursor)

    task = asyncio.create_task(keep_open())
    await host.until(lambda it: it.cursor is not None and it.connected > 0)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def texts(host: RecordingHost) -> list[str]:
    return [event.fact.body.text.removeprefix("@shop ") for event in host.events if isinstance(event.fact, Message)]


def newest(server: MastodonServer) -> str:
    return str(server.notifications[-1]["id"])


def identity(event: Event) -> str:
    return event_id("t1", "mastodon", "shop@social.example", event.kind, event.external_id, event.revision)


async def test_what_is_streamed_arrives_and_the_list_moves_the_cursor(
    server: MastodonServer, host: RecordingHost
) -> None:
    async with session(server, host):
        await server.mention(MIA, "where is my parcel?")
        await host.until(lambda it: it.cursor == newest(server))
    assert texts(host) == ["where is my parcel?"]


async def test_a_new_channel_begins_now(server: MastodonServer, host: RecordingHost) -> None:
    await server.mention(MIA, "long ago")
    old = newest(server)
    async with session(server, host):
        assert host.cursors[0] == old
        await server.mention(MIA, "today")
        await host.until(lambda it: it.cursor == newest(server))
    assert texts(host) == ["today"]


async def test_a_new_channel_may_begin_earlier(server: MastodonServer) -> None:
    server.page = 2
    for text in ("a", "b", "c", "d", "e"):
        await server.mention(MIA, text)
    since = datetime.fromisoformat(server.notifications[1]["created_at"])
    async with RecordingHost(connector(server), since=since) as host, session(server, host):
        await host.until(lambda it: it.cursor == newest(server))
        assert texts(host) == ["b", "c", "d", "e"]


async def test_a_channel_that_begins_before_everything_gets_everything(server: MastodonServer) -> None:
    await server.mention(MIA, "first of all")
    async with RecordingHost(connector(server), since=datetime(2020, 1, 1, tzinfo=UTC)) as host, session(server, host):
        await host.until(lambda it: it.cursor == newest(server))
        assert texts(host) == ["first of all"]


async def test_what_happens_while_nobody_listens_is_caught_up_with_in_order(
    server: MastodonServer, host: RecordingHost
) -> None:
    server.page = 2
    async with session(server, host):
        await server.mention(MIA, "before")
        await host.until(lambda it: it.cursor == newest(server))
        with server.while_down():
            await server.drop_sockets()
            for text in ("one", "two", "three", "four", "five"):
                await server.mention(BEN, text)
        await host.until(lambda it: it.cursor == newest(server))
    assert texts(host) == ["before", "one", "two", "three", "four", "five"]
    assert host.cursors == sorted(host.cursors, key=int)


async def test_a_frame_that_was_lost_is_found_when_the_next_one_comes(
    server: MastodonServer, host: RecordingHost
) -> None:
    async with session(server, host):
        with server.while_frames_are_lost():
            await server.mention(MIA, "lost")
        await server.mention(MIA, "heard")
        await host.until(lambda it: it.cursor == newest(server))
    assert sorted(texts(host)) == ["heard", "lost"]


async def test_a_lost_frame_is_found_even_if_nothing_follows(server: MastodonServer, host: RecordingHost) -> None:
    class Restless(Prompt):
        idle = 0.05

    mastodon = Restless(connector(server).settings)
    async with session(server, host, mastodon):
        with server.while_frames_are_lost():
            await server.mention(MIA, "lost")
        await host.until(lambda it: it.cursor == newest(server))
    assert texts(host) == ["lost"]


async def test_what_is_sent_twice_is_the_same_event(server: MastodonServer, host: RecordingHost) -> None:
    async with session(server, host):
        await server.mention(MIA, "once")
        await host.until(lambda it: it.cursor == newest(server))
        await server.repeat(server.notifications[-1])
        await host.until(lambda it: len(it.events) >= 2)
    assert len({identity(event) for event in host.events}) == 1
    assert host.cursor == newest(server)


class OneFrame:
    """A WebSocket that gives one frame when it is told to, and then stays silent."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.frame = asyncio.Event()

    async def send(self, message: str | bytes) -> None:
        raise AssertionError(message)

    async def receive(self) -> str | bytes:
        self.waiting.set()
        await self.frame.wait()
        self.frame.clear()
        return '{"event":"filters_changed"}'


@pytest.mark.parametrize("turns", range(4))
async def test_a_session_that_is_cancelled_as_a_frame_comes_ends(
    server: MastodonServer, host: RecordingHost, turns: int
) -> None:
    socket, api = OneFrame(), Api(host, server.url, SecretStr(server.token))
    reading = Reading(host, api, server.acct, "0")
    task = asyncio.create_task(reading.run(socket, quiet=60, idle=60, burst=60))
    await asyncio.wait_for(socket.waiting.wait(), 10)
    socket.frame.set()
    for _ in range(turns):
        await asyncio.sleep(0)  # so many turns of the loop lie between the frame and the end
    task.cancel()
    await asyncio.wait({task}, timeout=5)
    assert task.cancelled()


async def test_a_burst_reads_the_list_before_it_ends(server: MastodonServer, host: RecordingHost) -> None:
    class Patient(Mastodon):
        quiet = 60.0
        burst = 3

    async with session(server, host, Patient(connector(server).settings)):
        await host.until(lambda _: server.listeners == 1)
        for text in ("a", "b", "c"):
            await server.mention(MIA, text)
        await host.until(lambda it: it.cursor == newest(server))
    assert texts(host) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "frame",
    [
        "no json",
        "{}",
        '{"event":"notification","payload":"no json"}',
        '{"event":"notification","payload":null}',
        '{"event":"notification","payload":"{\\"id\\":\\"999999\\"}"}',
        '{"event":"delete","payload":"108914327388663283"}',
        '{"event":"hologram","payload":"{}"}',
        '{"event":"conversation","payload":"{}"}',
        '{"event":"filters_changed"}',
    ],
)
async def test_no_frame_moves_the_cursor_by_itself(server: MastodonServer, frame: str) -> None:
    await server.mention(MIA, "before")
    mastodon = connector(server)
    async with Tolerant(mastodon) as host, session(server, host):
        before = host.cursor
        await host.until(lambda _: server.listeners == 1)
        await server.say(frame)
        await server.mention(MIA, "after")
        await host.until(lambda it: it.cursor == newest(server))
    assert set(host.cursors) == {before, newest(server)}


class Tolerant(RecordingHost):
    """Sets aside what cannot be normalised, as the real host does."""

    async def emit(self, records: Any, cursor: str | None = None) -> None:
        sound = []
        for record in records:
            with suppress(OnethreadError, msgspec.MsgspecError, UnicodeError):
                list(connector_of(self).normalize(record))
                sound.append(record)
        await super().emit(sound, cursor)


def connector_of(host: RecordingHost) -> Mastodon:
    assert isinstance(host._connector, Mastodon)
    return host._connector


async def test_edits_deletions_and_own_posts_are_streamed(server: MastodonServer, host: RecordingHost) -> None:
    async with session(server, host):
        await host.until(lambda _: server.listeners == 1)
        status = await server.mention(MIA, "where is my parcel?", visibility="direct")
        await server.edit(status, "where is my blue parcel?")
        await server.post("On its way", to=MIA, visibility="direct", in_reply_to=status["id"])
        await server.delete(status)
        await host.until(lambda it: "message.deleted" in {event.kind for event in it.events})
    assert [(event.kind, event.direction, event.place.kind) for event in host.events] == [
        ("message", "inbound", "direct"),
        ("message.edited", "inbound", "direct"),
        ("message", "outbound", "direct"),
        ("message.deleted", "inbound", "direct"),
    ]
    assert {event.external_id for event in host.events if event.direction == "inbound"} == {status["id"]}


async def test_reactions_and_followers_arrive(server: MastodonServer, host: RecordingHost) -> None:
    async with session(server, host):
        await host.until(lambda _: server.listeners == 1)
        status = await server.post("New shoes")
        await server.favourite(MIA, status)
        await server.reblog(BEN, status)
        await server.follow(MIA)
        await host.until(lambda it: it.cursor == newest(server) and "message" in {event.kind for event in it.events})
    found = {identity(event): event.kind for event in host.events}
    assert sorted(found.values()) == ["contact.subscribed", "message", "reaction.added", "reaction.added"]


async def test_posts_of_others_are_not_taken_in(server: MastodonServer, host: RecordingHost) -> None:
    async with session(server, host):
        await host.until(lambda _: server.listeners == 1)
        status = await server.post("ours")
        others = {**status, "id": "5", "account": server.account(BEN), "mentions": []}
        for event in ("update", "status.update"):
            payload = msgspec.json.encode(others).decode()
            await server.say(msgspec.json.encode({"event": event, "payload": payload}).decode())
        last = await server.post("ours again")
        await host.until(lambda it: len(it.events) == 2)
    assert [event.external_id for event in host.events] == [status["id"], last["id"]]


async def test_a_refusing_stream_is_tried_again(server: MastodonServer, host: RecordingHost) -> None:
    async with session(server, host):
        await host.until(lambda _: server.listeners == 1)
        await server.say('{"error":"Too many connections"}')
        await host.until(lambda it: it.connected == 2)


async def test_the_probe_passes_for_an_account_that_is_set_up(server: MastodonServer, host: RecordingHost) -> None:
    assert [(step.name, step.ok) async for step in connector(server).check(host)] == [
        ("token", True),
        ("notifications", True),
        ("stream", True),
    ]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"access_token": "wrong"}, "answers 401"),
        ({"account": "other@social.example"}, "belongs to shop@social.example"),
        ({"base_url": "http://127.0.0.1:9"}, "ConnectError"),
    ],
)
async def test_the_probe_says_what_to_change(
    server: MastodonServer, host: RecordingHost, settings: dict[str, str], words: str
) -> None:
    failed = [each async for each in connector(server, **settings).check(host) if not each.ok]
    assert [(each.name, words in each.todo) for each in failed] == [("token", True)]
