"""Milliseconds of our own for providers that tell whole seconds: they keep an order, and never leave their second."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from im_ingest.seconds import COARSE, FINE, LATE, SOON, TOGETHER, spread

SECOND = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
late = st.integers(-5_000, 100_000).map(lambda ms: SECOND + timedelta(milliseconds=ms))
places = st.integers(0, 10_000)


@given(late, places)
def test_it_stays_in_its_second(seen: datetime, place: int) -> None:
    assert 0 <= spread(SECOND, seen, place) < 1000


@given(late, late)
def test_what_came_later_is_not_earlier(one: datetime, other: datetime) -> None:
    first, last = sorted((one, other))
    assert spread(SECOND, first) <= spread(SECOND, last)


def test_what_came_apart_is_told_apart() -> None:
    soon = [spread(SECOND, SECOND + timedelta(milliseconds=ms)) for ms in range(0, SOON, FINE)]
    after = [spread(SECOND, SECOND + timedelta(milliseconds=ms)) for ms in range(SOON + COARSE, LATE, COARSE)]
    assert soon + after == sorted({*soon, *after})


def test_what_came_together_is_told_apart_by_its_place() -> None:
    together = [spread(SECOND, SECOND + timedelta(seconds=30), place) for place in range(TOGETHER + 1)]
    assert together == sorted(set(together))
