"""Signatures, envelopes and handshakes of WeChat and WeCom, with vectors, and all that must not pass.

WeChat Developers, "Access guide" and "Message encryption and decryption"; WeCom Developers, "Encryption and decryption scheme"
(document 90968). The vector of the corporation `wx49f0ab532d5d035a` is the one that WeCom's own sample code brings; the others were made
for this test, and are accepted by wechatpy 1.8.18.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from im_ingest import weixin
from im_ingest.connectors.wechat.connector import Settings as WeChatSettings
from im_ingest.connectors.wechat.connector import WeChat
from im_ingest.connectors.wecom_kf.connector import Settings as WeComSettings
from im_ingest.connectors.wecom_kf.connector import WeComKf
from onethread.connector import Raw, Rejected, Request, Wake
from onethread.errors import Poison

NOW = datetime(2026, 1, 1, 0, 0, 10, tzinfo=UTC)
TIME = "1767225600"
KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"

WECHAT_TOKEN, APP, ACCOUNT, WECHAT_NONCE = "wechatToken0001", "wx0000000000000001", "gh_0000000001", "1320562132"
WECHAT_SIGNATURE = "83cc66bc7139a138d2df9e91c2400b2107caf44d"
WECHAT_SEALED = (
    "Q3stYC6hdFzMh9T8HCvyDJJe5MuZ7J4OV6X0j7kZVFCvr6YjMJMqZ9dtZXwRmuC/bMILArcvl21pGFwC4DC3/bvqW7y8Ms25zyzsVq3YRUNzuUa1hykN"
    "2Gmz/vpeS5NBd8LQhhdjHnbIBKsOmzK8t2wHEIKG6gaXgRsTCizUERBeQPB9bOYNXZfeaBlYOUIPsduv/x6yWTc7TvUg8cKZ1zCpfdENBCuBIHnrvg/Q"
    "f3cUWvAXfI9cKsng/YG+iwemuWwXkmxzv4GwLulC4rSWUt9YrGTfOEq5dlEcMn7M6n1MhwNd8UiTSoACppIaFppIVdVP4MPa+bNT2gQtoxab9tEnND3E"
    "BLDphnCcR6ahlyQhOW97zWCHBNgum9MC0q4mmlvyRRCpQ0xeZPccWIHlyTXWaKwJvQjQwQBM97la1TU="
)
WECHAT_MSG_SIGNATURE = "763126de82daccd8f4b3ec9bfcd8ea4651df2990"
WECHAT_CLEAR = (
    "<xml><ToUserName><![CDATA[gh_0000000001]]></ToUserName><FromUserName><![CDATA[oOPENID0001]]></FromUserName>"
    "<CreateTime>1767225600</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好]]></Content>"
    "<MsgId>24000000000000001</MsgId></xml>"
)

WECOM_TOKEN, CORP, WECOM_NONCE = "wecomToken0001", "ww0000000000000001", "1372623149"
WECOM_SEALED = (
    "Q3stYC6hdFzMh9T8HCvyDMis7zmf7fd9eBlL2f4BcHFSt0L3EI5QLQBvNBwGcCGdrluleYslWKZa94SRW5VBnDN2xqBm3x6DLwA2KEnEgiyYoCAbWHDl"
    "g964ijDTOp9NYuDWDxS2qEg7zrMLmC3ifovJMdg5EOueMZJlnPtKtiu1muvKKxzX6UUyqsUsjBgOo+ZnbH9IVY7hLii+y8OU1GyKBn+uvjkK8nLfzkaE"
    "zuezzqHbM+UMssbZdq9XwdXetMxy9bx6E/IID9HRvkBtkyYHIIwz0TsXd9dr7QHddr+3ccpA6tp7x7wj+1TG3pHg4BXUXmXqhSbVSKPDpiMXlhLP+IHX"
    "fdkFNr+4JXMjh6BmvrBY1bPT6duO22ebxplJ0PAWiQUEC8rgEK3oqmO2ZX1NCqGqonkf12UQa3h/vo0="
)
WECOM_SIGNATURE = "51b8d3e174a1d572e7bd3525be75c81e8c19f26e"
ECHO_SEALED = "Q3stYC6hdFzMh9T8HCvyDH0IHJENRtL8kKsqSYgg4gC0GdhkADJJp+woM+IA/sN2XODYCsoh8g7CMx5Qw2153g=="
ECHO_SIGNATURE = "fa62ac54410dc9c0bb95e22726a048dcfcf33b19"

SAMPLE_CODE = {
    "msg_signature": "dd6b9c95b495b3f7e2901bfbc76c664930ffdb96",
    "timestamp": "1411443780",
    "nonce": "437374425",
    "echostr": "4ByGGj+sVCYcvGeQYhaKIk1o0pQRNbRjxybjTGblXrBaXlTXeOo1+bXFXDQQb1o6co6Yh9Bv41n7hOchLF6p+Q==",
}


def wechat(**settings: Any) -> WeChat:
    given = {"account": ACCOUNT, "app_id": APP, "app_secret": "s", "tokens": [WECHAT_TOKEN], "aes_keys": [KEY]}
    return WeChat(WeChatSettings.model_validate({**given, **settings}))


def wecom(**settings: Any) -> WeComKf:
    given = {"account": CORP, "open_kfids": ["wk00000001"], "secret": "s", "tokens": [WECOM_TOKEN], "aes_keys": [KEY]}
    return WeComKf(WeComSettings.model_validate({**given, **settings}))


def asked(body: str, query: dict[str, str], method: str = "POST", at: datetime = NOW) -> Request:
    return Request(method, "https://hooks.example.com/in", "", query, {}, body.encode(), at)


def encrypted(sealed: str, **query: str) -> Request:
    body = f"<xml><ToUserName><![CDATA[x]]></ToUserName><Encrypt><![CDATA[{sealed}]]></Encrypt></xml>"
    return asked(body, query)


def to_wechat(sealed: str = WECHAT_SEALED, **change: str) -> Request:
    given = {"encrypt_type": "aes", "msg_signature": WECHAT_MSG_SIGNATURE, "signature": WECHAT_SIGNATURE}
    return encrypted(sealed, **{**given, "timestamp": TIME, "nonce": WECHAT_NONCE, **change})


def to_wecom(sealed: str = WECOM_SEALED, **change: str) -> Request:
    given = {"msg_signature": WECOM_SIGNATURE, "timestamp": TIME, "nonce": WECOM_NONCE}
    return encrypted(sealed, **{**given, **change})


# --- vectors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("token", "parts", "expected"),
    [
        (WECHAT_TOKEN, (TIME, WECHAT_NONCE), WECHAT_SIGNATURE),
        (WECHAT_TOKEN, (TIME, WECHAT_NONCE, WECHAT_SEALED), WECHAT_MSG_SIGNATURE),
        (WECOM_TOKEN, (TIME, WECOM_NONCE, WECOM_SEALED), WECOM_SIGNATURE),
        (WECOM_TOKEN, (TIME, WECOM_NONCE, ECHO_SEALED), ECHO_SIGNATURE),
        ("123456", ("1411443780", "437374425", SAMPLE_CODE["echostr"]), SAMPLE_CODE["msg_signature"]),
    ],
)
def test_a_signature_is_as_published(token: str, parts: tuple[str, ...], expected: str) -> None:
    assert weixin.signature(token, *parts) == expected
    assert weixin.signature(token, *reversed(parts)) == expected, "parts are sorted"


def test_an_encrypted_message_is_opened() -> None:
    wechat().authenticate(to_wechat())
    (raw,) = wechat().unpack(to_wechat())
    assert raw == Raw(WECHAT_CLEAR.encode(), account=ACCOUNT, about={"order": "797"}, media_type="text/xml")


def test_an_encrypted_notice_is_opened() -> None:
    wecom().authenticate(to_wecom())
    assert list(wecom().unpack(to_wecom())) == [Wake("wk00000001", hint="ENCtoken0001")]


@pytest.mark.parametrize("settings", [{"aes_keys": ["A" * 43, KEY]}, {"tokens": ["new", WECHAT_TOKEN]}])
def test_each_of_several_secrets_is_tried(settings: dict[str, Any]) -> None:
    wechat(**settings).authenticate(to_wechat())
    (raw,) = wechat(**settings).unpack(to_wechat())
    assert isinstance(raw, Raw)


# --- what must not pass -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"msg_signature": ""},
        {"msg_signature": WECHAT_SIGNATURE},
        {"msg_signature": WECHAT_MSG_SIGNATURE.upper()},
        {"msg_signature": WECHAT_MSG_SIGNATURE + "0"},
        {"msg_signature": "\udcff"},
        {"sealed": WECHAT_SEALED.replace("Q3st", "Q3sT")},
        {"nonce": "1"},
        {"timestamp": "1767225601"},
        {"timestamp": ""},
        {"encrypt_type": ""},
        {"encrypt_type": "AES"},
        {"encrypt_type": "raw"},
    ],
)
def test_any_other_delivery_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(Rejected) as caught:
        wechat().authenticate(to_wechat(**change))
    assert caught.value.status == 401


@pytest.mark.parametrize("body", ["", "hello", "<xml/>", "<xml><Encrypt>", "[" * 1000])
def test_a_body_without_ciphertext_is_refused(body: str) -> None:
    with pytest.raises(Rejected):
        wecom().authenticate(asked(body, to_wecom().query))


@pytest.mark.parametrize("seconds", [-301, 301, 86400])
def test_a_stale_delivery_is_refused(seconds: int) -> None:
    at = datetime.fromtimestamp(int(TIME), UTC) + timedelta(seconds=seconds)
    request = to_wecom()
    late = Request("POST", request.url, "", request.query, {}, request.body, at)
    with pytest.raises(Rejected, match="five minutes"):
        wecom().authenticate(late)


@pytest.mark.parametrize("time", ["soon", "17672256001767225600", "-767225600", "\uff11" * 10, "1767225600.0"])
def test_a_signed_time_that_is_none_is_refused(time: str) -> None:
    signed = weixin.signature(WECOM_TOKEN, time, WECOM_NONCE, WECOM_SEALED)
    with pytest.raises(Rejected, match="timestamp"):
        wecom().authenticate(to_wecom(timestamp=time, msg_signature=signed))


def test_an_empty_token_signs_nothing() -> None:
    by_nothing = weixin.signature("", TIME, WECOM_NONCE, WECOM_SEALED)
    with pytest.raises(Rejected):
        wecom(tokens=["", WECOM_TOKEN]).authenticate(to_wecom(msg_signature=by_nothing))


@pytest.mark.parametrize(
    ("settings", "todo"), [({"aes_keys": ["A" * 43]}, "aes_keys"), ({"app_id": "wx0000000000000002"}, "another app")]
)
def test_what_cannot_be_opened_is_set_aside_with_what_to_change(settings: dict[str, Any], todo: str) -> None:
    with pytest.raises(Poison, match=todo):
        list(wechat(**settings).unpack(to_wechat()))


@pytest.mark.parametrize("sealed", ["", "!", "AAAA", "A" * 64, WECOM_SEALED[:-4], ECHO_SEALED[:64], "é"])
def test_no_ciphertext_does_more_than_be_set_aside(sealed: str) -> None:
    with pytest.raises(Poison):
        weixin.opened(sealed, [SecretStr(KEY)], CORP)


def test_plain_deliveries_are_taken_only_where_somebody_said_so() -> None:
    query = {"signature": WECHAT_SIGNATURE, "timestamp": TIME, "nonce": WECHAT_NONCE}
    with pytest.raises(Rejected, match="not encrypted"):
        wechat().authenticate(asked(WECHAT_CLEAR, query))
    plain = wechat(mode="plain", aes_keys=[])
    plain.authenticate(asked(WECHAT_CLEAR, query))
    with pytest.raises(Rejected):
        plain.authenticate(asked(WECHAT_CLEAR, {**query, "signature": WECHAT_MSG_SIGNATURE}))


def test_settings_that_would_open_nothing_are_refused() -> None:
    with pytest.raises(ValidationError, match="aes_keys"):
        wechat(aes_keys=[])
    with pytest.raises(ValidationError, match="43"):
        wechat(aes_keys=["short"])


# --- handshake --------------------------------------------------------------------------------------------------------


def test_wechat_gets_its_echo_back() -> None:
    query = {"signature": WECHAT_SIGNATURE, "timestamp": TIME, "nonce": WECHAT_NONCE, "echostr": "4294967296000001"}
    answer = wechat().handshake(asked("", query, "GET"))
    assert answer is not None
    assert (answer.body, answer.status, answer.media_type) == (b"4294967296000001", 200, "text/plain")
    for echo in ("", "<script>", "1" * 129, "é"):
        with pytest.raises(Rejected):
            wechat().handshake(asked("", {**query, "echostr": echo}, "GET"))
    with pytest.raises(Rejected):
        wechat().handshake(asked("", {**query, "signature": "0" * 40}, "GET"))


@pytest.mark.parametrize("echo", [ECHO_SEALED, ECHO_SEALED.replace("+", " ")])
def test_wecom_gets_its_echo_in_clear(echo: str) -> None:
    query = {"msg_signature": ECHO_SIGNATURE, "timestamp": TIME, "nonce": WECOM_NONCE, "echostr": echo}
    answer = wecom().handshake(asked("", query, "GET"))
    assert answer is not None
    assert answer.body == b"1616140317555161061"
    with pytest.raises(Rejected):
        wecom(account="ww0000000000000002").handshake(asked("", query, "GET"))


def test_the_handshake_of_wecoms_sample_code() -> None:
    key = "kWxPEV2UEDyxWpmPdKC3F4dgPDmOvfKX1HGnEUDS1aR"
    connector = wecom(account="wx49f0ab532d5d035a", tokens=["123456"], aes_keys=[key])
    then = datetime.fromtimestamp(1411443780, UTC)
    answer = connector.handshake(asked("", SAMPLE_CODE, "GET", at=then))
    assert answer is not None
    assert answer.body == b"5927782489442352469"


@pytest.mark.parametrize("connector", [wechat(), wecom()])
def test_what_is_no_question_of_theirs_is_no_handshake(connector: WeChat | WeComKf) -> None:
    assert connector.handshake(asked("", {}, "GET")) is None
    assert connector.handshake(to_wecom()) is None


# --- time ---


@pytest.mark.parametrize(
    ("late", "place", "expected"),
    [
        (-5000, 0, "0"),
        (0, 0, "0"),
        (350, 0, "116"),
        (350, 3, "119"),
        (1200, 0, "400"),
        (1203, 0, "401"),
        (2000, 0, "666"),
        (5000, 0, "715"),
        (15_900, 0, "893"),
        (16_000, 0, "895"),
        (86_400_000, 7, "902"),
        (86_400_000, 5000, "995"),
    ],
)
def test_records_of_one_second_keep_the_order_in_which_they_came(late: int, place: int, expected: str) -> None:
    seen = datetime.fromtimestamp(int(TIME), UTC) + timedelta(milliseconds=late)
    about = weixin.order(TIME, seen, place)
    assert about == {"order": expected}
    assert weixin.moment(int(TIME), about).second == 0


@pytest.mark.parametrize("second", ["", "soon", "9" * 11, "-1"])
def test_what_is_no_time_has_no_order(second: str) -> None:
    assert weixin.order(second, NOW) == {}


# --- XML --------------------------------------------------------------------------------------------------------------


def test_fields_are_read_by_their_path() -> None:
    document = "<xml>\n<A> a <![CDATA[<b>]]></A><B/><C><D>1</D><E><D>2</D></E><D>3</D></C></xml>"
    assert weixin.fields(document.encode()) == {"A": " a <b>", "B": "", "C.D": "1", "C.E.D": "2"}


def test_a_field_that_is_repeated_is_told_with_commas() -> None:
    assert weixin.fields(b"<xml><A>1</A><B>2</B><A>3</A><C><D>4</D><D>5</D></C></xml>") == {
        "A": "1,3",
        "B": "2",
        "C.D": "4",
    }


def test_control_characters_do_not_cost_a_message() -> None:
    assert weixin.fields(b"<xml><A>a\x00\x08\x1b\tb</A></xml>") == {"A": "a\tb"}
    assert weixin.fields("<xml><A>a\uffff\ufffeb\uffbf😀</A></xml>".encode()) == {"A": "ab\uffbf😀"}


BOMB = '<!DOCTYPE x [<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{n} "&a{n - 1};&a{n - 1};">' for n in range(1, 9)) + "]>"


@pytest.mark.parametrize(
    "document",
    [
        BOMB + "<xml><A>&a8;</A></xml>",
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]><xml><A>&a;</A></xml>',
        '<!DOCTYPE x SYSTEM "http://attacker.example.com/x.dtd"><xml/>',
        "<xml><A>&a;</A></xml>",
        "<xml><FromUserName>1</FromUserName><FromUserName>2</FromUserName></xml>",
        "<xml>" * 9 + "</xml>" * 9,
        "<xml>" + "<a/>" * 5001 + "</xml>",
        "<xml>" + "a" * (1 << 20) + "</xml>",
        "<\x00!DOCTYPE xml><xml/>",
        "<xml>\ud800</xml>",
        "<xml><A>1</A>",
        "",
    ],
)
def test_hostile_xml_is_set_aside(document: str) -> None:
    with pytest.raises(Poison):
        weixin.fields(document.encode("utf-8", "surrogatepass"))


def test_xml_that_is_no_utf_8_is_set_aside() -> None:
    with pytest.raises(Poison):
        weixin.fields('<?xml version="1.0" encoding="gbk"?><xml><A>你</A></xml>'.encode("gbk"))
