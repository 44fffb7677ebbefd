"""Slack from the provider's side: the simulator against the real entrance, stream host, log, unifier and API."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from failures.house import Backend, House, Replica, built, said, until

from im_ingest.connectors.slack.connector import Settings, Slack
from im_ingest.connectors.slack.socket_mode import SocketMode
from im_ingest.connectors.slack.web_api import WebApi
from onethread.errors import Misconfigured, Poison, Retryable
from onethread.log.topics import MESSAGES
from onethread.state.channel_states import ChannelStates
from onethread.testing.recording_host import RecordingHost
from onethread.testing.slack_server import SlackServer

MIA, ANNA = "U0MIA", "U0ANNA"


@pytest.fixture
async def slack() -> AsyncIterator[SlackServer]:
    async with SlackServer(delay=lambda number: 0.02 * number) as running:
        yield running


@pytest.fixture
async def slack_now() -> AsyncIterator[SlackServer]:
    """Where people write now: forms and commands have no time of their own."""
    async with SlackServer(began=int(time.time())) as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with built(Backend(tmp_path)) as made:
        yield made


def connector(server: SlackServer, **settings: Any) -> Slack:
    ours = {"account": server.team, "bot_token": server.teams[server.team], "agents": [ANNA], "api_url": server.url}
    secrets = {"signing_secrets": [server.signing_secret], "app_token": server.app_token}
    return Slack(Settings.model_validate({**ours, **secrets, **settings}))


async def lines(house: House) -> dict[str, list[Any]]:
    """The timeline of each conversation."""
    found = {}
    for conversation in await house.conversations():
        entries = (await house.get(f"/v1/conversations/{conversation['id']}/entries", sort="seq"))["items"]
        found[conversation["id"]] = entries
    return found


def chat(slack: SlackServer) -> None:
    """A question with a mention in a channel, its thread, and another question."""
    question = slack.say(f"<@{slack.bot}> is it in stock?", MIA)
    slack.mentions(question)
    root = {"thread_ts": question["ts"], "parent_user_id": MIA}
    answer = slack.say("Size M only", ANNA, **root)
    slack.react(answer, MIA, "thumbsup")
    slack.react(answer, MIA, "eyes")
    slack.react(answer, MIA, "eyes", removed=True)
    wrong = slack.say("I take too", MIA, **root)
    slack.edit(wrong, "I take two")
    slack.delete(slack.say("Oops", MIA, **root))


def as_written(entries: list[Any]) -> list[tuple[str, str]]:
    """The messages of a timeline that are still there, by their time: deliveries run side by side."""
    messages = [one for one in entries if one["kind"] == "message" and one["fact"]["body"]]
    return [(said(one), one["direction"]) for one in sorted(messages, key=lambda one: str(one["received_at"]))]


async def test_a_thread_is_one_conversation_and_what_comes_again_changes_nothing(
    slack: SlackServer, house: House
) -> None:
    channel = house._adds(connector(slack))
    async with house.running() as (replica,):
        assert await slack.enter(replica.hook(channel))
        chat(slack)
        await slack.confirmed()
        await house.quiet()
        before = await lines(house)
        for delivery in tuple(slack.deliveries) * 2:
            slack.repeat(delivery.body)
        await slack.confirmed()
        await house.quiet()
        assert await lines(house) == before
    (entries,) = before.values()
    assert as_written(entries) == [
        (f"@{slack.bot} is it in stock?", "inbound"),
        ("Size M only", "outbound"),
        ("I take two", "inbound"),
    ]
    (answer,) = (one for one in entries if one["direction"] == "outbound")
    assert [reaction["symbol"] for reaction in answer["state"]["reactions"]] == [":thumbsup:"]
    assert {delivery.status for delivery in slack.deliveries} == {200}
    assert await house.letters() == slack.sockets.opened == 0


async def test_a_direct_message_and_the_bots_answer_are_one_conversation(slack: SlackServer, house: House) -> None:
    channel = house._adds(connector(slack))
    async with house.running() as (replica,):
        assert await slack.enter(replica.hook(channel))
        slack.say("May I ask something?", MIA, "D0MIA")
        await slack.confirmed()
        slack.bot_says("Of course", "D0MIA")
        await slack.confirmed()
        await house.quiet()
        (entries,) = (await lines(house)).values()
    assert as_written(entries) == [("May I ask something?", "inbound"), ("Of course", "outbound")]


async def test_what_nobody_takes_comes_three_times_more_and_is_lost(slack: SlackServer, house: House) -> None:
    channel = house._adds(connector(slack))
    replica = Replica(house, "late")
    slack.request_url = replica.hook(channel)
    slack.say("Is anybody there?", MIA)
    await slack.until(lambda: len(slack.deliveries) >= 1)
    await slack.confirmed()
    assert [(one.retry, one.reason, one.status) for one in slack.deliveries] == [
        (0, "", 0),
        (1, "connection_failed", 0),
        (2, "connection_failed", 0),
        (3, "connection_failed", 0),
    ]
    assert len(slack.lost) == 1
    async with replica:
        slack.repeat(slack.lost[0])
        await slack.confirmed()
        await house.quiet()
    assert [said(one) for one in await house.all_messages()] == ["Is anybody there?"]


@pytest.mark.parametrize("how", ["unsigned", "of another app", "stale", "of another body"])
async def test_a_strangers_request_is_refused_and_leaves_nothing(slack: SlackServer, house: House, how: str) -> None:
    channel = house._adds(connector(slack))
    body = b'{"type":"event_callback","team_id":"T0SHOP","event":{"type":"message"}}'
    question = b'{"type":"url_verification","challenge":"abc"}'
    if how == "of another app":
        slack.signing_secret = "a-strangers-secret"
    async with house.running() as (replica,), httpx.AsyncClient(trust_env=False) as stranger:
        for content in (body, question):
            headers = slack.headers(content + b" " if how == "of another body" else content, age=301 * (how == "stale"))
            given = {} if how == "unsigned" else headers
            answer = await stranger.post(replica.hook(channel), content=content, headers=given)
            assert (answer.status_code, b"abc" in answer.content) == (401, False)
    assert sum(extent.end for extent in (await house.log.extents(MESSAGES)).values()) == await house.letters() == 0


async def test_workspaces_of_one_app_share_a_url_and_one_of_nobody_is_set_aside(
    slack: SlackServer, house: House
) -> None:
    first = house._adds(connector(slack))
    second = house._adds(connector(slack, account="T0OTHER", bot_token="xoxb-other"))

    def event(text: str) -> dict[str, Any]:
        return {"type": "message", "channel": "C1", "user": MIA, "text": text, "ts": slack.next_ts()}

    async with house.running() as (replica,):
        assert await slack.enter(replica.hook(first))
        for team in (slack.team, "T0OTHER", "T0NOBODY"):
            slack.happens(event(f"to {team}"), team)
        await slack.confirmed()
        await house.quiet()
    found = {(one["channel_id"], said(one)) for one in await house.all_messages()}
    assert found == {(first, f"to {slack.team}"), (second, "to T0OTHER")}
    assert await house.letters() == 1


@pytest.mark.parametrize("edge", ["webhook", "socket"])
async def test_buttons_forms_and_commands_are_answered_in_time_and_leave_no_secret(
    slack_now: SlackServer, house: House, edge: str
) -> None:
    slack = slack_now
    channel = house._adds(connector(slack, edge=edge))
    async with house.running() as (replica,):
        if edge == "socket":
            await slack.sockets.until(lambda: slack.sockets.listeners == 1)
        else:
            assert await slack.enter(replica.hook(channel))
        slack.say("I want one", MIA, "D0MIA")
        await slack.confirmed()
        question = slack.bot_says("Which size?", "D0MIA")
        bodies = [slack.press(question, MIA, "size", "L"), slack.submit(MIA, "address", street="Hill Road 1")]
        bodies += [slack.command(MIA, "/order", "4711", "D0MIA")]
        await slack.confirmed()
        for body in bodies if edge == "webhook" else ():
            slack.repeat(body, "application/x-www-form-urlencoded")
        await slack.confirmed()
        await house.quiet()
        entries = [one for each in (await lines(house)).values() for one in each]
    facts = {one["fact"]["payload"]: one["fact"].get("values") for one in entries if one["kind"] == "postback"}
    assert facts == {"L": {"action": "size"}, "address": {"street.text": "Hill Road 1"}, "/order": {"text": "4711"}}
    assert len([one for one in entries if one["kind"] == "postback"]) == 3
    assert {delivery.status for delivery in slack.deliveries} <= {200}
    assert "hooks.slack.com" not in str(entries)
    assert await house.letters() == 0


# --- Socket Mode ----------------------------------------------------------------------------------------------------


async def test_by_socket_the_same_is_heard_and_a_refresh_loses_nothing(slack: SlackServer, house: House) -> None:
    house._adds(connector(slack, edge="socket"))
    async with house.running():
        await slack.sockets.until(lambda: slack.sockets.listeners == 1)
        chat(slack)
        await slack.confirmed()
        for number, reason in enumerate(("refresh_requested", "warning")):
            slack.say(f"before {number}", MIA, "C0OTHER", thread_ts="1767220000.000100")
            await slack.sockets.refresh(reason)
            slack.say(f"after {number}", MIA, "C0OTHER", thread_ts="1767220000.000100")
        await slack.confirmed()
        await house.quiet()
        found = await lines(house)
        assert (slack.sockets.opened, slack.sockets.listeners) == (3, 1)
    first, second = sorted(found.values(), key=lambda entries: as_written(entries)[0][0])
    assert [words for words, _ in as_written(first)] == [
        f"@{slack.bot} is it in stock?",
        "Size M only",
        "I take two",
    ]
    assert [words for words, _ in as_written(second)] == ["before 0", "after 0", "before 1", "after 1"]
    assert await house.letters() == 0


async def test_an_envelope_whose_acknowledgement_was_lost_comes_again_and_changes_nothing(
    slack: SlackServer, house: House
) -> None:
    house._adds(connector(slack, edge="socket"))
    slack.sockets.patience = 0.05
    async with house.running():
        await slack.sockets.until(lambda: slack.sockets.listeners == 1)
        slack.sockets.deaf = True
        slack.say("Is it in stock?", MIA)
        await until(lambda: _is(len(slack.sockets.attempts) >= 3), "it came again")
        await slack.sockets.close()
        slack.sockets.deaf = False
        await slack.confirmed()
        await house.quiet()
    assert [said(one) for one in await house.all_messages()] == ["Is it in stock?"]
    assert slack.sockets.opened >= 2


async def _is(answer: bool) -> bool:
    return answer


async def test_nothing_is_acknowledged_before_it_is_durable(slack: SlackServer) -> None:
    lent = connector(slack, edge="socket")

    class Full(RecordingHost):
        async def emit(self, records: Any, cursor: str | None = None) -> None:
            await super().emit(records, cursor)
            raise Misconfigured("the log is full")

    async with Full(lent) as host:
        slack.say("Is it in stock?", MIA)
        with pytest.raises(ExceptionGroup) as caught:
            await lent.session(host, "", None)
    assert caught.group_contains(Misconfigured, match="full")
    assert (len(host.events), slack.sockets.acknowledged) == (1, [])


async def test_a_frame_that_cannot_be_read_is_set_aside_and_the_others_go_on(slack: SlackServer, house: House) -> None:
    house._adds(connector(slack, edge="socket"))
    async with house.running():
        await slack.sockets.until(lambda: slack.sockets.listeners == 1)
        await slack.sockets.say("no frame")
        await slack.sockets.say('{"type":"hologram","envelope_id":"e","payload":{}}')
        slack.say("Still there?", MIA)
        await slack.confirmed()
        await house.quiet()
    assert await house.letters() == 2
    assert slack.sockets.acknowledged[0] == "e"
    assert [said(one) for one in await house.all_messages()] == ["Still there?"]


async def test_a_socket_mode_that_is_turned_off_is_for_a_person(slack: SlackServer, house: House) -> None:
    channel = house._adds(connector(slack, edge="socket"))
    async with house.running():
        await slack.sockets.until(lambda: slack.sockets.listeners == 1)
        await slack.sockets.say('{"type":"disconnect","reason":"link_disabled"}')

        async def failing() -> bool:
            state = await ChannelStates(house.state).get(channel)
            return state is not None and "Socket Mode is turned off" in str(state)

        await until(failing, "the state says what to do")


@pytest.mark.parametrize("reason", ["too_many_websockets", "of a later version"])
async def test_a_connection_that_slack_refuses_is_tried_again(slack: SlackServer, reason: str) -> None:
    lent = connector(slack, edge="socket")
    async with RecordingHost(lent) as host:
        session = asyncio.create_task(lent.session(host, "", None))
        await slack.sockets.until(lambda: slack.sockets.listeners == 1)
        await slack.sockets.say(f'{{"type":"disconnect","reason":"{reason}"}}')
        await slack.sockets.close()
        with pytest.raises(ExceptionGroup) as caught:
            await session
    assert caught.group_contains(Retryable)


async def test_an_old_connection_that_slack_does_not_close_is_left_after_a_while(slack: SlackServer) -> None:
    lent = connector(slack, edge="socket")

    class Hasty(SocketMode):
        grace = 0.05

    async with RecordingHost(lent) as host:
        session = asyncio.create_task(Hasty(host, WebApi(host, slack.url, slack.app_token, "`app_token`")).run())
        await slack.sockets.until(lambda: slack.sockets.listeners == 1)
        await slack.sockets.say('{"type":"disconnect","reason":"refresh_requested"}')
        await slack.sockets.until(lambda: slack.sockets.opened == 2 and slack.sockets.listeners == 1)
        slack.say("Still there?", MIA)
        await slack.confirmed()
        assert not session.done()
        session.cancel()
        await asyncio.wait({session})
    assert len(host.events) == 1


# --- calls ----------------------------------------------------------------------------------------------------------


async def test_a_person_is_looked_up_and_who_is_unknown_stays_unnamed(slack: SlackServer) -> None:
    profile = {"real_name": "Mia Lang", "email": "mia@example.com"}
    slack.web.users[MIA] = {"id": MIA, "team_id": slack.team, "name": "mia", "tz": "Europe/Lisbon", "profile": profile}
    lent = connector(slack)
    async with RecordingHost(lent) as host:
        await host.emit(await lent.lookup(host, f"user:{MIA}"))
        assert list(await lent.lookup(host, "user:U0NOBODY")) == []
    (event,) = host.events
    assert (event.sender.name, event.sender.timezone) == ("Mia Lang", "Europe/Lisbon")
    assert [(one.type, one.value, one.evidence) for one in event.sender.claims] == [
        ("slack_user", MIA, "provider"),
        ("email", "mia@example.com", "directory"),
    ]


async def test_a_file_is_fetched_with_the_token_and_a_log_in_page_is_none(slack: SlackServer) -> None:
    file = slack.keep_file("broken.png", b"pixels", "image/png")
    lent = connector(slack)
    async with RecordingHost(lent) as host:
        media = await lent.download(host, f"file:{file['id']}")
        answer = await host.http.get(media.url, headers=media.headers)
        assert (answer.content, media.unexpected) == (b"pixels", ("text/html",))
        page = await host.http.get(media.url, headers={"authorization": "Bearer wrong"})
        assert page.headers["content-type"].startswith(media.unexpected)
        html = slack.keep_file("page.html", b"<p>", "text/html")
        assert (await lent.download(host, f"file:{html['id']}")).unexpected == ()
        slack.web.delete_file(file)
        with pytest.raises(Poison, match="deleted"):
            await lent.download(host, f"file:{file['id']}")
        with pytest.raises(Poison, match="file_not_found"):
            await lent.download(host, "file:F0NOBODY")


async def test_a_file_elsewhere_is_fetched_without_the_token(slack: SlackServer) -> None:
    file = slack.keep_file("plan.pdf", b"plan", "application/pdf")
    file["url_private_download"] = "https://files.slack.com.example.com/plan.pdf"
    lent = connector(slack)
    async with RecordingHost(lent) as host:
        assert (await lent.download(host, f"file:{file['id']}")).headers == {}


async def test_a_wrong_token_is_for_a_person_and_is_not_shown(slack: SlackServer) -> None:
    lent = connector(slack, bot_token="wrong-token-1", app_token="wrong-token-2", edge="socket")
    async with RecordingHost(lent) as host:
        with pytest.raises(Misconfigured, match="Copy `bot_token`") as caught:
            await lent.lookup(host, f"user:{MIA}")
        with pytest.raises(ExceptionGroup) as group:
            await lent.session(host, "", None)
    told = f"{caught.value} {group.value!r} {group.value.exceptions!r}"
    assert ("wrong-token" in told, "Copy `app_token`" in told) == (False, True)


async def test_the_probe_says_what_is_missing(slack: SlackServer) -> None:
    async def steps(**settings: Any) -> dict[str, tuple[bool, str]]:
        lent = connector(slack, **settings)
        async with RecordingHost(lent) as host:
            return {step.name: (step.ok, step.todo) async for step in lent.check(host)}

    slack.web.users[ANNA] = {"id": ANNA, "team_id": slack.team, "name": "anna", "profile": {}}
    slack.web.scopes += ",groups:history,mpim:history"
    right = {
        "token": (True, ""),
        "scopes": (True, ""),
        "places": (True, ""),
        "channels": (True, ""),
        "agents": (True, ""),
    }
    assert await steps(edge="socket") == {**right, "socket": (True, "")}
    by_url = await steps()
    assert by_url.pop("webhook")[0]
    assert by_url == right
    slack.web.channels = []
    assert "/invite" in (await steps())["channels"][1]
    ok, todo = (await steps(agents=[ANNA, "U0TYPO", "T0STAFF"]))["agents"]
    assert (ok, "U0TYPO (user_not_found)" in todo, "T0STAFF" in todo) == (False, True, False)
    slack.web.scopes = "users:read,files:read"
    lacking = await steps()
    assert not lacking["scopes"][0]
    assert "users:read.email, channels:history" in lacking["scopes"][1]
    assert "direct messages with the app (im:history)" in lacking["places"][1]
    assert "channels" not in lacking
    other = await steps(account="T0OTHER")
    assert (other["token"][0], slack.team in other["token"][1]) == (False, True)
    assert "app_token" in (await steps(edge="socket", app_token="wrong"))["socket"][1]
    wrong = await steps(bot_token="wrong")
    assert (wrong.keys(), wrong["token"][0], "bot_token" in wrong["token"][1]) == ({"token"}, False, True)
    slack.web.bot_id = None
    assert "xoxb" in (await steps())["token"][1]
