"""Who begins next: by share of the channel, then by time."""

from onethread.host.jobs import files_key, lookup_key
from onethread.host.places import Places


def _begun(places: Places, now: float = 100.0) -> list[str]:
    found = []
    while (key := places.begin(now)) is not None:
        found.append(key)
    return found


def test_channels_take_turns_in_the_order_due() -> None:
    places = Places(16)
    for at in range(20):
        places.add(files_key("chn_a", f"evt_{at}"), float(at))
    places.add(files_key("chn_b", "evt_1"), 50.0)
    places.add(files_key("chn_b", "evt_2"), 40.0)
    assert _begun(places) == [
        "chn_a/evt_0", "chn_b/evt_2", "chn_a/evt_1", "chn_b/evt_1", "chn_a/evt_2", "chn_a/evt_3",
    ]  # fmt: skip


def test_all_places_taken_none_begins_until_one_ends() -> None:
    places = Places(8)
    for channel in "abcdef":
        for at in range(3):
            places.add(files_key(f"chn_{channel}", f"evt_{at}"), 1.0)
    begun = _begun(places)
    assert len(begun) == 8
    assert not _begun(places)
    places.end(begun[0])
    assert len(_begun(places)) == 1


def test_look_ups_do_not_wait_for_files() -> None:
    places = Places(1)
    places.add(files_key("chn_a", "evt_1"), 1.0)
    places.add(lookup_key("chn_a", "mia"), 2.0)
    places.add(lookup_key("chn_b", "mia"), 3.0)
    assert _begun(places) == [files_key("chn_a", "evt_1"), lookup_key("chn_a", "mia")]


def test_what_is_not_due_waits_and_says_until_when() -> None:
    places = Places(4)
    assert places.next() == float("inf")
    places.add("chn_a/evt_1", 70.0)
    places.add("chn_a/evt_1", 60.0)
    places.add("chn_a/evt_2", 65.0)
    assert (_begun(places, 59.0), places.next(), len(places)) == ([], 60.0, 2)
    assert _begun(places, 80.0) == ["chn_a/evt_1"]
    assert places.next() == float("inf")
    places.add("chn_a/evt_1", 80.0)  # has a place
    places.end("chn_a/evt_1")
    assert (places.next(), len(places)) == (65.0, 1)


def test_what_failed_before_leaves_room_for_what_is_new() -> None:
    places = Places(16)
    for at in range(10):
        places.add(files_key("chn_a", f"evt_{at}"), float(at), again=True)
    assert _begun(places) == ["chn_a/evt_0", "chn_a/evt_1"]
    for at in range(10, 20):
        places.add(files_key("chn_a", f"evt_{at}"), float(at))
    assert _begun(places) == ["chn_a/evt_10", "chn_a/evt_11"]
    places.end("chn_a/evt_10")
    assert _begun(places) == ["chn_a/evt_12"]
    places.end("chn_a/evt_0")
    assert _begun(places) == ["chn_a/evt_2"]
    alone = Places(1)
    alone.add("chn_a/evt_1", 1.0, again=True)
    assert _begun(alone) == ["chn_a/evt_1"]
