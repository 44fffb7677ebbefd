"""The unifier's steps on the model's documents, each call of the store one step: names are the code's (see `mirror`).

A step that would write what is there already is taken together with the next one: nobody could see the difference, since
what is claimed or widened stays so.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from model.world import (
    WINDOW,
    Link,
    Looked,
    Memory,
    Msg,
    Store,
    Tail,
    Work,
    end,
    link_of,
    messages_at,
    pair,
    put,
    relinked,
    root_at,
    roots,
    where,
)


class Model(NamedTuple):
    """The messages, by id, and the ways in which the protocol is broken."""

    said: dict[int, Msg]
    broken: str = ""


Step = Callable[[Model, Store, Msg, Work], tuple[Store, Work]]
STEPS: dict[str, Step] = {}
Wish = tuple[tuple[object, object], tuple[str, ...]]
Near = tuple[tuple[str, int], tuple[int, int, int]]


def step(name: str) -> Callable[[Step], Step]:
    """A step of a worker, by name."""

    def named(function: Step) -> Step:
        STEPS[name] = function
        return function

    return named


def begun(model: Model, store: Store, message: int, part: int, memory: Memory) -> Work:
    """A worker that has polled a message."""
    msg = model.said[message]
    owner = msg.own
    if model.broken == "home by another identity":
        owner = dict(store.people).get(owner, owner)
    return Work("opine:claim" if msg.word[0] else "look", message, part, memory, owner=owner)


# --- look, home, elect ------------------------------------------------------------------------------------------------


@step("look")
def look(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Own id, named message, own keys, own hours: one look, however old. Then home, which only proposes.

    Of a chat that goes on memory says as much; that it is stored already, the insert will say.
    """
    remembered = dict(work.memory.homes).get((work.owner, msg.bucket))
    if remembered is not None and msg.free and not msg.keys and not msg.names and not work.memory.repeats:
        return store, _claiming(model, store, msg, work._replace(strand=remembered))
    stored = where(store, msg.id)
    if stored is not None and model.broken == "stored means done":
        return store, work._replace(pc="commit")
    if stored is not None and model.broken != "random event ids":
        return store, _claiming(model, store, msg, work._replace(strand=stored, stored=True))
    home = _home(store, msg, work.owner)
    if home is None:
        return store, work._replace(pc="elect:claim", strand=msg.strand, ballot=_ballot(msg, work))
    return store, _claiming(model, store, msg, work._replace(strand=home))


def _home(store: Store, msg: Msg, owner: str) -> int | None:
    keys, clocks = dict(store.keys), dict(store.clocks)
    named = [where(store, msg.names) or keys.get(f"id/{msg.names}")] if msg.names else []
    known = [keys.get(f"{msg.own}/{key}") for key in msg.keys if msg.own in msg.parties] + [keys.get(f"id/{msg.id}")]
    found = next((strand for strand in (*named, *known) if strand is not None), None)
    if found is not None or not msg.free:
        return found
    here, before, after = (clocks.get((owner, msg.bucket + shift)) for shift in (0, -1, 1))
    if here:
        return here[0]
    near = [(msg.at - before[2], before[0])] if before else []
    near += [(after[1] - msg.at, after[0])] if after else []
    return min(((gap, strand) for gap, strand in near if gap <= WINDOW), default=(0, None))[1]


def _ballot(msg: Msg, work: Work) -> str:
    if msg.free:
        return "clock"
    own = [f"{msg.own}/{key}" for key in msg.keys if msg.own in msg.parties]
    return own[0] if own else f"id/{msg.id}"


