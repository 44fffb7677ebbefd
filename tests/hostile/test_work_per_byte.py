"""Twice the bytes are twice the work, whatever is in them; and at the largest size a mail still becomes a message.

What is compared is processor time, in one run, and the least of several: what a busy machine does beside us only ever adds.
"""

import time
from collections.abc import AsyncIterator, Callable
from itertools import pairwise

import pytest
from hostile.families import FAMILIES
from unit.email_ingest.mails import read, unparsed

from email_ingest import addresses, authentication, headers, quotes
from email_ingest.connectors.imap.connector import Imap
from email_ingest.connectors.imap.settings import Settings
from email_ingest.markup import to_text
from onethread.connector import Raw
from onethread.envelope import decode_value, encode_value
from onethread.host.parsing.normalizing import Found
from onethread.host.parsing.pool import INLINE_BYTES, Parsers
from onethread.host.parsing.worker import Budget
from social_ingest.connectors.mastodon import markup

SIZES = (100_000, 200_000, 400_000)
RATIO = 2.5
"""Of the work for 2n bytes to that for n, at most."""
TOO_SHORT = 0.004
"""Seconds below which a clock says nothing."""
ROUNDS = 8
LARGEST = 50_000_000
"""Of a larger mail the IMAP connector fetches the beginning only (`max_bytes`)."""


Work = Callable[[], object]


def too_much(work: Callable[[int], Work], sizes: tuple[int, ...]) -> list[float]:
    """Empty, or the least times, which grew too fast in every round. `work`: what is measured, for a size."""
    least = [float("inf")] * len(sizes)
    for _ in range(ROUNDS):
        for place, size in enumerate(sizes):
            given = work(size)
            start = time.thread_time()
            given()
            least[place] = min(least[place], time.thread_time() - start)
        if all(larger <= RATIO * max(smaller, TOO_SHORT) for smaller, larger in pairwise(least)):
            return []
    return least


def reading(data: bytes) -> Work:
    return lambda: read(data)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_mail_of_twice_the_size_is_twice_the_work(name: str) -> None:
    assert too_much(lambda size: reading(FAMILIES[name](size)), SIZES) == []


PARSERS: dict[str, Callable[[int], object]] = {
    "encoded words": lambda n: headers.decode_words("=?x?q?" * n),
    "parameters": lambda n: headers.parameters(b';a="' * n),
    "identifiers": lambda n: headers.identifiers(b"<" * n),
    "date": lambda n: headers.date(b"1 " * n),
    "addresses": lambda n: addresses.mailboxes(b"<(" * n),
    "results": lambda n: authentication.verdict([b"x;(" * n], frozenset({"x"})),
    "quotes": lambda n: quotes.new_words("Am schrieb \n" * n),
    "html": lambda n: to_text("<!--<a '" * n),
}


@pytest.mark.parametrize("name", PARSERS)
def test_each_parser_is_linear_by_itself(name: str) -> None:
    assert too_much(lambda n: lambda: PARSERS[name](n), (10_000, 20_000, 40_000)) == []


POSTS: dict[str, Callable[[int], str]] = {
    "nested elements": lambda n: "<p>" * (n // 3),
    "nested spans": lambda n: "<span>" * (n // 6),
    "attributes": lambda n: "<a" + " b=c" * (n // 4) + ">",
    "open comments": lambda n: "<!--" * (n // 4),
    "open tags": lambda n: "<a" * (n // 2),
    "open quotes": lambda n: "<a '\">" * (n // 6),
    "entities": lambda n: "&" * (n // 2) + "&amp" * (n // 8),
    "ends": lambda n: "</p>" * (n // 4),
}


@pytest.mark.parametrize("name", POSTS)
def test_a_post_of_twice_the_size_is_twice_the_work_where_it_is_read_in_the_host(name: str) -> None:
    sizes = (INLINE_BYTES // 4, INLINE_BYTES // 2, INLINE_BYTES)
    assert too_much(lambda size: post(POSTS[name](size)), sizes) == []


def post(html: str) -> Work:
    return lambda: markup.plain(html)


@pytest.mark.parametrize("name", FAMILIES)
def test_hostile_mail_is_an_event_that_can_be_written(name: str) -> None:
    found = read(FAMILIES[name](60_000))
    assert found
    assert not unparsed(found)
    for one in found:
        assert one.external_id
        assert decode_value(encode_value(one)) == one


# --- at the largest size, in the process that reads it ------------------------------------------------------------------


@pytest.fixture
async def parsers() -> AsyncIterator[Parsers]:
    """With the budget that everybody has."""
    async with Parsers(Budget()) as made:
        yield made


async def kept(parsers: Parsers, size: int) -> dict[str, str]:
    """What is neither read nor an excerpt."""
    imap = Imap(Settings.model_validate({"account": "support@shop.example", "host": "imap.example", "password": "x"}))
    lost = {}
    for name, family in FAMILIES.items():
        parsed = await parsers.parsed(imap, Raw(family(size), media_type="message/rfc822"))
        if not isinstance(parsed.outcome, Found) or not parsed.outcome.events:
            lost[name] = repr(parsed)
    return lost


async def test_hostile_mail_of_half_a_megabyte_becomes_a_message_within_the_budget(parsers: Parsers) -> None:
    assert await kept(parsers, 500_000) == {}


@pytest.mark.soak
async def test_hostile_mail_of_the_largest_size_becomes_a_message_within_the_budget(parsers: Parsers) -> None:
    assert await kept(parsers, LARGEST) == {}
