"""Every kind has a shape, a value of that shape, and one plain line."""

import json
from datetime import UTC, datetime
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from desk.said import Company

from onethread import event as events
from onethread.event import AnyFact, Attachment, Body, Claim, Foreign, Message, Party
from unifier.api import facts, schemas, summaries
from unifier.api.entry_views import Scene, entry
from unifier.api.facts import SHAPES, Showing
from unifier.api.summaries import LONGEST, one_line
from unifier.model import EntriesMoved, Entry, Joined

FACTS = [fact for fact in AnyFact.__args__ if fact.__struct_config__.tag in SHAPES]
NEVER_SERVED = {"locator", "content", "client_id", "aliases", "auth_results", "external_id", "tokens", "reply_context"}
ACME = Company("acme")


def _person(party: Party) -> schemas.Person:
    return schemas.Person(
        identity_id=None,
        customer_id=None,
        address=party.claims[0].value if party.claims else None,
        name=None,
        kind="person",
        strength="verified",
    )


def _full(hint: Any) -> Any:  # noqa: PLR0911 -- one line a form of type
    """A value of a type with nothing left at its default."""
    origin, arguments = get_origin(hint), get_args(hint)
    simple: dict[Any, Any] = {
        str: "text",
        bool: True,
        int: 7,
        float: 1.5,
        datetime: datetime(2026, 1, 5, tzinfo=UTC),
        bytes: b"x",
    }
    if hint in simple:
        return simple[hint]
    if hint is Party:
        return Party(claims=(Claim("email", "mia@example.com"),))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint(
            **{
                name: _full(of)
                for name, of in get_type_hints(hint).items()
                if name != "kind" or hint in (Attachment, events.Quote)
            }
        )
    if origin is tuple:
        return (_full(arguments[0]),)
    if origin is dict:
        return {"name": "text"}
    if str(origin) == "typing.Literal":
        return next(value for value in arguments if value)
    return _full(next(one for one in arguments if one is not type(None)))


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: str(fact.__struct_config__.tag))
@pytest.mark.parametrize("full", [True, False], ids=["full", "bare"])
def test_a_fact_of_every_kind_has_its_shape(fact: Any, full: bool) -> None:
    needed = {field.name for field in msgspec.structs.fields(fact) if field.required}
    values = {name: _full(hint) for name, hint in get_type_hints(fact).items() if full or name in needed}
    shown = facts.shown(fact(**values), Showing(_person, lambda name: f"evt_{name}", "acme/evt_1"))
    written = json.loads(schemas.dumped(shown))
    shape = SHAPES[str(fact.__struct_config__.tag)]
    assert set(written) == set(shape.model_fields)
    shape.model_validate(written)
    assert NEVER_SERVED.isdisjoint(_names(written))


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: str(fact.__struct_config__.tag))
def test_an_entry_of_every_kind_has_a_summary_of_one_line(fact: Any) -> None:
    values = {name: _full(hint) for name, hint in get_type_hints(fact).items()}
    needed = {field.name: values[field.name] for field in msgspec.structs.fields(fact) if field.required}
    for given in (values, needed):
        event = ACME.event("whatsapp", "e1", fact(**given), 0, sender=ACME.mia())
        line = Entry(id=f"acme/{event.id}", strand="acme/cnv_1", seq=1, kind=event.kind, at=1, event=event)
        shown = entry(line, Scene())
        assert 0 < len(shown.summary) <= LONGEST
        assert "\n" not in shown.summary


def test_entries_of_ours_have_summaries_and_facts() -> None:
    bare = Entry(id="acme/evt_1", strand="acme/cnv_1", seq=1, kind="joined", at=1)
    joined = msgspec.structs.replace(bare, joined=Joined(root="acme/cnv_a", was="acme/cnv_b", link_ids=("acme/lnk_1",)))
    moved = msgspec.structs.replace(
        bare, kind="moved", moved_entries=EntriesMoved(entry_ids=("acme/evt_7",), source="acme/cnv_a", to="acme/cnv_c")
    )
    assert summaries.of(joined, joined, deleted=False) == "Two conversations became one"
    assert summaries.of(moved, moved, deleted=False) == "1 entry moved to conversation cnv_c"
    assert json.loads(schemas.dumped(entry(joined, Scene()).fact)) == {
        "root": "cnv_a",
        "was": "cnv_b",
        "link_ids": ["lnk_1"],
        "by": None,
    }
    assert json.loads(schemas.dumped(entry(moved, Scene())))["fact"]["from"] == "cnv_a"


def test_a_kind_from_later_is_shown_as_something_unknown() -> None:
    later: Any = Foreign("story.seen", b'{"kind":"story.seen","token":"x"}')
    event = ACME.event("whatsapp", "e1", later, 0, sender=ACME.mia())
    line = Entry(id=f"acme/{event.id}", strand="acme/cnv_1", seq=1, kind="story.seen", at=1, event=event)
    shown = json.loads(schemas.dumped(entry(line, Scene())))
    assert (shown["kind"], shown["fact"]) == ("story.seen", {})
    assert shown["summary"] == "Something this version does not know (story.seen)"


def test_a_summary_cannot_forge_what_stands_around_it() -> None:
    assert one_line("a\r\nb\x00\x1b[2Jc\u202egnp.exe") == "a b[2Jcgnp.exe"
    assert len(one_line("x" * 10_000)) == LONGEST
    long = Message(body=Body(text="word " * 100), attachments=(Attachment(), Attachment()))
    event = ACME.event("whatsapp", "e1", long, 0)
    line = Entry(id=f"acme/{event.id}", strand="acme/cnv_1", seq=1, kind="message", at=1, event=event)
    summary = summaries.of(line, line, deleted=False)
    assert len(summary) <= LONGEST
    assert summary.endswith("…, 2 files attached")


def _names(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for one in value.values() for name in _names(one)}
    return {name for one in value for name in _names(one)} if isinstance(value, list) else set()
