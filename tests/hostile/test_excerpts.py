"""An excerpt is the same message as the mail that was read: under the same id, by the same people, in the same thread."""

import hashlib

import pytest
from hostile.families import FAMILIES
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.email_ingest.mails import NAMES, STORE, mail, raw

from email_ingest.mime import Delivery, events, excerpt
from onethread.envelope import decode_value, encode_value
from onethread.event import Event, Message

BECAUSE = "not read: for a test"
CORPUS = [raw(name) for name in NAMES]


def identities(found: tuple[Event, ...]) -> list[tuple[object, ...]]:
    """Whatever decides where a message belongs, and whether it is there already."""
    return [
        (
            one.kind,
            one.external_id,
            one.revision,
            one.sender,
            one.recipients,
            one.direction,
            one.received_at,
            one.tokens,
        )
        for one in found
    ]


def threads(found: tuple[Event, ...]) -> list[tuple[object, ...]]:
    return [
        (one.fact.subject, one.fact.in_reply_to, one.fact.references, one.fact.aliases, one.fact.auto_submitted)
        for one in found
        if isinstance(one.fact, Message)
    ]


def both(data: bytes) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    return events(data, STORE, Delivery()), excerpt(data, STORE, Delivery(), BECAUSE)


@pytest.mark.parametrize("name", NAMES)
def test_of_each_mail_of_the_corpus(name: str) -> None:
    whole, short = both(raw(name))
    assert identities(short) == identities(whole)
    assert threads(short) == threads(whole)
    for one, read in zip(short, whole, strict=True):
        assert decode_value(encode_value(one)) == one
        if isinstance(one.fact, Message) and isinstance(read.fact, Message):
            assert BECAUSE in one.fact.degraded
            (file,) = one.fact.attachments
            assert file.content == raw(name)
            assert one.fact.body.text or not read.fact.body.text


@pytest.mark.parametrize("name", FAMILIES)
def test_of_hostile_mail(name: str) -> None:
    whole, short = both(FAMILIES[name](40_000))
    assert identities(short) == identities(whole)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CORPUS), st.integers(0, 4_000), st.binary(max_size=40))
def test_of_damaged_mail(original: bytes, place: int, piece: bytes) -> None:
    whole, short = both(original[:place] + piece + original[place:])
    assert identities(short) == identities(whole)


def test_its_words_are_the_first_ones_of_the_mail() -> None:
    (one,) = excerpt(mail("Hello,\r\n\r\n\r\n\r\nour kettle leaks.\r\n" + "x" * 40_000), STORE, Delivery(), BECAUSE)
    assert isinstance(one.fact, Message)
    assert one.fact.body.text.startswith("Hello,\n\nour kettle leaks.\nxxx")
    assert len(one.fact.body.text) <= 20_000
    assert one.fact.body.truncated


def test_of_html_the_words_are_shown() -> None:
    data = mail("<style>p{}</style><p>Our &lt;kettle&gt; leaks.</p>", Content_Type="text/html")
    (one,) = excerpt(data, STORE, Delivery(), BECAUSE)
    assert isinstance(one.fact, Message)
    assert "Our <kettle> leaks." in one.fact.body.text
    assert one.fact.body.html == ""
    assert hashlib.sha256(one.fact.attachments[0].content or b"").digest() == hashlib.sha256(data).digest()
