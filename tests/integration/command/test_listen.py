"""`onethread listen` shows what comes, whether it is signed, and what becomes of it; it masks secrets and stores nothing."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import yaml
from e2e.deployment import COMMAND, Deployment, environment
from typer.testing import CliRunner

from all_in_one.cli import app
from all_in_one.context import channels, context
from all_in_one.sights import as_table
from onethread.connector import Raw, Request
from onethread.host.listeners import SIGHTINGS, TAPS
from onethread.host.showing import Showing
from onethread.state.sqlite import SqliteState
from onethread.testing.teams_server import APP_ID, TENANT, TeamsServer

HOOK = "0123456789abcdef2"
HEADER = "x-telegram-bot-api-secret-token"
WHO = b'"chat": {"id": 9, "type": "private"}, "from": {"id": 9, "is_bot": false, "first_name": "Mia"}'
UPDATE = b'{"update_id": 1, "message": {"message_id": 1, "date": 1767603900, ' + WHO + b', "text": "Is it in stock?"}}'
BAD = b'{"update_id": 2, "message": {"message_id": "two"}}'
SETTINGS = """
data: {data}
http: {{port: 0}}
channels:
  - id: chn_team
    connector: slack
    hook_secret: 0123456789abcdef0
    settings: {{account: T0SHOP, bot_token: xoxb-mine, signing_secrets: [my-own-secret]}}
  - id: chn_bot
    connector: telegram
    hook_secret: 0123456789abcdef1
    settings: {{account: "700100200", bot_username: example_shop_bot, token: 700100200:mine, secrets: [my-webhook-secret]}}
  - id: chn_closed
    connector: whatsapp
    settings: {{account: "1", app_secrets: [mine], access_token: mine, verify_token: mine}}
  - id: chn_talk
    connector: mastodon
    settings: {{account: shop@social.example, base_url: "http://127.0.0.1:9", access_token: mine}}
