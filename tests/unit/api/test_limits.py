"""The token bucket."""

from unifier.api.limits import READS, Limits


class _Clock:
    now = 1_000_000

    def __call__(self) -> int:
        return self.now


def test_a_bucket_empties_and_fills_evenly() -> None:
    clock = _Clock()
    limits = Limits(clock)
    taken = [limits.take("key_1") for _ in range(READS)]
    assert all(one.allowed for one in taken)
    assert (taken[0].left, taken[-1].left, taken[-1].full_in) == (READS - 1, 0, 60)
    refused = limits.take("key_1")
    assert (refused.allowed, refused.wait) == (False, 1)
    assert limits.take("key_2").allowed
    clock.now += 99
    assert not limits.take("key_1").allowed
    clock.now += 2
    assert limits.take("key_1").allowed
    assert not limits.take("key_1").allowed
    clock.now += 3_600_000
    assert limits.take("key_1").left == READS - 1


def test_a_clock_that_goes_back_gives_nothing() -> None:
    clock = _Clock()
    limits = Limits(clock, reads=2)
    assert [limits.take("k").allowed for _ in range(2)] == [True, True]
    clock.now -= 500_000
    assert not limits.take("k").allowed
    clock.now += 500_000
    assert not limits.take("k").allowed
