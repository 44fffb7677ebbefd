"""Cursors: sealed, bound, rotated."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from onethread.errors import Misconfigured
from unifier.api.cursors import Cursors, List, Place
from unifier.api.problems import Problem

ENTRIES = List("acme", "entries", (("sort", "time"),))
PLACE = Place(1, at=1_767_600_000_000, id="acme/evt_secret", seqs={"acme/cnv_1": 7}, root="acme/cnv_1")


def test_a_cursor_comes_back_as_it_was_and_tells_nothing() -> None:
    cursors = Cursors([b"key"])
    sealed = cursors.seal(ENTRIES, PLACE)
    assert cursors.open(ENTRIES, sealed, 1) == PLACE
    raw = base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))
    assert b"evt" not in raw
    assert b"acme" not in raw
    assert sealed != cursors.seal(ENTRIES, PLACE)


@pytest.mark.parametrize(
    "other",
    [
        List("other", "entries", (("sort", "time"),)),
        List("acme", "conversations", (("sort", "time"),)),
        List("acme", "entries", (("sort", "seq"),)),
        List("acme", "entries"),
    ],
)
def test_a_cursor_opens_no_other_list(other: List) -> None:
    cursors = Cursors([b"key"])
    with pytest.raises(Problem) as refused:
        cursors.open(other, cursors.seal(ENTRIES, PLACE), 1)
    assert refused.value.slug == "invalid-cursor"


def test_a_cursor_from_before_a_restore_has_expired() -> None:
    cursors = Cursors([b"key"])
    with pytest.raises(Problem) as refused:
        cursors.open(ENTRIES, cursors.seal(ENTRIES, PLACE), 2)
    assert (refused.value.slug, refused.value.more) == ("cursor-expired", {"epoch": 2, "oldest_at": None})


def test_an_older_key_still_opens_and_a_forgotten_one_does_not() -> None:
    sealed = Cursors([b"old"]).seal(ENTRIES, PLACE)
    assert Cursors([b"new", b"old"]).open(ENTRIES, sealed, 1) == PLACE
    with pytest.raises(Problem):
        Cursors([b"new"]).open(ENTRIES, sealed, 1)


def test_without_a_key_there_is_no_api() -> None:
    for keys in ([], [b""]):
        with pytest.raises(Misconfigured):
            Cursors(keys)


@given(st.text(max_size=200))
def test_any_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(Problem) as refused:
        Cursors([b"key"]).open(ENTRIES, text, 1)
    assert refused.value.slug == "invalid-cursor"


@given(st.integers(0, 200), st.integers(0, 7))
def test_a_flipped_bit_is_noticed(position: int, bit: int) -> None:
    cursors = Cursors([b"key"])
    sealed = cursors.seal(ENTRIES, PLACE)
    raw = bytearray(base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4)))
    raw[position % len(raw)] ^= 1 << bit
    with pytest.raises(Problem):
        cursors.open(ENTRIES, base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode(), 1)
