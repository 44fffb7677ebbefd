"""State documents in a MongoDB: one collection, `_id` = collection and id. It knows versions, and not what a document means."""

from onethread.errors import Conflict
from onethread.mongo import Mongo
from onethread.state.port import Document, StateStore


class MongoState(StateStore):
    """The state in the collection `state` of a database. Every change is one operation on one document."""

    def __init__(self, url: str, database: str, *, deadline: float = 10.0) -> None:
        self._mongo = Mongo(url, database, setting="store.url", deadline=deadline)
        self._documents = self._mongo.collection("state")

    async def open(self) -> None:
        """See the port."""
        await self._mongo.open()

    async def close(self) -> None:
        """See the port."""
        await self._mongo.close()

    async def get(self, collection: str, key: str) -> Document | None:
        """See the port."""
        found = await self._documents.find_one({"_id": _id(collection, key), "value": {"$exists": True}})
        return Document(key, found["version"], found["value"]) if found else None

    async def put(self, collection: str, key: str, value: bytes, expect: int) -> Document:
        """See the port."""
        change = {"$set": {"value": value}, "$inc": {"version": 1}}
        if expect:
            there = {"_id": _id(collection, key), "version": expect, "value": {"$exists": True}}
            changed = await self._documents.change_one(there, change)
        else:
            free = {"_id": _id(collection, key), "value": {"$exists": False}}
            changed = await self._documents.change_one(free, change, upsert=True)
        if changed is None:
            raise _conflict(collection, key, expect)
        return Document(key, changed["version"], value)

    async def delete(self, collection: str, key: str, expect: int) -> None:
        """See the port."""
        there = {"_id": _id(collection, key), "version": expect, "value": {"$exists": True}}
        # What is left is a document with a version and no value, so that the version is never given again.
        gone = await self._documents.change_one(there, {"$unset": {"value": ""}, "$inc": {"version": 1}})
        if gone is None:
            raise _conflict(collection, key, expect)

    async def remove(self, collection: str, key: str, expect: int) -> None:
        """See the port."""
        there = {"_id": _id(collection, key), "version": expect, "value": {"$exists": True}}
        if not await self._documents.remove_one(there):
            raise _conflict(collection, key, expect)

    async def scan(self, collection: str, prefix: str = "") -> list[Document]:
        """See the port."""
        begin = _id(collection, prefix)
        inside = {"_id": {"$gte": begin, "$lt": _after(begin)}, "value": {"$exists": True}}
        found = await self._documents.find(inside, sort=[("_id", 1)])
        cut = len(collection) + 1
        return [Document(one["_id"][cut:], one["version"], one["value"]) for one in found]


def _conflict(collection: str, key: str, expect: int) -> Conflict:
    return Conflict(f"{collection}/{key} is not at version {expect} any more: read it and decide again.")


def _id(collection: str, key: str) -> str:
    return f"{collection}/{key}"


def _after(prefix: str) -> str:
    """The least text above all that begin with `prefix`: MongoDB compares UTF-8 bytes, which is the order of code points."""
    kept = prefix.rstrip("\U0010ffff")
    code = ord(kept[-1]) + 1
    return kept[:-1] + chr(0xE000 if code == 0xD800 else code)  # surrogates are no text
