"""The HTML of a status as text."""

import time

import pytest

from social_ingest.connectors.mastodon.entities import order
from social_ingest.connectors.mastodon.markup import LONGEST, plain


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>one<br>two<br />three</p><p>four</p>", "one\ntwo\nthree\n\nfour"),
        ("<p>&lt;b&gt; &amp; &#39;it&#x27;s&apos; &unknown; &</p>", "<b> & 'it's' &unknown; &"),
        ("plain", "plain"),
        ("", ""),
        ("a < b > c", "a < b > c"),
        ("<p>line\r\nends are space</p>", "line  ends are space"),
        ("<p>never closed", "never closed"),
        ("</p></div>nothing open", "nothing open"),
        ("<script>alert(1)</script>words<style>p{}</style>", "words"),
        ('<p class="quote-inline">RE: https://social.example</p><p>words</p>', "words"),
        ("<ul><li>one</li><li>two</li></ul>", "- one\n- two"),
        ("<P>UPPER</P>", "UPPER"),
        ("&#" + "9" * 6000 + ";", "\N{REPLACEMENT CHARACTER};"),
    ],
)
def test_markup_becomes_words(html: str, text: str) -> None:
    assert plain(html).text == text


def test_addresses_are_kept_without_people_and_hashtags() -> None:
    html = (
        '<a href="https://a.example/?x=1&amp;y=2">there</a> <a class="mention hashtag" href="https://b.example">#b</a>'
    )
    assert [(link.url, link.title) for link in plain(html).links] == [("https://a.example/?x=1&y=2", "there")]


def test_what_is_longer_than_any_status_is_cut() -> None:
    read = plain("a" * (LONGEST + 1))
    assert (len(read.text), read.truncated) == (LONGEST, True)


@pytest.mark.parametrize(
    "piece",
    [
        "<a ",
        "<a href='",
        '<a href="',
        "<!--",
        "<![CDATA[",
        "</",
        "<",
        "&#",
        "&",
        "<a/",
        "<a b=c",
        "class = ",
        "<br>",
        "&#x",
    ],
)
def test_the_time_is_linear(piece: str) -> None:
    """The parser of the standard library takes minutes for the first of them; a second leaves room for a slow machine."""
    begin = time.process_time()
    plain(piece * (LONGEST // len(piece)))
    plain(f"<a {piece * (LONGEST // len(piece) - 2)}>")
    assert time.process_time() - begin < 2


def test_ids_are_in_the_order_of_their_numbers() -> None:
    assert sorted(["1000", "999", "", "98"], key=order) == ["", "98", "999", "1000"]
