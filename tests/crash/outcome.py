"""What is there at the end of a telling: the state of log and store, without what may differ from one run to the next."""

import collections
import hashlib
from collections.abc import Iterable

import msgspec
from crash.shop import POLICIES, expected
from grouping.invariants import Feed

from onethread import dead_letters
from onethread.event import Message
from onethread.identity import digest
from onethread.log.port import EventLog
from unifier.model import Entry, Head, HeadFilter, scoped
from unifier.store.port import ConversationStore
from unifier.verify.verification import check


class Outcome(msgspec.Struct, frozen=True):
    """`hash` is of conversations, customers, opinions and dead letters; `wrong`: invariants that do not hold."""

    lost: tuple[str, ...]
    duplicated: tuple[str, ...]
    stored: int
    hash: str
    wrong: tuple[str, ...] = ()

    def faults(self, wanted: str) -> list[str]:
        """What is wrong, beside a run without faults of the hash `wanted`; empty: nothing."""
        found = [
            *(f"lost {one}" for one in self.lost),
            *(f"there twice: {one}" for one in self.duplicated),
            *self.wrong,
        ]
        return found if self.hash == wanted else [*found, "another state than without faults"]


async def outcome(tenant: str, log: EventLog, store: ConversationStore, feed: Feed) -> Outcome:
    """Read everything of a tenant."""
    heads = await _strands(tenant, store)
    runs = {head.id: await store.run(head.id, 0, 10_000) for head in heads}
    said = [entry for run in runs.values() for entry in run if entry.event]
    counts = collections.Counter(
        (entry.kind, entry.event.external_id, entry.event.revision) for entry in said if entry.event
    )
    stored = {entry.id for entry in said}
    wanted = {scoped(tenant, one) for one in expected(tenant)}
    return Outcome(
        lost=tuple(sorted(wanted - stored)),
        duplicated=tuple(sorted(map(str, (one for one, count in counts.items() if count > 1))))
        + tuple(sorted(stored - wanted)),
        stored=len(stored & wanted),
        hash=await _hash(tenant, log, store, heads, said),
        wrong=(*await _broken(tenant, store), *await _unpublished(feed, runs)),
    )


async def messages(tenant: str, store: ConversationStore) -> list[str]:
    """The texts of all messages of a tenant."""
    heads = await store.list_heads(tenant, "created", None, 1000, HeadFilter())
    said = [entry.event for head in heads for entry in await store.run(head.id, 0, 1000) if entry.event]
    return sorted(event.fact.body.text.strip() for event in said if isinstance(event.fact, Message))


async def _strands(tenant: str, store: ConversationStore) -> list[Head]:
    """All strands: those listed, and those whose messages were moved elsewhere."""
    listed = await store.list_heads(tenant, "created", None, 1000, HeadFilter())
    stored = await store.entries({scoped(tenant, one) for one in expected(tenant)})
    others = await store.heads({strand for entry in stored.values() for strand in (entry.strand, entry.home)})
    return sorted({head.id: head for head in (*listed, *others.values())}.values(), key=lambda head: head.id)


async def _hash(tenant: str, log: EventLog, store: ConversationStore, heads: Iterable[Head], said: list[Entry]) -> str:
    """By the names that providers gave, since our ids hold the tenant, which is another in each telling."""
    roots = {head.id: head.root for head in heads}
    ids = {who for entry in said for who in (entry.sender, entry.own, *entry.recipients)} - {""}
    people = await store.identities(ids)
    name = {who: f"{person.type}:{person.value}" for who, person in people.items()} | {"": ""}
    conversations: dict[str, list[str]] = {}
    for entry in said:
        conversations.setdefault(roots.get(entry.home, entry.home), []).append(_named(entry))
    customers: dict[str, list[str]] = {}
    for who, person in people.items():
        customers.setdefault(person.customer, []).append(f"{name[who]} {person.profile.name} {sorted(person.evidence)}")
    links = [link for link in await store.links_at(people) if link.kind == "identity"]
    whole = (
        sorted(map(sorted, conversations.values())),
        sorted((_named(one), one.at, name[one.sender], name[one.own], one.moved is not None) for one in said),
        sorted(map(sorted, customers.values())),
        sorted((sorted(name.get(end, "?") for end in link.ends), link.state, link.at) for link in links),
        sorted(await _letters(tenant, log)),
    )
    return digest(msgspec.json.encode(whole).decode())


def _named(entry: Entry) -> str:
    assert entry.event is not None
    return f"{entry.at} {entry.kind} {entry.event.external_id} {entry.event.revision}"


async def _letters(tenant: str, log: EventLog) -> set[tuple[str, str, str]]:
    return {
        (letter.stage, letter.reason, hashlib.sha256(letter.data).hexdigest())
        async for letter in dead_letters.read_all(log)
        if letter.tenant == tenant
    }


async def _broken(tenant: str, store: ConversationStore) -> list[str]:
    """What `onethread verify` would say of the store; the log is followed here already."""
    return (await check(store, None, POLICIES, tenant)).sentences()


async def _unpublished(feed: Feed, runs: dict[str, list[Entry]]) -> list[str]:
    try:
        await feed.follow()
    except AssertionError as error:
        return [str(error)]
    return [
        f"{strand}: {feed.last.get(strand, 0)} of {len(run)} published"
        for strand, run in runs.items()
        if feed.last.get(strand, 0) != len(run)
    ]
