"""The second look of the model's workers: what is read after the writes, and what lies beside home."""

from collections.abc import Iterator

from model.base import Model, Near, Wish, asked, others_of, step
from model.closing import wishing
from model.world import WINDOW, Looked, Msg, Store, Work, pair, put, where

# --- look again -------------------------------------------------------------------------------------------------------


Others = dict[str, tuple[str, ...]]


def _around(msg: Msg, work: Work, others: Others) -> tuple[set[str], set[str]]:
    """Keys to look at, and whose clocks."""
    keys = {f"{party}/{key}" for party in msg.parties for key in msg.keys} | {f"id/{msg.id}", f"id/{msg.names}"}
    keys |= {f"{other}/{key}" for party in msg.parties for other in others.get(party, ()) for key in msg.keys}
    return keys, {work.owner, *others.get(work.owner, ())} if msg.free else set()


def _looked(store: Store, msg: Msg, work: Work, others: Others) -> Looked:
    keys, owners = _around(msg, work, others)
    found = frozenset(clock for clock in store.clocks if clock[0][0] in owners)
    named = where(store, msg.names) if msg.names else None
    revisions = dict(store.revisions)
    people = tuple((who, revisions.get(who, 0)) for who in asked(msg))
    return Looked(frozenset(key for key in store.keys if key[0] in keys), found, named, people)


@step("look_again:look")
def look_again(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Keys, hours, named messages, and whether people changed: after the claims, never before. Memory says whose."""
    if model.broken == "no second look":
        return store, wishing(model, msg, work, [])
    if model.broken == "customer read before the claim":
        others = dict(work.others or ())
        read = _looked(store, msg, work, others)
        return store, wishing(model, msg, work._replace(others=None), _wishes(msg, work._replace(read=read), others))
    known = dict(work.memory.people)
    remembered = {who: known[who][0] for who in asked(msg) if who in known}
    read = _looked(store, msg, work, remembered)
    work = work._replace(read=read)
    trusts = model.broken == "what is remembered of people is trusted"
    current = {
        who: others for who, others in remembered.items() if trusts or known[who][1] == dict(read.revisions)[who]
    }
    if len(current) < len(asked(msg)):
        return store, work._replace(pc="look_again:identities", others=tuple(sorted(current.items())))
    return store, _compared(model, msg, work, current)


@step("look_again:identities")
def ask_for_people(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Those whom memory does not know, or not any more; kept with the revision that was read before."""
    others, before = dict(work.others or ()), work.memory.people
    people = before
    for who, revision in work.read.revisions:
        if who not in others:
            others[who] = others_of(store, who)
            people = put(people, who, (others[who], revision))
    work = work._replace(memory=work.memory._replace(people=people), others=None)
    remembered = {who: known[0] for who, known in before if who in asked(msg)}
    keys, owners = _around(msg, work, others)
    seen, owned = _around(msg, work, remembered)
    if keys - seen or owners - owned:
        return store, work._replace(pc="look_again:more", others=tuple(sorted(others.items())))
    return store, _compared(model, msg, work, others)


@step("look_again:more")
def look_at_others(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """What those own of whom the first look knew nothing."""
    others = dict(work.others or ())
    more, read = _looked(store, msg, work, others), work.read
    keys = read.keys | {key for key in more.keys if key[0] not in dict(read.keys)}
    clocks = read.clocks | {clock for clock in more.clocks if clock[0] not in dict(read.clocks)}
    work = work._replace(read=read._replace(keys=frozenset(keys), clocks=frozenset(clocks)), others=None)
    return store, _compared(model, msg, work, others)


def _compared(model: Model, msg: Msg, work: Work, others: Others) -> Work:
    """What lies beside home is wished; what clocks elected is remembered."""
    homes = work.memory.homes
    for clock, (strand, _, _) in work.read.clocks:
        homes = put(homes, clock, strand)
    wishes = list(_wishes(msg, work, others))
    work = work._replace(memory=work.memory._replace(homes=homes), read=Looked(), others=None)
    return wishing(model, msg, work, wishes)


def _wishes(msg: Msg, work: Work, others: Others) -> Iterator[Wish]:
    keys, clocks = dict(work.read.keys), work.read.clocks
    beside = {keys.get(f"{party}/{key}") for party in msg.parties for key in msg.keys} | {keys.get(f"id/{msg.id}")}
    beside |= {work.read.named or keys.get(f"id/{msg.names}")} if msg.names else set()
    yield from ((pair(work.strand, strand), ()) for strand in beside - {None, work.strand} if strand is not None)
    for party in msg.parties:
        for other in others.get(party, ()):
            for key in msg.keys:
                yield from shared(keys, party, other, key)
    if msg.free:
        here = ((work.owner, msg.bucket), dict(clocks)[work.owner, msg.bucket])
        if here[1][0] != work.strand:
            yield pair(work.strand, here[1][0]), ()
        for owner in (work.owner, *others.get(work.owner, ())):
            yield from near(here, [clock for clock in clocks if clock[0][0] == owner])


def shared(keys: dict[str, int], one: str, other: str, key: str) -> Iterator[Wish]:
    first, second = keys.get(f"{one}/{key}"), keys.get(f"{other}/{key}")
    if first is not None and second is not None and first != second:
        yield pair(first, second), tuple(sorted((one, other)))


def near(here: Near, there: list[Near]) -> Iterator[Wish]:
    """Hours that touch: within one bucket all, between neighbours by the closest two."""
    (owner, bucket), (strand, low, high) = here
    for (other, number), (second, its_low, its_high) in there:
        gap = {0: 0, 1: its_low - high, -1: low - its_high}.get(number - bucket, WINDOW + 1)
        if second != strand and gap <= WINDOW:
            yield pair(strand, second), () if other == owner else tuple(sorted((owner, other)))
