"""WeCom's customer service from the provider's side: the simulator against the real entrance, polling host, log, unifier and API."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from failures.house import Backend, House, built, said, until
from integration.im_ingest import proofs
from pydantic import ValidationError

from im_ingest.connectors.wecom_kf.connector import Settings, WeComKf
from im_ingest.weixin_api import WeixinError
from onethread.errors import Misconfigured, Retryable
from onethread.log.topics import MESSAGES
from onethread.state.cursors import Cursors
from onethread.testing.recording_host import RecordingHost
from onethread.testing.wecom_kf_server import WeComKfServer
from onethread.testing.weixin_server import refusal

KF, MIA, BEN = "wk00000001", "wm00000001", "wm00000002"


@pytest.fixture
async def wecom() -> AsyncIterator[WeComKfServer]:
    async with WeComKfServer() as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with built(Backend(tmp_path)) as made:
        yield made


def connector(server: WeComKfServer, **settings: Any) -> WeComKf:
    app = {"account": server.receiver, "open_kfids": [KF], "secret": server.secret, "api_url": server.url}
    return WeComKf(Settings.model_validate({**app, "tokens": [server.token], "aes_keys": [server.aes_key], **settings}))


async def logged(house: House) -> int:
    """Events in the log."""
    return sum(extent.end for extent in (await house.log.extents(MESSAGES)).values())


async def heard(house: House, *texts: str, events: int = 0) -> list[Any]:
    """Once so many events (else as many as texts) are in the log and threaded: the words are these, each once."""

    async def enough() -> bool:
        return await logged(house) >= (events or len(texts))

    await until(enough, f"{events or len(texts)} events are in the log")
    await house.quiet()
    messages = await house.all_messages()
    assert sorted(said(one) for one in messages if not one["state"]["deleted_at"]) == sorted(texts)
    return messages


async def pulled(wecom: WeComKfServer) -> None:
    """Wait for the first poll, which no notice asks for."""
    await wecom.until(lambda: any(path == "kf/sync_msg" for path, _ in wecom.calls), 30)


async def test_notices_bring_messages_of_both_sides_and_what_comes_again_changes_nothing(
    wecom: WeComKfServer, house: House
) -> None:
    channel = house._adds(connector(wecom))
    async with house.running() as (replica,):
        assert await wecom.enter(replica.hook(channel))
        first = wecom.say("请问什么时候发货?", MIA)
        wecom.reply("已经发货", MIA, "ben")
        wecom.event("enter_session", MIA, scene="1", welcome_code="WELCOMECODE")
        await heard(house, "请问什么时候发货?", "已经发货", events=3)
        wecom.event("user_recall_msg", MIA, recall_msgid=first["msgid"])
        before = await heard(house, "已经发货", events=4)
        assert [bool(one["state"]["deleted_at"]) for one in before] == [True, False]
        for _ in range(3):
            wecom.notify()
        await wecom.confirmed()
        wecom.say("Then never mind", MIA)  # behind the repeated notices
        after = await heard(house, "已经发货", "Then never mind", events=5)
        assert [one["id"] for one in after[:-1]] == [one["id"] for one in before]
    assert [one["direction"] for one in before] == ["inbound", "outbound"]
    assert {delivery.status for delivery in wecom.deliveries} == {200}


async def test_a_lost_cursor_reads_three_days_again_and_adds_nothing(wecom: WeComKfServer, house: House) -> None:
    channel = house._adds(connector(wecom))
    async with house.running() as (replica,):
        wecom.callback = replica.hook(channel)
        wecom.say("one", MIA)
        wecom.say("two", MIA)
        await heard(house, "one", "two")
    document = await house.state.get("cursors", f"{channel}/{KF}")
    assert document is not None
    await house.state.delete("cursors", document.id, document.version)
    async with house.running() as (replica,):
        wecom.callback = replica.hook(channel)
        wecom.say("three", MIA)
        await heard(house, "one", "two", "three", events=5)  # read twice, shown once


async def test_a_cursor_of_another_app_silences_no_account(wecom: WeComKfServer) -> None:
    item = wecom.say("Still here", MIA)
    lent = connector(wecom)
    async with RecordingHost(lent) as host:
        host.hint = "ENC-of-yesterday"
        page = await lent.fetch(host, KF, "of-another-app")
        assert [item["msgid"].encode() in raw.data for raw in page.records] == [True]
        assert (page.cursor, page.more) == ("c1", False)
        asked = [(bool(call.get("token")), call["cursor"]) for path, call in wecom.calls if path == "kf/sync_msg"]
        assert asked == [(True, "of-another-app"), (False, "of-another-app"), (False, "")]
        with pytest.raises(WeixinError, match=r"95000.*`open_kfids`"):
            await lent.fetch(host, "wk-of-nobody", "c1")


async def test_many_pages_also_empty_ones_are_read_by_the_token_of_one_notice(house: House) -> None:
    async with WeComKfServer(page=1, bare_calls=1) as wecom:
        wecom.gaps = True
        channel = house._adds(connector(wecom))
        async with house.running() as (replica,):
            await pulled(wecom)
            for number in range(4):
                wecom.say(f"m{number}", MIA)  # no callback yet: no notice
            wecom.callback = replica.hook(channel)
            wecom.notify()
            await heard(house, "m0", "m1", "m2", "m3")
        tokens = [bool(parameters.get("token")) for path, parameters in wecom.calls if path == "kf/sync_msg"]
        assert tokens[0] is False
        assert all(tokens[1:])
        assert len(tokens) >= 8
        assert await Cursors(house.state).load(channel, KF) is not None


async def test_what_lost_notices_told_is_found_by_the_poll(wecom: WeComKfServer, house: House) -> None:
    house._adds(connector(wecom))
    wecom.silent = True
    wecom.say("Nobody told you", MIA)
    async with house.running():
        await heard(house, "Nobody told you")


async def test_a_token_that_ends_early_is_replaced_and_nothing_is_lost(wecom: WeComKfServer, house: House) -> None:
    channel = house._adds(connector(wecom))
    async with house.running() as (replica,):
        await pulled(wecom)
        wecom.callback = replica.hook(channel)
        wecom.expire_token()
        wecom.say("After the token", MIA)
        await heard(house, "After the token")
    assert [path for path, _ in wecom.calls].count("gettoken") == 2


async def test_an_account_of_no_list_is_read_when_it_is_noticed(wecom: WeComKfServer, house: House) -> None:
    wecom.accounts["wk00000002"] = "Service"
    channel = house._adds(connector(wecom))
    async with house.running() as (replica,):
        await pulled(wecom)
        wecom.callback = replica.hook(channel)
        wecom.say("Here", MIA)
        wecom.say("There", MIA, account="wk00000002")
        await heard(house, "Here", "There")
    assert len(await house.conversations()) >= 1


async def test_each_account_is_polled_with_a_cursor_of_its_own(wecom: WeComKfServer, house: House) -> None:
    wecom.accounts["wk00000002"] = "Service"
    wecom.silent = True
    channel = house._adds(connector(wecom, open_kfids=[KF, "wk00000002"]))
    wecom.say("Here", MIA)
    wecom.say("There", MIA, account="wk00000002")
    async with house.running():
        await heard(house, "Here", "There")
    cursors = Cursors(house.state)
    assert [await cursors.load(channel, account) for account in (KF, "wk00000002")] == ["c2", "c2"]


async def test_a_bad_item_is_set_aside_alone(wecom: WeComKfServer, house: House) -> None:
    channel = house._adds(connector(wecom))
    async with house.running() as (replica,):
        await pulled(wecom)
        wecom.say("one", MIA)
        wecom.item(KF, "text", {"content": "by nobody"}, origin=3)
        wecom.callback = replica.hook(channel)
        wecom.say("two", MIA)
        await heard(house, "one", "two")
    assert await house.letters() == 1


@pytest.mark.parametrize("forgery", ["of another token", "stale", "unsigned", "changed"])
async def test_a_strangers_notice_is_refused_and_nothing_is_pulled(
    wecom: WeComKfServer, house: House, forgery: str
) -> None:
    channel = house._adds(connector(wecom))
    wecom.token = "a-strangers-token" if forgery == "of another token" else wecom.token
    wecom.now = (lambda: time.time() - 400) if forgery == "stale" else time.time
    query, body = wecom._delivery("<xml><Event>kf_msg_or_event</Event><OpenKfId>wk00000001</OpenKfId></xml>")
    query = {} if forgery == "unsigned" else query
    body = body.replace("<Encrypt><![CDATA[", "<Encrypt><![CDATA[AAAA") if forgery == "changed" else body
    async with house.running() as (replica,), httpx.AsyncClient(trust_env=False) as stranger:
        await pulled(wecom)
        calls = len(wecom.calls)
        answer = await stranger.post(replica.hook(channel), params=query, content=body)
        assert answer.status_code == 401
        await house.quiet()
        assert len(wecom.calls) == calls
    assert await house.letters() == 0


# --- calls ----------------------------------------------------------------------------------------------------------


async def test_a_stale_notice_is_done_without_and_codes_are_dropped(wecom: WeComKfServer) -> None:
    wecom.event("enter_session", MIA, scene="1", scene_param="a-token", welcome_code="WELCOMECODE")
    wecom.event("session_status_change", MIA, change_type=3, old_servicer_userid="ben", msg_code="MSGCODE")
    lent = connector(wecom)
    async with RecordingHost(lent) as host:
        host.hint = "ENC-of-yesterday"
        page = await lent.fetch(host, KF, None)
        await host.emit(page.records)
        empty = await lent.fetch(host, KF, page.cursor)
    assert not [raw for raw in page.records if b"CODE" in raw.data]
    assert [event.kind for event in host.events] == ["session.started", "session.ended"]
    assert host.events[0].tokens == ("a-token",)
    assert (list(empty.records), empty.cursor, empty.more) == ([], page.cursor, False)


async def test_a_cursor_that_does_not_move_is_no_endless_loop(wecom: WeComKfServer) -> None:
    wecom.refusals["kf/sync_msg"] = {"errcode": 0, "next_cursor": "c7", "has_more": 1, "msg_list": []}
    lent = connector(wecom)
    async with RecordingHost(lent) as host:
        moved, stuck = await lent.fetch(host, KF, None), await lent.fetch(host, KF, "c7")
    assert (moved.more, stuck.more, stuck.cursor) == (True, False, "c7")


@pytest.mark.parametrize("nothing", [{}, {"msg_list": None, "has_more": False}])
async def test_an_answer_that_holds_nothing_leaves_the_cursor(wecom: WeComKfServer, nothing: dict[str, Any]) -> None:
    wecom.refusals["kf/sync_msg"] = {"errcode": 0, **nothing}
    lent = connector(wecom)
    async with RecordingHost(lent) as host:
        found = await lent.fetch(host, KF, "c7")
    assert (list(found.records), found.cursor, found.more) == ([], "c7", False)


async def test_too_many_calls_wait(wecom: WeComKfServer) -> None:
    wecom.bare_calls = 0
    lent = connector(wecom)
    async with RecordingHost(lent) as host:
        with pytest.raises(Retryable) as caught:
            await lent.fetch(host, KF, None)
    assert caught.value.after == 60.0


async def test_a_look_up_brings_name_and_union_id(wecom: WeComKfServer) -> None:
    wecom.customers[MIA] = {"nickname": "Mia Lang", "avatar": "https://example.com/mia.jpg", "unionid": "oUNIONID0001"}
    lent = connector(wecom)
    async with RecordingHost(lent) as host:
        await host.emit(await lent.lookup(host, f"customer:{MIA}"))
        assert await lent.lookup(host, f"customer:{BEN}") == []
    (event,) = host.events
    assert event.sender.name == "Mia Lang"
    assert [claim.type for claim in event.sender.claims] == ["wecom_external_userid", "wechat_unionid"]


@pytest.mark.parametrize("media_type", ["image/jpeg", "text/plain", "application/json"])
async def test_a_file_is_fetched_for_three_days(wecom: WeComKfServer, media_type: str) -> None:
    lent, name = connector(wecom), wecom.keep_file(b'{"errcode": 1}', media_type)
    async with RecordingHost(lent) as host:
        media = await lent.download(host, name)
        found = await host.http.get(media.url)
        assert found.content == b'{"errcode": 1}'
        assert found.headers["content-type"].split(";")[0] not in media.unexpected
        wecom.expire_files()
        with pytest.raises(Retryable, match="40007"):
            await lent.download(host, name)


Steps = dict[str, tuple[bool, str]]


async def steps(wecom: WeComKfServer, **settings: Any) -> Steps:
    lent = connector(wecom, **settings)
    async with RecordingHost(lent) as host:
        return {step.name: (step.ok, step.todo) async for step in lent.check(host)}


LINK = "https://work.weixin.qq.com/kf/wk00000001?enc_scene=ENConethread"


async def test_the_probe_finds_nothing_missing(wecom: WeComKfServer) -> None:
    assert await steps(wecom, contact_url=LINK) == dict.fromkeys(("token", "accounts", "messages"), (True, ""))
    assert LINK in (await steps(wecom))["links"][1]


async def test_the_probe_says_which_accounts_there_are(wecom: WeComKfServer) -> None:
    wecom.accounts |= {f"wk1{number:07}": "Service" for number in range(150)}
    ok, todo = (await steps(wecom))["accounts"]
    assert (ok, "wk10000149 (Service)" in todo) == (True, True)
    found = await steps(wecom, open_kfids=["wk00000009"])
    assert (found["accounts"][0], "wk00000009" in found["accounts"][1]) == (False, True)
    assert f"{KF} (Shop)" in found["accounts"][1]  # whoever does not know the id puts another one in, to be told
    assert (found["messages"][0], "wk00000009" in found["messages"][1]) == (False, True)
    wecom.unmanaged = {KF}
    ok, todo = (await steps(wecom))["accounts"]
    assert (ok, KF in todo) == (False, True)


@pytest.mark.parametrize(
    ("path", "code", "words", "step", "todo"),
    [
        ("gettoken", 40013, "invalid corpid", "token", "`account`"),
        ("gettoken", 40001, "invalid credential", "token", "`secret`"),
        ("gettoken", 60020, "not allow to access from your ip, from ip: 192.0.2.7", "token", "trusted IPs"),
        ("kf/account/list", 60020, "not allow to access from your ip", "token", "trusted IPs"),
        ("kf/account/list", 48002, "api forbidden", "token", "可调用接口的应用"),
        ("kf/sync_msg", 48007, "api forbidden for the open_kfid", "messages", "通过API管理微信客服账号"),
        ("kf/account/list", 95011, "kf is used in WeCom", "token", "same console"),
        ("kf/sync_msg", 60011, "no privilege to access", "messages", "通过API管理微信客服账号"),
    ],
)
async def test_the_probe_says_what_to_change(
    wecom: WeComKfServer, path: str, code: int, words: str, step: str, todo: str
) -> None:
    wecom.refusals[path] = refusal(code, words)
    found = await steps(wecom, contact_url=LINK)
    assert [name for name, (ok, _) in found.items() if not ok] == [step]
    assert words in found[step][1]
    assert todo in found[step][1]


async def test_the_probe_does_not_fail_for_being_asked_too_often(wecom: WeComKfServer) -> None:
    wecom.bare_calls = 0
    ok, todo = (await steps(wecom))["messages"]
    assert (ok, "45009" in todo) == (True, True)


async def test_a_link_of_ours_proves_who_opens_the_chat(wecom: WeComKfServer, house: House) -> None:
    channel = house._adds(connector(wecom))
    async with house.running() as (replica,):
        wecom.callback = replica.hook(channel)
        wecom.event("enter_session", MIA, scene="1", scene_param=proofs.token(house, "wecom"))
        wecom.say("It is me", MIA)
        await heard(house, "It is me", events=2)
    assert await proofs.proved(house, "session.started") == [["provider", "link_nonce"]]


async def test_a_link_of_ours_leads_to_an_account(wecom: WeComKfServer) -> None:
    url = "https://work.weixin.qq.com/kf/kfc0000000001?enc_scene=ENC1"
    linked, bare = connector(wecom, contact_url=url), connector(wecom)
    async with RecordingHost(linked) as host:
        assert await linked.deep_link(host, "a-b_c") == f"{url}&scene_param=a-b_c"
        with pytest.raises(Misconfigured, match="contact_url"):
            await bare.deep_link(host, "t")
    with pytest.raises(ValidationError, match="contact_url"):
        connector(wecom, contact_url="https://work.weixin.qq.com/kfid/kfc0000000001")  # hands nothing on
