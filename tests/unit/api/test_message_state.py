"""What became of a message is the same in whatever order its entries were stored."""

from itertools import permutations

import msgspec
import pytest
from desk.said import Company, photo
from desk.site import MINUTE, START

from onethread.event import (
    FILES_REVISION,
    Attachment,
    Body,
    Claim,
    Event,
    Failure,
    MessageCompleted,
    MessageHidden,
    MessageRestored,
    MessageShown,
    Party,
    ReactionAdded,
    ReactionRemoved,
)
from unifier.api.message_state import about_itself, folded
from unifier.model import Entry, scoped

ACME = Company("acme")
CHAT = ACME.chat("c1", 0)


def _entry(event: Event, seq: int = 1) -> Entry:
    at = START + round((event.received_at.timestamp() * 1000 - START) if event.received_at else 0)
    target = "" if event.kind == "message" else scoped("acme", CHAT.id)
    name = event.sender.claims[0].value if event.sender.claims else ""
    return Entry(
        id=scoped("acme", event.id),
        strand="acme/cnv_1",
        seq=seq,
        kind=event.kind,
        at=at,
        target=target,
        sender=name,
        event=event,
    )


def _unreact(at: float, symbol: str = "") -> Event:
    return ACME.about(CHAT, ReactionRemoved(target=CHAT.external_id, symbol=symbol), at, name=f"gone-{symbol}")


LIFE = [
    ACME.edit(CHAT, 1, "one"),
    ACME.edit(CHAT, 2, "two"),
    ACME.about(CHAT, MessageCompleted(body=Body(text="looked up")), 3),
    ACME.react(CHAT, 1, "👍"),
    _unreact(2, "👍"),
    ACME.react(CHAT, 3, "❤"),
    ACME.receipt(CHAT, 4, "read"),
    ACME.receipt(CHAT, 5, "delivered"),
]


@pytest.mark.parametrize("start", range(len(LIFE)))
def test_any_order_of_storing_gives_the_same_state(start: int) -> None:
    reference = folded(map(_entry, LIFE))
    rotated = [*LIFE[start:], *LIFE[:start]]
    for order in permutations(rotated[:5]):
        assert folded(map(_entry, (*order, *rotated[5:], *rotated[:2]))) == reference


def test_the_latest_edit_stands_and_a_completion_is_no_edit() -> None:
    state = folded(map(_entry, LIFE))
    assert state.current is not None
    assert state.current.id == scoped("acme", LIFE[1].id)
    assert state.edited_at == START + 2 * MINUTE
    completed = folded([_entry(LIFE[2])])
    assert (completed.edited_at, completed.current and completed.current.kind) == (0, "message.completed")


def test_a_reaction_stands_until_its_sender_takes_it_back() -> None:
    assert [one.id for one in folded(map(_entry, LIFE)).reactions] == [scoped("acme", LIFE[5].id)]
    assert folded(map(_entry, [*LIFE, _unreact(9)])).reactions == ()
    early = folded(map(_entry, [*LIFE, _unreact(0.5)]))
    assert len(early.reactions) == 1


def test_where_people_have_one_reaction_the_newest_takes_the_place_of_the_others() -> None:
    def only(at: float, symbol: str) -> Event:
        return ACME.about(CHAT, ReactionAdded(target=CHAT.external_id, symbol=symbol, replaces=True), at, name=symbol)

    def standing(*events: Event) -> list[str]:
        return [one.event.fact.symbol for one in folded(map(_entry, events)).reactions]  # type: ignore[union-attr]

    others = msgspec.structs.replace(only(1, "🎉"), sender=Party(claims=(Claim("acme_user", "somebody else"),)))
    for order in permutations([only(2, "👍"), only(3, "❤"), only(4, "👍"), others]):
        assert standing(*order) == ["🎉", "👍"]
    assert standing(only(2, "👍"), only(3, "❤"), _unreact(5)) == []


