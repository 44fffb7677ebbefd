"""Identities and links in MongoDB. Each change is one conditional operation on one document, the same in any order."""

from collections.abc import Collection as Several
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from onethread.identity import KNOWN_IDENTITY
from onethread.mongo import Collection, Document, InsertOne, UpdateOne
from unifier.links import Identity, Link, LinkWish, Opinion, Profile
from unifier.store.mongo.documents import each, evidence_field, fields_of, identity_of, link_of


class Identities:
    """The collection `identities`."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def add(self, identities: Iterable[Identity]) -> None:
        """Insert those that are missing; one that is there already refuses the insert, and stays as it is."""
        await self._collection.write([InsertOne(_document(one)) for one in identities])

    async def by_id(self, ids: Several[str]) -> dict[str, Identity]:
        """Identities by id."""
        found = await self._collection.find({"_id": each(ids)}) if ids else []
        return {document["_id"]: identity_of(document) for document in found}

    async def customers(self, roots: Several[str]) -> dict[str, list[Identity]]:
        """Identities by customer, eldest first."""
        documents = await self._collection.find({"customer": each(roots)}) if roots else []
        found: dict[str, list[Identity]] = {}
        for one in sorted(map(identity_of, documents), key=lambda one: one.age):
            found.setdefault(one.customer, []).append(one)
        return found

    async def set_customers(self, roots: Mapping[str, str]) -> None:
        """Identity id → its root."""
        await self._collection.write(
            [UpdateOne({"_id": one}, {"$set": {"customer": root}}) for one, root in roots.items()]
        )

    async def note(self, profiles: Mapping[str, Profile], evidence: Mapping[str, Several[str]]) -> None:
        """Profiles are merged, each field by itself; kinds of evidence are added."""
        operations = [change for one, new in profiles.items() for change in _telling(one, new)]
        operations += [
            UpdateOne({"_id": one}, {"$addToSet": {"evidence": {"$each": sorted(kinds)}}})
            for one, kinds in evidence.items()
        ]
        await self._collection.write(operations)

    async def reveal(self, identities: Iterable[Identity]) -> None:
        """Addresses in the place of mere ids."""
        await self._collection.write([_revealing(one) for one in identities])


def _revealing(one: Identity) -> UpdateOne:
    address = {"type": one.type, "scope": one.scope, "value": one.value}
    return UpdateOne({"_id": one.id, "type": KNOWN_IDENTITY}, {"$set": address})


def _telling(one: str, new: Profile) -> Iterator[UpdateOne]:
    """Each field if nothing later was said of it."""
    for name, value in new.said().items():
        at, time = new.times.get(name, new.at), f"profile.times.{name}"
        unsaid = [{time: {"$exists": False}}, {time: {"$lte": at}}]
        yield UpdateOne({"_id": one, "$or": unsaid}, {"$set": {f"profile.{name}": value, time: at}})
    yield UpdateOne({"_id": one}, {"$max": {"profile.at": new.at}})


def _document(one: Identity) -> Document:
    return fields_of(one) | {"_id": one.id, "profile": _profile(one.profile)}


def _profile(profile: Profile) -> Document:
    document: Document = msgspec.structs.asdict(profile)  # `at` too when it is 0, since it is compared
    return document


class Links:
    """The collection `links`. `evidence` maps the hash of a reason's key to the reason; `needs` collects what they need."""

    def __init__(self, collection: Collection) -> None:
        self._collection = collection

    async def wish(self, wishes: Sequence[LinkWish]) -> None:
        """Links to be there, with their reasons."""
        await self._upsert([_wishing(one) for one in wishes])

    async def opine(self, opinions: Sequence[Opinion]) -> None:
        """Persons' words on pairs."""
        await self._upsert([_opining(one) for one in opinions])

    async def _upsert(self, changes: Sequence[tuple[Document, Document]]) -> None:
        operations = [UpdateOne(where, change, upsert=True) for where, change in changes]
        lost = (await self._collection.write(operations)).duplicates
        # The link was there: either the condition does not hold, or another made it at this moment. Links never go away, so
        # now the condition alone decides.
        await self._collection.write([UpdateOne(*changes[place]) for place in sorted(lost)])

    async def settled(self, revs: Mapping[str, int]) -> None:
        """Mark links settled whose `rev` is still the one given."""
        await self._collection.write(
            [UpdateOne({"_id": one, "rev": rev}, {"$set": {"settled": True}}) for one, rev in revs.items()]
        )

    async def by_id(self, ids: Several[str]) -> dict[str, Link]:
        """Links by id."""
        return {link.id: link for link in await self._find({"_id": each(ids)})} if ids else {}

    async def at(self, ends: Several[str]) -> list[Link]:
        """Links with one of these ends."""
        return await self._find({"ends": each(ends)}) if ends else []

    async def needing(self, identities: Several[str]) -> list[Link]:
        """Links with evidence that needs one of these."""
        return await self._find({"needs": each(identities)}) if identities else []

    async def _find(self, where: Document) -> list[Link]:
        return [link_of(document) for document in await self._collection.find(where, sort=[("_id", 1)])]


def _wishing(wanted: LinkWish) -> tuple[Document, Document]:
    reason = f"evidence.{evidence_field(wanted.evidence)}"
    return (
        {"_id": wanted.id, reason: {"$exists": False}},
        {
            "$setOnInsert": {"kind": wanted.kind, "ends": list(wanted.ends), "state": "auto", "at": 0},
            "$set": {reason: msgspec.to_builtins(wanted.evidence), "settled": False},
            "$addToSet": {"needs": {"$each": sorted(wanted.evidence.needs)}},
            "$inc": {"rev": 1},
        },
    )


def _opining(said: Opinion) -> tuple[Document, Document]:
    return (
        {"_id": said.id, "at": {"$lt": said.at}},
        {
            "$setOnInsert": {"kind": said.kind, "ends": list(said.ends), "evidence": {}, "needs": []},
            "$set": {"state": said.state, "at": said.at, "by": msgspec.to_builtins(said.by), "settled": False},
            "$inc": {"rev": 1},
        },
    )
