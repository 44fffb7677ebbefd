"""The later steps of the model's workers: link, settle, fold, publish, mark. The earlier ones are in `steps`."""

from collections.abc import Iterable

from model.base import STEPS, Model, Wish, read_tail, remember, step
from model.world import Link, Msg, Store, Work, link_of, messages_at, pair, put, relinked, root_at, roots

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
        work = read_tail(store, work, node)  # type: ignore[arg-type]
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
        work = remember(work, node, tail._replace(last=tail.last + 1))
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
    return store, threaded(model, msg, read_tail(store, work, work.strand))


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
    work = remember(work, strand, tail._replace(through=tail.last, stored=tail.published))
    return store._replace(heads=put(store.heads, strand, head)), on(model, msg, work)


@step("fold:tails")
def read_again(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Another folded: what is left is folded. What it has told the topic, it has told."""
    strand: int = due(work)[0]  # type: ignore[assignment]
    told = dict(work.tails)[strand].published
    work = read_tail(store, work, strand)
    tail = dict(work.tails)[strand]
    return store, on(model, msg, remember(work, strand, tail._replace(published=max(told, tail.published))))


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
    return store, on(model, msg, remember(work, strand, tail._replace(published=tail.last)))


@step("publish:published")
def remember_published(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Only ever raised."""
    strand: int = due(work)[0]  # type: ignore[assignment]
    tail, heads = dict(work.tails)[strand], dict(store.heads)
    through, published, root, count = heads[strand]
    work = remember(work, strand, tail._replace(stored=tail.published))
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
