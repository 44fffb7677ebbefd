"""How the unifier's structs are written as MongoDB's documents, and read again. It asks no database.

An entry is a real document, in the form of its JSON: dates are RFC 3339 text, bytes base64. The maps whose keys are the
provider's words are JSON text: a field name of MongoDB holds no NUL, and a document no more than a hundred levels.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from onethread.identity import digest
from onethread.mongo import Document
from unifier.links import Evidence, Identity, Link
from unifier.model import ClockId, Entry, Head

_MAPS = (
    ("channel_data",),
    ("reply_context",),
    ("source", "about"),
    ("fact", "values"),
    ("fact", "auth_results"),
)
"""Where, in an event, keys are not ours."""

_BIAS = 10**16
"""Added to a bucket, so that those before 1970 sort before the others as text. No time in milliseconds is so large."""


# --- entries -------------------------------------------------------------------------------------------------------


def of_entry(entry: Entry) -> Document:
    """`home` is where the entry is read: the field by which timelines are found."""
    document: Document = msgspec.to_builtins(entry)
    document["_id"] = document.pop("id")
    document["home"] = entry.home
    for inner, key in _maps(document):
        inner[key] = msgspec.json.encode(inner[key]).decode()
    return document


def entry_of(document: Document) -> Entry:
    """The entry of a document, whatever was left out of it."""
    for inner, key in _maps(document):
        inner[key] = msgspec.json.decode(inner[key])
    return msgspec.convert({**document, "id": document["_id"]}, Entry)


def _maps(document: Document) -> Iterator[tuple[dict[str, Any], str]]:
    for *way, key in _MAPS:
        inner: Any = document.get("event")
        for step in way:
            inner = (inner or {}).get(step)
        if inner and key in inner:
            yield inner, key


# --- clocks --------------------------------------------------------------------------------------------------------


SHELF = 16
"""Neighbouring buckets of one owner in one document: who needs a bucket needs those beside it."""
NO_CLOCK: Document = {f"b{place:02d}": {"$exists": False} for place in range(SHELF)}
"""The condition of a document without a clock."""


def shelf_key(clock: ClockId) -> str:
    """The `_id` of a clock's document. Fixed width: one owner's are one range in order of (window, bucket, grouping)."""
    shelf = clock.bucket // SHELF
    return f"{clocks_of(clock.owner)}{clock.window:020d}#{shelf + _BIAS:020d}x{SHELF}#{clock.grouping}"


def bucket_field(clock: ClockId) -> str:
    """The field of a clock in its document."""
    return f"b{clock.bucket % SHELF:02d}"


def clocks_on(document: Document) -> Iterator[tuple[ClockId, Document]]:
    """The clocks of a document, in order of their buckets."""
    owner, window, shelf, grouping = document["_id"].rsplit("#", 3)
    first = (int(shelf.partition("x")[0]) - _BIAS) * SHELF
    for place in range(SHELF):
        if f"b{place:02d}" in document:
            clock = msgspec.convert((owner, int(window), first + place, grouping), ClockId)
            yield clock, document[f"b{place:02d}"]


def clocks_of(owner: str) -> str:
    """What the `_id`s of one owner's clocks begin with. No key does: theirs have a "/" there."""
    return owner + "#"


def field_of(strand: str) -> str:
    """A strand as a field name in its own tenant's document: without the tenant, and without what MongoDB reads as a path."""
    _, plain = strand.split("/", 1)
    return plain.replace("%", "%25").replace(".", "%2E").replace("$", "%24")


def strand_of(field: str, tenant: str) -> str:
    """The strand of a field name."""
    return f"{tenant}/" + field.replace("%24", "$").replace("%2E", ".").replace("%25", "%")


# --- heads, identities, links --------------------------------------------------------------------------------------


def fields_of(value: Head | Identity) -> Document:
    """All fields but the id, those with their default too: an update must also set a field back."""
    document: Document = msgspec.to_builtins(msgspec.structs.asdict(value))
    del document["id"]
    return document


def head_of(document: Document) -> Head:
    """The head of a document."""
    return msgspec.convert({**document, "id": document["_id"]}, Head)


def identity_of(document: Document) -> Identity:
    """The identity of a document."""
    evidence = sorted(document["evidence"])
    return msgspec.convert({**document, "id": document["_id"], "evidence": evidence}, Identity)


def evidence_field(evidence: Evidence) -> str:
    """The field name of a reason: equal for the same reason."""
    return digest(evidence.key)


def link_of(document: Document) -> Link:
    """The link of a document; its reasons in order of their keys."""
    reasons = msgspec.convert(list(document["evidence"].values()), tuple[Evidence, ...])
    evidence = sorted(reasons, key=lambda reason: reason.key)
    return msgspec.convert({**document, "id": document["_id"], "evidence": msgspec.to_builtins(evidence)}, Link)


def each(values: Iterable[str]) -> Document:
    """The condition "one of these"."""
    return {"$in": sorted(set(values))}
