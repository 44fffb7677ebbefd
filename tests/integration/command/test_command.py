"""The command as people type it: what it prints, and what it says when something is wrong."""

import asyncio
import json
import mailbox
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from all_in_one.cli import app
from email_ingest.connectors.imap.connector import Imap
from email_ingest.connectors.imap.settings import Settings as ImapSettings
from onethread import envelope
from onethread.blobs import Blobs
from onethread.connector import Raw
from onethread.host.channel import Channel, Channels
from onethread.host.ingest import Ingest
from onethread.log.port import TopicPartition
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import MESSAGES

MAIL = b"""\
Received: from mail.example.com by mx.example.org; Mon, 05 Jan 2026 09:00:01 +0000
Date: Mon, 05 Jan 2026 09:00:00 +0000
From: Mia Lang <mia.lang@example.com>
To: support@example.org
Subject: Kettle %d
Message-ID: <kettle-%d@mail.example.com>

It no longer heats.
"""
CHANNELS = [
    {
        "id": "chn_mail",
        "connector": "imap",
        "settings": {
            "account": "support@example.org",
            "host": "127.0.0.1",
            "port": 1,
            "tls": "none",
            "password": "mailbox-secret",
        },
        "allow_networks": ["127.0.0.0/8"],
    },
    {
        "id": "chn_telegram",
        "connector": "telegram",
        "hook_secret": "0123456789abcdef",
        "settings": {
            "account": "9000",
            "bot_username": "shop_bot",
            "token": "9000:telegram-secret",
            "secrets": ["hook-header-secret"],
        },
    },
]

Run = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "onethread.yaml"
    path.write_text(yaml.safe_dump({"data": str(tmp_path / "data"), "channels": CHANNELS}), encoding="utf-8")
    return path


@pytest.fixture
def run(config: Path) -> Run:
    def typed(*args: str, env: dict[str, str] | None = None) -> Result:
        return CliRunner().invoke(app, ["--config", str(config), *args], env=env)

    return typed


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


# --- settings --------------------------------------------------------------------------------------------------------


def test_an_unknown_setting_of_the_file_is_refused_by_name(run: Run, config: Path) -> None:
    config.write_text("log: {ulr: kafka://127.0.0.1:9092}", encoding="utf-8")
    result = run("config")
    assert result.exit_code == 2
    assert "log.ulr: there is no such setting" in result.output


def test_an_unknown_setting_of_the_environment_is_refused_by_name(run: Run) -> None:
    result = run("config", env={"ONETHREAD_LOG__ULR": "kafka://127.0.0.1:9092"})
    assert result.exit_code == 2
    assert "ONETHREAD_LOG__ULR" in result.output


def test_a_wrong_setting_of_a_connector_is_named_with_its_channel(run: Run, config: Path) -> None:
    values = yaml.safe_load(config.read_text(encoding="utf-8"))
    values["channels"][0]["settings"]["prot"] = 993
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    result = run("channels")
    assert result.exit_code == 1
    assert "channels.chn_mail.settings.prot: there is no such setting" in result.output


def test_the_effective_settings_are_shown_without_secrets(run: Run) -> None:
    shown = printed(run("--json", "config"))
    assert shown["channels"][0]["settings"]["host"] == "127.0.0.1"
    assert shown["channels"][1]["settings"]["token"] == "***"
    for secret in ("mailbox-secret", "telegram-secret", "hook-header-secret", "0123456789abcdef"):
        assert secret not in json.dumps(shown)


def test_a_connector_that_is_not_there_is_named_with_those_there_are(run: Run, config: Path) -> None:
    config.write_text(yaml.safe_dump({"channels": [{"id": "chn_x", "connector": "telegraph"}]}), encoding="utf-8")
    result = run("channels")
    assert result.exit_code == 1
    assert "no connector 'telegraph'; there are: imap, mastodon, " in result.output
    assert "telegram" in result.output


@pytest.mark.parametrize("command", [["check"], ["check", "chn_x"], ["run", "unifier"], ["up"]])
def test_a_missing_connector_ends_every_command_with_a_sentence(run: Run, config: Path, command: list[str]) -> None:
    config.write_text(yaml.safe_dump({"channels": [{"id": "chn_x", "connector": "telegraph"}]}), encoding="utf-8")
    result = run(*command)
    assert result.exit_code == 1
    assert "no connector 'telegraph'" in result.stderr
    assert isinstance(result.exception, SystemExit), result.exception


