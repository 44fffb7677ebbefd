"""A recorded request goes to the real service as the provider would send it today: signed with the channel's own secret."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import Result
from pydantic import SecretStr
from typer.testing import CliRunner

from all_in_one.cli import app
from all_in_one.context import connectors
from all_in_one.demo import running
from onethread.connector import Raw, Request, Webhook
from onethread.errors import Poison, Rejected
from onethread.host.process import Process
from onethread.host.showing import secrets_in
from onethread.log.topics import MESSAGES
from onethread.settings import load
from onethread.state.channel_states import ChannelStates
from onethread.testing.fixtures import cases, secret_fields
from onethread.testing.signing import SignsAnew, signed_anew

SETTINGS = """
data: {data}
log_level: ERROR
http: {{port: 0}}
channels:
  - id: chn_team
    connector: slack
    hook_secret: 0123456789abcdef0
    settings: {{account: T0SHOP, bot_token: xoxb-mine, signing_secrets: [my-own-secret], api_url: "http://127.0.0.1:9"}}
  - id: chn_official
    connector: wechat
    hook_secret: 0123456789abcdef1
    settings: {{account: gh_sample, app_id: wx0, app_secret: mine, tokens: [mine], mode: plain, api_url: "http://127.0.0.1:9"}}
  - id: chn_safe
    connector: wechat
    hook_secret: 0123456789abcdef2
    settings:
      account: gh_0000000001
      app_id: wx0
      app_secret: mine
      tokens: [mine]
      aes_keys: [{aes_key}]
      api_url: "http://127.0.0.1:9"
  - id: chn_closed
    connector: slack
    settings: {{account: T0CLOSED, bot_token: xoxb-mine, signing_secrets: [my-own-secret], api_url: "http://127.0.0.1:9"}}
  - id: chn_socket
    connector: slack
    settings: {{account: T0SOCKET, bot_token: xoxb-mine, app_token: xapp-mine, edge: socket, api_url: "http://127.0.0.1:9"}}
  - id: chn_talk
    connector: mastodon
    settings: {{account: shop@social.example, base_url: "http://127.0.0.1:9", access_token: mine}}
