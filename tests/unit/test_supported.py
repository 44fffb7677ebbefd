"""What `onethread channels` says that a connector supports is what its recorded samples hold, and what its page says."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from all_in_one.channel_docs import FOLDER
from all_in_one.cli import app
from all_in_one.context import FAMILIES, connectors
from onethread.testing.fixtures import folder_of

OURS = sorted(name for name, one in connectors().items() if one.__module__.partition(".")[0] in FAMILIES)
VERIFIED = {"provider", "network_phone", "directory", "dmarc", "signed_login", "own_contact", "link_nonce"}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    answer = CliRunner().invoke(app, ["--json", "channels", "--available"])
    assert answer.exit_code == 0, answer.output
    return {row["connector"]: row for row in json.loads(answer.stdout)}


def every(part: Any, name: str) -> list[Any]:
    """All values of this name, at any depth."""
    if isinstance(part, list):
        return [found for each in part for found in every(each, name)]
    if not isinstance(part, dict):
        return []
    return [found for key, value in part.items() for found in ([value] if key == name else every(value, name))]


def recorded(name: str) -> list[Any]:
    folder = folder_of(connectors()[name]) / "fixtures"
    return [event for path in folder.glob("*.out.json") for event in json.loads(path.read_text("utf-8"))]


@pytest.mark.parametrize("name", OURS)
def test_it_receives_what_is_recorded(name: str, told: dict[str, Any]) -> None:
    events = recorded(name)
    kinds = {event["fact"]["kind"] for event in events if "fact" in event}
    assert kinds == set(told[name]["receives"])
    assert not kinds & set(told[name]["not_received"])


@pytest.mark.parametrize("name", OURS)
def test_it_links_by_what_is_recorded_as_verified(name: str, told: dict[str, Any]) -> None:
    claims = [claim for claims in every(recorded(name), "claims") for claim in claims]
    strong = {claim["type"] for claim in claims if claim.get("evidence", "provider") in VERIFIED}
    assert strong == set(told[name]["links"])
    assert {claim["type"] for claim in claims} - strong == set(told[name]["suggests"])


@pytest.mark.parametrize("name", OURS)
def test_the_page_says_the_same(name: str, told: dict[str, Any]) -> None:
    page = Path(FOLDER / f"{name}.md").read_text("utf-8")
    rows = dict(re.findall(r"^\| ([a-z][^|]+?) \| (.*) \|$", page.partition("## What it receives")[0], re.MULTILINE))
    assert re.findall(r"`([^`]+)`", rows["kinds in no sample"]) == told[name]["not_received"]
    assert re.findall(r"`([^`]+)`", rows["links persons by"]) == told[name]["links"]
    assert rows["not there"] == (", ".join(told[name]["unable"]) or "-")


def test_a_configured_channel_shows_its_own_edge_and_its_state(tmp_path: Path) -> None:
    config = tmp_path / "onethread.yaml"
    one = {"account": "1", "bot_username": "example_bot", "token": "1:a", "secrets": ["s"], "edge": "polling"}
    channel = {"id": "chn_bot", "name": "Bot", "connector": "telegram", "settings": one}
    config.write_text(json.dumps({"data": str(tmp_path / "data"), "channels": [channel]}), "utf-8")
    answer = CliRunner().invoke(app, ["--config", str(config), "channels"])
    assert answer.exit_code == 0, answer.output
    assert "chn_bot  telegram  1  never started  (Bot)" in answer.stdout
    assert re.search(r"^    comes by +polling$", answer.stdout, re.MULTILINE)
    assert re.search(r"^    not received .*call\.transcript", answer.stdout, re.MULTILINE)
    brief = CliRunner().invoke(app, ["--config", str(config), "channels", "--brief"])
    assert brief.stdout.splitlines() == ["chn_bot  telegram  1  never started  (Bot)"]