def test_every_command_has_help_with_an_example(run: Run) -> None:
    for name in (
        "up",
        "run",
        "demo",
        "check",
        "import",
        "channels",
        "deep-link",
        "link",
        "unlink",
        "move",
        "verify",
        "replay",
        "rebuild",
        "schemas",
        "config",
    ):
        assert "Example: onethread" in run(name, "--help").output, name


# --- setting up ------------------------------------------------------------------------------------------------------


def test_topics_and_indexes_are_applied_once(run: Run) -> None:
    assert printed(run("--json", "topics", "apply"))["changes"]
    assert printed(run("--json", "topics", "apply")) == {"changes": []}
    run("--json", "indexes", "apply")
    assert printed(run("--json", "indexes", "apply")) == {"changes": []}


def test_a_key_is_shown_once_listed_without_its_secret_and_revoked(run: Run) -> None:
    made = printed(run("--json", "api-key", "create", "desk", "--scope", "conversations:read"))
    assert made["key"].startswith("otk_")
    listed = run("api-key", "list").output
    assert made["id"] in listed
    assert made["key"] not in listed
    assert "revoked" in run("api-key", "revoke", made["id"]).output
    assert "revoked" in run("api-key", "list").output


def test_an_unknown_scope_is_refused_with_those_there_are(run: Run) -> None:
    result = run("api-key", "create", "desk", "--scope", "conversation:read")
    assert result.exit_code == 1
    assert "conversations:read" in result.output


# --- persons' commands -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["mia.lang", "email:", "email:nobody", "e mail:mia@example.com"])
def test_what_is_no_address_is_refused(run: Run, end: str) -> None:
    result = run("link", end, "telegram_user:1")
    assert result.exit_code == 1
    assert "address" in result.output


def test_a_command_is_accepted_while_no_unifier_runs(run: Run) -> None:
    run("topics", "apply")
    run("indexes", "apply")
    first = printed(run("--json", "link", "email:mia@example.com", "telegram_user:1", "--idempotency-key", "once"))
    assert first["done"] is False
    assert (
        printed(run("--json", "link", "email:mia@example.com", "telegram_user:1", "--idempotency-key", "once"))["id"]
        == first["id"]
    )


def test_a_deep_link_opens_the_bot(run: Run) -> None:
    made = printed(run("--json", "deep-link", "email:mia@example.com", "--channel", "chn_telegram"))
    assert made["url"] == f"https://t.me/shop_bot?start={made['token']}"
    assert "no channel chn_x" in run("deep-link", "email:mia@example.com", "--channel", "chn_x").output
    mail = run("deep-link", "email:mia@example.com", "--channel", "chn_mail")
    assert (mail.exit_code, "no link opens imap" in mail.output) == (1, True)


# --- history ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["mbox", "maildir", "eml"])
def test_history_has_the_ids_of_live_mail_and_comes_once(run: Run, tmp_path: Path, form: str) -> None:
    run("topics", "apply")
    path = history(tmp_path, form)
    assert printed(run("--json", "import", form, str(path), "--channel", "chn_mail")) == {
        "read": 3, "events": 3, "dead_letters": 0, "skipped": 0,
    }  # fmt: skip
    ids = asyncio.run(stored_ids(tmp_path))
    assert sorted(ids) == sorted(live_ids())
    run("import", form, str(path), "--channel", "chn_mail")
    assert set(asyncio.run(stored_ids(tmp_path))) == set(ids)


def test_history_goes_into_a_mail_channel_only(run: Run, tmp_path: Path) -> None:
    result = run("import", "eml", str(history(tmp_path, "eml")), "--channel", "chn_telegram")
    assert result.exit_code == 1
    assert "chn_telegram is no mail channel; there are: chn_mail" in result.output


def history(folder: Path, form: str) -> Path:
    mails = [MAIL % (n, n) for n in range(3)]
    path = folder / form
    if form == "mbox":
        box = mailbox.mbox(path)
        for mail in mails:
            box.add(mail)
        box.flush()
        box.close()
    elif form == "maildir":
        maildir = mailbox.Maildir(path, create=True)
        for mail in mails:
            maildir.add(mail)
    else:
        path.mkdir()
        for number, mail in enumerate(mails):
            (path / f"{number}.eml").write_bytes(mail)
    return path


