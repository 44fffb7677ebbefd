"""Telegram against the simulator of its Bot API: both edges, files, set-up, and what refusals mean."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from im_ingest.connectors.telegram.connector import SECRET_HEADER, Settings, Telegram
from onethread.connector import Polling, Raw, Webhook
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable
from onethread.event import Message, ReactionAdded
from onethread.testing.recording_host import RecordingHost
from onethread.testing.serving import Loopback
from onethread.testing.telegram_server import TelegramServer

MIA = {"id": 700100200, "is_bot": False, "first_name": "Mia", "last_name": "Lang", "username": "mialang"}
BEN = {"id": 700100300, "is_bot": False, "first_name": "Ben"}


def connector(server: TelegramServer, **settings: Any) -> Telegram:
    common: dict[str, Any] = {"account": str(server.id), "bot_username": server.username, "token": server.token}
    return Telegram(Settings(**{**common, "secrets": ["hook-secret"], "api_url": server.url, **settings}))


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(longest_poll=0.2, delay=lambda attempt, wait: 0.01) as running:
        yield running


@pytest.fixture
async def telegram(server: TelegramServer) -> Telegram:
    return connector(server, edge="polling")


@pytest.fixture
async def host(telegram: Telegram) -> AsyncIterator[RecordingHost]:
    async with RecordingHost(telegram) as lent:
        yield lent


def texts(telegram: Telegram, records: list[Raw]) -> list[str]:
    events = [event for raw in records for event in telegram.normalize(raw)]
    return [event.fact.body.text for event in events if isinstance(event.fact, Message)]


# --- polling --------------------------------------------------------------------------------------------------------


async def test_a_page_is_given_again_until_its_offset_is_confirmed(
    server: TelegramServer, telegram: Telegram, host: RecordingHost
) -> None:
    await server.say("one", MIA)
    await server.say("two", BEN)
    first = await telegram.fetch(host, "", None)
    again = await telegram.fetch(host, "", None)
    assert texts(telegram, list(first.records)) == texts(telegram, list(again.records)) == ["one", "two"]
    assert first.more
    await server.say("three", MIA)
    second = await telegram.fetch(host, "", first.cursor)
    assert texts(telegram, list(second.records)) == ["three"]
    assert len(server.pending) == 1


async def test_an_empty_page_keeps_the_cursor(server: TelegramServer, telegram: Telegram, host: RecordingHost) -> None:
    page = await telegram.fetch(host, "", "731000099")
    assert (page.records, page.cursor, page.more) == ([], "731000099", False)


async def test_a_long_poll_is_answered_as_soon_as_somebody_writes(telegram: Telegram) -> None:
    async with TelegramServer(longest_poll=30) as patient, RecordingHost(telegram) as lent:
        async with asyncio.timeout(10), asyncio.TaskGroup() as both:
            waiting = both.create_task(connector(patient, edge="polling").fetch(lent, "", None))
            await patient.until(lambda: bool(patient.calls))
            await patient.say("now", MIA)
        page = waiting.result()
    assert texts(telegram, list(page.records)) == ["now"]


async def test_reactions_are_asked_for_by_name(server: TelegramServer, telegram: Telegram, host: RecordingHost) -> None:
    change = {"message_id": 5, "date": 1767225600, "user": MIA, "old_reaction": []}
    group = {"id": -1001500, "type": "supergroup", "title": "Friends"}
    reaction = {**change, "chat": group, "new_reaction": [{"type": "emoji", "emoji": "👍"}]}
    await server.deliver("message_reaction", **reaction)
    assert server.pending == []
    await telegram.fetch(host, "", None)
    await server.deliver("message_reaction", **reaction)
    page = await telegram.fetch(host, "", None)
    facts = [event.fact for raw in page.records for event in telegram.normalize(raw)]
    assert facts == [ReactionAdded(target="-1001500:5", symbol="👍")]


async def test_polling_beside_a_webhook_says_what_to_change(
    server: TelegramServer, telegram: Telegram, host: RecordingHost
) -> None:
    await connector(server).subscribe(host, "http://127.0.0.1:9/hook")
    with pytest.raises(Misconfigured, match="set `edge`"):
        await telegram.fetch(host, "", None)
    await telegram.subscribe(host, "http://127.0.0.1:9/hook")
    assert server.webhook is None
    assert (await telegram.fetch(host, "", None)).records == []


@pytest.mark.parametrize(
    ("status", "answer", "error", "words"),
    [
        (401, {"description": "Unauthorized"}, Misconfigured, "@BotFather"),
        (404, {"description": "Not Found"}, Misconfigured, "@BotFather"),
        (409, {"description": "Conflict: terminated by other getUpdates request"}, Retryable, "Another program"),
        (409, {"description": "Conflict: webhook is active"}, Misconfigured, "edge"),
        (429, {"description": "Too Many Requests", "parameters": {"retry_after": 7}}, Retryable, "Too Many"),
        (500, {"description": "Internal Server Error"}, Retryable, "500"),
        (400, {"description": "Bad Request: file is too big"}, Poison, "too big"),
        (400, {"description": "Bad Request: the file is temporarily unavailable"}, Retryable, "temporarily"),
        (502, "<html>", Retryable, "502"),
        (200, {"ok": False, "description": "odd"}, Retryable, "odd"),
    ],
)
async def test_a_refusal_is_translated_and_never_shows_the_token(
    status: int, answer: Any, error: type[OnethreadError], words: str
) -> None:
    async def refuse(request: Request) -> Response:
        return Response(answer if isinstance(answer, str) else msgspec.json.encode(answer), status)

    routes = [Route("/bot{token}/{method}", refuse, methods=["POST"])]
    server = TelegramServer()
    async with Loopback(Starlette(routes=routes)) as refusing:
        telegram = connector(server, api_url=refusing.url)
        async with RecordingHost(telegram) as lent:
            with pytest.raises(error, match=words) as caught:
                await telegram.download(lent, "F1")
    shown = "".join(str(each) for each in (caught.value, caught.value.__cause__ or ""))
    assert server.token not in shown
    assert getattr(caught.value, "after", None) == (7 if status == 429 else None)


async def test_a_server_that_is_away_is_tried_later(telegram: Telegram) -> None:
    async with TelegramServer() as gone:
        url = gone.url
    away = connector(gone, api_url=url)
    async with RecordingHost(away) as lent:
        with pytest.raises(Retryable, match="ConnectError"):
            await away.fetch(lent, "", None)


# --- webhook --------------------------------------------------------------------------------------------------------


class Entrance:
    """Takes deliveries, after as many refusals as it is told."""

    def __init__(self, refusals: int = 0) -> None:
        self.refusals = refusals
        self.taken: list[tuple[str, bytes]] = []
        self.served = Loopback(Starlette(routes=[Route("/hook", self.take, methods=["POST"])]))

    async def take(self, request: Request) -> Response:
        if self.refusals:
            self.refusals -= 1
            return Response(status_code=503, headers={"retry-after": "5"})
        self.taken.append((request.headers.get(SECRET_HEADER, ""), await request.body()))
        return Response()


async def test_the_webhook_is_registered_with_the_first_secret_and_gets_what_was_waiting(
    server: TelegramServer, host: RecordingHost
) -> None:
    telegram, entrance = connector(server, secrets=["new", "old"]), Entrance()
    await server.say("early", MIA)
    async with entrance.served:
        assert await telegram.subscribe(host, f"{entrance.served.url}/hook") is None
        await server.say("late", MIA)
        await server.confirmed()
    assert [secret for secret, _ in entrance.taken] == ["new", "new"]
    assert texts(telegram, [Raw(body) for _, body in entrance.taken]) == ["early", "late"]


async def test_a_refused_delivery_is_repeated_and_delays_only_its_own_chat(host: RecordingHost) -> None:
    waits: list[float | None] = []

    def delay(attempt: int, wait: float | None) -> float:
        waits.append(wait)
        return 0.01

    entrance = Entrance(refusals=3)
    async with TelegramServer(delay=delay) as server, entrance.served:
        await connector(server).subscribe(host, f"{entrance.served.url}/hook")
        update = await server.say("of Mia", MIA)
        await server.say("again of Mia", MIA)
        await server.confirmed()
        statuses = [each.status for each in server.deliveries]
    assert statuses == [503, 503, 503, 200, 200]
    assert {each.update_id for each in server.deliveries[:4]} == {update["update_id"]}
    assert waits == [5.0, 5.0, 5.0]


async def test_an_update_that_comes_twice_gives_the_same_events_by_either_edge(
    server: TelegramServer, telegram: Telegram, host: RecordingHost
) -> None:
    entrance = Entrance()
    update = await server.say("once", MIA)
    page = await telegram.fetch(host, "", None)
    async with entrance.served:
        await connector(server).subscribe(host, f"{entrance.served.url}/hook")
        await server.confirmed()
        await server.repeat(update)
        await server.confirmed()
    raws = [*page.records, *(Raw(body) for _, body in entrance.taken)]
    assert len(raws) == 3
    first, *others = [list(telegram.normalize(raw)) for raw in raws]
    assert all(other == first for other in others)


async def test_stopping_takes_the_webhook_away(server: TelegramServer, host: RecordingHost) -> None:
    telegram = connector(server)
    await telegram.subscribe(host, "http://127.0.0.1:9/hook")
    await telegram.subscribe(host, None)
    assert server.webhook is None


async def test_a_url_that_telegram_refuses_is_for_a_person(server: TelegramServer, host: RecordingHost) -> None:
    with pytest.raises(Misconfigured, match="443"):
        await connector(server).subscribe(host, "ftp://hooks.example.com")


def test_the_edge_is_the_one_that_is_set() -> None:
    server = TelegramServer()
    assert connector(server).edges == (Webhook,)
    assert connector(server, edge="polling").edges == (Polling,)


def test_a_secret_that_telegram_would_refuse_is_refused_without_showing_it() -> None:
    with pytest.raises(ValueError, match="letters") as caught:
        connector(TelegramServer(), secrets=["no spaces please"])
    assert "no spaces please" not in str(caught.value)


# --- files and probes -----------------------------------------------------------------------------------------------


async def test_a_file_is_found_where_telegram_keeps_it(server: TelegramServer, host: RecordingHost) -> None:
    server.keep_file("F1", b"a torn box", "photos/file_1.jpg")
    media = await connector(server).download(host, "F1")
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(media.url, headers=media.headers)).content == b"a torn box"


async def test_a_file_that_is_gone_is_asked_for_later(server: TelegramServer, host: RecordingHost) -> None:
    with pytest.raises(Retryable, match="temporarily"):
        await connector(server).download(host, "F2")


async def test_a_file_on_the_disk_of_a_local_server_cannot_be_fetched(
    server: TelegramServer, host: RecordingHost
) -> None:
    server.keep_file("F1", b"", "/var/lib/files/1.jpg")
    with pytest.raises(Misconfigured, match="--local"):
        await connector(server).download(host, "F1")


async def test_the_probe_passes_for_a_bot_that_is_set_up(server: TelegramServer, host: RecordingHost) -> None:
    telegram = connector(server)
    await telegram.subscribe(host, "http://127.0.0.1:9/hook")
    assert [(step.name, step.ok) async for step in telegram.check(host)] == [
        ("token", True),
        ("groups", True),
        ("delivery", True),
    ]


@pytest.mark.parametrize(
    ("settings", "step", "words"),
    [
        ({"token": "9000:wrong"}, "token", "@BotFather"),
        ({"account": "1"}, "token", "belongs to bot 9000"),
        ({"bot_username": "other_bot"}, "token", "shop_bot"),
        ({}, "delivery", "no webhook is set"),
    ],
)
async def test_the_probe_says_what_to_change(
    server: TelegramServer, host: RecordingHost, settings: dict[str, str], step: str, words: str
) -> None:
    failed = {each.name: each.todo async for each in connector(server, **settings).check(host) if not each.ok}
    assert words in failed[step]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("Wrong response from the webhook: 401 Unauthorized", "`secrets`"),
        ("Wrong response from the webhook: 404 Not Found", "compare `http.public_url`"),
        ("Wrong response from the webhook: 503 Service Unavailable", "onethread channels"),
        ("SSL error {error:1416F086:SSL routines:certificate verify failed}", "certificate"),
        ("Connection refused", "443, 80, 88 or 8443"),
        ("Read timeout expired", "443, 80, 88 or 8443"),
    ],
)
async def test_the_probe_says_why_telegram_does_not_reach_us(host: RecordingHost, error: str, words: str) -> None:
    async with TelegramServer(delay=lambda attempt, wait: 3600.0) as server:  # it is not tried again meanwhile
        telegram = connector(server)
        await telegram.subscribe(host, "http://127.0.0.1:9/hook")
        await server.say("Hello?", MIA)
        await server.until(lambda: bool(server.last_error))
        server.last_error = error
        failed = {each.name: each.todo async for each in telegram.check(host) if not each.ok}
    assert error in failed["delivery"]
    assert words in failed["delivery"]


async def test_the_probe_sees_a_webhook_that_another_program_has_set(
    server: TelegramServer, host: RecordingHost
) -> None:
    url = f"{server.url}/bot{server.token}/setWebhook"
    await host.http.post(url, json={"url": "http://127.0.0.1:9/hook", "allowed_updates": ["message"]})
    failed = {each.name: each.todo async for each in connector(server).check(host) if not each.ok}
    assert "message_reaction" in failed["delivery"]
    await connector(server).subscribe(host, "http://127.0.0.1:9/hook")
    assert all([each.ok async for each in connector(server).check(host)])


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ("https://crm.example.com/telegram/s3cret", "goes to crm.example.com"),
        ("https://hooks.example.com/hooks/chn_old/s3cret", "has another channel id or `hook_secret`"),
    ],
)
async def test_the_probe_compares_the_webhook_with_the_channels_own_url(
    server: TelegramServer, host: RecordingHost, there: str, words: str
) -> None:
    telegram = connector(server)
    host.url = "https://hooks.example.com/hooks/chn_bot/a-long-hook-secret"
    await telegram.subscribe(host, host.url)
    assert all([each.ok async for each in telegram.check(host)])
    await telegram.subscribe(host, there)
    failed = {each.name: each.todo async for each in telegram.check(host) if not each.ok}
    assert words in failed["delivery"]
    assert "s3cret" not in failed["delivery"]


async def test_a_path_that_is_no_longer_good_is_asked_for_anew(server: TelegramServer, host: RecordingHost) -> None:
    server.keep_file("F1", b"a torn box", "photos/file_1.jpg")
    before = await connector(server).download(host, "F1")
    server.move_files()
    with pytest.raises(httpx.HTTPStatusError):
        await host.http.get(before.url)
    assert (await host.http.get((await connector(server).download(host, "F1")).url)).content == b"a torn box"
