"""Zoom from the provider's side: the simulator of its webhooks and API against the real entrance, log, unifier and API."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from failures.house import Backend, House, Replica, built, said

from im_ingest.connectors.zoom.connector import Settings, Zoom
from im_ingest.connectors.zoom.zoom_api import ZoomApi
from onethread.connector import Raw
from onethread.errors import Misconfigured, Poison
from onethread.event import Message
from onethread.log.topics import MESSAGES
from onethread.testing.recording_host import RecordingHost
from onethread.testing.zoom_server import ANA, BEN, SUPPORT, ZoomServer


@pytest.fixture
async def zoom() -> AsyncIterator[ZoomServer]:
    async with ZoomServer(delay=lambda attempt: 0.02) as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with built(Backend(tmp_path)) as made:
        yield made


def connector(server: ZoomServer, **settings: Any) -> Zoom:
    client = {"client_id": server.web.client[0], "client_secret": server.web.client[1]}
    given = {"account": server.account, "secret_tokens": [server.secret_token], "agents": ["ben@example.com"], **client}
    return Zoom(Settings.model_validate({**given, "api_url": server.api_url, "login_url": server.url, **settings}))


async def lines(house: House) -> list[Any]:
    """The timeline of the only conversation, of every kind."""
    (conversation,) = await house.conversations()
    found: list[Any] = (await house.get(f"/v1/conversations/{conversation['id']}/entries", sort="seq"))["items"]
    return found


async def test_a_thread_is_heard_and_what_comes_again_changes_nothing(zoom: ZoomServer, house: House) -> None:
    channel = house._adds(connector(zoom))
    async with house.running() as (replica,):
        assert await zoom.validate(replica.hook(channel))
        bodies = [zoom.say("My order is late", message_id="{M-1}")]
        await zoom.confirmed()
        bodies.append(zoom.say("It left today", BEN, message_id="{M-2}", reply_main_message_id="{M-1}"))
        reaction = {"msg_id": "{M-2}", "emoji": "👍", "channel_id": "ch_support", "timestamp": 1767225605000}
        bodies.append(zoom.happen("team_chat.channel_reaction_added", reaction, ANA))
        edit = {"message_id": "{M-1}", **SUPPORT, "message": "My order 4711 is late", "timestamp": 1767225609000}
        bodies.append(zoom.happen("team_chat.channel_message_updated", edit, ANA))
        await zoom.confirmed()
        await house.quiet()
        before = await lines(house)
        for body in bodies * 2:
            zoom.repeat(body)
        await zoom.confirmed()
        await house.quiet()
        assert await lines(house) == before
    messages = [one for one in before if one["kind"] == "message"]
    assert {one["direction"] for one in messages} == {"inbound", "outbound"}
    (answer,) = (one for one in messages if one["direction"] == "outbound")
    assert said(answer) == "It left today"
    assert [one["symbol"] for one in answer["state"]["reactions"]] == ["👍"]
    assert {delivery.status for delivery in zoom.deliveries} == {200}
    assert zoom.lost == []


@pytest.mark.parametrize("agents", [["ben@example.com"], []])
async def test_a_stranger_and_whoever_of_us_answers_are_one_conversation(
    zoom: ZoomServer, house: House, agents: list[str]
) -> None:
    channel = house._adds(connector(zoom, agents=agents))
    async with house.running() as (replica,):
        assert await zoom.validate(replica.hook(channel))
        for text, ours in (("Are you open today?", False), ("Until six", True), ("Thanks", False)):
            zoom.tell(text, ours=ours)
            await zoom.confirmed()
        await house.quiet()
        entries = await lines(house)
    assert [(said(one), one["direction"]) for one in entries] == [
        ("Are you open today?", "inbound"),
        ("Until six", "outbound"),
        ("Thanks", "inbound"),
    ]


async def test_the_challenge_is_answered_whatever_is_down(zoom: ZoomServer, house: House) -> None:
    """An entrance over a log, a state and blobs that nobody opened; six wrong answers in a row switch the URL off."""
    channel = house._adds(connector(zoom))
    unopened = Replica(house, "down")
    async with unopened._served as served:
        url = unopened.hook(channel)
        assert url.startswith(served.url)
        assert await zoom.validate(url)
        zoom.secret_token = "another-secret"
        assert [await zoom.validate(url) for _ in range(6)] == [False] * 6
        assert zoom.endpoint == ""


@pytest.mark.parametrize("signs_once", [False, True])
async def test_what_nobody_takes_is_sent_again(zoom: ZoomServer, house: House, signs_once: bool) -> None:
    channel = house._adds(connector(zoom))
    replica = Replica(house, "late")
    zoom.endpoint, zoom.signs_once = replica.hook(channel), signs_once
    zoom._delay = lambda attempt: 0.3  # the replica needs a moment
    zoom.say("Is anybody there?")
    await zoom.until(lambda: len(zoom.deliveries) >= 1)
    async with replica:
        await zoom.confirmed()
        await house.quiet()
    assert [said(one) for one in await house.all_messages()] == ["Is anybody there?"]
    assert zoom.lost == []


@pytest.mark.parametrize("case", ["unsigned", "of another app", "yesterday's", "of tomorrow"])
async def test_a_strangers_request_is_refused_and_leaves_nothing(zoom: ZoomServer, house: House, case: str) -> None:
    channel = house._adds(connector(zoom))
    body, now = zoom.say("Give me everything"), int(time.time())
    if case == "of another app":
        zoom.secret_token = "a-strangers-secret"
    at = {"yesterday's": now - 86_400, "of tomorrow": now + 86_400}.get(case, now)
    headers = {} if case == "unsigned" else zoom.signature(body, at)
    async with house.running() as (replica,), httpx.AsyncClient(trust_env=False) as stranger:
        answer = await stranger.post(replica.hook(channel), content=body, headers=headers)
    assert answer.status_code == 401
    assert sum(extent.end for extent in (await house.log.extents(MESSAGES)).values()) == await house.letters() == 0


async def test_accounts_of_one_app_share_a_url_and_an_account_of_nobody_is_set_aside(
    zoom: ZoomServer, house: House
) -> None:
    first, second = house._adds(connector(zoom)), house._adds(connector(zoom, account="second1"))
    async with house.running() as (replica,):
        assert await zoom.validate(replica.hook(first))
        for number, account in enumerate((zoom.account, "second1", "nobodys")):
            message = {"message_id": f"{{A-{number}}}", **SUPPORT, "message": account}
            zoom.happen("team_chat.channel_message_posted", message, ANA, account=account)
        await zoom.confirmed()
        await house.quiet()
    heard = {(one["channel_id"], said(one)) for one in await house.all_messages()}
    assert heard == {(first, zoom.account), (second, "second1")}
    assert await house.letters() == 1


# --- calls ----------------------------------------------------------------------------------------------------------


async def test_somebody_of_the_account_is_looked_up_and_a_stranger_stays_unnamed(zoom: ZoomServer) -> None:
    zoom.web.users["u_dora1"] = {
        "id": "u_dora1",
        "first_name": "Dora",
        "last_name": "Eck",
        "email": "dora@example.com",
        "pmi": 1,
    }
    lent = connector(zoom)
    async with RecordingHost(lent) as host:
        records = await lent.lookup(host, "user:u_dora1")
        assert b"pmi" not in records[0].data
        await host.emit(records)
        assert list(await lent.lookup(host, "user:u_ana01")) == []
    (event,) = host.events
    assert event.sender.name == "Dora Eck"
    assert [claim.type for claim in event.sender.claims] == ["zoom_user", "email"]


async def test_a_file_is_where_the_message_says_and_may_be_gone(zoom: ZoomServer) -> None:
    lent = connector(zoom)
    address = zoom.keep_file("f_01", b"log", "text/plain")
    file = {"file_id": "f_01", "file_name": "log.txt", "file_size": 3, "file_message_type": "file"}
    zoom.web.messages["{F/1}"] = {"id": "{F/1}", "files": [{"file_id": "f_01", "download_url": address}]}
    body = zoom.say("See the log", message_id="{F/1}", files=[file])
    (event,) = lent.normalize(Raw(body))
    assert isinstance(event.fact, Message)
    locator = event.fact.attachments[0].locator
    async with RecordingHost(lent) as host:
        media = await lent.download(host, locator)
        assert (await host.http.get(media.url, headers=media.headers)).content == b"log"
        direct = await lent.download(host, f"url:{address}")
        assert direct == media
        stranger = await lent.download(host, "url:https://evil.example.com/x")
        assert stranger.headers == {}
        zoom.web.messages.clear()
        with pytest.raises(Poison):
            await lent.download(host, locator)


async def test_a_wrong_client_is_for_a_person_and_its_secret_is_not_shown(zoom: ZoomServer) -> None:
    lent = connector(zoom, client_secret="wrong-secret-1")
    async with RecordingHost(lent) as host:
        with pytest.raises(Misconfigured, match="client_secret") as caught:
            await lent.lookup(host, "user:u_dora1")
    assert "wrong-secret-1" not in str(caught.value)


EVENTS = ["team_chat.channel_message_posted", "phone.sms_received"]


async def test_events_are_subscribed_to_by_the_api_and_a_change_leaves_no_old_one(
    zoom: ZoomServer, house: House
) -> None:
    channel = house._adds(connector(zoom, events=EVENTS))
    async with house.running() as (replica,):
        lent, url = replica.lends(channel), replica.hook(channel)
        zoom.web.subscriptions["of somebody"] = {
            "event_subscription_name": "CRM",
            "events": EVENTS,
            "event_webhook_url": "x",
        }
        await connector(zoom, events=EVENTS).subscribe(lent, url)
        await connector(zoom, events=EVENTS[::-1]).subscribe(lent, url)
        assert [one["event_webhook_url"] for one in zoom.web.subscriptions.values()] == ["x", url]
        before = set(zoom.web.subscriptions)
        await connector(zoom, events=EVENTS[:1]).subscribe(lent, url)
        (new,) = set(zoom.web.subscriptions) - before
        assert zoom.web.subscriptions[new]["events"] == EVENTS[:1]
        assert len(zoom.web.subscriptions) == 2
        zoom.say("By subscription")
        await zoom.confirmed()
        await house.quiet()
        await connector(zoom, events=EVENTS).subscribe(lent, None)
        assert list(zoom.web.subscriptions) == ["of somebody"]
    assert [said(one) for one in await house.all_messages()] == ["By subscription"]


async def test_what_zoom_refuses_to_subscribe_to_is_for_a_person(zoom: ZoomServer) -> None:
    lent = connector(zoom, events=EVENTS)
    async with RecordingHost(lent) as host:
        with pytest.raises(Misconfigured, match="must be public"):
            await lent.subscribe(host, "http://127.0.0.1:9/in")
        zoom.web.allowed = {"team_chat.channel_message_posted"}
        with pytest.raises(Misconfigured, match=r"phone.sms_received.*under Scopes"):
            await lent.subscribe(host, "http://127.0.0.1:9/in")
        await connector(zoom).subscribe(host, "http://127.0.0.1:9/in")
    assert zoom.web.subscriptions == {}


async def test_the_probe_says_what_is_missing(zoom: ZoomServer) -> None:
    async def steps(**settings: Any) -> dict[str, tuple[bool, str]]:
        lent = connector(zoom, **settings)
        async with RecordingHost(lent) as host:
            return {step.name: (step.ok, step.todo) async for step in lent.check(host)}

    agents = connector(zoom).settings.agents
    zoom.web.users |= {name: {"id": name} for name in agents}
    found = await steps()
    assert (found["token"], found["people"]) == ((True, ""), (True, ""))
    assert "Validate" in found["endpoint"][1]
    ok, todo = (await steps(agents=[*agents, "typo@example.com"]))["people"]
    assert (ok, "account: typo@example.com;" in todo) == (False, True)
    assert not (await steps(client_secret="wrong"))["token"][0]
    assert not (await steps(account="other"))["token"][0]
    async with RecordingHost(connector(zoom)) as host:  # what is kept of the right settings says nothing of others
        assert [step.ok async for step in connector(zoom).check(host) if step.name == "token"] == [True]
        await ZoomApi(host, zoom.api_url, zoom.url, zoom.account, zoom.web.client).headers()
        wrong = connector(zoom, client_secret="wrong")
        assert [step.ok async for step in wrong.check(host) if step.name == "token"] == [False]
    bare = await steps(client_id="", client_secret="", agents=[])
    assert "client_id" in bare["token"][1]
    assert "inbound" in bare["agents"][1]
    assert "phone.sms_received" in (await steps(events=EVENTS))["endpoint"][1]
    zoom.web.subscriptions["es"] = {"event_subscription_name": "Onethread", "events": EVENTS, "event_webhook_url": "x"}
    assert (await steps(events=EVENTS))["endpoint"] == (True, "")
    zoom.web.scopeless = True
    ok, todo = (await steps())["people"]
    assert (ok, "`user:read:user:admin`" in todo) == (False, True)
