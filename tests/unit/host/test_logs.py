import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hostkit import Kit, acme, body, channel, item
from pydantic import SecretStr

from onethread import logs
from onethread.connector import Raw
from onethread.errors import Poison

LOG = logs.get_logger("onethread.test")


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    logs.configure("DEBUG", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


def last(stream: io.StringIO) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return found


def test_a_line_is_json_with_time_level_and_name(lines: io.StringIO) -> None:
    LOG.info("started", channel_id="chn_1", count=3)
    line = last(lines)
    assert (line["event"], line["level"], line["logger"], line["channel_id"], line["count"]) == (
        "started", "info", "onethread.test", "chn_1", 3,
    )  # fmt: skip
    assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    "fields",
    [
        {"password": "canary"}, {"api_key": "canary"}, {"access_token": "canary"}, {"x_hub_signature": "canary"},
        {"anything": SecretStr("canary")}, {"settings": acme(secrets=["canary"]).settings}, {"body": "canary"},
        {"text": "canary"}, {"raw": Raw(b"canary")}, {"some": b"canary"}, {"headers": {"Authorization": "canary"}},
        {"some": [{"cookie": "canary"}]}, {"url": "mongodb://user:canary@db.example/x"}, {"error": ValueError("canary")},
        {"some": {"a": {"b": {"c": {"d": {"e": "canary"}}}}}}, {"connector": acme(secrets=["canary"])},
    ],
)  # fmt: skip
def test_secrets_and_bodies_are_not_shown(lines: io.StringIO, fields: dict[str, Any]) -> None:
    LOG.warning("something", **fields)
    assert "something" in lines.getvalue()
    assert "canary" not in lines.getvalue()


def test_of_a_foreign_exception_only_type_and_place_are_shown(lines: io.StringIO) -> None:
    def breaks(secret: str) -> None:
        raise ValueError(f"invalid literal {secret}")

    try:
        breaks("canary")
    except ValueError:
        LOG.exception("broke")
    line = last(lines)
    assert line["error"] == "ValueError"
    assert line["at"][-1].endswith(" breaks")
    assert "canary" not in lines.getvalue()


def test_of_an_exception_of_ours_the_sentence_is_shown(lines: io.StringIO) -> None:
    error = Poison("give 43 characters")
    error.__cause__ = KeyError("canary")
    LOG.error("broke", exc_info=error)
    assert (last(lines)["error"], last(lines)["cause"]) == ("Poison: give 43 characters", "KeyError")
    assert "canary" not in lines.getvalue()


def test_no_text_can_forge_a_line(lines: io.StringIO) -> None:
    LOG.info("seen", name='x\n{"level": "critical"}\x1b[2J\u202e')
    assert len(lines.getvalue().splitlines()) == 1
    assert last(lines)["name"] == 'x\\u000a{"level": "critical"}\\u001b[2J\\u202e'


def test_urls_of_libraries_lose_path_query_and_userinfo(lines: io.StringIO) -> None:
    logging.getLogger("some.library").warning(
        "GET %s failed", "https://u:canary@api.example/botcanary/x?sig=canary#canary"
    )
    assert "https://api.example" in last(lines)["event"]
    assert "canary" not in lines.getvalue()


async def test_httpx_says_nothing_of_its_requests(lines: io.StringIO) -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200))
    async with httpx.AsyncClient(transport=transport) as client:
        await client.get("https://api.example/botcanary/getUpdates")
    assert "canary" not in lines.getvalue()


def test_unconfigured_it_is_as_careful(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        LOG.info("something", password="canary", text="canary")
    assert "something" in caplog.text
    assert "canary" not in caplog.text


async def test_whatever_becomes_of_a_record_its_words_are_not_logged(kit: Kit, lines: io.StringIO) -> None:
    records = [
        item("m1", text="canary"), item("m2", type="bug", text="canary"), item("m3", type="wrong type", text="canary"),
        {"id": "canary"}, item("m4", type="canary", text="canary"), item("m5", ref="canary", text="canary"),
    ]  # fmt: skip
    raws = [Raw(json.dumps(record).encode()) for record in records]
    outcome = await kit.ingest.records(channel(), [*raws, Raw(b"\xffcanary"), Raw(body(), account="canary")])
    assert len(outcome.dead_letters) == 5
    assert lines.getvalue().count("set aside") == 5
    assert "canary" not in lines.getvalue()
