"""A delivery as records: each a change that holds one element, so that a bad one is set aside alone. It reads no element.

The shape stays the provider's own, but for the field `standby`: its lists stand where those of `messages` do, and what was sent
beside the id it got. Contacts go with the elements that name them; session descriptions of calls are dropped.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from im_ingest.connectors.whatsapp.who import SAME_END
from im_ingest.meta import DAMAGED, Item, Json, elements
from onethread.connector import Raw

LISTS = ("messages", "statuses", "message_echoes", "calls", "user_preferences", "user_id_update", "state_sync")
WITH_EACH = ("messaging_product", "metadata", "errors", "conversation_context")
NOTHING = msgspec.Raw(b"{}")
MOST = 5
"""Contacts that go with one element; it names one or two people."""
Value = Mapping[str, Any]


class _Change(msgspec.Struct):
    field: str
    value: Json


class _Metadata(msgspec.Struct):
    phone_number_id: str = ""


def records(item: Item) -> Iterator[Raw]:
    """The records of one change of an entry. What cannot be split is given whole."""
    about = {"business_account": item.owner, "entry_time": item.time}
    about = {name: value for name, value in about.items() if value}
    try:
        found = list(_records(msgspec.json.decode(item.data, type=_Change), about))
    except DAMAGED:
        found = [Raw(item.data, about=about)]
    yield from found


def _records(change: _Change, about: dict[str, str]) -> Iterator[Raw]:
    value = {**change.value, **_fields(change.value.get("standby", NOTHING))}
    metadata = msgspec.json.decode(value.get("metadata") or value.get("recipient") or NOTHING, type=_Metadata)
    base: dict[str, Any] = {name: value[name] for name in WITH_EACH if name in value}
    parts = [*_elements(value), *_history(value)] or [value]
    for part in parts:
        data = msgspec.json.encode({"field": change.field, "value": {**base, **part}})
        yield Raw(data, account=metadata.phone_number_id, about=about)


def _elements(value: Json) -> Iterator[Value]:
    contacts = _Contacts(elements(value.get("contacts")))
    for name in LISTS:
        for element in elements(value.get(name)):
            kept = KEPT[name](element) if name in KEPT else element
            yield {"contacts": contacts.of(element), name: [kept]}


def _history(value: Json) -> Iterator[Value]:
    """One message each; what holds none, such as the reason why there are none, stays whole."""
    for chunk in elements(value.get("history")):
        fields = _fields(chunk)
        threads = [part for thread in elements(fields.get("threads")) for part in _messages(thread)]
        yield from ({"history": [{**fields, "threads": [thread]}]} for thread in threads)
        if not threads:
            yield {"history": [chunk]}


def _messages(thread: msgspec.Raw) -> list[Any]:
    fields = _fields(thread)
    return [{**fields, "messages": [message]} for message in elements(fields.get("messages"))] or [thread]


def _fields(part: msgspec.Raw) -> Json:
    try:
        return msgspec.json.decode(part, type=Json)
    except DAMAGED:
        return {}


class _Contacts:
    """The contacts of a change, by each of their ids: a thousand messages do not carry a thousand contacts each."""

    def __init__(self, contacts: list[msgspec.Raw]) -> None:
        self._all = contacts
        self._by_id: dict[str, list[int]] = {}
        for place, contact in enumerate(contacts if len(contacts) > 1 else ()):
            for word in _words(contact):
                places = self._by_id.setdefault(word, [])
                if len(places) < MOST:
                    places.append(place)

    def of(self, element: msgspec.Raw) -> list[msgspec.Raw]:
        """Those that an element names; the only one, whomever it names."""
        if len(self._all) < 2:
            return self._all
        places = {place for word in _words(element) for place in self._by_id.get(word, ())}
        return [self._all[place] for place in sorted(places)[:MOST]]


def _words(part: msgspec.Raw) -> set[str]:
    """The words of its fields, numbers by their end: some are spelt in two ways. Of what is damaged, none."""
    try:
        fields: dict[str, Any] = msgspec.json.decode(part, type=dict[str, Any])
    except DAMAGED:
        return set()
    words = {value for value in fields.values() if isinstance(value, str) and value}
    return {word[-SAME_END:] if word.isdecimal() else word for word in words}


def _without_session(call: msgspec.Raw) -> Any:
    """A session description holds the password of the call's media path."""
    fields = _fields(call)
    return {name: value for name, value in fields.items() if name != "session"} or call


def _sent(echo: msgspec.Raw) -> Any:
    """An echo in standby holds a call of the API, as it was made, under `message`."""
    fields = _fields(echo)
    sent = _fields(fields.pop("message", NOTHING))
    return {**sent, **fields} if sent else echo


KEPT = {"calls": _without_session, "message_echoes": _sent}
"""What is kept of an element, where that is not all of it."""
