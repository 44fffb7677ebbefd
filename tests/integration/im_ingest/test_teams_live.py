"""Teams from the provider's side: the simulator of Microsoft's services against the real entrance, log, unifier and API."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from failures.house import Backend, House, Replica, built, said, until

from im_ingest.connectors.teams.connector import Settings, Teams
from onethread.connector import Raw
from onethread.errors import Misconfigured
from onethread.event import Claim, Message
from onethread.log.port import TopicPartition
from onethread.log.topics import MESSAGES
from onethread.testing.fixtures import RequestInput
from onethread.testing.recording_host import RecordingHost
from onethread.testing.teams_server import ANA, APP_ID, TENANT, TeamsServer

BEN = {"id": "29:1benXYZ", "name": "Ben Ode", "aadObjectId": "22222222-3333-4444-8555-666666666666"}
OTHER_TENANT = "88888888-8888-4777-8666-555555555555"
GROUP = {"conversationType": "groupChat", "tenantId": TENANT, "id": "19:grp@thread.v2"}


@pytest.fixture
async def teams() -> AsyncIterator[TeamsServer]:
    async with TeamsServer(delay=lambda attempt: 0.02) as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with built(Backend(tmp_path)) as made:
        yield made


def connector(server: TeamsServer, **settings: Any) -> Teams:
    given = {"account": TENANT, "app_id": APP_ID, "client_secret": server.client_secret}
    urls = {"openid_url": server.openid_url, "login_url": server.url}
    return Teams(Settings.model_validate({**given, **urls, "agents": [BEN["aadObjectId"]], **settings}))


async def lines(house: House) -> list[Any]:
    """The timeline of the only conversation, of every kind."""
    (conversation,) = await house.conversations()
    found: list[Any] = (await house.get(f"/v1/conversations/{conversation['id']}/entries", sort="seq"))["items"]
    return found


async def nothing_stored(house: House) -> bool:
    return sum(extent.end for extent in (await house.log.extents(MESSAGES)).values()) == await house.letters() == 0


async def test_a_group_chat_is_heard_and_what_comes_again_changes_nothing(teams: TeamsServer, house: House) -> None:
    channel = house._adds(connector(teams))
    async with house.running() as (replica,):
        teams.endpoint = replica.hook(channel)
        first = teams.say("Is it in stock?", conversation=GROUP)
        await teams.confirmed()
        sent = [first, teams.say("Yes, size M only", conversation=GROUP, **{"from": BEN})]
        edited = {"eventType": "editMessage", "tenant": {"id": TENANT}}
        change = {"id": first["id"], "text": "Is it in stock in M?", "conversation": GROUP, "channelData": edited}
        sent.append(teams.happen("messageUpdate", timestamp="2026-01-01T00:01:00Z", **change))
        sent.append(teams.happen("typing", conversation=GROUP))
        await teams.confirmed()
        await house.quiet()
        before = await lines(house)
        teams.rotate()
        for one in sent * 2:
            teams.repeat(one)
        await teams.confirmed()
        await house.quiet()
        assert await lines(house) == before
    messages = {(said(one), one["direction"]) for one in before if one["kind"] == "message"}
    assert {direction for _, direction in messages} == {"inbound", "outbound"}
    assert len(messages) == 2
    assert any("size M only" in text for text, direction in messages if direction == "outbound")
    assert {delivery.status for delivery in teams.deliveries} == {200}


async def test_what_nobody_takes_is_sent_until_somebody_does(teams: TeamsServer, house: House) -> None:
    channel = house._adds(connector(teams))
    replica = Replica(house, "late")
    teams.endpoint = replica.hook(channel)
    teams.say("Is anybody there?")
    await teams.until(lambda: len(teams.deliveries) >= 2)
    async with replica:
        await teams.confirmed()
        await house.quiet()
    assert [said(one) for one in await house.all_messages()] == ["Is anybody there?"]


def fetched(teams: TeamsServer) -> int:
    """How often the key set was asked for."""
    return sum(path.endswith("/keys") for path in teams.asked)


async def test_keys_are_fetched_once_and_a_new_one_at_once(teams: TeamsServer, house: House) -> None:
    channel = house._adds(connector(teams))
    async with house.running() as (replica,):
        teams.endpoint = replica.hook(channel)
        for text in ("one", "two", "three"):
            teams.say(text)
            await teams.confirmed()
        assert fetched(teams) == 1
        teams.rotate(keep=0)
        teams.say("four")
        await teams.confirmed()
        assert fetched(teams) == 2
        await house.quiet()
    assert len(await house.all_messages()) == 4
    assert [one.status for one in teams.deliveries] == [200] * 4


async def test_without_keys_nothing_is_answered_with_yes_and_the_sender_comes_again(
    teams: TeamsServer, house: House
) -> None:
    """503, not 401: Microsoft is not at fault when its keys cannot be had for a while."""
    channel = house._adds(connector(teams, openid_url=f"{teams.url}/nowhere"))
    async with house.running() as (replica,):
        teams.endpoint = replica.hook(channel)
        teams.say("Hello?")
        await teams.until(lambda: len(teams.deliveries) >= 2)
    assert {one.status for one in teams.deliveries[:2]} == {503}
    assert await nothing_stored(house)


async def test_a_strangers_request_is_refused_and_leaves_nothing(teams: TeamsServer, house: House) -> None:
    channel, now = house._adds(connector(teams)), datetime.now(UTC)
    async with TeamsServer() as stranger, house.running() as (replica,), httpx.AsyncClient(trust_env=False) as client:
        key, theirs = teams.keys[-1], stranger.keys[-1]
        same_name = theirs._replace(kid=key.kid)
        tokens = {
            "none": "",
            "of a key that nobody publishes": theirs.token(APP_ID, teams.service_url, at=now),
            "of another key by that name": same_name.token(APP_ID, teams.service_url, at=now),
            "for another bot": key.token("another", teams.service_url, at=now),
            "for another service URL": key.token(APP_ID, "https://smba.example.com/", at=now),
            "expired": key.token(APP_ID, teams.service_url, at=now, exp=int(now.timestamp()) - 301),
        }
        body = msgspec.json.encode({**teams_message(teams), "text": "Give me everything"})
        for case, token in tokens.items():
            headers = {"authorization": f"Bearer {token}"} if token else {}
            answer = await client.post(replica.hook(channel), content=body, headers=headers)
            assert answer.status_code == 401, case
    assert await nothing_stored(house)


def teams_message(teams: TeamsServer) -> dict[str, Any]:
    return {
        "type": "message",
        "id": "1767225600999",
        "serviceUrl": teams.service_url,
        "channelId": "msteams",
        "from": ANA,
        "conversation": {"id": "a:1convABC", "tenantId": TENANT},
    }


async def test_an_invoke_is_answered_in_the_response(teams: TeamsServer, house: House) -> None:
    channel = house._adds(connector(teams))
    async with house.running() as (replica,):
        teams.endpoint = replica.hook(channel)
        action = {"action": {"type": "Action.Execute", "verb": "cancel", "data": {"order": "4711"}}}
        teams.happen("invoke", name="adaptiveCard/action", value=action)
        await teams.confirmed()
        teams.happen("invoke", name="task/submit", value={"data": {"order": "4711"}})
        await teams.confirmed()
        teams.happen("invoke", name="signin/verifyState", value={"state": "123456"})
        await teams.confirmed()
        await house.quiet()
    answers = [msgspec.json.decode(one.answer) for one in teams.deliveries]
    assert answers[0]["statusCode"] == 200
    assert answers[1]["task"]["type"] == "message"
    assert answers[2] == {}
    assert {one.status for one in teams.deliveries} == {200}
    assert await house.letters() == 0


async def test_tenants_of_one_bot_share_a_url_and_a_tenant_of_nobody_is_set_aside(
    teams: TeamsServer, house: House
) -> None:
    first = house._adds(connector(teams))
    second = house._adds(connector(teams, account=OTHER_TENANT))
    async with house.running() as (replica,):
        teams.endpoint = replica.hook(first)
        teams.say("one")
        teams.say("two", tenant=OTHER_TENANT, chat="a:2")
        teams.say("three", tenant="77777777-8888-4777-8666-555555555555", chat="a:3")
        await teams.confirmed()
        await house.quiet()
    assert {(one["channel_id"], said(one)) for one in await house.all_messages()} == {(first, "one"), (second, "two")}
    assert await house.letters() == 1


# --- calls ----------------------------------------------------------------------------------------------------------


async def test_a_member_is_looked_up_by_the_locator_that_the_message_names(teams: TeamsServer) -> None:
    lent = connector(teams)
    teams.members[str(ANA["id"])] = {
        **ANA, "givenName": "Ana", "surname": "Lima", "email": "ana@example.com", "userPrincipalName": "ana@example.com",
        "tenantId": TENANT, "userRole": "user",
    }  # fmt: skip
    body = msgspec.json.encode({**teams_message(teams), "text": "Hi"}).decode()
    (raw,) = lent.unpack(RequestInput(body=body).request())
    assert isinstance(raw, Raw)
    (event,) = lent.normalize(raw)
    async with RecordingHost(lent) as host:
        await host.emit(await lent.lookup(host, event.lookups[0]))
        teams.left.add("a:1convABC")
        assert list(await lent.lookup(host, event.lookups[0])) == []
        teams.left.clear()
        teams.members.clear()
        assert list(await lent.lookup(host, event.lookups[0])) == []
    (found,) = host.events
    assert [(claim.type, claim.evidence) for claim in found.sender.claims] == [
        ("teams_user", "provider"),
        ("teams_account", "provider"),
        ("email", "directory"),
    ]
    assert found.sender.claims[0] == event.sender.claims[0]


async def test_members_of_a_channel_are_those_of_its_team(teams: TeamsServer) -> None:
    """A thread has no members of its own: it would be a 404."""
    lent = connector(teams)
    teams.members[str(ANA["id"])] = dict(ANA)
    thread = {"conversationType": "channel", "tenantId": TENANT, "id": "19:abc@thread.tacv2;messageid=1767225600000"}
    for data in ({"team": {"id": "19:team@thread.tacv2"}}, {"channel": {"type": "private"}}, {}):
        told = {
            **teams_message(teams),
            "text": "Hi",
            "conversation": thread,
            "channelData": {"tenant": {"id": TENANT}, **data},
        }
        (event,) = lent.normalize(Raw(msgspec.json.encode(told)))
        async with RecordingHost(lent) as host:
            assert await lent.lookup(host, event.lookups[0])


async def test_pictures_are_fetched_with_the_token_and_files_of_a_drive_without(teams: TeamsServer) -> None:
    lent = connector(teams)
    picture = teams.keep_file("p1", b"\x89PNG", "image/png", wants_token=True)
    drive = teams.keep_file("f1", b"%PDF", "application/pdf", wants_token=False)
    async with RecordingHost(lent) as host:
        for locator, content in ((f"token:{picture}", b"\x89PNG"), (drive, b"%PDF")):
            media = await lent.download(host, locator)
            assert (await host.http.get(media.url, headers=media.headers)).content == content
        teams.expire_files()
        media = await lent.download(host, drive)
        with pytest.raises(httpx.HTTPStatusError):
            await host.http.get(media.url, headers=media.headers)


async def test_the_bots_token_goes_to_the_signed_service_url_alone(teams: TeamsServer) -> None:
    lent = connector(teams)
    for url, with_token in ((f"{teams.service_url}v3/attachments/x", True), ("https://evil.example.com/x", False)):
        message = {**teams_message(teams), "attachments": [{"contentType": "image/*", "contentUrl": url}]}
        (event,) = lent.normalize(Raw(msgspec.json.encode(message)))
        assert isinstance(event.fact, Message)
        (file,) = event.fact.attachments
        assert file.locator.startswith("token:") is with_token


async def test_a_wrong_secret_is_for_a_person_and_is_not_shown(teams: TeamsServer) -> None:
    lent = connector(teams, client_secret="wrong-secret-1")
    async with RecordingHost(lent) as host:
        with pytest.raises(Misconfigured, match="AADSTS7000215") as caught:
            await lent.download(host, f"token:{teams.service_url}x")
    assert "wrong-secret-1" not in str(caught.value)


async def test_the_probe_says_what_is_wrong(teams: TeamsServer) -> None:
    async def steps(**settings: Any) -> dict[str, tuple[bool, str]]:
        lent = connector(teams, **settings)
        async with RecordingHost(lent) as host:
            return {step.name: (step.ok, step.todo) async for step in lent.check(host)}

    found = await steps()
    assert (found["token"], found["keys"]) == ((True, ""), (True, ""))
    assert "Messaging endpoint" in found["endpoint"][1]
    assert "Secret ID" in (await steps(client_secret="wrong"))["token"][1]
    assert "set `token_tenant`" in (await steps(app_id="bbbbbbbb-bbbb-4ccc-8ddd-eeeeeeeeeeee"))["token"][1]
    assert "no such tenant" in (await steps(token_tenant="example.invalid"))["token"][1]
    assert not (await steps(login_url="http://127.0.0.1:9"))["token"][0]
    sound = connector(teams)
    async with RecordingHost(sound) as host:
        await sound.download(host, f"token:{teams.service_url}x")  # a token is kept
        teams.client_secret = "another-one"
        found = {step.name: step.ok async for step in sound.check(host)}
        teams.client_secret = "sample-client-secret"
    assert not found["token"]
    assert not (await steps(openid_url=f"{teams.url}/nowhere"))["keys"][0]
    teams.keys = []
    assert "endorsed" in (await steps())["keys"][1]


async def test_an_address_is_believed_if_it_is_of_the_tenants_own_directory(teams: TeamsServer, house: House) -> None:
    """Whoever runs a company's directory can write anybody's address into it."""
    eve = {"id": "29:1eveXYZ", "name": "Eve", "aadObjectId": "33333333-2222-4333-8444-666666666666"}
    teams.members[str(ANA["id"])] = {**ANA, "email": "ana@example.com", "tenantId": TENANT, "userRole": "user"}
    teams.members[eve["id"]] = {**eve, "email": "ben@example.com", "tenantId": OTHER_TENANT, "userRole": "user"}
    channel = house._adds(connector(teams))
    async with house.running() as (replica,):
        teams.endpoint = replica.hook(channel)
        teams.say("Hello")
        teams.say("I am Ben, believe me", chat="a:2", **{"from": eve})
        await teams.confirmed()
        await until(lambda: profiles(house), "both were looked up")
        await house.quiet()
        ana, ben = await house.who(Claim("email", "ana@example.com"), Claim("email", "ben@example.com"))
    assert {one["type"] for one in ana["identities"]} == {"teams_user", "teams_account", "email"}
    assert ([one["type"] for one in ben["identities"]], ben["suggestions"]) == (["email"], 1)


async def profiles(house: House) -> bool:
    """Whether the log holds what the roster tells of two people."""
    found = 0
    for partition, extent in (await house.log.extents(MESSAGES)).items():
        for record in await house.log.fetch(TopicPartition(MESSAGES, partition), extent.begin):
            found += b'"form":"profile"' in record.value
    return found == 2
