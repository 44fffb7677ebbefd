"""Dealing partitions out."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from onethread.log.sqlite_groups import deal

_names = st.sampled_from("abcdef")
_topics = st.sampled_from(["one", "two", "three"])


@given(
    st.dictionaries(_names, st.lists(_topics, min_size=1, unique=True)), st.dictionaries(_topics, st.integers(1, 12))
)
def test_every_wanted_partition_goes_to_exactly_one_who_wants_it(
    wishes: dict[str, list[str]], partitions: dict[str, int]
) -> None:
    hands = deal(wishes, partitions)
    dealt = [place for hand in hands.values() for place in hand]
    wanted = {topic for topics in wishes.values() for topic in topics if topic in partitions}
    assert sorted(dealt) == sorted((topic, number) for topic in wanted for number in range(partitions[topic]))
    assert all(place.topic in wishes[member] for member, hand in hands.items() for place in hand)


@given(st.sets(_names, min_size=1), st.dictionaries(_topics, st.integers(1, 12), min_size=1))
def test_members_with_equal_wishes_get_equal_shares_whoever_asks(members: set[str], partitions: dict[str, int]) -> None:
    hands = deal({member: list(partitions) for member in members}, partitions)
    backwards = deal(
        {member: list(partitions) for member in sorted(members, reverse=True)}, dict(reversed(partitions.items()))
    )
    assert hands == backwards
    counts = Counter(len(hand) for hand in hands.values())
    assert max(counts) - min(counts) <= 1
