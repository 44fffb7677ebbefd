"""Mail that was damaged in a thousand ways: every one is stored, read or as an excerpt, and none costs the process that reads it."""

import random
from collections.abc import AsyncIterator

import pytest
from unit.email_ingest.mails import NAMES, raw

from email_ingest.connectors.imap.connector import Imap
from email_ingest.connectors.imap.settings import Settings
from onethread import metrics
from onethread.connector import Raw
from onethread.host.parsing.normalizing import Found
from onethread.host.parsing.pool import Parsers
from onethread.host.parsing.worker import Budget

CORPUS = [raw(name) for name in NAMES]
PIECES = (
    b"\r\n", b"\n\n", b"\0", b"\xff\xfe", b"--b1\n", b"--b1--\n", b'"', b"(", b"<", b"<div>", b"<!--", b"<blockquote>", b"&#1;", b"=",
    b"On x wrote:\n", b"> ", b"From: a\n", b"=?utf-8?b?//8?=", b"=?utf-7?q?+2AA-?=", b"charset=utf-16", b"\x1b$B", b"begin 644 x\n",
    b"Content-Type: multipart/mixed; boundary=b1\n", b"Content-Type: text/html\n", b"Content-Transfer-Encoding: base64\n",
    b"filename*0*=x'y'%ff;", b"From: a@b <c@d>\n",
)  # fmt: skip


@pytest.fixture
async def parsers() -> AsyncIterator[Parsers]:
    """With the budget that everybody has."""
    async with Parsers(Budget()) as made:
        yield made


def damaged(chance: random.Random) -> bytes:
    """A mail of the corpus with pieces cut out, put in, repeated many times, or taken from another mail."""
    mail = bytearray(chance.choice(CORPUS))
    for _ in range(chance.randint(1, 6)):
        start = chance.randint(0, len(mail))
        end = min(len(mail), start + chance.randint(0, 200))
        match chance.randint(0, 3):
            case 0:
                mail[start:end] = chance.choice(PIECES)
            case 1:
                mail[start:end] = chance.choice(PIECES) * chance.randint(1, 2_000)
            case 2:
                mail[start:end] = bytes(mail[start:end]) * chance.randint(2, 50)
            case _:
                other = chance.choice(CORPUS)
                mail[start:end] = other[start % max(1, len(other)) :][:500]
    return bytes(mail)


async def all_kept(parsers: Parsers, count: int, seed: int) -> int:
    """How many were excerpts. Raises AssertionError with what makes the mail again."""
    imap = Imap(Settings.model_validate({"account": "support@shop.example", "host": "imap.example", "password": "x"}))
    excerpts = 0
    for number in range(count):
        mail = damaged(random.Random(f"{seed}-{number}"))
        parsed = await parsers.parsed(imap, Raw(mail, media_type="message/rfc822"))
        assert isinstance(parsed.outcome, Found), (seed, number, parsed)
        assert parsed.outcome.events, (seed, number)
        excerpts += parsed.instead_of is not None
    return excerpts


async def test_each_of_some_hundred_is_read(parsers: Parsers) -> None:
    before = [metrics.PARSERS_ENDED.value(cause) for cause in ("time", "memory", "crash")]
    assert await all_kept(parsers, 400, seed=1) == 0
    assert [metrics.PARSERS_ENDED.value(cause) for cause in ("time", "memory", "crash")] == before


@pytest.mark.soak
@pytest.mark.timeout(7_200)
async def test_each_of_a_million_is_read(parsers: Parsers) -> None:
    assert await all_kept(parsers, 1_000_000, seed=2) == 0
