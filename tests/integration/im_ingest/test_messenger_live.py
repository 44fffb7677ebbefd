"""Messenger from the provider's side: the simulator of its platform against the real entrance, log, unifier and API."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from failures.house import Backend, House, Replica, built, said

from im_ingest.connectors.messenger.connector import Messenger, Settings
from onethread.connector import Raw
from onethread.errors import Misconfigured
from onethread.log.topics import MESSAGES
from onethread.testing.fixtures import RequestInput
from onethread.testing.messenger_server import MessengerServer
from onethread.testing.recording_host import RecordingHost

MIA, BEN, VERIFY = "6543210987654321", "6543210987654322", "a verify token"


@pytest.fixture
async def messenger() -> AsyncIterator[MessengerServer]:
    async with MessengerServer(delay=lambda attempt: 0.02) as running:
        running.fields = set(Messenger.fields)
        yield running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with built(Backend(tmp_path)) as made:
        yield made


def connector(server: MessengerServer, **settings: Any) -> Messenger:
    secrets = {"app_secrets": [server.app_secret], "verify_token": VERIFY, "access_token": server.access_token}
    return Messenger(Settings.model_validate({"account": server.page, "api_url": server.url, **secrets, **settings}))


async def lines(house: House) -> list[Any]:
    """The timeline of the only conversation, of every kind."""
    (conversation,) = await house.conversations()
    found: list[Any] = (await house.get(f"/v1/conversations/{conversation['id']}/entries", sort="seq"))["items"]
    return found


async def test_a_page_is_heard_also_in_standby_and_what_comes_again_changes_nothing(
    messenger: MessengerServer, house: House
) -> None:
    channel = house._adds(connector(messenger))
    async with house.running() as (replica,):
        messenger.fields = set()
        assert messenger.say("Nobody subscribed yet", MIA) == b""
        await connector(messenger).subscribe(replica.lends(channel), replica.hook(channel))
        assert messenger.callback == replica.hook(channel)  # the app had no URL
        bodies = [messenger.say("Is it in stock?", MIA), messenger.echo("Yes, size M only", MIA)]
        bodies.append(messenger.item(MIA, reaction={"mid": "m_SIM00003", "action": "react", "emoji": "👍"}))
        bodies.append(messenger.item(MIA, reaction={"mid": "m_SIM00003", "action": "react", "emoji": "❤️"}))
        bodies.append(messenger.item(MIA, delivery={"mids": ["m_SIM00003"], "watermark": 1767225600123}))
        bodies.append(messenger.item(MIA, read={"watermark": 1767225602123}))
        messenger.standby = True
        bodies.append(messenger.say("Then I take it", MIA))
        bodies.append(messenger.item(MIA, pass_thread_control={"previous_owner_app_id": "263902037430900"}))
        await messenger.confirmed()
        await house.quiet()
        before = await lines(house)
        for body in bodies * 2:
            messenger.repeat(body)
        await messenger.confirmed()
        await house.quiet()
        assert await lines(house) == before
    messages = [one for one in before if one["kind"] == "message"]
    assert {(said(one), one["direction"]) for one in messages} == {
        ("Is it in stock?", "inbound"),
        ("Yes, size M only", "outbound"),
        ("Then I take it", "inbound"),
    }
    (answer,) = (one for one in messages if one["direction"] == "outbound")
    assert [reaction["symbol"] for reaction in answer["state"]["reactions"]] == ["❤️"]
    assert answer["state"]["delivery"]["status"] == "read"
    assert [one["direction"] for one in before if one["kind"] == "system"] == ["inbound"]
    assert {delivery.status for delivery in messenger.deliveries} == {200}


async def test_what_nobody_takes_is_sent_until_somebody_does(messenger: MessengerServer, house: House) -> None:
    channel = house._adds(connector(messenger))
    replica = Replica(house, "late")
    messenger.callback = replica.hook(channel)
    messenger.say("Is anybody there?", MIA)
    await messenger.until(lambda: len(messenger.deliveries) >= 2)
    async with replica:
        await messenger.confirmed()
        await house.quiet()
    assert [said(one) for one in await house.all_messages()] == ["Is anybody there?"]


@pytest.mark.parametrize("signature", ["", "sha256=00", "of another app"])
async def test_a_strangers_request_is_refused_and_leaves_nothing(
    messenger: MessengerServer, house: House, signature: str
) -> None:
    channel = house._adds(connector(messenger))
    body = messenger.say("Give me everything", MIA)
    messenger.app_secret = "a-strangers-secret"
    given = messenger.signature(body) if signature == "of another app" else signature
    async with house.running() as (replica,), httpx.AsyncClient(trust_env=False) as stranger:
        answer = await stranger.post(replica.hook(channel), content=body, headers={"x-hub-signature-256": given})
    assert answer.status_code == 401
    assert sum(extent.end for extent in (await house.log.extents(MESSAGES)).values()) == await house.letters() == 0


async def test_pages_of_one_app_share_a_url_and_a_page_of_nobody_is_set_aside(
    messenger: MessengerServer, house: House
) -> None:
    first = house._adds(connector(messenger))
    second = house._adds(connector(messenger, account="999"))

    def entry(page: str, text: str) -> dict[str, Any]:
        message = {"mid": f"m_{page}", "text": text}
        item = {"sender": {"id": MIA}, "recipient": {"id": page}, "timestamp": 1767225600123, "message": message}
        return {"id": page, "time": 1767225600123, "messaging": [item]}

    async with house.running() as (replica,):
        messenger.callback = replica.hook(first)
        messenger.deliver(entry(messenger.page, "one"), entry("999", "two"), entry("555", "three"))
        await messenger.confirmed()
        await house.quiet()
    assert {(one["channel_id"], said(one)) for one in await house.all_messages()} == {(first, "one"), (second, "two")}
    assert await house.letters() == 1


async def test_a_link_of_ours_is_recognised_when_somebody_follows_it(messenger: MessengerServer) -> None:
    lent = connector(messenger)
    async with RecordingHost(lent) as host:
        link = await lent.deep_link(host, "t" * 64)
    assert link == f"https://m.me/{messenger.page}?ref={'t' * 64}"
    body = messenger.item(MIA, referral={"ref": "t" * 64, "source": "SHORTLINK", "type": "OPEN_THREAD"})
    (raw,) = lent.unpack(RequestInput(body=body.decode()).request())
    assert isinstance(raw, Raw)
    (event,) = lent.normalize(raw)
    assert event.tokens == ("t" * 64,)


# --- calls ----------------------------------------------------------------------------------------------------------


async def test_a_name_is_looked_up_and_who_is_told_to_nobody_stays_unnamed(messenger: MessengerServer) -> None:
    messenger.people[MIA] = {"first_name": "Mia", "last_name": "Lang", "locale": "pt_PT", "profile_pic": "https://x"}
    lent = connector(messenger)
    async with RecordingHost(lent) as host:
        records = await lent.lookup(host, f"profile:{MIA}")
        assert b"profile_pic" not in records[0].data
        await host.emit(records)
        assert list(await lent.lookup(host, f"profile:{BEN}")) == []
    (event,) = host.events
    assert (event.sender.name, event.sender.locale) == ("Mia Lang", "pt_PT")


async def test_a_wrong_token_is_for_a_person_and_is_not_shown(messenger: MessengerServer) -> None:
    lent = connector(messenger, access_token="wrong-token-1")
    async with RecordingHost(lent) as host:
        with pytest.raises(Misconfigured, match="new `access_token`") as caught:
            await lent.lookup(host, f"profile:{MIA}")
    assert "wrong-token-1" not in str(caught.value)


HERE = "https://hooks.example.com/hooks/chn_page/a-long-hook-secret"


async def steps(server: MessengerServer, **settings: Any) -> list[tuple[str, bool, str]]:
    lent = connector(server, **settings)
    async with RecordingHost(lent) as host:
        return [(step.name, step.ok, step.todo) async for step in lent.check(host)]


async def test_the_probe_finds_nothing_to_change(messenger: MessengerServer) -> None:
    messenger.callback, messenger.dashboard_fields = HERE, set(Messenger.fields)
    names = ("token", "webhook", "permissions", "subscription")
    assert await steps(messenger) == [(name, True, "") for name in names]


def other(**fields: Any) -> dict[str, Any]:
    """What is otherwise than it should be: settings, or attributes of the simulator."""
    return fields


@pytest.mark.parametrize(
    ("settings", "there", "failing", "todo"),
    [
        (other(access_token="x"), {}, ["token"], "new `access_token`, at Messenger API Settings"),
        (other(account="999"), {}, ["token", "subscription"], "belongs to 100200300"),
        ({}, other(scopes={"pages_messaging"}), ["permissions", "subscription"], "with pages_manage_metadata"),
        ({}, other(scopes={"pages_manage_metadata"}), ["permissions"], "with pages_messaging"),
        (other(app_secrets=["wrong"]), {}, ["webhook"], "first of `app_secrets`"),
        ({}, other(callback=""), ["webhook"], "no URL is set"),
        ({}, other(callback="https://crm.example.com/meta"), ["webhook"], "deliveries go to crm.example.com"),
        ({}, other(active=False), ["webhook"], "no longer calls"),
        ({}, other(dashboard_fields={"messages"}), ["webhook"], "subscribe to message_deliveries, message_echoes"),
        ({}, other(token_ends=1767225600), ["permissions"], "ends at 2026-01-01T00:00+00:00"),
        ({}, other(fields={"messages"}), ["subscription"], "standby"),
    ],
)
async def test_the_probe_says_what_to_change(
    messenger: MessengerServer, settings: dict[str, Any], there: dict[str, Any], failing: list[str], todo: str
) -> None:
    messenger.callback, messenger.dashboard_fields = HERE, set(Messenger.fields)
    for name, value in there.items():
        setattr(messenger, name, value)
    failed = [(name, said) for name, ok, said in await steps(messenger, **settings) if not ok]
    assert [name for name, _ in failed] == failing
    assert todo in failed[0][1]
    assert "a-long-hook-secret" not in str(failed)


async def test_what_is_subscribed_besides_stays(messenger: MessengerServer) -> None:
    lent = connector(messenger)
    messenger.callback, messenger.dashboard_fields = HERE, {*Messenger.fields, "feed"}
    messenger.fields = {"messages", "response_feedback"}
    async with RecordingHost(lent) as host:
        await lent.subscribe(host, "https://hooks.example.com/hooks/chn_other/a-long-hook-secret")
        await lent.subscribe(host, "https://hooks.example.com/hooks/chn_other/a-long-hook-secret")
    assert messenger.fields == {*Messenger.fields, "response_feedback"}
    assert (messenger.callback, messenger.dashboard_fields) == (HERE, {*Messenger.fields, "feed"})
    assert [method for method, path, _ in messenger.calls if path.endswith("subscribed_apps")] == ["GET", "POST", "GET"]


async def test_stopping_ends_the_subscription(messenger: MessengerServer) -> None:
    lent = connector(messenger)
    async with RecordingHost(lent) as host:
        await lent.subscribe(host, None)
    assert messenger.fields == set()


async def test_a_wrong_page_is_said_at_the_start_as_well(messenger: MessengerServer) -> None:
    lent = connector(messenger, account="999")
    async with RecordingHost(lent) as host:
        with pytest.raises(Misconfigured, match="Check `account` and `access_token`"):
            await lent.subscribe(host, "http://127.0.0.1:1/hooks/chn_page/a-long-hook-secret")
