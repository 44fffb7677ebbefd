"""What is said in Messenger, and what becomes of it: messages, edits, reactions, receipts, buttons, links. It knows no entry."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from im_ingest.connectors.messenger.content import content, referral, referral_data, rest
from im_ingest.connectors.messenger.scene import Scene, tokens
from im_ingest.connectors.messenger.who import shared
from im_ingest.meta import Stamp, moment
from onethread.errors import Poison
from onethread.event import (
    Body,
    Event,
    MessageDeleted,
    MessageEdited,
    Postback,
    ReactionAdded,
    ReactionRemoved,
    Receipt,
    SessionStarted,
)


def said(here: Scene) -> Iterator[Event]:
    """A message, of either side."""
    message = here.item.message
    assert message is not None
    if message.is_deleted:
        yield here.event(message.mid, MessageDeleted())
        return
    pressed = (message.quick_reply.payload if message.quick_reply else None) or ""
    claims = () if here.both.ours else shared(pressed, message.text or "")
    ref = message.referral.ref if message.referral else None
    fact = msgspec.structs.replace(content(message), degraded=here.degraded)
    yield here.event(message.mid, fact, *claims, channel_data=rest(message), tokens=tokens(ref))


def edited(here: Scene) -> Iterator[Event]:
    """A text as it reads now."""
    edit = here.item.message_edit
    assert edit is not None
    yield here.event(edit.mid, MessageEdited(body=Body(text=edit.text or "")), revision=str(edit.num_edit))


def reacted(here: Scene) -> Iterator[Event]:
    """A person has one reaction a message; a new one takes the place of the old one."""
    reaction = here.item.reaction
    assert reaction is not None
    target, symbol = reaction.mid, reaction.emoji or reaction.reaction or ""
    actor = "us" if here.both.ours else here.both.person
    when = str(here.item.timestamp)
    if reaction.action == "react" and symbol:
        fact = ReactionAdded(target=target, symbol=symbol, replaces=True)
        yield here.event(f"{target}:{actor}:{symbol}", fact, revision=when)
    else:
        yield here.event(f"{target}:{actor}:", ReactionRemoved(target=target), revision=when)


def delivered(here: Scene) -> Iterator[Event]:
    """Single messages where they are named, else all up to the watermark."""
    delivery = here.item.delivery
    assert delivery is not None
    for mid in dict.fromkeys(delivery.mids or ()):
        yield here.event(mid, Receipt(status="delivered", target=mid), revision="delivered")
    if not delivery.mids:
        yield _up_to(here, "delivered", delivery.watermark)


def seen(here: Scene) -> Iterator[Event]:
    """All up to the watermark."""
    read = here.item.read
    assert read is not None
    yield _up_to(here, "read", read.watermark)


def _up_to(here: Scene, status: Literal["delivered", "read"], watermark: Stamp) -> Event:
    """The watermark is of the clock that dates messages: it covers what was sent to this person at that time or before."""
    until = moment(watermark, per_second=1000)
    if until is None or not here.both.person:
        raise Poison("a receipt that names no message, and no person and time")
    return here.event(here.both.person, Receipt(status=status, until=until), revision=f"{status}:{watermark}")


def pressed(here: Scene) -> Iterator[Event]:
    """A button. Whoever began with a link brings its parameter here."""
    postback = here.item.postback
    assert postback is not None
    source = postback.referral
    fact = Postback(payload=postback.payload or "", title=postback.title or "")
    yield here.event(
        postback.mid or here.stamp("postback"),
        fact,
        tokens=tokens(source.ref) if source else (),
        channel_data={"referral": msgspec.to_builtins(referral(source))} if source else {},
    )


def referred(here: Scene) -> Iterator[Event]:
    """Somebody followed a link (m.me/…?ref=…), an advertisement or a plugin into a chat that was there."""
    found = here.item.referral
    assert found is not None
    fact = SessionStarted(ref=found.ref or "", reason=found.source or "referral")
    yield here.event(here.stamp("referral"), fact, tokens=tokens(found.ref), channel_data=referral_data(found))
