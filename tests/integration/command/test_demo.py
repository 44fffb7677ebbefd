"""The demo as people start it: what its story comes to, by the documents of the API that it prints, and that it says so briefly."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from all_in_one.cli import app
from all_in_one.story import ADDRESS, MASTODON_USER, PHONE, picture
from all_in_one.timeline import WIDTH

Document = dict[str, Any]


def told(folder: Path, *words: str) -> str:
    """What it prints. It fails by itself if the same traffic again changes anything."""
    done = CliRunner().invoke(app, [*words, "demo", "--folder", str(folder)])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Document:
    found: Document = msgspec.json.decode(told(tmp_path_factory.mktemp("demo"), "--json"))
    return found


def of(story: Document, kind: str) -> list[Document]:
    return [one for one in story["entries"] if one["kind"] == kind]


def test_six_channels_are_one_conversation_in_order(story: Document) -> None:
    networks = ["email", "telegram", "telegram", "whatsapp", "slack", "wechat", "mastodon"]
    assert [one["network"] for one in of(story, "message")] == networks
    assert story["conversation"]["message_count"] == len(networks)
    assert {one["conversation_id"] for one in story["entries"]} == {story["conversation"]["id"]}
    assert all(one["placement"]["reason"] for one in of(story, "message"))


def test_each_address_is_hers_by_what_its_channel_proves(story: Document) -> None:
    known = story["customer"]["identities"]
    values = {one["id"]: one["value"] for one in known}
    assert {(one["type"], one["value"]) for one in known} >= {
        ("email", ADDRESS),
        ("phone", f"+{PHONE}"),
        ("mastodon_user", MASTODON_USER),
    }
    links = {
        frozenset(values[end] for end in link["ends"]): {one["by"] for one in link["evidence"]}
        for link in story["customer"]["links"]
    }
    assert links == {
        frozenset({ADDRESS, "700100200"}): {"link_nonce"},
        frozenset({"700100200", f"+{PHONE}"}): {"own_contact"},
        frozenset({ADDRESS, "U0MIA"}): {"directory"},
        frozenset({"U0MIA", "D0MIA"}): {"provider"},
        frozenset({ADDRESS, "oMiaLang0001"}): {"link_nonce"},
        frozenset({ADDRESS, MASTODON_USER}): set(),
    }
    by_hand = [link["ends"] for link in story["customer"]["links"] if link["state"] == "together"]
    assert [{values[end] for end in ends} for ends in by_hand] == [{ADDRESS, MASTODON_USER}]


def test_the_photo_was_fetched_and_stored(story: Document) -> None:
    (photo,) = (file for one in of(story, "message") for file in one["fact"]["attachments"])
    assert (photo["kind"], photo["status"], photo["size_bytes"]) == ("image", "stored", len(picture(320, 240)))


def test_what_it_prints_fits_a_terminal(tmp_path: Path) -> None:
    printed = told(tmp_path)
    story, _, rest = printed.partition("To look around")
    lines = story.splitlines()[1:]  # the first one names the folder
    assert max(len(line) for line in lines) <= WIDTH
    assert "U0MIA" in story
    assert "stored]" in story
    assert "every delivery sent once more changed nothing" in story
    assert "/v1/conversations" in rest
