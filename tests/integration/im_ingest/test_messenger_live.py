"""Messenger from the provider's side: the simulator of its platform against the real entrance, log, unifier and API."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from failures.house import Backend, House, Replica, built, said

from im_ingest.connectors.messenger.connector import FIELDS, Messenger, Settings
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
        running.fields = set(FIELDS)
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
        assert await messenger.enter(replica.hook(channel), VERIFY)
        bodies = [messenger.say("Is it in stock?", MIA), messenger.echo("Yes, size M only", MIA)]
        bodies.append(messenger.item(MIA, reaction={"mid": "m_SIM00003", "action": "react", "emoji": "👍"}))
        bodies.append(messenger.item(MIA, reaction={"mid": "m_SIM00003", "action": "react", "emoji": "❤️"}))
        bodies.append(messenger.item(MIA, delivery={"mids": ["m_SIM00003"], "watermark": 1767225600123}))
        messenger.standby = True
        bodies.append(messenger.say("Then I take it", MIA))
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
    assert answer["state"]["delivery"]["status"] == "delivered"
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
    link = lent.deep_link("t" * 64)
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
        with pytest.raises(Misconfigured, match="new access token") as caught:
            await lent.lookup(host, f"profile:{MIA}")
    assert "wrong-token-1" not in str(caught.value)


async def test_the_probe_says_what_is_missing(messenger: MessengerServer) -> None:
    async def steps(**settings: Any) -> list[tuple[str, bool, str]]:
        lent = connector(messenger, **settings)
        async with RecordingHost(lent) as host:
            return [(step.name, step.ok, step.todo) async for step in lent.check(host)]

    assert "no URL is set" in (await steps())[1][2]
    messenger.callback, messenger.dashboard_fields = "https://hooks.example.com/in", set(FIELDS)
    assert await steps() == [("token", True, ""), ("webhook", True, ""), ("subscription", True, "")]
    messenger.fields.discard("standby")
    assert "standby" in (await steps())[2][2]
    assert "app_secrets" in (await steps(app_secrets=["wrong"]))[1][2]
    other = await steps(account="999")
    assert [ok for _, ok, _ in other] == [False, True, False]
    assert messenger.page in other[0][2]
    ((_, ok, todo),) = await steps(access_token="x")
    assert (ok, "new access token" in todo) == (False, True)


async def test_stopping_ends_the_subscription(messenger: MessengerServer) -> None:
    lent = connector(messenger)
    async with RecordingHost(lent) as host:
        await lent.subscribe(host, None)
    assert messenger.fields == set()
