"""Who is in a batch, as the store knows them: read, and brought up to date. It decides nothing about conversations."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from onethread.identity import KNOWN_IDENTITY
from unifier.identity import identities, profiles
from unifier.links import Identity, Profile
from unifier.memory import Known, Memory
from unifier.reading import Reading
from unifier.store.port import ConversationStore


class People(NamedTuple):
    """Everybody in a batch, as stored, and the other identities of each one's customer."""

    known: dict[str, Identity]
    others: dict[str, tuple[str, ...]]


class Directory:
    """Identities over one store; what `memory` has of them is asked for only when the store says that it changed."""

    def __init__(self, store: ConversationStore, memory: Memory | None = None) -> None:
        self._store = store
        self._memory = memory or Memory(0)

    def newcomers(self, readings: Sequence[Reading]) -> list[Identity]:
        """Whom the readings name and memory does not know to be stored, with what is said of them."""
        newest = _newest(readings)
        named = once_by_id(who for reading in readings for who in identities(reading))
        return [
            msgspec.structs.replace(who, profile=newest.get(who.id, who.profile))
            for who in named
            if who.id not in self._memory.people
        ]

    def remembered(self, ids: Collection[str]) -> People:
        """What memory has: perhaps not true any more."""
        return _together({who: known for who in ids if (known := self._memory.people.get(who))})

    async def of(self, readings: Sequence[Reading], revisions: Mapping[str, int] | None = None) -> People:
        """Everybody whom the readings name and the store knows.

        `revisions`: as they were read after the readings' claims. Whoever has the same in memory is not asked for.
        """
        revisions = revisions or {}
        ids = everybody(readings)
        found: dict[str, Known] = {}
        for who in ids:
            known = self._memory.people.get(who)
            if known and known.revision == revisions.get(who):
                found[who] = known
        if asked := ids - found.keys():
            found |= await self._read(asked, revisions)
        return _together(found)

    async def _read(self, ids: Collection[str], revisions: Mapping[str, int]) -> dict[str, Known]:
        stored = await self._store.identities(ids)
        customers = await self._store.customers({one.customer for one in stored.values()}) if stored else {}
        found: dict[str, Known] = {}
        for who, one in stored.items():
            others = tuple(other.id for other in customers.get(one.customer, ()) if other.id != who)
            found[who] = Known(one, others, revisions.get(who, -1))
            if who in revisions:
                self._memory.people.put(who, found[who])
        return found

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
            if (known := people.known.get(who)) and known.profile.with_later(profile).said() != known.profile.said()
        }
        if changed or evidence:
            await self._store.note_identities(changed, evidence)
        if new := {*revealed, *changed, *evidence}:
            await self._store.revise(new)


def everybody(readings: Iterable[Reading]) -> set[str]:
    """All identities that the readings name but ours; further claims too, since what is new about them is noted."""
    named = {who for reading in readings for who, _, party in reading.people if not party.is_us}
    return named | {who.id for reading in readings for who in identities(reading)}


def once_by_id(people: Iterable[Identity]) -> list[Identity]:
    """Each identity once, as its first mention has it."""
    first: dict[str, Identity] = {}
    for person in people:
        first.setdefault(person.id, person)
    return list(first.values())


def _together(known: Mapping[str, Known]) -> People:
    return People({who: one.identity for who, one in known.items()}, {who: one.others for who, one in known.items()})


def is_revealed(known: Identity | None, named: Identity) -> bool:
    """Whether a stored identity is only an id that our own token brought, and `named` is the address it stands for."""
    return known is not None and known.type == KNOWN_IDENTITY != named.type


def _newest(readings: Iterable[Reading]) -> dict[str, Profile]:
    """What is said of each person; of equal times the later reading's word counts."""
    newest: dict[str, Profile] = {}
    for reading in readings:
        for who, profile in profiles(reading).items():
            newest[who] = newest.get(who, Profile()).with_later(profile)
    return newest