def live_ids() -> list[str]:
    connector = Imap(ImapSettings.model_validate(CHANNELS[0]["settings"]))
    ids = []
    for number in range(3):
        raw = Raw(MAIL % (number, number), about={"folder": "INBOX", "uid": str(number)}, media_type="message/rfc822")
        (event,) = connector.normalize(raw)
        ids.append(
            envelope.event_id("default", "email", "support@example.org", event.kind, event.external_id, event.revision)
        )
    return ids


async def stored_ids(folder: Path) -> list[str]:
    async with SqliteLog(folder / "data" / "log.sqlite") as log:
        places = [TopicPartition(MESSAGES, place) for place in await log.extents(MESSAGES)]
        records = [record for place in places for record in await log.fetch(place, 0)]
    return [envelope.read(record.value, record.headers).id for record in records]


# --- dead letters ----------------------------------------------------------------------------------------------------


def test_a_dead_letter_is_listed_shown_and_replayed(run: Run, config: Path, tmp_path: Path) -> None:
    run("topics", "apply")
    asyncio.run(set_aside(tmp_path))
    (letter,) = printed(run("--json", "dead-letters", "list"))
    assert (letter["channel_id"], letter["stage"], letter["bytes"]) == ("chn_telegram", "normalize", 17)
    assert "an unfinished upd" not in run("dead-letters", "show", letter["id"]).output
    assert '{"an unfinished u' in run("dead-letters", "show", letter["id"], "--original").output
    assert "set aside again" in run("dead-letters", "replay", letter["id"]).output
    assert "0 dead letters begin with dlt_nothing" in run("dead-letters", "replay", "dlt_nothing").output


async def set_aside(folder: Path) -> None:
    from datetime import UTC, datetime

    from im_ingest.connectors.telegram.connector import Settings, Telegram

    settings = Settings.model_validate(CHANNELS[1]["settings"])
    channel = Channel(
        id="chn_telegram", tenant="default", connector=Telegram(settings), created_at=datetime(2026, 1, 1, tzinfo=UTC)
    )
    async with SqliteLog(folder / "data" / "log.sqlite") as log:
        ingest = Ingest(log, Blobs("memory:///"), Channels([channel]))
        await ingest.records(channel, [Raw(b'{"an unfinished u')])


# --- probes ----------------------------------------------------------------------------------------------------------


def test_a_channel_that_cannot_be_reached_is_named_with_what_to_change(run: Run) -> None:
    result = run("--json", "check", "chn_mail")
    assert result.exit_code == 1
    steps = json.loads(result.stdout)
    failed = [step for step in steps if not step["ok"]]
    assert [step["where"] for step in failed] == ["chn_mail"]
    assert failed[0]["todo"]


def test_a_webhook_that_nobody_can_call_is_named_with_what_to_change(run: Run, config: Path) -> None:
    values = yaml.safe_load(config.read_text(encoding="utf-8"))
    slack = {
        "account": "T0SHOP",
        "bot_token": "xoxb-1",
        "signing_secrets": ["sample"],
        "api_url": "http://127.0.0.1:9/api",
    }
    one = {"id": "chn_slack", "connector": "slack", "settings": slack, "allow_networks": ["127.0.0.0/8"]}

    def url(more: dict[str, str], **http: str) -> tuple[bool, str]:
        settings = {**values, "http": http, "channels": [{**one, **more}]}
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        steps = json.loads(run("--json", "check", "chn_slack").stdout)
        return next((step["ok"], step["todo"]) for step in steps if step["name"] == "url")

    ok, todo = url({}, public_url="https://hooks.example.com")
    assert (ok, "`hook_secret`" in todo) == (False, True)
    ok, todo = url({"hook_secret": "hook-secret-of-the-test"})
    assert (ok, "`http.public_url`" in todo) == (True, True)
    ok, todo = url({"hook_secret": "hook-secret-of-the-test"}, public_url="https://hooks.example.com")
    assert (ok, "https://hooks.example.com/hooks/chn_slack/***" in todo, "hook-secret" in todo) == (True, True, False)


def test_a_wrong_password_is_said_as_such(run: Run, config: Path, new_pymap_server: Callable[..., Any]) -> None:
    server = new_pymap_server({"support@example.org": "right"})
    values = yaml.safe_load(config.read_text(encoding="utf-8"))
    values["channels"][0]["settings"] |= {"host": server.host, "port": server.port, "password": "wrong"}
    config.write_text(yaml.safe_dump(values), encoding="utf-8")
    result = run("check", "chn_mail")
    assert result.exit_code == 1
    assert "password" in result.output
    assert "wrong" not in result.output.replace("wrong password", "")
