"""WhatsApp from the provider's side: the simulator of its Cloud API against the real entrance, log, unifier and API."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from failures.house import HOOK, Backend, House, Replica, built, said

from im_ingest.connectors.whatsapp.connector import Settings, WhatsApp
from onethread.blobs import Blobs
from onethread.errors import Misconfigured, Poison, Retryable
from onethread.host.channel import Channels
from onethread.host.ingest import Ingest
from onethread.host.standing import Standing
from onethread.host.webhook import WebhookApp
from onethread.log.topics import MESSAGES
from onethread.testing.recording_host import RecordingHost
from onethread.testing.serving import Loopback
from onethread.testing.whatsapp_server import WhatsAppServer

MIA, MIA_ID, VERIFY = "351912000111", "PT.13491208655302741918", "a verify token"


@pytest.fixture
async def whatsapp() -> AsyncIterator[WhatsAppServer]:
    async with WhatsAppServer(delay=lambda attempt: 0.02) as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with built(Backend(tmp_path)) as made:
        yield made


def connector(server: WhatsAppServer, **settings: Any) -> WhatsApp:
    own = {"account": server.number_id, "business_account": server.business_account, "api_url": server.url}
    secrets = {
        "app_secrets": [server.app_secret],
        "verify_token": VERIFY,
        "access_token": server.access_token,
    }
    return WhatsApp(Settings.model_validate({**own, **secrets, **settings}))


async def lines(house: House) -> list[Any]:
    """The timeline of the only conversation. Two strands may have begun before it was known that they are one."""
    (conversation,) = await house.conversations()
    found: list[Any] = (await house.get(f"/v1/conversations/{conversation['id']}/entries"))["items"]
    return sorted((one for one in found if one["kind"] != "joined"), key=lambda one: str(one["received_at"]))


async def records(house: House) -> int:
    """How many records the log of messages has."""
    return sum(extent.end - extent.begin for extent in (await house.log.extents(MESSAGES)).values())


async def test_a_number_is_registered_heard_and_what_comes_again_changes_nothing(
    whatsapp: WhatsAppServer, house: House
) -> None:
    channel = house._adds(connector(whatsapp))
    async with house.running() as (replica,):
        await connector(whatsapp).subscribe(replica.lends(channel), replica.hook(channel))
        assert (whatsapp.override, whatsapp.subscribed) == (replica.hook(channel), True)
        bodies = [
            whatsapp.say("Where is my parcel? Ä", MIA, user_id=MIA_ID),
            whatsapp.echo("It leaves today.", MIA),
            whatsapp.status("wamid.SIM00002", "read", MIA),
        ]
        await whatsapp.confirmed()
        await house.quiet()
        before = await lines(house)
        for body in bodies * 3:
            whatsapp.repeat(body, to=whatsapp.override)
        await whatsapp.confirmed()
        await house.quiet()
    question, answer, receipt = await lines(house)
    assert [question, answer, receipt] == before
    assert (said(question), question["direction"]) == ("Where is my parcel? Ä", "inbound")
    assert (said(answer), answer["direction"], answer["state"]["delivery"]["status"]) == (
        "It leaves today.",
        "outbound",
        "read",
    )
    assert (receipt["kind"], receipt["target"]) == ("receipt", answer["id"])
    assert {delivery.status for delivery in whatsapp.deliveries} == {200}


async def test_what_metas_own_agent_is_told_and_answers_is_in_the_conversation(
    whatsapp: WhatsAppServer, house: House
) -> None:
    channel = house._adds(connector(whatsapp))
    async with house.running() as (replica,):
        whatsapp.callback = replica.hook(channel)
        whatsapp.standby = True
        bodies = [
            whatsapp.say("Where is my parcel?", MIA, user_id=MIA_ID),
            whatsapp.agent("It leaves today.", MIA),
            whatsapp.status("wamid.SIM00002", "read", MIA),
            whatsapp.handover("control_passed", MIA, previous_owner_role="ai_agent", new_owner_role="escalation"),
            whatsapp.say("A person, please.", MIA, user_id=MIA_ID),
        ]
        for body in bodies:
            whatsapp.repeat(body)
        await whatsapp.confirmed()
        await house.quiet()
        found = await lines(house)
    told = [(one["kind"], one["direction"]) for one in found if one["kind"] in {"message", "system"}]
    assert told == [("message", "inbound"), ("message", "outbound"), ("system", "inbound"), ("message", "inbound")]
    answer = next(one for one in found if one["direction"] == "outbound")
    assert (said(answer), answer["state"]["delivery"]["status"]) == ("It leaves today.", "read")
    assert await house.letters() == 0


async def test_what_comes_before_its_message_waits_for_it(whatsapp: WhatsAppServer, house: House) -> None:
    channel = house._adds(connector(whatsapp))
    edit = {"original_message_id": "wamid.LATE", "message": {"type": "text", "text": {"body": "Two kettles, please"}}}
    early: list[dict[str, Any]] = [
        {"type": "edit", "edit": edit},
        {"type": "reaction", "reaction": {"message_id": "wamid.LATE", "emoji": "👍"}},
        {"type": "reaction", "reaction": {"message_id": "wamid.LATE", "emoji": "❤️"}},
        {"type": "revoke", "revoke": {"original_message_id": "wamid.GONE"}},
    ]
    async with house.running() as (replica,):
        whatsapp.callback = replica.hook(channel)
        for said_early in early:
            whatsapp.message(said_early, MIA)
            await whatsapp.confirmed()
        await house.quiet()
        assert await house.conversations() == []
        whatsapp.message(
            {"id": "wamid.LATE", "type": "text", "text": {"body": "A kettle, please"}, "timestamp": "1767225000"}, MIA
        )
        whatsapp.message(
            {"id": "wamid.GONE", "type": "text", "text": {"body": "Never mind"}, "timestamp": "1767225001"}, MIA
        )
        await whatsapp.confirmed()
        await house.quiet()
    found = {one["kind"]: one for one in await lines(house)}
    late, gone = (one for one in await lines(house) if one["kind"] == "message")
    assert late["state"]["edited_at"]
    assert [one["symbol"] for one in late["state"]["reactions"]] == ["❤️"]
    assert gone["state"]["deleted_at"]
    assert set(found) == {"message", "message.edited", "message.deleted", "reaction.added"}


async def test_what_nobody_takes_is_sent_until_somebody_does(whatsapp: WhatsAppServer, house: House) -> None:
    channel = house._adds(connector(whatsapp))
    replica = Replica(house, "late")
    whatsapp.callback = replica.hook(channel)
    whatsapp.say("Is anybody there?", MIA)
    await whatsapp.until(lambda: len(whatsapp.deliveries) >= 2)
    async with replica:
        await whatsapp.confirmed()
        await house.quiet()
    assert {delivery.status for delivery in whatsapp.deliveries} == {0, 200}
    assert [said(one) for one in await house.all_messages()] == ["Is anybody there?"]


async def test_two_numbers_of_one_app_share_an_entrance_and_a_bad_element_is_alone(
    whatsapp: WhatsAppServer, house: House
) -> None:
    channel = house._adds(connector(whatsapp))
    house._adds(connector(whatsapp, account="999"))

    def change(first: int, number: str) -> dict[str, Any]:
        text = [
            {
                "from": MIA,
                "id": f"wamid.B{first + i}",
                "timestamp": "1767225600",
                "type": "text",
                "text": {"body": f"{first + i}"},
            }
            for i in range(3)
        ]
        if first == 10:
            text[1]["from"] = 7
        failed = {"id": "wamid.O", "status": "failed", "timestamp": "1767225600", "recipient_id": MIA}
        metadata = {"display_phone_number": "15550100", "phone_number_id": number}
        return {"field": "messages", "value": {"metadata": metadata, "messages": text, "statuses": [failed]}}

    async with house.running() as (replica,):
        whatsapp.callback = replica.hook(channel)
        entries = [
            {"id": "1", "changes": [change(0, whatsapp.number_id), change(10, "999")]},
            {"id": "2", "changes": [change(20, whatsapp.number_id), change(30, "999")]},
        ]
        whatsapp.deliver(*entries)
        await whatsapp.confirmed()
        await house.quiet()
    messages = await house.all_messages()
    by_channel = sorted((one["channel_id"], said(one)) for one in messages)
    first, second = (one.id for one in house.channels)
    assert by_channel == sorted(
        [(first, n) for n in ("0", "1", "2", "20", "21", "22")] + [(second, n) for n in ("10", "12", "30", "31", "32")]
    )
    assert await house.letters() == 1


@pytest.mark.parametrize("forgery", ["unsigned", "another secret", "another body", "another header"])
async def test_a_strangers_request_is_refused_and_leaves_nothing(
    whatsapp: WhatsAppServer, house: House, forgery: str
) -> None:
    channel = house._adds(connector(whatsapp))
    body = whatsapp.say("Give me everything", MIA)
    headers = {"x-hub-signature-256": whatsapp.signature(body)}
    match forgery:
        case "unsigned":
            headers = {}
        case "another secret":
            whatsapp.app_secret = "a-strangers-secret"
            headers = {"x-hub-signature-256": whatsapp.signature(body)}
        case "another body":
            body = body.replace(b"everything", b"nothing")
        case _:
            headers = {"x-hub-signature": headers["x-hub-signature-256"]}
    async with house.running() as (replica,), httpx.AsyncClient(trust_env=False) as stranger:
        answer = await stranger.post(replica.hook(channel), content=body, headers=headers)
    assert answer.status_code == 401
    assert (await records(house), await house.letters()) == (0, 0)


async def test_the_handshake_is_answered_with_every_dependency_down(whatsapp: WhatsAppServer, house: House) -> None:
    channel = house._adds(connector(whatsapp))
    closed = Ingest(house.backend.log("closed"), Blobs("memory:///"), Channels(house.channels))
    app = WebhookApp(
        closed,
        public_url="http://hooks.example",
        lend=lambda channel: None,  # type: ignore[arg-type,return-value]
        wake=lambda channel, wake: None,  # type: ignore[arg-type,return-value]
        standing=Standing(house.backend.state(), house.now),
    )
    async with Loopback(app) as served:
        url = f"{served.url}/hooks/{channel}/{HOOK}"
        assert await whatsapp.enter(url, VERIFY)
        assert not await whatsapp.enter(url, "another token")
        async with httpx.AsyncClient(trust_env=False) as client:
            assert (await client.get(url)).status_code == 405
            refused = await client.get(url, params={"hub.mode": "subscribe", "hub.challenge": "1"})
            assert refused.status_code == 403


# --- calls ----------------------------------------------------------------------------------------------------------


async def test_a_file_is_fetched_with_the_token_also_after_its_address_expired(whatsapp: WhatsAppServer) -> None:
    file = whatsapp.keep_media("65463453", b"a torn box", "image/jpeg")
    lent = connector(whatsapp)
    body = json.loads(whatsapp.message({"type": "image", "image": file}, MIA))
    assert body["entry"][0]["changes"][0]["value"]["messages"][0]["image"]["id"] == "65463453"
    async with RecordingHost(lent) as host, httpx.AsyncClient(trust_env=False) as client:
        media = await lent.download(host, "65463453")
        assert (await client.get(media.url)).status_code == 401
        assert (await client.get(media.url, headers=media.headers)).content == b"a torn box"
        whatsapp.expire_addresses()
        assert (await client.get(media.url, headers=media.headers)).status_code == 404
        again = await lent.download(host, "65463453")
        assert (await client.get(again.url, headers=again.headers)).content == b"a torn box"


async def test_a_file_that_is_gone_is_gone_for_good(whatsapp: WhatsAppServer) -> None:
    lent = connector(whatsapp)
    async with RecordingHost(lent) as host:
        with pytest.raises(Poison, match="code 100"):
            await lent.download(host, "1")


async def test_a_wrong_token_is_for_a_person_and_is_not_shown(whatsapp: WhatsAppServer) -> None:
    lent = connector(whatsapp, access_token="wrong-token-1")
    async with RecordingHost(lent) as host:
        with pytest.raises(Misconfigured, match="new `access_token`") as caught:
            await lent.download(host, "1")
    assert "wrong-token-1" not in str(caught.value)


async def test_an_api_that_is_away_is_asked_later() -> None:
    async with WhatsAppServer() as gone:
        lent = connector(gone)
    async with RecordingHost(lent) as host:
        with pytest.raises(Retryable, match="did not answer"):
            await lent.download(host, "1")


HERE = "https://hooks.example.com/hooks/chn_shop/a-long-hook-secret"
OK = [(name, True, "") for name in ("token", "webhook", "permissions", "subscription")]


async def steps(server: WhatsAppServer, url: str = "", **settings: Any) -> list[tuple[str, bool, str]]:
    lent = connector(server, **settings)
    async with RecordingHost(lent, url=url) as host:
        return [(step.name, step.ok, step.todo) async for step in lent.check(host)]


async def test_the_probe_finds_nothing_to_change(whatsapp: WhatsAppServer) -> None:
    whatsapp.subscribed, whatsapp.callback = True, HERE
    assert await steps(whatsapp) == OK
    whatsapp.callback = "https://crm.example.com/meta"
    whatsapp.override = HERE
    assert await steps(whatsapp) == OK
    assert await steps(whatsapp, url="https://hooks.example.com/hooks/chn_another/of-the-same-app") == OK
    assert "set `business_account`" in (await steps(whatsapp, business_account=""))[3][2]


def other(**fields: Any) -> dict[str, Any]:
    """What is otherwise than it should be: settings, or attributes of the simulator."""
    return fields


@pytest.mark.parametrize(
    ("settings", "there", "step", "todo"),
    [
        (other(access_token="x"), {}, "token", "new `access_token`"),
        (other(account="1"), {}, "token", "Check `account`"),
        ({}, other(scopes={"whatsapp_business_messaging"}), "token", "with that permission too"),
        ({}, other(scopes={"whatsapp_business_management"}), "permissions", "with whatsapp_business_messaging"),
        (other(app_secrets=["wrong"]), {}, "webhook", "first of `app_secrets`"),
        ({}, other(callback=""), "webhook", "no URL is set"),
        ({}, other(callback="https://crm.example.com/meta"), "webhook", "deliveries go to crm.example.com"),
        ({}, other(active=False), "webhook", "no longer calls"),
        ({}, other(dashboard_fields={"calls"}), "webhook", "subscribe to messages"),
        ({}, other(token_ends=1767225600), "permissions", "ends at 2026-01-01T00:00+00:00"),
        ({}, other(subscribed=False), "subscription", "not subscribed to `business_account`"),
        (other(business_account="9"), {}, "subscription", "belong to one business"),
        ({}, other(override="https://crm.example.com/meta"), "subscription", "deliveries of this number go to another"),
    ],
)
async def test_the_probe_says_what_to_change(
    whatsapp: WhatsAppServer, settings: dict[str, Any], there: dict[str, Any], step: str, todo: str
) -> None:
    whatsapp.subscribed, whatsapp.callback = True, HERE
    for name, value in there.items():
        setattr(whatsapp, name, value)
    failed = [(name, said) for name, ok, said in await steps(whatsapp, **settings) if not ok]
    assert [name for name, _ in failed] == [step]
    assert todo in failed[0][1]
    assert "a-long-hook-secret" not in str(failed)


async def test_the_probe_knows_another_installation_by_its_host(whatsapp: WhatsAppServer) -> None:
    whatsapp.subscribed, whatsapp.callback = True, HERE
    found = await steps(whatsapp, url="https://desk.example.com/hooks/chn_shop/a-long-hook-secret")
    failed = [(name, todo) for name, ok, todo in found if not ok]
    assert [name for name, _ in failed] == ["webhook"]
    assert "deliveries go to hooks.example.com" in failed[0][1]


async def test_a_number_of_another_account_is_found_out(whatsapp: WhatsAppServer) -> None:
    whatsapp.subscribed, whatsapp.callback = True, HERE
    whatsapp.numbers = ["1", "2"]
    name, ok, todo = (await steps(whatsapp))[-1]
    assert (name, ok, "none of the 2 numbers" in todo) == ("subscription", False, True)


async def test_the_url_of_the_app_is_entered_where_there_is_none(whatsapp: WhatsAppServer, house: House) -> None:
    channel = house._adds(connector(whatsapp, business_account=""))
    lent = connector(whatsapp, business_account="")
    async with house.running() as (replica,):
        url = replica.hook(channel)
        await lent.subscribe(replica.lends(channel), url)
        assert (whatsapp.callback, whatsapp.dashboard_fields) == (url, set(WhatsApp.fields))
        whatsapp.dashboard_fields, whatsapp.active = {"message_template_status_update"}, False
        await lent.subscribe(replica.lends(channel), url)
        assert whatsapp.dashboard_fields == {*WhatsApp.fields, "message_template_status_update"}
        assert whatsapp.active
        whatsapp.callback, whatsapp.dashboard_fields = "https://crm.example.com/meta", {"messages"}
        await lent.subscribe(replica.lends(channel), url)
        assert (whatsapp.callback, whatsapp.dashboard_fields) == ("https://crm.example.com/meta", {"messages"})


async def test_a_url_that_meta_cannot_reach_is_for_a_person(whatsapp: WhatsAppServer) -> None:
    for settings in ({}, {"business_account": ""}):
        lent = connector(whatsapp, **settings)
        async with RecordingHost(lent) as host:
            with pytest.raises(Misconfigured, match=r"http\.public_url"):
                await lent.subscribe(host, "http://127.0.0.1:1/hooks/chn_shop/a-long-hook-secret")


async def test_stopping_takes_the_override_away(whatsapp: WhatsAppServer) -> None:
    lent = connector(whatsapp)
    whatsapp.override = HERE
    async with RecordingHost(lent) as host:
        await lent.subscribe(host, None)
        assert whatsapp.override == ""
        whatsapp.override = "https://crm.example.com/meta"
        await lent.subscribe(host, None)
        assert whatsapp.override == "https://crm.example.com/meta"
        await connector(whatsapp, business_account="").subscribe(host, None)
    assert whatsapp.callback == ""


@pytest.mark.parametrize("wrong", [{"account": "999"}, {"business_account": "888"}])
async def test_a_wrong_account_is_said_at_the_start_as_well(whatsapp: WhatsAppServer, wrong: dict[str, str]) -> None:
    whatsapp.callback = "https://other.example.com/hook"  # the app's own stays
    lent = connector(whatsapp, **{"business_account": whatsapp.business_account, **wrong})
    async with RecordingHost(lent) as host:
        with pytest.raises(Misconfigured, match="Check `account`, `business_account` and `access_token`"):
            await lent.subscribe(host, "http://127.0.0.1:1/hooks/chn_shop/a-long-hook-secret")
