from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hostkit import Kit

from onethread import dead_letters
from onethread.dead_letters import DeadLetter, dead_letter
from onethread.errors import Poison
from onethread.log.drafts import MAX_RECORD_BYTES, size
from onethread.log.port import Draft
from onethread.log.topics import DEAD_LETTERS

AT = datetime(2026, 3, 1, tzinfo=UTC)


def letter(data: bytes = b"x", **fields: Any) -> DeadLetter:
    common = {
        "origin": "connector",
        "tenant": "t1",
        "channel_id": "chn_1",
        "connector": "acme",
        "stage": "normalize",
        "reason": "poison",
        "at": AT,
    }
    return dead_letter(data, **{**common, **fields})


def test_the_same_thing_has_the_same_id_whenever_and_however_it_is_kept() -> None:
    assert letter().id == letter(at=AT + timedelta(days=1), detail="other words").id
    assert letter().id == letter(blob="0" * 64).id
    assert letter().id.startswith("dlt_")


@pytest.mark.parametrize(
    "other",
    [
        {"data": b"y"}, {"tenant": "t2"}, {"channel_id": "chn_2"}, {"connector": "b"}, {"stage": "route"}, {"reason": "bug"},
        {"form": "rest"}, {"about": {"a": "b"}}, {"account": "shop"}, {"record": ("topic", 0, 7)}, {"origin": "unifier"},
    ],
)  # fmt: skip
def test_another_thing_has_another_id(other: dict[str, Any]) -> None:
    assert letter(**other).id != letter().id


def test_it_survives_the_wire() -> None:
    whole = letter(
        b"\xff\x00",
        detail="d",
        form="f",
        about={"a": "b"},
        account="c",
        media_type="m",
        headers={"h": "i"},
        record=("t", 1, 2),
    )
    assert dead_letters.decode(dead_letters.draft(whole).value) == whole
    assert dead_letters.draft(whole).key == b"chn_1"


def test_however_odd_it_can_be_written() -> None:
    odd = letter(
        detail="\ud800" * 9000,
        about={"a": "\udfff", **{str(n): "x" * 9000 for n in range(200)}},
        headers={"h": "\0" * 999_999},
    )
    assert size(dead_letters.draft(odd)) <= MAX_RECORD_BYTES


def test_what_is_no_dead_letter_is_poison() -> None:
    for value in (b"", b"{}", b"\xff"):
        with pytest.raises(Poison):
            dead_letters.decode(value)


async def test_all_are_read_once_and_found_by_the_beginning_of_their_id(kit: Kit) -> None:
    letters = [letter(str(n).encode()) for n in range(1200)]
    await kit.log.append(DEAD_LETTERS, [dead_letters.draft(each) for each in [*letters, *letters[:3]]])
    assert await kit.letters() == letters
    assert await dead_letters.find(kit.log, letters[7].id[:20]) == [letters[7]]
    assert await dead_letters.find(kit.log, "dlt_none") == []


async def test_a_record_that_is_none_is_passed_over_and_the_others_are_read(kit: Kit) -> None:
    await kit.log.append(DEAD_LETTERS, [Draft(b"k", b"no dead letter"), dead_letters.draft(letter())])
    assert await kit.letters() == [letter()]