"""
SECRETS = ("my-own-secret", "my-webhook-secret", "0123456789abcdef", "xoxb-mine", "700100200:mine")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "onethread.yaml"
    file.write_text(SETTINGS.format(data=tmp_path / "data"), "utf-8")
    return file


class Listening:
    """The command, as a program of its own."""

    def __init__(self, program: subprocess.Popen[str]) -> None:
        self.program = program
        self.first = self.line()

    @property
    def url(self) -> str:
        return str(self.first["listening"].partition("/hooks/")[0])

    def line(self) -> dict[str, Any]:
        assert self.program.stdout
        text = self.program.stdout.readline()
        assert not [secret for secret in SECRETS if secret in text]
        found: dict[str, Any] = msgspec.json.decode(text)
        return found


@contextmanager
def listens(config: Path, channel: str, *words: str) -> Iterator[Listening]:
    command = [*COMMAND, "--config", str(config), "listen", "--channel", channel, *words]
    path = environment() | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=path) as program:
        try:
            yield Listening(program)
        finally:
            program.terminate()
            program.wait(20)


@pytest.fixture
def listening(config: Path, request: pytest.FixtureRequest) -> Iterator[Listening]:
    with listens(config, request.param, "--port", "0") as program:
        yield program


@pytest.mark.parametrize(
    ("listening", "case", "kind"),
    [("chn_team", "command", "postback"), ("chn_bot", "webhook", "message")],
    indirect=["listening"],
)
def test_a_signed_request_is_shown_with_its_events(
    config: Path, listening: Listening, case: str, kind: str, tmp_path: Path
) -> None:
    channel = "chn_team" if case == "command" else "chn_bot"
    done = CliRunner().invoke(
        app, ["--config", str(config), "--json", "send-fixture", channel, case, "--url", listening.url]
    )
    assert done.exit_code == 0, done.output
    seen = listening.line()
    assert seen["signature"] == "right"
    assert [event["fact"]["kind"] for event in seen["events"]] == [kind]
    forged = httpx.post(f"{listening.url}/hooks/{channel}/0123456789abcdef{channel == 'chn_bot':d}", trust_env=False)
    assert forged.status_code == 401
    assert listening.line()["signature"].startswith("wrong: ")
    assert httpx.post(f"{listening.url}/hooks/{channel}/guessed", trust_env=False).status_code == 404
    listening.program.terminate()
    assert listening.program.wait(20) == 0
    assert not (tmp_path / "data").exists()


async def test_a_table_shows_both_sides_and_no_secret(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = channels(context(config, None, json=False)).get("chn_bot")
    assert one
    body = b'{"update_id": 1, "secret_token": "other", "message": {"text": "my-webhook-secret"}}'
    headers = {"x-telegram-bot-api-secret-token": "my-webhook-secret", "content-type": "application/json"}
    request = Request("POST", "https://hooks.example.com/in", "", {}, headers, body, datetime.now(UTC))
    showing = Showing(one)
    refused = {"error": "poison", "stage": "normalize", "reason": "no update"}
    seen = {"request": showing.request(request), "signature": "right", "answer": 200, "events": [refused]}
    as_table({"listening": "chn_bot", "service": "one.all"})
    as_table({"at": "2026-01-05T09:05:01Z", "service": "one.all", **seen})
    as_table({"record": showing.record(Raw(body, form="update")), "events": []})
    shown = capsys.readouterr().out
    for word in ("service one.all", "signature: right", "answer: 200", '"stage": "normalize"', "form: update", "***"):
        assert word in shown
    assert "my-webhook-secret" not in shown
    assert '"other"' not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--channel", "chn_talk", "--port", "0"), "Without --port, what it pulls is shown"),
        (("--channel", "chn_closed"), "no URL to be called at"),
        (("--channel", "chn_none"), "there is no channel chn_none"),
    ],
)
def test_a_channel_that_nobody_calls_is_told(config: Path, words: tuple[str, ...], said: str) -> None:
    done = CliRunner().invoke(app, ["--config", str(config), "listen", *words])
    assert done.exit_code == 1
    assert said in done.output.replace("\n", "")


async def test_keys_are_fetched_by_the_hosts_own_client_behind_its_guard(tmp_path: Path) -> None:
    """Alone, and over the networks that the settings allow: Teams signs with keys that must be asked for."""
    async with TeamsServer(delay=lambda attempt: 0.02) as teams:
        urls = {"openid_url": teams.openid_url, "login_url": teams.url}
        settings = {"account": TENANT, "app_id": APP_ID, "client_secret": "my-own-secret", **urls}
        ids = {"chn_open": ["127.0.0.0/8"], "chn_shut": []}
        given = [
            {"id": one, "connector": "teams", "hook_secret": HOOK, "settings": settings, "allow_networks": allowed}
            for one, allowed in ids.items()
        ]
        config = tmp_path / "onethread.yaml"
        config.write_text(yaml.safe_dump({"data": str(tmp_path / "data"), "channels": given}), "utf-8")
        for one in ids:
            with listens(config, one, "--port", "0") as listening:
                teams.endpoint = f"{listening.first['listening'].partition('/hooks/')[0]}/hooks/{one}/{HOOK}"
                if one == "chn_open":
                    teams.say("Is it in stock?")
                    await teams.confirmed()
                    seen = await asyncio.to_thread(listening.line)
                    assert (seen["signature"], seen["answer"]) == ("right", 200)
                    assert seen["events"][0]["fact"]["body"]["text"] == "Is it in stock?"
                    asked = len(teams.asked)
                    teams.say("Is it really?")
                    await teams.confirmed()
                    assert (await asyncio.to_thread(listening.line))["signature"] == "right"
                    assert len(teams.asked) == asked  # the key was kept
                else:
                    teams.say("Is anybody there?")
                    seen = await asyncio.to_thread(listening.line)
                    assert (seen["signature"], seen["answer"], seen["events"]) == ("not looked at", 503, [])
                    assert "allow_networks" in seen["refused"]
    assert not (tmp_path / "data").exists()


async def test_the_running_service_is_looked_on_at(tmp_path: Path) -> None:
    """Two programs: `up`, which takes and stores as ever, and `listen`, which is shown what it does."""
    (bot,) = [one for one in yaml.safe_load(SETTINGS.format(data=""))["channels"] if one["id"] == "chn_bot"]
    bot["settings"]["api_url"] = "http://127.0.0.1:9"
    settings = {"data": str(tmp_path / "data"), "channels": [bot]}
    deployment = Deployment(tmp_path, settings, [["up"]])
    url = f"{deployment.api_url}/hooks/chn_bot/0123456789abcdef1"
    deployment.start_one("up")
    try:
        await deployment.ready("up")
        with listens(deployment.config(), "chn_bot") as listening:
            assert listening.first == {"listening": "chn_bot", "stored": "until it is shown"}
            assert (await asyncio.to_thread(listening.line))["service"].endswith(".all")
            async with httpx.AsyncClient(trust_env=False, base_url=url) as provider:
                for body, secret in ((UPDATE, "my-webhook-secret"), (UPDATE, "guessed"), (BAD, "my-webhook-secret")):
                    await provider.post("", content=body, headers={HEADER: secret})
            good, forged, bad = [await asyncio.to_thread(listening.line) for _ in range(3)]
        assert listening.program.returncode == 0
        async with SqliteState(tmp_path / "data" / "state.sqlite") as state:
            assert not [one for name in (TAPS, SIGHTINGS) for one in await state.scan(name)]
        assert deployment.stop() == {"up": 0}
    finally:
        deployment.kill()
    assert (good["signature"], good["answer"]) == ("right", 200)
    assert [event["fact"]["body"]["text"] for event in good["events"]] == ["Is it in stock?"]
    assert (forged["signature"].partition(":")[0], forged["answer"], forged["events"]) == ("wrong", 401, [])
    assert (bad["signature"], bad["answer"], bad["events"][0]["error"]) == ("right", 200, "poison")
    assert bad["events"][0]["dead_letter"].startswith("dlt_")
    log = (tmp_path / "up.log").read_text("utf-8")
    assert "chn_bot" in log
    assert not [word for word in (*SECRETS, "guessed", "in stock") if word in log]
