"""What a Teams message quotes, read from its HTML; the message itself stays whatever the HTML is like."""

import time

import pytest

from im_ingest.connectors.teams.markup import Quotation, quotation

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
    assert quotation(html) == expected


@pytest.mark.parametrize("piece", ["<", "</", "<!--", "<![", "&", "<a b='", "<blockquote>", "\0", "&#x"])
def test_strange_html_breaks_nothing_and_is_read_quickly(piece: str) -> None:
    began = time.process_time()
    assert quotation(OPEN + piece * (1_000_000 // len(piece))) == Quotation("1767225500000", "", "")
    assert time.process_time() - began < 10
