"""What a message looks at once it is written, and which links it then asks for. Pure; who reads and writes is the batch."""

from collections.abc import Iterator, Sequence

from unifier.links import LinkWish
from unifier.merging import Merging
from unifier.model import ClockId
from unifier.people import People
from unifier.reading import Reading
from unifier.threading import Decision, World, clock_links, named_links


def wanted_links(decision: Decision, fresh: World, people: People) -> Iterator[LinkWish]:
    """Every link that one message asks for, seen from its home."""
    reading = decision.reading
    yield from named_links(reading, decision.strand, fresh)
    yield from clock_links(reading, decision.strand, fresh.clocks, people.others.get(reading.own, ()))
    for party in reading.parties:
        for other in people.others.get(party, ()):
            yield from Merging.shared_keys(_mail_keys(reading, party), party, other, fresh.keys, reading)


def _mail_keys(reading: Reading, party: str) -> list[str]:
    return [key for key in reading.claims if key.startswith(f"{party}/mid/")]


def around_all(readings: Sequence[Reading], people: People) -> tuple[set[str], set[ClockId]]:
    """All keys and clocks that the readings' links rest on; a store gives the clocks beside each too."""
    keys = {key for reading in readings for key in keys_around(reading, people)}
    return keys, {clock for reading in readings for clock in clocks_around(reading, people)}


def keys_around(reading: Reading, people: People) -> Iterator[str]:
    """Every key that `wanted_links` looks at: its own, and the same of its customer's other identities."""
    yield from (naming.key for naming in (*reading.named, *reading.known_as))
    for party in reading.parties:
        for key in _mail_keys(reading, party):
            yield key
            yield from (key.replace(party, other, 1) for other in people.others.get(party, ()))
    yield from (key for key in reading.claims if "/mid/" not in key)


def clocks_around(reading: Reading, people: People) -> Iterator[ClockId]:
    """Every clock that `wanted_links` looks at."""
    if reading.clock:
        yield reading.clock
        for owner in people.others.get(reading.own, ()):
            yield reading.clock._replace(owner=owner)
