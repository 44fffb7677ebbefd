"""Slack's markup as people see it."""

import time
from typing import Any

import pytest

from im_ingest.connectors.slack.markup import plain, words


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("<@U1> <@U2|ben> <@W3>", "@U1 @ben @W3"),
        ("<#C1|news> <#C2>", "#news #C2"),
        ("<!here> <!channel> <!everyone|everyone> <!subteam^S1> <!subteam^S1|@team>", "@here @channel everyone @subteam @team"),
        ("<!date^1392734382^Posted {date_num}|Posted 2014-02-18>", "Posted 2014-02-18"),
        ("<https://x.example.com|a &amp; b>", "a & b"),
        ("<mailto:a@example.com|a@example.com> <tel:+15550100>", "a@example.com +15550100"),
        ("5 < 6 and 7 > 6", "5 < 6 and 7 > 6"),
        ("<>", "<>"),
        ("", ""),
    ],
)  # fmt: skip
def test_marks_become_what_people_see(given: str, expected: str) -> None:
    assert plain(given).text == expected


def test_links_and_people_are_named_once_and_in_order() -> None:
    found = plain("<@U2> <https://a.example.com> <https://b.example.com|b> <@U1> <@U2>")
    assert found.users == ("U2", "U1")
    assert [(link.url, link.title) for link in found.links] == [
        ("https://a.example.com", ""),
        ("https://b.example.com", "b"),
    ]


@pytest.mark.parametrize("given", ["<" * 200_000, "<@U1" * 50_000, "<a|" * 50_000, "&lt;" * 50_000])
def test_a_long_text_takes_linear_time(given: str) -> None:
    began = time.process_time()
    plain(given)
    assert time.process_time() - began < 1.0


def test_blocks_nested_without_end_are_read_to_a_depth() -> None:
    block: dict[str, Any] = {"type": "text", "text": "deepest"}
    for _ in range(200):
        block = {"type": "rich_text", "text": "here ", "elements": [block]}
    assert words([block]).startswith("here here")
    assert "deepest" not in words([block])


def test_words_of_plain_blocks_are_not_taken_for_marks() -> None:
    blocks = [{"type": "header", "text": {"type": "plain_text", "text": "<@U1> & <https://x.example.com>"}}]
    assert plain(words(blocks)) == ("<@U1> & <https://x.example.com>", (), ())
