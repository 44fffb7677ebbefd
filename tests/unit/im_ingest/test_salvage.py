"""What is kept of a record of which one part is of a strange shape."""

from typing import Any

import msgspec
import pytest

from im_ingest.salvage import decoded
from onethread.event import Whole


class Inner(msgspec.Struct):
    """A part with an id."""

    id: str
    size: Whole | None = None


class Outer(msgspec.Struct):
    """A record."""

    id: str
    text: str = ""
    files: list[Inner] | None = None
    before: Inner | None = None
    again: "Outer | None" = None


def read(record: Any) -> tuple[Outer, str]:
    return decoded(msgspec.json.encode(record), Outer)


def test_what_is_right_is_read_as_it_is() -> None:
    assert read({"id": "1", "text": "a", "more": [1]}) == (Outer("1", "a"), "")


@pytest.mark.parametrize(
    ("record", "found", "wrong"),
    [
        ({"id": "1", "text": 7}, Outer("1"), "text"),
        ({"id": "1", "text": None, "files": "none"}, Outer("1"), "text, files"),
        ({"id": "1", "files": [{"id": "a"}, {}, None, {"id": "b", "size": 2**80}]}, Outer("1", files=[Inner("a")]), "files"),
        ({"id": "1", "before": {"id": "a", "size": "big"}}, Outer("1", before=Inner("a")), "before.size"),
        ({"id": "1", "again": {"id": "2", "text": []}}, Outer("1", again=Outer("2")), "again.text"),
    ],
)  # fmt: skip
def test_a_strange_part_is_left_out_and_named(record: Any, found: Outer, wrong: str) -> None:
    assert read(record) == (found, f"cannot read {wrong}")


@pytest.mark.parametrize("record", [{"text": "a"}, {"id": 7}, [], None, "x"])
def test_a_record_without_what_it_needs_is_none(record: Any) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(record)


def test_what_is_no_json_is_none() -> None:
    with pytest.raises(msgspec.DecodeError):
        decoded(b"{", Outer)


def test_a_part_that_is_nothing_without_its_strange_field_is_left_out() -> None:
    found, wrong = read({"id": "1", "before": {"id": 7}})
    assert (found.id, wrong) == ("1", "cannot read before.id")
    assert found.before is None


def test_what_is_told_and_tried_has_an_end() -> None:
    deep: dict[str, Any] = {"id": "9", "text": 0}
    for level in range(50):
        deep = {"id": str(level), "text": 0, "again": deep, "files": [{}] * 5000}
    found, wrong = read(deep)
    levels = 0
    while found.again is not None:
        found, levels = found.again, levels + 1
    assert levels == 4
    assert wrong.count(",") == 9
