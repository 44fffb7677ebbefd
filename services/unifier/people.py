"""Who is in a batch, as the store knows them: read, and brought up to date. It decides nothing about conversations."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from onethread.identity import KNOWN_IDENTITY
from unifier.identity import identities, profiles
from unifier.model import Identity, Profile
from unifier.reading import Reading
from unifier.store.port import ConversationStore


class People(NamedTuple):
    """Everybody in a batch, as stored, and the other identities of each one's customer."""

    known: dict[str, Identity]
    others: dict[str, tuple[str, ...]]


class Directory:
    """Identities over one store."""

    def __init__(self, store: ConversationStore) -> None:
        self._store = store

    async def of(self, readings: Sequence[Reading]) -> People:
        """Everybody whom the readings name and the store knows."""
        ids = {who for reading in readings for who in (*reading.parties, *(person for person, _, _ in reading.people))}
        # Further claims too: what is new about them is noted.
        ids |= {who.id for reading in readings for who in identities(reading)}
        known = await self._store.identities(ids) if ids else {}
        customers = await self._store.customers({person.customer for person in known.values()}) if known else {}
        others = {
            who: tuple(other.id for other in customers.get(person.customer, ()) if other.id != who)
            for who, person in known.items()
        }
        return People(known, others)

    async def note(self, readings: Sequence[Reading], people: People) -> None:
        """Addresses, kinds of evidence and profiles, where the readings say something new."""
        named = [who for reading in readings for who in identities(reading)]
        revealed = {who.id: who for who in named if is_revealed(people.known.get(who.id), who)}
        if revealed:
            await self._store.reveal(list(revealed.values()))
        evidence: dict[str, set[str]] = {}
        for who in named:
            known = people.known.get(who.id)
            if known and not set(who.evidence) <= set(known.evidence):
                evidence.setdefault(who.id, set()).update(who.evidence)
        changed = {
            who: profile
            for who, profile in _newest(readings).items()
            if (known := people.known.get(who))
            and known.profile.at <= profile.at
            and msgspec.structs.replace(known.profile, at=profile.at) != profile
        }
        if changed or evidence:
            await self._store.note_identities(changed, evidence)


def is_revealed(known: Identity | None, named: Identity) -> bool:
    """Whether a stored identity is only an id that our own token brought, and `named` is the address it stands for."""
    return known is not None and known.type == KNOWN_IDENTITY != named.type


def _newest(readings: Iterable[Reading]) -> dict[str, Profile]:
    """The newest profile of each person; of equal times the later reading's."""
    newest: dict[str, Profile] = {}
    for reading in readings:
        for who, profile in profiles(reading).items():
            if who not in newest or newest[who].at <= profile.at:
                newest[who] = profile
    return newest