"""
AES_KEY = "0123456789" * 4 + "aaQ"
SIGNED_BY_A_SECRET = ("messenger", "slack", "telegram", "whatsapp", "zoom")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "onethread.yaml"
    file.write_text(SETTINGS.format(data=tmp_path / "data", aes_key=AES_KEY), "utf-8")
    return file


@pytest.fixture
async def process(config: Path) -> AsyncIterator[Process]:
    async with running(load(config)) as process:
        yield process


def called(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(config), "--json", "send-fixture", *words])


async def test_a_webhook_says_what_it_waits_for_until_something_comes(process: Process) -> None:
    states = {one.channel: one for one in await ChannelStates(process.state).list()}
    waiting, closed = states["chn_team"], states["chn_closed"]
    assert (waiting.state, "onethread check" in waiting.reason.todo) == ("starting", True)
    assert (closed.state, "`hook_secret`" in closed.reason.todo) == ("failing", True)


async def test_it_is_let_in_and_becomes_an_event(process: Process, config: Path) -> None:
    before = await process.log.extents(MESSAGES)
    done = await asyncio.to_thread(called, config, "chn_team", "command", "--url", process.url)
    assert done.exit_code == 0, done.output
    assert msgspec.json.decode(done.stdout)["status"] == 200
    after = await process.log.extents(MESSAGES)
    assert sum(one.end for one in after.values()) > sum(one.end for one in before.values())
    assert "my-own-secret" not in done.output
    assert "0123456789abcdef" not in done.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("chn_team", "command", "--url", "http://127.0.0.1:9"), "onethread up"),
        (("chn_team", "command", "--url", "nonsense"), "--url nonsense is no address of a service"),
        (("chn_team", "command", "--url", "http://x:port"), "--url http://x:port is no address of a service"),
        (("chn_team", "command", "--url", "http://"), "--url http:// is no address of a service"),
        (("chn_team", "no_such_case"), "there is no fixture no_such_case; requests of slack are: "),
        (("chn_team", "another_bot"), "it holds a record"),
        (("chn_talk", "mention"), "send-fixture is for webhooks, and channel chn_talk has none: mastodon uses Stream"),
        (("chn_talk", "mention"), "python -m onethread.testing.record"),
        (("chn_talk", "mention"), "onethread listen --channel chn_talk"),
        (("chn_socket", "command"), "slack uses Stream there"),
        (("chn_closed", "command"), "give it a hook_secret"),
        (("chn_none", "mention"), "there is no channel chn_none"),
    ],
)
def test_what_is_missing_is_said(config: Path, words: tuple[str, ...], said: str) -> None:
    done = called(config, *words)
    assert done.exit_code == 1
    assert said in done.output.replace("\n", "")


@pytest.mark.parametrize("case", ["encrypted_by_a_key_of_nobody", "forged"])
def test_a_case_that_its_own_settings_do_not_take_is_said(config: Path, case: str) -> None:
    done = called(config, "chn_official", case)
    assert done.exit_code == 1
    assert "cannot be signed for chn_official" in done.output.replace("\n", "")


@pytest.mark.parametrize("case", ["encrypted", "clear", "handshake"])
async def test_what_is_sealed_is_sealed_for_the_channel(process: Process, config: Path, case: str) -> None:
    for channel in ("chn_safe", "chn_official"):
        done = await asyncio.to_thread(called, config, channel, case, "--url", process.url)
        assert done.exit_code == 0, done.output
        answer = msgspec.json.decode(done.stdout)
        assert (answer["status"], answer["body"]) == (200, answer["body"] if case == "handshake" else "success")


@pytest.mark.parametrize(
    ("name", "changed"), [("wechat", {"mode": "safe"}), ("wechat", {"mode": "plain"}), ("wecom_kf", {})]
)
def test_every_sealed_request_is_sealed_anew(name: str, changed: dict[str, str]) -> None:
    """With other keys: those that are let in with their own say the same to these."""
    counted = 0
    for case in cases(connectors("im_ingest")[name]):
        sample, given = case.instance(), case.input().request
        if given is None or given.method == "GET" or not passes(sample, given.request()):
            continue
        other = {"tokens": [SecretStr("mine")], "aes_keys": [SecretStr(AES_KEY)]}
        ours = type(sample)(sample.settings.model_copy(update={**other, **changed}))
        assert isinstance(ours, SignsAnew)
        try:
            before = said(sample, given.request())
        except Poison:
            with pytest.raises(Poison):
                ours.signed_anew(given.request(), sample, datetime.now(UTC))
            continue
        request = ours.signed_anew(given.request(), sample, datetime.now(UTC))
        assert passes(ours, request), case.name
        assert not passes(sample, request), case.name
        assert said(ours, request) == before, case.name
        counted += 1
    assert counted


def said(connector: object, request: Request) -> list[object]:
    """What a request holds, but when it came."""
    assert isinstance(connector, Webhook)
    return [
        msgspec.structs.replace(one, about={}) if isinstance(one, Raw) else one for one in connector.unpack(request)
    ]


@pytest.mark.parametrize("name", SIGNED_BY_A_SECRET)
def test_every_recorded_request_is_signed_anew(name: str) -> None:
    """With other secrets, today: those that are let in with their own are let in with these, and with no others."""
    counted = 0
    for case in cases(connectors("im_ingest")[name]):
        connector, given = case.instance(), case.input().request
        if given is None or given.method == "GET" or not passes(connector, given.request()):
            continue
        other = {field: SecretStr("mine") for field in secret_fields(type(connector.settings))}
        lists = {field: [one] for field, one in other.items() if isinstance(getattr(connector.settings, field), list)}
        ours = connector.settings.model_copy(update={**other, **lists})
        request, names = signed_anew(given.request(), connector.settings, ours, datetime.now(UTC))
        assert names, case.name
        assert passes(type(connector)(ours), request), case.name
        assert not passes(connector, request), case.name
        assert not [secret for secret in secrets_in(connector.settings) if secret in str(request.headers)]
        counted += 1
    assert counted


def passes(connector: object, request: Request) -> bool:
    assert isinstance(connector, Webhook)
    try:
        connector.authenticate(request)
    except Rejected:
        return False
    return True
