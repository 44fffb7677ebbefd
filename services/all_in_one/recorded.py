"""What the recorded samples of a connector show of it: kinds, evidence, media. It knows fixtures, and no page."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from onethread.connector import Connector
from onethread.event import Attachment, Claim, Event
from onethread.testing.fixtures import Case, cases, events_of, records


class Shown(NamedTuple):
    """What the recorded fixtures of one connector give."""

    kinds: tuple[str, ...]
    evidence: tuple[tuple[str, str], ...]
    """Claim type and evidence."""
    media: tuple[str, ...]
    samples: int


def shown(connector: type[Connector[Any]]) -> Shown:
    """Every recorded sample, translated once more."""
    found = cases(connector)
    events = [event for case in found for event in _events(case)]
    kinds = sorted({event.kind for event in events})
    claims = {(claim.type, claim.evidence) for event in events for claim in _parts(event, Claim)}
    media = sorted({attachment.kind for event in events for attachment in _parts(event, Attachment)})
    return Shown(tuple(kinds), tuple(sorted(claims)), tuple(media), len(found))


def _events(case: Case) -> Iterator[Event]:
    connector = case.instance()
    for raw in records(connector, case.input()):
        yield from events_of(connector, raw)


def _parts(part: Any, wanted: type) -> Iterator[Any]:
    if isinstance(part, wanted):
        yield part
    elif isinstance(part, msgspec.Struct):
        for field in part.__struct_fields__:
            yield from _parts(getattr(part, field), wanted)
    elif isinstance(part, tuple):
        for each in part:
            yield from _parts(each, wanted)
