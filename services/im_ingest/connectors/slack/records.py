"""A record of Slack as events: the one way in for what comes by webhook, by socket, and by look-up.

No I/O, no clock, no secret. An event that it does not know is counted; it is never lost.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from im_ingest import salvage
from im_ingest.connectors.slack.entities import Envelope, Head, Membership, Reaction, Revoked, Said, User, UserChange
from im_ingest.connectors.slack.messages import reacted, said
from im_ingest.connectors.slack.scene import Scene
from im_ingest.connectors.slack.who import Us, described, moment, place, user
from onethread.connector import utc
from onethread.event import (
    AnyFact,
    ChannelState,
    Contact,
    Event,
    ParticipantJoined,
    ParticipantLeft,
    Party,
    Unknown,
)
from onethread.identity import digest


def events(data: bytes, us: Us) -> Iterator[Event]:
    """The events of one envelope. msgspec's errors mean that it is none."""
    envelope, strange = salvage.decoded(data, Envelope)
    here = Scene(envelope, us.of(envelope))
    if envelope.type != "event_callback":
        yield _about_the_app(here)
        return
    kind = msgspec.json.decode(envelope.event, type=Head).type
    handler = HANDLERS.get(kind)
    if handler is not None:
        found, degraded = salvage.decoded(bytes(envelope.event), handler.record)
        yield from handler.made(here._replace(degraded=degraded or strange), found)
    else:
        yield here.own(Unknown(label=kind))


def profile(data: bytes, us: Us) -> Event:
    """What a look-up brought about a person."""
    return _contact(msgspec.json.decode(data, type=User), us)


def _contact(found: User, us: Us) -> Event:
    party = described(found, us)
    said_of_them = [party.name, party.username, party.locale, party.timezone, party.avatar]
    facts = digest(*said_of_them, *(claim.value for claim in party.claims), *(claim.evidence for claim in party.claims))
    title = found.profile.title or ""
    fact = Contact(form="profile", values={"title": title} if title else {})
    event = Event(found.id, fact, revision=digest(facts, title), sender=party)
    return msgspec.structs.replace(event, direction="outbound") if party.is_us else event


def _about_the_app(here: Scene) -> Event:
    """An envelope without an event in it."""
    envelope = here.envelope
    minute = envelope.minute_rate_limited
    if envelope.type == "app_rate_limited" and minute is not None:
        fact: AnyFact = ChannelState(state="rate_limited", reason="Slack sends no more than 30,000 events an hour")
        return Event(f"app_rate_limited:{minute}", fact, received_at=utc(minute))
    return here.own(Unknown(label=envelope.type))


def _told(here: Scene, found: UserChange) -> Iterator[Event]:
    contact = _contact(found.user, here.us)
    yield msgspec.structs.replace(contact, received_at=here.at)


def _revoked(here: Scene, found: Revoked) -> Iterator[Event]:
    """Our token is no longer good; people's tokens are not ours."""
    if found.type == "tokens_revoked" and not found.tokens.bot:
        yield here.own(Unknown(label=found.type))
    else:
        state = "uninstalled" if found.type == "app_uninstalled" else "revoked"
        yield here.own(ChannelState(state=state, reason=f"Slack says {found.type}: install the app again"))


def _came_or_went(here: Scene, found: Membership) -> Iterator[Event]:
    """All of a channel's comings and goings stand together, apart from its threads."""
    ours = here.us.has(found.user, found.team)
    party = Party(claims=(user(found.user, here.us),), is_us=ours)
    joined = found.type == "member_joined_channel"
    fact = ParticipantJoined(party=party) if joined else ParticipantLeft(party=party)
    where = place(found.channel)
    event = here.own(fact, external_thread_id=where.id, place=where)
    at = moment(found.event_ts) or event.received_at
    yield here.by(found.user, msgspec.structs.replace(event, received_at=at))


class Handler(NamedTuple):
    """What reads an inner event, and the record that it reads."""

    record: Any
    made: Callable[[Scene, Any], Iterator[Event]]


HANDLERS: dict[str, Handler] = {
    "message": Handler(Said, said),
    "app_mention": Handler(Said, said),
    "reaction_added": Handler(Reaction, reacted),
    "reaction_removed": Handler(Reaction, reacted),
    "member_joined_channel": Handler(Membership, _came_or_went),
    "member_left_channel": Handler(Membership, _came_or_went),
    "user_change": Handler(UserChange, _told),
    "team_join": Handler(UserChange, _told),
    "tokens_revoked": Handler(Revoked, _revoked),
    "app_uninstalled": Handler(Revoked, _revoked),
}
"""By type. A mention is the message itself: it has the same channel and ts, so both are one event."""
