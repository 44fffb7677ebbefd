"""Telegram from the provider's side: the simulator of the Bot API against the real hosts, log, unifier and API, by either edge."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from failures.house import Backend, House, Replica, built, said

from im_ingest.connectors.telegram.connector import SECRET_HEADER, Settings, Telegram
from onethread.log.topics import MESSAGES
from onethread.testing.telegram_server import TelegramServer

MIA = {"id": 700100200, "is_bot": False, "first_name": "Mia"}
ZOE = {"id": 700100400, "is_bot": False, "first_name": "Zoe"}
GROUP = {"id": -1500, "type": "group", "title": "Shop friends"}
SUPERGROUP = {"id": -1001500, "type": "supergroup", "title": "Shop friends"}
SECOND = 1767225660


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramServer]:
    async with TelegramServer(longest_poll=0.2, delay=lambda attempt, wait: 0.02) as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with built(Backend(tmp_path)) as made:
        yield made


def connector(server: TelegramServer, **settings: Any) -> Telegram:
    bot = {"account": str(server.id), "bot_username": server.username, "token": server.token, "api_url": server.url}
    return Telegram(
        Settings.model_validate({**bot, "secrets": ["hook-secret"], "agents": [str(ZOE["id"])], **settings})
    )


async def lines(house: House) -> list[Any]:
    """The timeline of the only conversation, of every kind: an upgraded group is the same one."""
    (conversation,) = await house.conversations()
    found: list[Any] = (await house.get(f"/v1/conversations/{conversation['id']}/entries", sort="seq"))["items"]
    return found


async def stored(house: House) -> int:
    return sum(extent.end for extent in (await house.log.extents(MESSAGES)).values()) + await house.letters()


async def talk(telegram: TelegramServer) -> list[Any]:
    """A customer and one of ours in a group: two edits in one second, a reaction, a button, then the group is upgraded."""
    first = await telegram.say("Is it in stock?", MIA, chat=GROUP)
    asked = first["message"]
    edits = [
        await telegram.deliver("edited_message", **{**asked, "text": text, "edit_date": SECOND})
        for text in ("Is it in stock in S?", "Is it in stock in M?")
    ]
    button = {"id": "q1", "from": MIA, "chat_instance": "1", "data": "size:M", "message": asked}
    thumb = {"chat": GROUP, "message_id": asked["message_id"], "date": SECOND, "user": ZOE, "old_reaction": []}
    return [
        first,
        *edits,
        await telegram.say("Yes, size M only", ZOE, chat=GROUP, date=SECOND),
        await telegram.deliver("callback_query", **button),
        await telegram.deliver("message_reaction", **thumb, new_reaction=[{"type": "emoji", "emoji": "👍"}]),
        await telegram.deliver(
            "message", **{**asked, "message_id": 5900, "text": None, "migrate_to_chat_id": -1001500}
        ),
        await telegram.say("Then I take it", MIA, chat=SUPERGROUP, date=SECOND + 60),
    ]


async def heard(house: House) -> None:
    """What a desk sees of that talk."""
    told = await lines(house)
    messages = [one for one in told if one["kind"] == "message"]
    assert {(one["direction"], said(one)) for one in messages} == {
        ("inbound", "Is it in stock in M?"),
        ("outbound", "Yes, size M only"),
        ("inbound", "Then I take it"),
    }
    (asked,) = (one for one in messages if "stock" in said(one))
    assert [reaction["symbol"] for reaction in asked["state"]["reactions"]] == ["👍"]
    assert "postback" in {one["kind"] for one in told}


async def test_by_webhook_what_comes_again_changes_nothing(telegram: TelegramServer, house: House) -> None:
    channel = house._adds(connector(telegram))
    async with house.running() as (replica,):
        await connector(telegram).subscribe(replica.lends(channel), replica.hook(channel))
        sent = await talk(telegram)
        await telegram.confirmed()
        await house.quiet()
        await heard(house)
        before, count = await lines(house), await stored(house)
        for update in sent * 2:
            await telegram.repeat(update)
        await telegram.confirmed()
        await house.quiet()
        assert await lines(house) == before
    assert {delivery.status for delivery in telegram.deliveries} == {200}
    assert count > 0
    assert await house.letters() == 0


async def test_by_polling_the_same_is_heard(telegram: TelegramServer, house: House) -> None:
    house._adds(connector(telegram, edge="polling"))
    async with house.running():
        await telegram.until(lambda: any(method == "getUpdates" for method, _ in telegram.calls))
        await talk(telegram)
        await telegram.confirmed()
        await house.quiet()
        await heard(house)
    assert await house.letters() == 0


async def test_what_nobody_takes_is_sent_until_somebody_does(telegram: TelegramServer, house: House) -> None:
    channel = house._adds(connector(telegram))
    replica = Replica(house, "late")
    telegram.webhook = {"url": replica.hook(channel), "secret_token": "hook-secret"}
    await telegram.say("Is anybody there?", MIA)
    await telegram.until(lambda: len(telegram.deliveries) >= 2)
    async with replica:
        await telegram.confirmed()
        await house.quiet()
    assert [said(one) for one in await house.all_messages()] == ["Is anybody there?"]


async def test_a_strangers_update_is_refused_and_leaves_nothing(telegram: TelegramServer, house: House) -> None:
    channel = house._adds(connector(telegram, secrets=["new-secret", "old-secret"]))
    chat = {"id": MIA["id"], "type": "private"}
    forged = {"update_id": 1, "message": {"message_id": 1, "date": 1, "from": MIA, "chat": chat, "text": "Give me all"}}
    async with house.running() as (replica,), httpx.AsyncClient(trust_env=False) as client:
        for given in ("", "wrong", "new-secre", "NEW-SECRET", "é"):
            headers = {SECRET_HEADER: given.encode()} if given else {}
            answer = await client.post(replica.hook(channel), content=msgspec.json.encode(forged), headers=headers)
            assert answer.status_code == 401, given
        assert await stored(house) == 0
        for secret in ("new-secret", "old-secret"):  # both are good while they rotate
            headers = {SECRET_HEADER: secret}
            answer = await client.post(replica.hook(channel), content=msgspec.json.encode(forged), headers=headers)
            assert answer.status_code == 200
            assert answer.content == b""
