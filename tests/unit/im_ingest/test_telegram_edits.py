"""Ids and order of what Telegram tells of one message: every edit is an event of its own, and what comes again is none."""

from typing import Any

import msgspec
import pytest

from im_ingest.connectors.telegram.connector import Settings, Telegram
from onethread.connector import Raw
from onethread.errors import Poison
from onethread.event import Event, Message, MessageEdited

MIA = {"id": 700100200, "is_bot": False, "first_name": "Mia"}
CHAT = {"id": 700100200, "type": "private", "first_name": "Mia"}
SECOND = 1767225660


def telegram() -> Telegram:
    given = {"account": "9000", "bot_username": "shop_bot", "token": "9000:sample", "secrets": ["a-secret"]}
    return Telegram(Settings.model_validate(given))


def events(kind: str, number: int, **content: Any) -> list[Event]:
    update = {"update_id": number, kind: {"message_id": 5, "date": SECOND, "from": MIA, "chat": CHAT, **content}}
    return list(telegram().normalize(Raw(msgspec.json.encode(update))))


def test_edits_of_one_second_are_all_kept_and_read_in_their_order() -> None:
    texts = ["two parcels", "three parcels", "four parcels"]
    made = [events("edited_message", 700 + n, text=text, edit_date=SECOND)[0] for n, text in enumerate(texts)]
    assert len({event.revision for event in made}) == 3
    times = [event.received_at for event in made if event.received_at is not None]
    assert times == sorted(set(times))
    assert [event.fact.body.text for event in made if isinstance(event.fact, MessageEdited)] == texts


def test_the_same_edit_twice_is_one_event() -> None:
    """Sent again, or told by another update since somebody reacted to it."""
    (once,), (again,), (told,) = (events("edited_message", n, text="two", edit_date=SECOND) for n in (700, 700, 705))
    assert once == again
    assert (told.external_id, told.revision) == (once.external_id, once.revision)


@pytest.mark.parametrize(
    "part",
    [
        {"photo": "x"}, {"photo": [1]}, {"entities": [{"type": "mention", "offset": "x", "length": 1}]}, {"venue": {}},
        {"location": {"latitude": 1e9, "longitude": 0}}, {"contact": {"user_id": 1}}, {"reply_to_message": []},
        {"forward_origin": {"type": "user"}}, {"voice": {"file_id": "F", "file_unique_id": "U", "file_size": "big"}},
        {"media_group_id": {}}, {"poll": {"question": "?"}},
        {"sticker": {"file_id": "F", "file_unique_id": "U", "file_size": 2**70}}, {"via_bot": {"id": 1}},
    ],
)  # fmt: skip
def test_a_part_of_an_unexpected_shape_does_not_take_the_words_with_it(part: dict[str, Any]) -> None:
    (event,) = events("message", 1, text="Is it open today?", **part)
    assert isinstance(event.fact, Message)
    assert event.fact.body.text == "Is it open today?"
    assert event.fact.degraded == f"{next(iter(part))} cannot be read"
    assert not event.fact.unsupported


@pytest.mark.parametrize("broken", [{"chat": None}, {"from": 7}, {"date": "x"}, {"message_id": None}, {"text": []}])
def test_without_who_where_and_when_it_is_a_dead_letter(broken: dict[str, Any]) -> None:
    with pytest.raises(Poison):
        events("message", 1, **{"text": "x", "dice": {}, **broken})
