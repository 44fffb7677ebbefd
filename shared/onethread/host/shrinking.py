"""Cuts an event to what a record of the log may hold. Pure; the whole original is in the blob store by then (`source`)."""

from typing import Any

import msgspec

from onethread.envelope import draft
from onethread.errors import Poison
from onethread.event import Body, Content, Event
from onethread.log.drafts import MAX_RECORD_BYTES, size
from onethread.log.port import Draft

_CUTTABLE = frozenset(
    {"text", "text_full", "html", "subject", "excerpt", "description", "transcript", "preview", "title"}
)
"""Texts that people read. Ids, addresses and locators are never cut: half of one is another."""
_LENGTHS = (64_000, 16_000, 4_000, 1_000, 250)
"""Characters; one may take six bytes in JSON, and a message holds three copies of its text at most."""


def fitted(event: Event, value: bytes = b"") -> tuple[Event, Draft]:
    """The event and its record, cut where need be: `truncated` at the body, `degraded` at the message.

    `value`: the event's JSON, if that is at hand.
    Raises Poison if it is too large for other reasons (a hundred thousand recipients).
    """
    record = draft(event, value)
    if size(record) <= MAX_RECORD_BYTES:
        return event, record
    for length in _LENGTHS:
        shorter: Event = _cut(event, length)
        if isinstance(shorter.fact, Content):
            degraded = shorter.fact.degraded or "cut to the log's record limit; the original is kept"
            shorter = msgspec.structs.replace(shorter, fact=msgspec.structs.replace(shorter.fact, degraded=degraded))
        record = draft(shorter)
        if size(record) <= MAX_RECORD_BYTES:
            return shorter, record
    raise Poison(f"an event of {size(record):,} bytes even without its texts; the log takes {MAX_RECORD_BYTES:,}")


def _cut(part: Any, length: int) -> Any:
    if isinstance(part, tuple):
        return tuple([_cut(each, length) for each in part])
    if not isinstance(part, msgspec.Struct):
        return part
    changed: dict[str, Any] = {}
    for name in part.__struct_fields__:
        old = getattr(part, name)
        if isinstance(old, str):
            if name in _CUTTABLE and len(old) > length:
                changed[name] = old[:length]
        elif isinstance(old, (tuple, msgspec.Struct)):
            new = _cut(old, length)
            if new != old:
                changed[name] = new
    if isinstance(part, Body) and changed:
        changed["truncated"] = True
    return msgspec.structs.replace(part, **changed) if changed else part