@step("elect:claim")
def elect(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """The ballot; then it is read back."""
    store = _claimed(model, store, msg, work, work.ballot)
    if model.broken == "no read-back of an election":
        return store, _claiming(model, store, msg, work._replace(ballot=""))
    return store, work._replace(pc="elect:keys")


@step("elect:keys")
def read_back(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Home is what the ballot says."""
    strand = dict(store.clocks)[work.owner, msg.bucket][0] if work.ballot == "clock" else dict(store.keys)[work.ballot]
    return store, _claiming(model, store, msg, work._replace(strand=strand, ballot=""))


# --- claim ------------------------------------------------------------------------------------------------------------


def _claiming(model: Model, store: Store, msg: Msg, work: Work) -> Work:
    """About to claim; then it inserts, or looks again if it is stored already."""
    if model.broken == "customer read before the claim" and work.others is None:
        work = work._replace(others=tuple((who, _others(store, who)) for who in _asked(msg)))
    documents = [f"{party}/{key}" for party in msg.parties for key in msg.keys]
    documents += [f"id/{msg.names}"] if msg.names and where(store, msg.names) is None else []
    documents += ["clock"] if msg.free else []
    return work._replace(pc="claim:claim", todo=(*documents, *(f"who/{one}" for one in _asked(msg))))


@step("claim:claim")
def claim(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """One document of the bulk; what is claimed already stays."""
    for number, document in enumerate(work.todo):
        written = _claimed(model, store, msg, work, str(document))
        if written != store:
            return written, work._replace(todo=work.todo[number + 1 :])
    if work.stored:
        return STEPS["look_again:look"](model, store, msg, work._replace(todo=()))
    known = dict(work.memory.heads).get(work.strand)
    if known is None and work.strand != msg.strand:
        return STEPS["insert:heads"](model, store, msg, work._replace(todo=()))
    tail = _guessed(*(known or (0, 0)))  # what memory has, or a strand of its own, which is new for all it knows
    return STEPS["insert:insert"](
        model, store, msg, _remember(work, work.strand, tail)._replace(todo=(), pc="insert:insert")
    )


def _claimed(model: Model, store: Store, msg: Msg, work: Work, document: str) -> Store:
    if document == "clock":
        clocks, key = dict(store.clocks), (work.owner, msg.bucket)
        strand, low, high = clocks.get(key, (work.strand, msg.at, msg.at))
        return store._replace(clocks=put(store.clocks, key, (strand, min(low, msg.at), max(high, msg.at))))
    if document.startswith("who/"):
        who = document[4:]
        return store if not who or who in dict(store.people) else store._replace(people=put(store.people, who, who))
    if document in dict(store.keys) and model.broken != "claims overwrite":
        return store
    return store._replace(keys=put(store.keys, document, work.strand))


# --- insert -----------------------------------------------------------------------------------------------------------


def _remember(work: Work, strand: int, tail: Tail) -> Work:
    return work._replace(tails=put(work.tails, strand, tail))


def _read_tail(store: Store, work: Work, strand: int) -> Work:
    """Head and what is behind it. What this worker has told the topic itself, it knows."""
    through, published, _, _ = dict(store.heads).get(strand, (0, 0, strand, 0))
    return _remember(work, strand, Tail(end(store, strand), through, published, published))


@step("insert:heads")
def guess(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """The head is taken for the end."""
    through, published, _, _ = dict(store.heads).get(work.strand, (0, 0, work.strand, 0))
    return store, _remember(work, work.strand, _guessed(through, published))._replace(pc="insert:insert")


def _guessed(through: int, published: int) -> Tail:
    return Tail(through, through, published, published, guessed=True)


@step("insert:insert")
def insert(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Its number is the one behind the last; an id or a number that is taken is said."""
    copies = [what[1] for _, _, what in store.entries if what[0] == msg.id]
    if copies and model.broken != "random event ids":
        return store, work._replace(pc="insert:entries")
    tail = dict(work.tails)[work.strand]
    seq = len(store.entries) + 1 if model.broken == "seq from a counter" else tail.last + 1
    taken = any((strand, number) == (work.strand, seq) for strand, number, _ in store.entries)
    if taken and model.broken != "no unique (strand, seq)":
        return store, work._replace(pc="insert:tails")
    store = store._replace(entries=store.entries | {(work.strand, seq, (msg.id, len(copies)))})
    work = _remember(work, work.strand, tail._replace(last=seq, guessed=False))
    return store, work._replace(pc="look_again:look", seq=seq)


@step("insert:tails")
def renumber(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Another appended: read its end."""
    return store, _read_tail(store, work, work.strand)._replace(pc="insert:insert")


@step("insert:entries")
def found_stored(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """The stored home wins; if it is another, it claims with it."""
    home = where(store, msg.id)
    assert home is not None
    elsewhere = home != work.strand
    work = _read_tail(store, work, home)._replace(strand=home, stored=True, pc="look_again:look")
    return store, _claiming(model, store, msg, work) if elsewhere else work


# --- look again -------------------------------------------------------------------------------------------------------


Others = dict[str, tuple[str, ...]]


def _asked(msg: Msg) -> tuple[str, ...]:
    return tuple(dict.fromkeys((msg.own, *msg.parties, *((msg.pair,) if msg.pair else ()))))


def _others(store: Store, who: str) -> tuple[str, ...]:
    """The other identities of a customer."""
    customer = dict(store.people)
    return tuple(sorted(one for one in customer if one != who and customer[one] == customer.get(who)))


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
    asked = tuple((who, revisions.get(who, 0)) for who in _asked(msg))
    return Looked(frozenset(key for key in store.keys if key[0] in keys), found, named, asked)


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
    remembered = {who: known[who][0] for who in _asked(msg) if who in known}
    read = _looked(store, msg, work, remembered)
    work = work._replace(read=read)
    trusts = model.broken == "what is remembered of people is trusted"
    current = {
        who: others for who, others in remembered.items() if trusts or known[who][1] == dict(read.revisions)[who]
    }
    if len(current) < len(_asked(msg)):
        return store, work._replace(pc="look_again:identities", others=tuple(sorted(current.items())))
    return store, _compared(model, msg, work, current)


@step("look_again:identities")
def ask_for_people(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Those whom memory does not know, or not any more; kept with the revision that was read before."""
    others, people = dict(work.others or ()), work.memory.people
    for who, revision in work.read.revisions:
        if who not in others:
            others[who] = _others(store, who)
            people = put(people, who, (others[who], revision))
    work = work._replace(memory=work.memory._replace(people=people), others=None)
    keys, owners = _around(msg, work, others)
    known = dict(work.memory.people)
    before, owned = _around(
        msg, work, {who: known[who][0] for who, _ in work.read.revisions if who in dict(work.others or ())}
    )
    if keys - before or owners - owned:
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


# --- link -------------------------------------------------------------------------------------------------------------


def wishing(model: Model, msg: Msg, work: Work, wishes: Iterable[Wish]) -> Work:
    """About to write links; who wishes for none goes on."""
    ordered = sorted(set(wishes), key=repr)
    asked = work._replace(todo=tuple(ordered), nodes=frozenset(ends for ends, _ in ordered), pc="link:wish")
    return asked if ordered else seeded(model, msg, asked, frozenset())


@step("link:wish")
def write_wishes(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """One link of the bulk: its state stays, and a reason that is new clears `settled`."""
    for number, wish in enumerate(work.todo):
        written = wished(model, store, wish)  # type: ignore[arg-type]
        if written != store:
            return written, work._replace(todo=work.todo[number + 1 :])
    return STEPS["link:links"](model, store, msg, work)


def wished(model: Model, store: Store, wish: Wish) -> Store:
    """With a wanted link."""
    ends, needs = wish
    link = link_of(store, *ends) or Link(ends, rev=0)
    revived = model.broken == "evidence revives an undone link" and link.state == "apart"
    if needs in link.needs and not revived:
        return store
    state = "auto" if revived else link.state
    return relinked(store, link._replace(state=state, needs=link.needs | {needs}, settled=False, rev=link.rev + 1))


@step("link:links")
def read_links(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """The ends of those that are not known to be settled."""
    open_links = [link for link in store.links if link.ends in work.nodes and not link.settled]
    return store, seeded(model, msg, work, frozenset(one for link in open_links for one in link.ends))


def seeded(model: Model, msg: Msg, work: Work, seeds: frozenset[object]) -> Work:
    """To be settled, if there is anything; a redelivery settles in any case, since it ends what a crash left."""
    work = work._replace(todo=(), nodes=frozenset())
    if work.stored and model.broken != "redelivery trusts settled":
        seeds |= {msg.own, msg.pair} if work.relating else {work.strand}
    if work.relating:
        return work._replace(pc="identities:links_at" if seeds else "commit", seeds=seeds)
    return work._replace(pc="settle:links_at", seeds=seeds) if seeds else threaded(model, msg, work)


# --- settle -----------------------------------------------------------------------------------------------------------


def grown(store: Store, seeds: Iterable[object], kind: type) -> tuple[frozenset[object], tuple[Link, ...]]:
    """What is reached over links of any state, and those links."""
    links = [link for link in store.links if isinstance(link.ends[0], kind)]
    nodes, before = set(seeds), -1
    while len(nodes) != before:
        before = len(nodes)
        nodes |= {one for link in links if nodes & set(link.ends) for one in link.ends}
    return frozenset(nodes), tuple(sorted((link for link in links if link.ends[0] in nodes), key=repr))


@step("settle:links_at")
def grow(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """From what is to be settled, over links of any state."""
    nodes, links = grown(store, work.seeds, int)
    return store, work._replace(pc="settle:tails", nodes=nodes, marks=links)


@step("settle:tails")
def read_roots(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Heads and what is behind them."""
    for node in work.nodes:
        work = _read_tail(store, work, node)  # type: ignore[arg-type]
    if any(needs for link in work.marks for needs in link.needs):
        return store, work._replace(pc="settle:identities")
    return store, _judged(model, store, msg, work)


@step("settle:identities")
def read_customers(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Of the pairs that evidence needs."""
    return store, _judged(model, store, msg, work)


def _judged(model: Model, store: Store, msg: Msg, work: Work) -> Work:
    by_request = model.broken == "redirect by request order"
    want = roots(work.nodes, work.marks, dict(store.people), by_request=by_request)
    tails = dict(work.tails)
    wrong = [(node, root) for node, root in sorted(want.items()) if root_at(store, node, tails[node].last) != root]
    return work._replace(pc="settle:insert", todo=tuple(wrong)) if wrong else settled(model, msg, work)


@step("settle:insert")
def append_joined(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """At the very next number: whoever decided by an older state meets it taken. Then it looks again, until a clean pass."""
    (node, root), *rest = work.todo  # type: ignore[misc]
    tail = dict(work.tails)[node]
    if not any((strand, seq) == (node, tail.last + 1) for strand, seq, _ in store.entries):
        store = store._replace(entries=store.entries | {(node, tail.last + 1, ("joined", root))})
        work = _remember(work, node, tail._replace(last=tail.last + 1))
    work = work._replace(todo=tuple(rest))
    if rest:
        return store, work
    if model.broken == "settle without a clean pass":
        return store, settled(model, msg, work)
    return store, work._replace(pc="settle:links_at")


def settled(model: Model, msg: Msg, work: Work) -> Work:
    """A pass wrote nothing."""
    if not work.relating:
        return threaded(model, msg, work)
    strands = frozenset(node for node in work.nodes if isinstance(node, int))
    return on(
        model,
        msg,
        work._replace(
            then=(("fold", strands), ("tell", strands), ("late", strands), ("mark", strands), ("paired", strands))
        ),
    )


def threaded(model: Model, msg: Msg, work: Work) -> Work:
    """What is left of a message, once it is settled."""
    tail = dict(work.tails).get(work.strand)
    if tail is None or tail.guessed:
        return work._replace(pc="need:tails")
    nodes, touched = work.nodes, work.nodes | {work.strand}
    first = (("fold", nodes), ("tell", nodes), ("late", nodes)) if nodes else ()
    then = (*first, ("tell", touched), ("fold", touched), ("late", touched), ("mark", nodes))
    return on(model, msg, work._replace(then=then))  # type: ignore[arg-type]


@step("need:tails")
def need(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """What was not read to its end."""
    return store, threaded(model, msg, _read_tail(store, work, work.strand))


# --- fold, publish, mark ----------------------------------------------------------------------------------------------

_PC = {
    "fold": "fold:fold",
    "tell": "publish:append",
    "late": "publish:published",
    "mark": "mark:settled",
    "paired": "mark:settled",
}


def due(work: Work) -> list[object]:
    """What is to be done of the present item, by what this worker remembers."""
    (name, strands), tails = work.then[0], dict(work.tails)
    ordered = sorted(strands)
    match name:
        case "fold":
            return [strand for strand in ordered if tails[strand].last > tails[strand].through]
        case "tell":
            return [strand for strand in ordered if tails[strand].last > tails[strand].published]
        case "late":
            return [strand for strand in ordered if tails[strand].published > tails[strand].stored]
        case "mark":
            return [link for link in work.marks if not link.settled]
        case _:
            return [link for link in work.paired if not link.settled]


def on(model: Model, msg: Msg, work: Work) -> Work:
    """To the next item that has anything to do; after the last, to the pair of identities that it proves, or to the commit."""
    while work.then and not due(work):
        work = work._replace(then=work.then[1:])
    if work.then:
        return work._replace(pc=_PC[work.then[0][0]])
    memory = work.memory
    if not work.relating:
        heads = memory.heads
        for strand, tail in work.tails:
            heads = put(heads, strand, (tail.last, tail.published))
        memory = memory._replace(heads=heads, repeats=work.stored)
    work = work._replace(
        memory=memory,
        nodes=frozenset(),
        marks=(),
        paired=(),
        seeds=frozenset(),
        strand=0,
        seq=0,
        others=None,
        tails=frozenset(),
    )
    if msg.pair and not work.relating:
        return wishing(model, msg, work._replace(relating=True), [(pair(msg.own, msg.pair), ())])
    return work._replace(pc="commit")


@step("fold:fold")
def fold(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """The head, if it is as it was read; `published` is told with it."""
    strand: int = due(work)[0]  # type: ignore[assignment]
    tail, heads = dict(work.tails)[strand], dict(store.heads)
    through, published, _, count = heads.get(strand, (0, 0, strand, 0))
    by_increment = model.broken == "counts by increment"
    if through != tail.through and not by_increment:
        return store, work._replace(pc="fold:tails")
    new = messages_at(store, strand, tail.last)
    if by_increment:
        new = count + new - messages_at(store, strand, tail.through)
    head = (
        max(through, tail.last),
        max(published, tail.published),
        root_at(store, strand, max(through, tail.last)),
        new,
    )
    work = _remember(work, strand, tail._replace(through=tail.last, stored=tail.published))
    return store._replace(heads=put(store.heads, strand, head)), on(model, msg, work)


@step("fold:tails")
def read_again(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Another folded: what is left is folded. What it has told the topic, it has told."""
    strand: int = due(work)[0]  # type: ignore[assignment]
    told = dict(work.tails)[strand].published
    work = _read_tail(store, work, strand)
    tail = dict(work.tails)[strand]
    return store, on(model, msg, _remember(work, strand, tail._replace(published=max(told, tail.published))))


@step("publish:append")
def tell(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """A strand from `published` + 1 to its end, others' entries too. A consumer takes its last + 1, and drops repeats."""
    strand: int = due(work)[0]  # type: ignore[assignment]
    tail, last = dict(work.tails)[strand], dict(store.feed).get(strand, 0)
    records = list(range(tail.published + 1, tail.last + 1))
    if model.broken == "only own entries published":
        records = [seq for seq in records if strand == work.strand and seq == work.seq]
    if records and records[0] > last + 1:
        store = store._replace(wrong=f"I9: change {records[0]} of {strand} came before {last + 1}")
    store = store._replace(feed=put(store.feed, strand, max([last, *records])))
    return store, on(model, msg, _remember(work, strand, tail._replace(published=tail.last)))


@step("publish:published")
def remember_published(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Only ever raised."""
    strand: int = due(work)[0]  # type: ignore[assignment]
    tail, heads = dict(work.tails)[strand], dict(store.heads)
    through, published, root, count = heads[strand]
    work = _remember(work, strand, tail._replace(stored=tail.published))
    head = (through, max(published, tail.published), root, count)
    return store._replace(heads=put(store.heads, strand, head)), on(model, msg, work)


@step("mark:settled")
def mark(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """A link, if it is as the clean pass read it."""
    link: Link = due(work)[0]  # type: ignore[assignment]
    field = "paired" if work.then[0][0] == "paired" else "marks"
    work = work._replace(**{field: tuple(one for one in getattr(work, field) if one != link)})
    now = link_of(store, *link.ends)
    if now and now.rev == link.rev:
        store = relinked(store, now._replace(settled=True))
    return store, on(model, msg, work)
