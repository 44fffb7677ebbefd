"""WeChat from the provider's side: the simulator of its platform against the real entrance, log, unifier and API."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from failures.house import Backend, House, built, said, until
from integration.im_ingest import proofs

from im_ingest.connectors.wechat.connector import Settings, WeChat
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable, Unauthorised
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


async def test_words_of_one_second_are_read_in_the_order_in_which_they_came(wechat: WeChatServer, house: House) -> None:
    channel, words = house._adds(connector(wechat)), [f"word {number}" for number in range(8)]
    async with house.running() as (replica,):
        wechat.callback, second = replica.hook(channel), int(time.time()) - 1
        wechat.now = lambda: second  # and so each comes after the end of its second
        for word in words:
            house.later += timedelta(milliseconds=100)
            wechat.say(word, MIA)
            await wechat.confirmed()
        await house.quiet()
        (conversation,) = await house.conversations()
        found = await house.get(f"/v1/conversations/{conversation['id']}/entries")
    assert [said(one) for one in reversed(found["items"])] == words


async def test_a_video_comes_into_the_blob_store(wechat: WeChatServer, house: House) -> None:
    channel = house._adds(connector(wechat))
    film = b"\x00\x00\x00\x18ftypmp42"

    async def stored_file() -> bool:
        files = [file for message in await house.all_messages() for file in message["fact"]["attachments"]]
        return [(file["status"], file["size_bytes"]) for file in files] == [("stored", len(film))]

    async with house.running() as (replica,):
        wechat.callback = replica.hook(channel)
        wechat.message("video", MIA, MediaId=wechat.keep_file(film, "video/mp4"), ThumbMediaId="t1")
        await wechat.confirmed()
        await until(stored_file, "the video is stored")


async def test_an_account_that_may_make_no_codes_is_told_so(wechat: WeChatServer) -> None:
    lent = connector(wechat)
    wechat.refusals["qrcode/create"] = refusal(48001, "api unauthorized")
    async with RecordingHost(lent) as host:
        with pytest.raises(OnethreadError, match="API permissions"):
            await lent.deep_link(host, "t")


async def test_a_code_with_a_token_of_ours_proves_who_scans_it(wechat: WeChatServer, house: House) -> None:
    lent = connector(wechat)
    channel, token = house._adds(lent), proofs.token(house, "wechat")
    async with RecordingHost(lent) as host:
        ticket = parse_qs(urlsplit(await lent.deep_link(host, token)).query)["ticket"][0]
    assert wechat.codes == {ticket: token}
    async with house.running() as (replica,):
        wechat.callback = replica.hook(channel)
        wechat.scan(ticket, MIA)
        wechat.scan(ticket, MIA)
        wechat.event("SCAN", BEN, EventKey="window", Ticket="a-ticket")
        await wechat.confirmed()
    assert await proofs.proved(house, "contact.subscribed") == [["provider", "link_nonce"]]
    assert sorted(await proofs.proved(house, "session.started")) == [["provider"], ["provider", "link_nonce"]]


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
        with pytest.raises(Retryable, match="40007"):
            await lent.download(host, name)


async def test_a_video_is_fetched_from_where_wechat_says_it_is(wechat: WeChatServer) -> None:
    lent, name = connector(wechat), wechat.keep_file(b"film", "video/mp4")
    async with RecordingHost(lent) as host:
        media = await lent.download(host, name)
        assert "access-token" not in media.url
        assert (await host.http.get(media.url)).content == b"film"


@pytest.mark.parametrize("strange", [{}, {"video_url": "film"}, {"video_url": 7}, {"errcode": "x"}])
async def test_what_is_no_file_is_not_kept_as_one(wechat: WeChatServer, strange: dict[str, Any]) -> None:
    lent = connector(wechat)
    wechat.refusals["media/get"] = strange
    async with RecordingHost(lent) as host:
        with pytest.raises((Poison, Retryable), match="media/get"):
            await lent.download(host, "m1")


async def test_a_stale_token_is_no_lost_file(wechat: WeChatServer) -> None:
    lent, name = connector(wechat), wechat.keep_file(b"sound", "audio/amr")
    async with RecordingHost(lent) as host:
        await lent.download(host, name)
        wechat.expire_token()
        with pytest.raises(Unauthorised):  # and so the host drops the token, and tries again
            await lent.download(host, name)


async def test_a_picture_is_fetched_from_where_it_is_shown_if_the_api_is_closed(wechat: WeChatServer) -> None:
    lent, shown = connector(wechat), "https://mmbiz.qpic.cn/mmbiz_jpg/sample/0"
    name = wechat.keep_file(b"\xff\xd8\xff", "image/jpeg")
    async with RecordingHost(lent) as host:
        assert name in (await lent.download(host, f"{name} {shown}")).url
        wechat.refusals["media/get"] = refusal(48001, "api unauthorized")
        assert (await lent.download(host, f"{name} {shown}")).url == shown
        with pytest.raises(Retryable, match="API permissions") as caught:
            await lent.download(host, name)
    assert caught.value.after == 6 * 3600


@pytest.mark.parametrize(
    ("path", "code", "expected"),
    [
        ("stable_token", 40125, Misconfigured),
        ("stable_token", 40164, Misconfigured),
        ("stable_token", -1, Retryable),
        ("user/info", 40001, Unauthorised),
        ("user/info", 48001, Retryable),
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


async def test_calls_that_are_used_up_for_the_day_are_not_tried_each_minute(wechat: WeChatServer) -> None:
    wechat.refusals["user/info"] = refusal(45009, "reach max api daily quota limit")
    lent = connector(wechat)
    async with RecordingHost(lent) as host:
        with pytest.raises(Retryable) as caught:
            await lent.lookup(host, f"user:{MIA}")
    assert caught.value.after == 3600


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


Steps = dict[str, tuple[bool, str]]


async def steps(wechat: WeChatServer, **settings: Any) -> Steps:
    lent = connector(wechat, **settings)
    async with RecordingHost(lent) as host:
        return {step.name: (step.ok, step.todo) async for step in lent.check(host)}


async def test_the_probe_finds_nothing_missing(wechat: WeChatServer) -> None:
    wechat.callback = "https://hooks.example.com/in"
    found = await steps(wechat)
    assert [name for name, (ok, _) in found.items() if ok] == ["token", "callback", "people", "files", "encryption"]
    assert "192.0.2.8" in found["callback"][1]
    assert await steps(wechat, mode="plain") == {
        **found,
        "encryption": (
            False,
            "Plain deliveries can be forged by whoever saw one; choose safe mode at WeChat, and set `mode` to safe.",
        ),
    }


@pytest.mark.parametrize(
    ("code", "words", "todo"),
    [
        (40013, "invalid appid", "`app_id`"),
        (40125, "invalid appsecret", "`app_secret`"),
        (40001, "invalid credential", "`app_secret`"),
        (40164, "invalid ip 192.0.2.7, not in whitelist", "IP allow-list"),
        (89503, "this ip needs confirmation", "IP allow-list"),
        (40243, "AppSecret is frozen", "frozen"),
    ],
)
async def test_the_probe_says_what_is_wrong_with_the_app(
    wechat: WeChatServer, code: int, words: str, todo: str
) -> None:
    wechat.refusals["stable_token"] = refusal(code, words)
    ((name, (ok, told)),) = (await steps(wechat)).items()
    assert (name, ok) == ("token", False)
    assert words in told
    assert todo in told


@pytest.mark.parametrize(
    ("path", "code", "step", "todo"),
    [
        ("callback/check", 40201, "callback", "Server configuration"),
        ("user/get", 48001, "people", "API permissions"),
        ("media/get", 48001, "files", "API permissions"),
        ("user/get", 42001, "people", "42001"),
    ],
)
async def test_the_probe_says_which_permission_is_missing(
    wechat: WeChatServer, path: str, code: int, step: str, todo: str
) -> None:
    wechat.callback = "https://hooks.example.com/in"
    wechat.refusals[path] = refusal(code, "some words")
    found = await steps(wechat)
    assert [name for name, (ok, _) in found.items() if not ok] == [step]
    assert todo in found[step][1]


async def test_the_probe_says_that_no_url_is_entered(wechat: WeChatServer) -> None:
    found = await steps(wechat)
    assert found["callback"][0] is False
    assert "enter the channel's URL" in found["callback"][1]


async def test_the_probe_asks_with_the_secret_of_today(wechat: WeChatServer) -> None:
    async with RecordingHost(connector(wechat)) as host:
        await host.token("access_token", connector(wechat)._api(host)._renew)
        wechat.secret = "another-secret"
        wrong = connector(wechat, app_secret="sample-secret")
        assert [step.ok async for step in wrong.check(host)] == [False]
