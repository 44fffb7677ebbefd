"""The pages of docs/channels say what the connectors are: they are made from them, and a difference is told."""

from pathlib import Path

from all_in_one import channel_docs
from all_in_one.context import connectors
from all_in_one.recorded import shown


def test_the_pages_are_those_the_code_makes() -> None:
    assert channel_docs.check() == []


def test_every_difference_is_told_and_mended(tmp_path: Path) -> None:
    channel_docs.write(tmp_path)
    (tmp_path / "telegram.md").write_text("# Telegram\n", "utf-8")
    (tmp_path / "gone.md").write_text("# Gone\n", "utf-8")
    assert [problem.split(":")[0] for problem in channel_docs.check(tmp_path)] == ["telegram.md", "gone.md"]
    assert channel_docs.write(tmp_path) == ["telegram.md", "gone.md"]
    assert channel_docs.write(tmp_path) == []


def test_a_page_marks_what_is_required_and_what_is_secret() -> None:
    telegram = connectors("im_ingest")["telegram"]
    page = channel_docs.page(telegram, shown(telegram))
    assert "| `token` | text | **required**, **secret** |" in page
    assert "| `edge` | one of `webhook`, `polling` | default `webhook` |" in page
    assert "To rotate the webhook secret" in page


def test_kinds_are_those_of_recorded_samples() -> None:
    """A class with an ability nobody recorded a sample of shows nothing of it."""
    seen = shown(connectors("social_ingest")["mastodon"])
    assert {"message", "message.deleted", "reaction.added"} <= set(seen.kinds)
    assert "call" not in seen.kinds
    assert ("mastodon_user", "provider") in seen.evidence
