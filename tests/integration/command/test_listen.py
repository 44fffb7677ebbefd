"""`onethread listen` shows what comes, whether it is signed, and what becomes of it; it masks secrets and stores nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from typer.testing import CliRunner

from all_in_one.cli import app
from all_in_one.context import channels, context
from all_in_one.listening import Entrance, _as_table
from onethread.connector import Request

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
        first = self.line()
        self.url = first["listening"].partition("/hooks/")[0]

    def line(self) -> dict[str, Any]:
        assert self.program.stdout
        text = self.program.stdout.readline()
        assert not [secret for secret in SECRETS if secret in text]
        found: dict[str, Any] = msgspec.json.decode(text)
        return found


@pytest.fixture
def listening(config: Path, request: pytest.FixtureRequest) -> Iterator[Listening]:
    code = "from all_in_one.cli import app; app()"
    words = [sys.executable, "-c", code, "--config", str(config), "listen", "--channel", request.param, "--port", "0"]
    path = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=path) as program:
        try:
            yield Listening(program)
        finally:
            program.terminate()
            program.wait(20)


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
    entrance = Entrance(one, "https://hooks.example.com", _as_table)
    request = Request("POST", "https://hooks.example.com/in", "", {}, headers, body, datetime.now(UTC))
    answer, seen = await entrance.look(request)
    assert answer.status == 200
    _as_table(seen)
    shown = capsys.readouterr().out
    assert "signature: right" in shown
    assert "***" in shown
    assert "my-webhook-secret" not in shown
    assert '"other"' not in shown
