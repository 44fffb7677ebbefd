"""The indexes of the conversation store in MongoDB. `_id` serves all else: ids begin with the tenant, keys with their owner."""

from collections.abc import Mapping

from onethread.mongo import Collection, IndexModel

# The lock, the order and the cursor of a strand: without it, two workers could write one place.
PLACE = "strand_seq"

_INDEXES: dict[str, tuple[IndexModel, ...]] = {
    "entries": (
        IndexModel([("strand", 1), ("seq", 1)], name=PLACE, unique=True),
        IndexModel([("home", 1), ("at", 1), ("_id", 1)], name="home_at"),
        IndexModel([("target", 1), ("at", 1), ("_id", 1)], name="target_at"),
    ),
    "conversations": (
        IndexModel([("root", 1)], name="root"),
        IndexModel([("identity", 1), ("listed", 1), ("last_at", 1), ("_id", 1)], name="identity"),
        IndexModel([("tenant", 1), ("listed", 1), ("last_at", 1), ("_id", 1)], name="active"),
        IndexModel([("tenant", 1), ("listed", 1), ("_id", 1)], name="created"),
    ),
    "identities": (IndexModel([("customer", 1)], name="customer"),),
    "links": (IndexModel([("ends", 1)], name="ends"), IndexModel([("needs", 1)], name="needs")),
}


async def missing(collections: Mapping[str, Collection]) -> list[str]:
    """Names of the indexes that are not there, as `collection.index`."""
    found: list[str] = []
    for name, wanted in _INDEXES.items():
        there = await collections[name].index_names()
        found += [f"{name}.{index.document['name']}" for index in wanted if index.document["name"] not in there]
    return found


async def create(collections: Mapping[str, Collection]) -> list[str]:
    """Create the indexes that are missing; one line for each."""
    lines: list[str] = []
    for name, indexes in _INDEXES.items():
        there = await collections[name].index_names()
        for index in indexes:
            label = index.document["name"]
            if label not in there:
                await collections[name].create_index(index)
                lines.append(f"created index {label} on {name} ({', '.join(index.document['key'])})")
    return lines
