"""From entries to the API's documents: who, where, the text as it stands now, and what became of a message. Pure."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from onethread.envelope import message_id
from onethread.event import Party, Receipt
from onethread.identity import strength
from unifier.api import schemas, summaries
from unifier.api.facts import Showing, joined, moved, shown, without_body
from unifier.api.ids import customer_id, shown_moment, shown_or_none
from unifier.api.ids import shown as time
from unifier.api.message_state import CONTENT, MessageState, about_itself, folded, reaches, receipts_about
from unifier.api.placements import moved as moved_by
from unifier.links import Identity
from unifier.model import Entry, plain
from unifier.naming import up_to_a_time
from unifier.reading import identity_of

MOST_REACTIONS = 100
"""Shown of one message: the newest. All of them are entries."""


class Scene(NamedTuple):
    """What was looked up for a page of entries.

    `roots`: strand → conversation; `people`: identities by id; `about`: entries by the message, or the thread's receipts, that
    they are about.
    """

    roots: Mapping[str, str] = {}
    people: Mapping[str, Identity] = {}
    about: Mapping[str, Sequence[Entry]] = {}

    def state(self, entry: Entry) -> MessageState:
        """The state of the message that an entry is, or whose text it brings."""
        up_to_a_time = self.about.get(receipts_about(entry), ())
        reaching = [receipt for receipt in up_to_a_time if reaches(receipt, entry.at)]
        return folded([*self.about.get(about_itself(entry), ()), *reaching])

    def conversation(self, entry: Entry) -> str:
        """The conversation it is read in."""
        return self.roots.get(entry.home, entry.home)


def entry(line: Entry, scene: Scene) -> schemas.Entry:
    """One entry, without its placement."""
    state = scene.state(line)
    current = _current(line, state)
    event = line.event
    sender = _person(event.sender, line, scene, ours=event.direction == "outbound") if event else None
    return schemas.Entry(
        id=plain(line.id),
        kind=line.kind,
        conversation_id=plain(scene.conversation(line)),
        strand=plain(line.strand),
        seq=line.seq,
        channel_id=(event.channel_id or None) if event else None,
        network=(event.network or None) if event else None,
        direction=event.direction if event else None,
        echo=event.echo if event else False,
        history=event.history if event else False,
        target=_target(line),
        moved=moved_by(line.moved),
        reply_id=None,
        place=schemas.Place(
            kind=event.place.kind, name=event.place.name or None, permalink=event.place.permalink or None
        )
        if event
        else None,
        sender=sender,
        recipients=[_recipient(party, line, scene) for party in event.recipients] if event else [],
        sent_at=shown_moment(event.sent_at) if event and event.sent_at else None,
        received_at=time(line.at),
        ingested_at=shown_moment(event.ingested_at) if event and event.ingested_at else shown_or_none(line.stored_at),
        summary=summaries.of(
            line, current, deleted=bool(state.deleted_at), sender=(sender.name if sender else None) or ""
        ),
        fact=_fact(line, current, state, scene),
        state=_state(line, state, scene),
    )


def earlier(line: Entry, scene: Scene) -> list[schemas.Earlier]:
    """The texts a message had before, eldest first; none where the provider demanded that they be removed."""
    state = scene.state(line)
    if line.kind not in CONTENT or state.erased:
        return []
    base = () if line.target or any(text.id == line.id for text in state.texts) else (line,)
    current = _current(line, state)
    texts = sorted((*base, *state.texts), key=lambda text: (text.at, text.id))
    return [
        schemas.Earlier(entry_id=plain(text.id), at=time(text.at), fact=_said(text, text, state, scene))
        for text in texts
        if text.id != current.id or state.deleted_at
    ]


# --- people --------------------------------------------------------------------------------------------------------


def _person(party: Party, line: Entry, scene: Scene, *, ours: bool) -> schemas.Person:
    claim = party.claims[0] if party.claims else None
    tenant = line.id.partition("/")[0]
    identity = identity_of(tenant, claim) if claim else ""
    known = scene.people.get(identity)
    return schemas.Person(
        identity_id=plain(identity) if identity else None,
        customer_id=customer_id(known.customer) if known and not (ours or party.is_us) else None,
        address=claim.value if claim else None,
        name=party.name or (known.profile.name if known else "") or party.username or None,
        kind=party.kind,
        strength=strength(claim.evidence).name.lower() if claim else None,
    )


def _recipient(party: Party, line: Entry, scene: Scene) -> schemas.Recipient:
    person = _person(party, line, scene, ours=False)
    return schemas.Recipient(**dict(person), role=party.role, is_us=party.is_us)


# --- facts and state -----------------------------------------------------------------------------------------------


def _target(line: Entry) -> str | None:
    collective = line.event is not None and up_to_a_time(line.event)
    return plain(line.target) if line.target and not collective else None


def _current(line: Entry, state: MessageState) -> Entry:
    """The entry whose text stands for this one: an edit brings the whole message."""
    return state.current or line if line.kind in CONTENT else line


def _fact(line: Entry, current: Entry, state: MessageState, scene: Scene) -> schemas.FactDocument:
    if line.joined:
        return joined(line.joined)
    if line.moved_entries:
        return moved(line.moved_entries)
    if line.event is None:
        return schemas.FactDocument()
    if line.kind in CONTENT and state.deleted_at:
        return without_body(line.event.fact, _showing(line, scene))
    return _said(line, current, state, scene)


def _said(line: Entry, current: Entry, state: MessageState, scene: Scene) -> schemas.FactDocument:
    event = current.event or line.event
    return shown(state.with_files(event.fact), _showing(current, scene)) if event else schemas.FactDocument()


def _showing(line: Entry, scene: Scene) -> Showing:
    event = line.event

    def message(external_id: str) -> str:
        return message_id(event, external_id) if event else ""

    return Showing(lambda party: _person(party, line, scene, ours=False), message, line.id)


def _state(line: Entry, state: MessageState, scene: Scene) -> schemas.State:
    if about_itself(line) != line.id:  # an edit has no state of its own: its message has
        state = MessageState(deleted_at=state.deleted_at)
    return schemas.State(
        edited_at=shown_or_none(state.edited_at),
        deleted_at=shown_or_none(state.deleted_at),
        hidden=state.hidden,
        delivery=_delivery(state.delivery, scene) if state.delivery else None,
        reactions=[
            schemas.Reaction(
                symbol=getattr(one.event.fact, "symbol", "") if one.event else "",
                identity_id=plain(one.sender) if one.sender else None,
                at=time(one.at),
            )
            for one in state.reactions[-MOST_REACTIONS:]
        ],
    )


def _delivery(receipt: Entry, scene: Scene) -> schemas.Delivery:
    fact = receipt.event.fact if receipt.event else None
    error = shown(fact, _showing(receipt, scene)) if isinstance(fact, Receipt) else None
    return schemas.Delivery(
        status=fact.status if isinstance(fact, Receipt) else "sent",
        at=time(receipt.at),
        error=getattr(error, "error", None),
    )
