"""WeChat from the provider's side: the simulator of its platform against the real entrance, log, unifier and API."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from failures.house import Backend, House, built, said

from im_ingest.connectors.wechat.connector import Settings, WeChat
from onethread.errors import Misconfigured, Poison, Retryable, Unauthorised
from onethread.log.topics import MESSAGES
from onethread.testing.recording_host import RecordingHost
from onethread.testing.wechat_server import WeChatServer
from onethread.testing.weixin_server import refusal

MIA, BEN = "oOPENID0001", "oOPENID0002"


@pytest.fixture
async def wechat() -> AsyncIterator[WeChatServer]:
    async with WeChatServer() as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with built(Backend(tmp_path)) as made:
        yield made


def connector(server: WeChatServer, **settings: Any) -> WeChat:
    app = {"account": server.account, "app_id": server.receiver, "app_secret": server.secret, "api_url": server.url}
    return WeChat(Settings.model_validate({**app, "tokens": [server.token], "aes_keys": [server.aes_key], **settings}))


async def lines(house: House) -> list[Any]:
    """The timeline of the only conversation, of every kind."""
    (conversation,) = await house.conversations()
    found: list[Any] = (await house.get(f"/v1/conversations/{conversation['id']}/entries", sort="seq"))["items"]
    return found


async def stored(house: House) -> int:
    """Records in the log, and dead letters."""
    return sum(extent.end for extent in (await house.log.extents(MESSAGES)).values()) + await house.letters()


@pytest.mark.parametrize("mode", ["safe", "compatible", "plain"])
async def test_an_account_is_heard_in_each_mode_and_what_comes_again_changes_nothing(
    wechat: WeChatServer, house: House, mode: Any
) -> None:
    wechat.mode = mode
    channel = house._adds(connector(wechat, mode="plain" if mode == "plain" else "safe"))
    async with house.running() as (replica,):
        assert await wechat.enter(replica.hook(channel))
        happened = [wechat.say("还有货吗? 😀", MIA), wechat.message("image", MIA, PicUrl="http://x", MediaId="m1")]
        happened.append(wechat.event("CLICK", MIA, EventKey="ORDERS"))
        happened.append(wechat.event("subscribe", MIA, EventKey="qrscene_window"))
        await wechat.confirmed()
        await house.quiet()
        before = await lines(house)
        for message in happened * 2:
            wechat.deliver(message)
        await wechat.confirmed()
        await house.quiet()
        assert await lines(house) == before
    messages = [one for one in before if one["kind"] == "message"]
    assert said(messages[0]) == "还有货吗? 😀"
    assert len(messages) == 2
    (image,) = (one for message in messages for one in message["fact"].get("attachments", ()))
    assert (image["kind"], image["status"]) == ("image", "pending")
    assert {one["kind"] for one in before} >= {"message", "postback"}
    assert {delivery.status for delivery in wechat.deliveries} == {200}
    assert wechat.lost == []


async def test_what_is_not_taken_is_tried_again_and_given_up_after_three_attempts(house: House) -> None:
    hooks: list[str] = []

    def mended(attempt: int) -> float:
        wechat.callback = hooks[attempt]
        return 0.0

    async with WeChatServer(delay=mended) as wechat:
        channel = house._adds(connector(wechat))
        async with house.running() as (replica,):
            hooks += [f"{replica.hook(channel)}-wrong", replica.hook(channel), f"{replica.hook(channel)}-wrong"]
            wechat.callback = hooks[0]
            wechat.say("Is anybody there?", MIA)
            await wechat.confirmed()
            assert [delivery.status for delivery in wechat.deliveries] == [404, 404, 200]
            hooks[1] = wechat.callback = hooks[0]
            wechat.say("Nobody", MIA)
            await wechat.confirmed()
            await house.quiet()
        assert [said(one) for one in await house.all_messages()] == ["Is anybody there?"]
        assert len(wechat.lost) == 1, "three attempts in all"


@pytest.mark.parametrize("forgery", ["of another token", "stale", "unsigned", "plain", "changed"])
async def test_a_strangers_request_is_refused_and_leaves_nothing(
    wechat: WeChatServer, house: House, forgery: str
) -> None:
    channel = house._adds(connector(wechat))
    wechat.token = "a-strangers-token" if forgery == "of another token" else wechat.token
    wechat.mode = "plain" if forgery == "plain" else "safe"
    wechat.now = (lambda: time.time() - 400) if forgery == "stale" else time.time
    query, body = wechat._delivery(wechat.say("Give me everything", MIA))
    if forgery == "unsigned":
        query = {"encrypt_type": "aes"}
    if forgery == "changed":
        body = body.replace(wechat.account, "").replace("<Encrypt><![CDATA[", "<Encrypt><![CDATA[AAAA")
    async with house.running() as (replica,), httpx.AsyncClient(trust_env=False) as stranger:
        answer = await stranger.post(replica.hook(channel), params=query, content=body)
        assert await wechat.enter(replica.hook(channel)) is (forgery not in {"of another token", "stale"})
    assert answer.status_code == 401
    assert await stored(house) == 0


async def test_a_message_for_another_account_and_one_that_no_key_opens_are_set_aside(
    wechat: WeChatServer, house: House
) -> None:
    channel = house._adds(connector(wechat))
    async with house.running() as (replica,):
        wechat.callback = replica.hook(channel)
        wechat.account = "gh_0000000002"
        wechat.say("one", MIA)
        await wechat.confirmed()
        wechat.aes_key = "A" * 43
        wechat.say("two", MIA)
        await wechat.confirmed()
    assert {delivery.status for delivery in wechat.deliveries} == {200}
    assert await house.letters() == await stored(house) == 2


# --- calls ----------------------------------------------------------------------------------------------------------


async def test_a_look_up_brings_the_union_id(wechat: WeChatServer) -> None:
    wechat.people[MIA] = {"unionid": "oUNIONID0001", "language": "zh_CN", "subscribe_scene": "ADD_SCENE_SEARCH"}
    lent = connector(wechat)
    async with RecordingHost(lent) as host:
        await host.emit(await lent.lookup(host, f"user:{MIA}"))
        assert list(await lent.lookup(host, f"user:{BEN}")) == []
    (event,) = host.events
    assert [(claim.type, claim.value) for claim in event.sender.claims] == [
        ("wechat_openid", MIA),
        ("wechat_unionid", "oUNIONID0001"),
    ]
    assert [path for path, _ in wechat.calls] == ["stable_token", "user/info", "user/info"], "one token for all"


async def test_a_file_is_fetched_for_three_days(wechat: WeChatServer) -> None:
    lent, name = connector(wechat), wechat.keep_file(b"sound", "audio/amr")
    async with RecordingHost(lent) as host:
        media = await lent.download(host, name)
        found = await host.http.get(media.url, headers=media.headers)
        assert (found.content, found.headers["content-type"]) == (b"sound", "audio/amr")
        wechat.expire_files()
        gone = await host.http.get(media.url)
        assert gone.headers["content-type"].split(";")[0] in media.unexpected


@pytest.mark.parametrize(
    ("path", "code", "expected"),
    [
        ("stable_token", 40125, Misconfigured),
        ("stable_token", 40164, Misconfigured),
        ("stable_token", -1, Retryable),
        ("user/info", 40001, Unauthorised),
        ("user/info", 48001, Misconfigured),
        ("user/info", 45009, Retryable),
        ("user/info", 99999, Poison),
    ],
)
async def test_a_refusal_says_what_to_do_and_never_the_secret(
    wechat: WeChatServer, path: str, code: int, expected: type[Exception]
) -> None:
    wechat.refusals[path] = refusal(code, "some words")
    lent = connector(wechat)
    async with RecordingHost(lent) as host:
        with pytest.raises(expected, match=f"errcode {code}") as caught:
            await lent.lookup(host, f"user:{MIA}")
    assert wechat.secret not in str(caught.value)
    assert "access-token" not in str(caught.value)


async def test_a_server_that_is_away_is_no_secret_told(wechat: WeChatServer) -> None:
    lent = connector(wechat)
    async with RecordingHost(lent) as host:
        await host.token("access_token", lent._api(host)._renew)
        await wechat._served.stop()
        with pytest.raises(Retryable) as caught:
            await lent.lookup(host, f"user:{MIA}")
        await wechat._served.start()
    assert "access-token" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


async def test_the_probe_says_what_is_missing(wechat: WeChatServer) -> None:
    async def steps(**settings: Any) -> list[tuple[str, bool, str]]:
        lent = connector(wechat, **settings)
        async with RecordingHost(lent) as host:
            return [(step.name, step.ok, step.todo) async for step in lent.check(host)]

    assert await steps() == [("token", True, ""), ("people", True, ""), ("encryption", True, "")]
    assert [ok for _, ok, _ in await steps(mode="plain")] == [True, True, False]
    wechat.refusals["user/get"] = refusal(48001, "api unauthorized")
    assert "permission" in (await steps())[1][2]
    ((_, ok, todo),) = await steps(app_secret="wrong")
    assert (ok, "Copy" in todo) == (False, True)
    wechat.refusals["stable_token"] = refusal(40164, "invalid ip 192.0.2.7, not in whitelist")
    assert "192.0.2.7" in (await steps())[0][2]
