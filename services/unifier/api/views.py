"""From the model's documents to the API's: conversations, customers, channels. Pure; what is needed is looked up by `reading`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from onethread.identity import STRENGTH, Strength, digest
from onethread.state.channel_states import ChannelState
from unifier.api import schemas
from unifier.api.ids import customer_id, shown, shown_moment, shown_or_none
from unifier.links import Evidence, Identity, Link
from unifier.model import Head, Participant, plain


class ChannelInfo(NamedTuple):
    """A configured channel, as far as the API shows it. `abilities`: what its connector can do beyond receiving: `reply`."""

    id: str
    tenant: str
    name: str
    connector: str
    network: str
    account: str
    abilities: tuple[str, ...] = ()


def version(*state: str) -> str:
    """A hash of a thing's state."""
    return digest(*state)[:16]


# --- conversations -------------------------------------------------------------------------------------------------


def conversation(root: str, strands: Sequence[Head], people: Mapping[str, Identity]) -> schemas.Conversation:
    """The strands with this root as one conversation. `people`: identities by id, as far as they are known."""
    eldest_first = sorted(strands, key=lambda head: head.id)
    latest = max(eldest_first, key=lambda head: (head.last_at, head.id))
    participants = _participants(eldest_first, people)
    runs = [schemas.Strand(id=plain(head.id), last_seq=head.through) for head in eldest_first]
    customer = conversation_customer(eldest_first, people)
    born = [head.created_at for head in eldest_first if head.created_at]
    return schemas.Conversation(
        id=plain(root),
        version=version(
            customer or "",
            *(f"{run.id}:{run.last_seq}" for run in runs),
            *(f"{one.identity_id}:{one.customer_id}" for one in participants),
        ),
        customer_id=customer,
        subject=next((head.subject for head in eldest_first if head.subject), None),
        place_kinds=_all(head.place_kinds for head in eldest_first),
        strands=runs,
        networks=_all(head.networks for head in eldest_first),
        channel_ids=_all(head.channel_ids for head in eldest_first),
        participants=participants,
        status=latest.status,
        snoozed_until=None,
        priority=None,
        assignee=None,
        desk=None,
        message_count=sum(head.message_count for head in eldest_first),
        labels={},
        created_at=shown_or_none(min(born, default=0)),
        last_active_at=shown_or_none(latest.last_at),
        waiting_since=shown_or_none(waiting_since(eldest_first)),
    )


def conversation_customer(strands: Iterable[Head], people: Mapping[str, Identity]) -> str | None:
    """The customer of the eldest strand that has one."""
    identity = next((head.identity for head in strands if head.identity), "")
    return customer_id(people[identity].customer if identity in people else identity) if identity else None


def waiting_since(strands: Iterable[Head]) -> int:
    """Since when the customer waits, in ms, 0: not at all. An answer in one strand answers what was asked before in another."""
    strands = list(strands)
    answered = max((head.answered_at for head in strands), default=0)
    waiting = [head for head in strands if head.waiting_since]
    after = [head.waiting_since for head in waiting if head.waiting_since > answered]
    # Who waited before the answer, and wrote again after it: the first message after it is at latest the last one.
    again = [head.last_at for head in waiting if head.waiting_since <= answered < head.last_at]
    return min([*after, *again], default=0)


def _participants(strands: Iterable[Head], people: Mapping[str, Identity]) -> list[schemas.Participant]:
    found: dict[str, Participant] = {}
    for head in strands:
        for one in head.participants:
            found.setdefault(one.identity, one)
    return [
        schemas.Participant(
            identity_id=plain(one.identity),
            customer_id=customer_id(people[one.identity].customer)
            if one.role != "us" and one.identity in people
            else None,
            role=one.role,
        )
        for one in found.values()
    ]


def _all(parts: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(one for part in parts for one in part))


# --- customers -----------------------------------------------------------------------------------------------------


def customer(root: str, identities: Sequence[Identity], links: Iterable[Link]) -> schemas.Customer:
    """The identities with this root as one customer, with the links that touch them."""
    eldest_first = sorted(identities, key=lambda one: (one.id != root, *one.age))
    ids = {one.id for one in identities}
    touching = (link for link in links if link.kind == "identity" and ids & set(link.ends))
    # A person's word that was taken back leaves a link that says nothing.
    mine = sorted((link for link in touching if link.state != "auto" or link.evidence), key=lambda link: link.id)
    document = schemas.Customer(
        id=customer_id(root),
        version="",
        former_ids=[customer_id(one.id) for one in eldest_first if one.id != root],
        name=_first(one.profile.name or one.profile.username for one in eldest_first),
        locale=_first(one.profile.locale for one in eldest_first),
        since=shown(min(one.since for one in identities)),
        identities=[_identity(one) for one in eldest_first],
        suggestions=sum(link.state == "auto" and not any(one.counts for one in link.evidence) for link in mine),
        links=[_link(link) for link in mine],
    )
    return document.model_copy(update={"version": version(document.model_dump_json())})


def _first(texts: Iterable[str]) -> str | None:
    return next((text for text in texts if text), None)


def _identity(one: Identity) -> schemas.Identity:
    strongest = max((STRENGTH.get(name, Strength.HINT) for name in one.evidence), default=Strength.HINT)
    return schemas.Identity(
        id=plain(one.id),
        type=one.type,
        scope=one.scope,
        value=one.value,
        strength=strongest.name.lower(),
        blocked=False,
        evidence=[
            schemas.IdentityEvidence(by=name, channel_id=None, entry_id=None, at=None) for name in sorted(one.evidence)
        ],
    )


def _link(link: Link) -> schemas.Link:
    return schemas.Link(
        id=plain(link.id),
        ends=[plain(end) for end in link.ends],
        state=link.state,
        evidence=[_link_evidence(one) for one in link.evidence],
    )


def _link_evidence(one: Evidence) -> schemas.LinkEvidence:
    return schemas.LinkEvidence(by=one.rule, at=shown_or_none(one.at))


# --- channels ------------------------------------------------------------------------------------------------------


def channel(info: ChannelInfo, state: ChannelState | None) -> schemas.Channel:
    """A configured channel with its state (None: never started)."""
    reason = state.reason if state else None
    said = reason is not None and bool(reason.code or reason.text or reason.todo)
    return schemas.Channel(
        id=info.id,
        name=info.name or info.id,
        connector=info.connector,
        network=info.network,
        account=info.account,
        abilities=list(info.abilities),
        desired="paused" if state and state.state == "paused" else "running",
        state=state.state if state else None,
        since=shown_moment(state.since) if state else None,
        next_try_at=shown_moment(state.next_try_at) if state and state.next_try_at else None,
        lag_seconds=None,
        reason=schemas.ChannelReason(code=reason.code or None, text=reason.text or None, todo=reason.todo or None)
        if reason and said
        else None,
        last_message_at=shown_moment(state.last_message_at) if state and state.last_message_at else None,
        ledger=None,
    )
