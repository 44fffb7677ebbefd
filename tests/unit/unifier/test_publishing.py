"""A change on the log: what is left out, and what passes through."""

from datetime import UTC, datetime

import pytest

from onethread.errors import Poison
from onethread.event import Body, Event, Foreign, Message, Source
from unifier.model import Entry
from unifier.publishing import draft, read

AT = datetime(2026, 1, 5, tzinfo=UTC)


def entry(event: Event) -> Entry:
    return Entry(id="t/evt_1", strand="t/cnv_1", seq=1, kind=event.kind, at=1, event=event)


def test_the_providers_record_is_left_out() -> None:
    event = Event("1", Message(body=Body(text="hello")), received_at=AT, source=Source(text="the whole record"))
    value = draft(1, "t/cnv_1", entry(event)).value
    assert b"the whole record" not in value
    assert read(value).entry.event == Event("1", Message(body=Body(text="hello")), received_at=AT)


def test_a_kind_of_a_later_version_passes_through_untouched() -> None:
    event = Event("1", Foreign(name="message.pinned", json=b'{"kind":"message.pinned","by":"x"}'), received_at=AT)
    value = draft(1, "t/cnv_1", entry(event)).value
    assert b'"fact":{"kind":"message.pinned","by":"x"}' in value
    assert read(value).entry == entry(event)


def test_what_is_no_change_is_poison() -> None:
    with pytest.raises(Poison, match="not a change"):
        read(b'{"epoch": "one"}')