@pytest.mark.parametrize(
    ("statuses", "shown"),
    [
        (["sent", "delivered", "read"], "read"),
        (["read", "sent"], "read"),
        (["delayed", "delivered"], "delivered"),
        (["failed", "delivered"], "delivered"),
        (["delivered", "failed!"], "failed!"),
        (["sent", "delayed"], "delayed"),
    ],
)
def test_a_status_never_goes_back(statuses: list[str], shown: str) -> None:
    events = {
        status: ACME.receipt(CHAT, at, status.rstrip("!"), error=Failure(permanent="!" in status))
        for at, status in enumerate(statuses)
    }
    for order in permutations(events.values()):
        delivery = folded(map(_entry, order)).delivery
        assert delivery is not None
        assert delivery.id == scoped("acme", events[shown].id)


def test_deleted_and_hidden_are_what_was_said_last() -> None:
    deleted, restored = ACME.delete(CHAT, 5), ACME.about(CHAT, MessageRestored(), 6)
    hidden, seen = ACME.about(CHAT, MessageHidden(), 5), ACME.about(CHAT, MessageShown(), 6)
    assert folded(map(_entry, [deleted, hidden])).deleted_at == START + 5 * MINUTE
    assert folded(map(_entry, [deleted, hidden])).hidden
    assert folded(map(_entry, [restored, deleted])).deleted_at == 0
    assert not folded(map(_entry, [seen, hidden])).hidden
    assert not folded([_entry(deleted)]).erased
    assert folded([_entry(ACME.delete(CHAT, 7, erase=True))]).erased


def test_an_edit_shows_the_text_of_its_message() -> None:
    assert about_itself(_entry(LIFE[0])) == scoped("acme", CHAT.id)
    assert about_itself(_entry(CHAT)) == scoped("acme", CHAT.id)
    assert about_itself(_entry(LIFE[3])) == scoped("acme", LIFE[3].id)


# --- files that the host brought later ------------------------------------------------------------------------------


def _brought(at: float, name: str, *files: Attachment) -> Event:
    """The host's word: the text is a copy of what the message said at first."""
    about = ACME.about(CHAT, MessageCompleted(body=Body(text="as it was"), attachments=files), at)
    return msgspec.structs.replace(about, id=f"evt_{name}", revision=f"{FILES_REVISION}{name}")


FIRST, SECOND = photo("a.jpg", locator="a"), photo("b.jpg", locator="b")
STORED = msgspec.structs.replace(FIRST, status="stored", sha256="f" * 64, size_bytes=3, media_type="image/png")
FAILED = msgspec.structs.replace(FIRST, status="failed")


def test_what_became_of_files_is_no_text_and_holds_for_every_text() -> None:
    edit = ACME.edit(CHAT, 5, "new", attachments=(FIRST, SECOND))
    for order in permutations([LIFE[2], edit, _brought(9, "x", STORED, SECOND)]):
        state = folded(map(_entry, order))
        assert state.current is not None
        assert state.current.kind == "message.edited"
        assert [text.kind for text in state.texts] == ["message.completed", "message.edited"]
        assert state.with_files(edit.fact) == msgspec.structs.replace(edit.fact, attachments=(STORED, SECOND))
        assert (state.file(FIRST), state.file(SECOND)) == (STORED, SECOND)
    looked_up = folded(map(_entry, [LIFE[2], _brought(9, "x", STORED)]))
    assert looked_up.current is not None
    assert looked_up.current.id == scoped("acme", LIFE[2].id)
    assert folded([_entry(_brought(9, "x", STORED))]).current is None


def test_a_file_that_is_stored_stays_so() -> None:
    words = [_brought(1, "x", FIRST), _brought(2, "y", FAILED), _brought(3, "z", STORED), _brought(4, "w", FAILED)]
    for order in permutations(words):
        assert folded(map(_entry, order)).file(FIRST) == STORED
    assert folded(map(_entry, words[:2])).file(FIRST).status == "failed"
    assert folded(map(_entry, words[:1])).file(FIRST).status == "pending"
