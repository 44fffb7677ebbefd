"""What a Teams message quotes, links and shows, read from its HTML; the message itself stays whatever the HTML is like."""

import time

import pytest

from im_ingest.connectors.teams.content import AT
from im_ingest.connectors.teams.markup import Quotation, read

OPEN = '<blockquote itemscope itemtype="http://schema.skype.com/Reply" itemid="1767225500000">'
WHO = '<strong itemprop="mri" itemid="8:orgid:x">Mia Lang</strong><span itemprop="time" itemid="1767225500000"></span>'
WHAT = '<p itemprop="preview">Is it &lt;open&gt; today?</p></blockquote>'
MIA = Quotation("1767225500000", "Mia Lang", "Is it <open> today?")


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("", None),
        ("<p>Yes</p>", None),
        ("<p>http://schema.skype.com/Reply</p>", None),
        ('<blockquote itemtype="http://schema.skype.com/Forward">x</blockquote>', None),
        (f"<div>{OPEN}{WHO}{WHAT}<p>Yes</p></div>", MIA),
        (f"{OPEN}{WHO}{WHAT.replace('preview', 'copy')}", MIA),
        (f"{OPEN}{WHO}{WHAT}{OPEN.replace('1767225500000', '2')}<p itemprop='preview'>second</p></blockquote>", MIA),
        (f"{OPEN}<blockquote>older</blockquote>{WHO}{WHAT}<p itemprop='preview'>mine</p>", MIA),
        (f"{OPEN}</blockquote>", Quotation("1767225500000", "", "")),
        (f"{OPEN}{WHO}<![", Quotation("1767225500000", "Mia Lang", "")),
        (OPEN.replace("itemid", "other"), Quotation("", "", "")),
    ],
)
def test_the_first_quotation_is_read(html: str, expected: Quotation | None) -> None:
    assert read(html).quotation == expected


@pytest.mark.parametrize(
    ("html", "text", "links", "shown"),
    [
        ("", "", (), ""),
        (f"<div>{OPEN}{WHO}{WHAT}<p>Yes</p></div>", "Yes", (), ""),
        (f"{OPEN}{WHO}{WHAT}<p>Yes</p>{OPEN}{WHO}{WHAT}<p>No</p>", "Yes\nNo", (), ""),
        (f'{OPEN}<a href="https://example.com/theirs">x</a><img src="y"></blockquote>', "", (), ""),
        (
            '<a href="https://example.com/a">our <b>list</b></a>',
            "our list",
            (("https://example.com/a", "our list"),),
            "",
        ),
        ('<a href="mailto:a@example.com">write</a><a>x</a><a href>y</a>', "writexy", (), ""),
        ('<img src="x"><attachment id="1"></attachment>', "", (), "image"),
        ('<img itemtype="http://schema.skype.com/Emoji" alt="👍">', "👍", (), ""),
        ("a<br>b<div>c</div>\xa0 d  e", "a\nb\nc d e", (), ""),
    ],
)
def test_its_own_words_links_and_pictures_are_read(html: str, text: str, links: tuple[str, ...], shown: str) -> None:
    found = read(html)
    assert (found.text, found.links, found.shown) == (text, links, shown)


@pytest.mark.parametrize("piece", ["<at>", "<at ", "<at></a", "</at>", "<at", "<at >x"])
def test_broken_mentions_are_read_quickly(piece: str) -> None:
    began = time.process_time()
    AT.sub("", piece * (1_000_000 // len(piece)))
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "piece", ["<", "</", "<!--", "<![", "&", "<a b='", "<a href='https://e'>", "<blockquote>", "\0", "&#x"]
)
def test_strange_html_breaks_nothing_and_is_read_quickly(piece: str) -> None:
    began = time.process_time()
    assert read(OPEN + piece * (1_000_000 // len(piece))).quotation == Quotation("1767225500000", "", "")
    read(piece * (1_000_000 // len(piece)))
    assert time.process_time() - began < 10
