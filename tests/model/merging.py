"""The steps on identities: customers, the comparison of keys, persons' words. The rest is in `steps`."""

from collections.abc import Iterator

from model.base import Model, Wish, step
from model.closing import grown, on, wished
from model.looking import near, shared
from model.world import Link, Msg, Store, Work, link_of, pair, put, relinked, roots


@step("opine:claim")
def claim_ends(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """A person may link before the first message: both identities are there."""
    people = store.people
    for who in msg.word[:2]:
        people = people if who in dict(people) else put(people, who, who)
    return store._replace(people=people), work._replace(pc="opine:opine")


@step("opine:opine")
def opine(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """The greatest time wins, in any order of arrival; a repeat does the whole again."""
    one, other, state = msg.word
    link = link_of(store, one, other) or Link(pair(one, other), rev=0)
    if msg.at > link.at:
        store = relinked(store, link._replace(state=state, at=msg.at, settled=False, rev=link.rev + 1))
    return store, work._replace(pc="identities:links_at", seeds=frozenset((one, other)), relating=True)


@step("identities:links_at")
def grow(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Identities over links of any state."""
    nodes, links = grown(store, work.seeds, str)
    return store, work._replace(pc="identities:identities", nodes=nodes, paired=links)


@step("identities:identities")
def judge(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Each one's customer, as the links say; a pass that finds nothing to write is clean."""
    customer = dict(store.people)
    known = {node for node in work.nodes if node in customer}
    inside = [link for link in work.paired if known >= set(link.ends)]
    want = roots(known, inside, {}, by_request=model.broken == "redirect by request order")
    wrong = tuple((who, root) for who, root in sorted(want.items()) if customer[who] != root)
    if wrong:
        return store, work._replace(pc="identities:set_customers", todo=wrong)
    others = tuple(sorted((who, (customer[who],)) for who in known))
    silent = model.broken == "a merge is not told to those who remember"
    pc = "compare:owned_keys" if silent else "resettle:revise"
    return store, work._replace(pc=pc, nodes=frozenset(known), others=others)


@step("identities:set_customers")
def set_customer(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """One of the bulk; then it looks again."""
    (who, root), *rest = work.todo  # type: ignore[misc]
    pc = "identities:set_customers" if rest else "identities:links_at"
    return store._replace(people=put(store.people, who, root)), work._replace(todo=tuple(rest), pc=pc)


@step("resettle:revise")
def revise(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Whoever remembers them asks again from here on."""
    revisions = dict(store.revisions) | {who: dict(store.revisions).get(who, 0) + 1 for who in work.nodes}  # type: ignore[misc]
    return store._replace(revisions=frozenset(revisions.items())), work._replace(pc="compare:owned_keys")  # type: ignore[arg-type]


@step("compare:owned_keys")
def walk(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """What all but the one that owns most have claimed."""
    walked = []
    for members in _customers(work):
        owned = {who: _owned(store, who) for who in members}
        largest = max(members, key=lambda who: (len(owned[who][0]) + len(owned[who][1]), who))
        walked += [(who, *owned[who]) for who in members if who != largest]
    if not walked or model.broken == "merge without comparing keys":
        return store, work._replace(pc="resting:links_needing", todo=(), others=None)
    return store, work._replace(pc="compare:keys", todo=tuple(walked))


def _customers(work: Work) -> list[list[str]]:
    groups: dict[str, list[str]] = {}
    for who, (customer,) in work.others or ():
        groups.setdefault(customer, []).append(who)
    return [members for members in groups.values() if len(members) > 1]


def _owned(store: Store, who: str) -> tuple[tuple[tuple[str, int], ...], tuple[object, ...]]:
    keys = sorted((key.removeprefix(f"{who}/"), strand) for key, strand in store.keys if key.startswith(f"{who}/"))
    return tuple(keys), tuple(sorted(clock for clock in store.clocks if clock[0][0] == who))


@step("compare:keys")
def compare(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """The same keys, and hours that touch, of the others: customers were written before."""
    wishes = sorted(set(_found(store, work)), key=repr)
    return store, work._replace(pc="compare:wish", todo=tuple(wishes), others=None)


def _found(store: Store, work: Work) -> Iterator[Wish]:
    for members in _customers(work):
        for walked, keys, clocks in work.todo:  # type: ignore[misc]
            for other in members if walked in members else ():
                if other != walked:
                    named = dict(store.keys) | {f"{walked}/{key}": strand for key, strand in keys}
                    for key, _ in keys:
                        yield from shared(named, walked, other, key)
                    for clock in clocks:
                        yield from near(clock, [one for one in store.clocks if one[0][0] == other])


@step("compare:wish")
def write_wishes(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """One link of the bulk."""
    for number, wish in enumerate(work.todo):
        written = wished(model, store, wish)  # type: ignore[arg-type]
        if written != store:
            return written, work._replace(todo=work.todo[number + 1 :])
    return read_resting(model, store, msg, work._replace(todo=()))


@step("resting:links_needing")
def read_resting(model: Model, store: Store, msg: Msg, work: Work) -> tuple[Store, Work]:
    """Every strand link that rests on one of these identities is settled anew."""
    resting = [link for link in store.links if any(set(needs) & work.nodes for needs in link.needs)]
    seeds = frozenset(one for link in resting for one in link.ends)
    if seeds:
        return store, work._replace(pc="settle:links_at", seeds=seeds, nodes=frozenset())
    return store, on(model, msg, work._replace(nodes=frozenset(), then=(("paired", frozenset()),)))
