"""What is said in Messenger, and what becomes of it: messages, edits, reactions, receipts, buttons, links. It knows no entry."""

from collections.abc import Iterator
from typing import Any

import msgspec

from im_ingest.connectors.messenger.content import content, referral, rest
from im_ingest.connectors.messenger.scene import Scene, tokens
from im_ingest.connectors.messenger.who import shared
from im_ingest.meta import moment
from onethread.event import (
    Body,
    Event,
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
    pressed = message.quick_reply.payload if message.quick_reply else ""
    claims = () if here.both.ours else shared(pressed, message.text or "")
    ref = message.referral.ref if message.referral else None
    yield here.event(message.mid, content(message), *claims, channel_data=rest(message), tokens=tokens(ref))


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
    if delivery.mids:
        for mid in dict.fromkeys(delivery.mids):
            yield here.event(mid, Receipt(status="delivered", target=mid), revision="delivered")
        return
    until = moment(delivery.watermark, per_second=1000)
    revision = f"delivered:{delivery.watermark}"
    yield here.event(here.both.person, Receipt(status="delivered", until=until), revision=revision)


def seen(here: Scene) -> Iterator[Event]:
    """All up to the watermark."""
    read = here.item.read
    assert read is not None
    until = moment(read.watermark, per_second=1000)
    yield here.event(here.both.person, Receipt(status="read", until=until), revision=f"read:{read.watermark}")


def pressed(here: Scene) -> Iterator[Event]:
    """A button. Whoever began with a link brings its parameter here."""
    postback = here.item.postback
    assert postback is not None
    source = postback.referral
    fields: dict[str, Any] = {}
    if source:
        fields = {"tokens": tokens(source.ref), "channel_data": {"referral": msgspec.to_builtins(referral(source))}}
    fact = Postback(payload=postback.payload or "", title=postback.title or "")
    yield here.event(postback.mid or here.stamp("postback"), fact, **fields)


def referred(here: Scene) -> Iterator[Event]:
    """Somebody followed a link (m.me/…?ref=…), an advertisement or a plugin into a chat that was there."""
    found = here.item.referral
    assert found is not None
    fact = SessionStarted(ref=found.ref or "", reason=found.source or "referral")
    more = {"type": found.type, "ad_id": found.ad_id}
    data = {name: value for name, value in more.items() if value}
    yield here.event(here.stamp("referral"), fact, tokens=tokens(found.ref), channel_data=data)
