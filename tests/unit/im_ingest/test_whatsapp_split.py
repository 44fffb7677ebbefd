"""A delivery of WhatsApp as records: each holds one element and its contacts, however large the body is."""

import time
from contextlib import suppress
from typing import Any

import msgspec
import pytest

from im_ingest.connectors.whatsapp.changes import normalised
from im_ingest.connectors.whatsapp.split import records
from im_ingest.meta import Item
from onethread.connector import Raw
from onethread.errors import Poison
from onethread.event import Message

METADATA = {"display_phone_number": "15550100", "phone_number_id": "106540352242922"}

TEXT = {"from": "1", "id": "wamid.1", "type": "text", "text": {"body": "Hi"}}


def split(**value: Any) -> list[Raw]:
    change = {"field": "messages", "value": {"metadata": METADATA, **value}}
    return list(records(Item("1", "5", "changes", msgspec.json.encode(change))))


def people(count: int) -> dict[str, Any]:
    numbers = [f"351912{n:06}" for n in range(count)]
    return {
        "contacts": [{"profile": {"name": f"Number {n}"}, "wa_id": number} for n, number in enumerate(numbers)],
        "messages": [
            {"from": number, "id": f"wamid.{n}", "timestamp": "1767225600", "type": "text", "text": {"body": "Hi"}}
            for n, number in enumerate(numbers)
        ],
    }


def test_each_element_goes_with_the_contact_that_it_names() -> None:
    made = split(**people(1000))
    events = [event for raw in made for event in normalised(raw.data, raw.about)]
    assert [event.sender.name for event in events] == [f"Number {n}" for n in range(1000)]
    assert max(len(raw.data) for raw in made) < 500
    assert {(raw.account, raw.about["business_account"], raw.about["entry_time"]) for raw in made} == {
        ("106540352242922", "1", "5")
    }


@pytest.mark.parametrize(
    ("spelt", "known_as"),
    [("5215512345678", "525512345678"), ("551181234567", "5511981234567"), ("5491123456789", "541123456789")],
)
def test_a_number_that_is_spelt_in_two_ways_goes_with_its_contact(spelt: str, known_as: str) -> None:
    value = people(20)
    value["contacts"].append({"profile": {"name": "Ana"}, "wa_id": known_as, "user_id": "BR.1"})
    value["messages"].append({**TEXT, "from": spelt, "id": "wamid.ana"})
    (event,) = normalised(split(**value)[-1].data, {})
    assert (event.sender.name, event.sender.claims[0].value, event.external_id) == ("Ana", "BR.1", "wamid.ana")


@pytest.mark.parametrize("alike", [False, True])
def test_the_time_grows_with_the_body_and_not_with_its_square(*, alike: bool) -> None:
    def seconds(count: int) -> float:
        value = people(count)
        if alike:
            for contact in value["contacts"]:
                contact["user_id"] = "PT.1"
            for message in value["messages"]:
                message["from_user_id"] = "PT.1"
        begun = time.process_time()
        assert len(split(**value)) == count
        return time.process_time() - begun

    seconds(100)
    few, many = min(seconds(500) for _ in range(3)), min(seconds(2000) for _ in range(3))
    assert many < 10 * few + 0.05


def test_messages_of_a_history_are_records_of_their_own() -> None:
    said = [{"from": "1", "id": f"wamid.{n}", "type": "text", "text": {"body": "Hi"}} for n in range(3)]
    threads = [{"id": "351912000111", "messages": said[:2]}, {"id": "351912000222", "messages": said[2:]}]
    made = split(history=[{"metadata": {"phase": 1}, "threads": threads}, {"errors": [{"code": 1}]}])
    assert len(made) == 4
    kept = [msgspec.json.decode(raw.data)["value"]["history"][0] for raw in made]
    assert [len(each.get("threads", ())) for each in kept] == [1, 1, 1, 0]
    assert kept[2]["threads"][0]["id"] == "351912000222"


@pytest.mark.parametrize("name", ["contacts", "statuses", "message_echoes", "calls", "history"])
@pytest.mark.parametrize("strange", [None, {}, 7, "none", [], [None], [[]]])
def test_a_list_of_a_strange_form_takes_nothing_with_it(name: str, strange: Any) -> None:
    made = split(**{"messages": [TEXT], name: strange})
    texts = [raw for raw in made if b"wamid.1" in raw.data]
    (event,) = (event for raw in texts for event in normalised(raw.data, raw.about))
    assert isinstance(event.fact, Message)
    assert event.fact.body.text == "Hi"
    assert (event.fact.degraded, event.fact.unsupported) == ("", "")
    for raw in made:
        with suppress(Poison, msgspec.ValidationError):
            assert raw in texts or [event.kind for event in normalised(raw.data, raw.about)] == ["unknown"]


def test_a_damaged_thread_of_a_history_is_alone() -> None:
    threads = [7, {"id": "351912000111", "messages": [TEXT, 7]}, {"id": "351912000222", "messages": {}}]
    made = split(history=[{"threads": threads}, 7])
    assert len(made) == 5
    read, refused = [], 0
    for raw in made:
        try:
            read += list(normalised(raw.data, raw.about))
        except (Poison, msgspec.ValidationError):
            refused += 1
    assert ([event.external_id for event in read], refused) == (["wamid.1"], 4)


def test_the_password_of_a_calls_media_path_is_not_kept() -> None:
    session = {"sdp": "a=ice-pwd:sample", "sdp_type": "offer"}
    (raw,) = split(calls=[{"id": "wacid.1", "event": "connect", "session": session}])
    assert b"ice-pwd" not in raw.data
