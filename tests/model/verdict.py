"""What must hold of the model: the invariants of the protocol, and a plain reference of who belongs together.

I1 each message is one entry · I3 strands are 1..n at every moment · I4 one identity's free messages of one hour found one
strand · I5 a head is the fold of its entries · I6 roots are elder, and flat at rest · I7 grouping and customers are the
reference's · I8 apart holds · I9 changes come as 1..n, and are complete at rest.
"""

from collections.abc import Iterable
from itertools import combinations

from model.world import WINDOW, Link, Msg, Store, end, messages_at, pair, root_at, roots


def at_the_step(before: Store, now: Store) -> str:
    """What a step has broken, of what it could break."""
    if now.wrong:
        return now.wrong
    if now.entries is not before.entries:
        return _entries(now)
    if now.heads is not before.heads or now.people is not before.people:
        return _elder(now)
    return ""


def _entries(store: Store) -> str:
    numbers: dict[int, list[int]] = {}
    for strand, seq, _ in store.entries:
        numbers.setdefault(strand, []).append(seq)
    for strand, found in numbers.items():
        if sorted(found) != list(range(1, len(found) + 1)):
            return f"I3: {strand} has the numbers {sorted(found)}"
    messages = [what[0] for _, _, what in store.entries if what[0] != "joined"]
    return "" if len(messages) == len(set(messages)) else "I1: a message is there twice"


def _elder(store: Store) -> str:
    wrong = [strand for strand, (_, _, root, _) in store.heads if root > strand]
    younger = [who for who, customer in store.people if customer > who]
    return f"I6: led by a younger one: {wrong or younger}" if wrong or younger else ""


def at_the_end(said: Iterable[Msg], store: Store) -> str:
    """What is wrong at rest."""
    messages = [msg for msg in said if not msg.word[0]]
    stored = {what[0]: strand for strand, _, what in store.entries if what[0] != "joined"}
    if lost := [msg.id for msg in messages if msg.id not in stored]:
        return f"I1: lost {lost}"
    return _heads(store) or _elections(messages, stored) or _groups(list(said), messages, stored, store)


def _heads(store: Store) -> str:
    strands, heads, feed = {strand for strand, _, _ in store.entries}, dict(store.heads), dict(store.feed)
    for strand in sorted(strands):
        last = end(store, strand)
        fold = (last, root_at(store, strand, last), messages_at(store, strand, last))
        through, _, root, count = heads.get(strand, (0, 0, strand, 0))
        if (through, root, count) != fold:
            return f"I5: the head of {strand} is {(through, root, count)}, its entries are {fold}"
        if root in heads and heads[root][2] != root:
            return f"I6: {root} leads {strand}, and is led by {heads[root][2]}"
        if feed.get(strand, 0) != last:
            return f"I9: {feed.get(strand, 0)} of {last} entries of {strand} were published"
    return ""


def _elections(messages: Iterable[Msg], stored: dict[object, int]) -> str:
    founded: dict[tuple[str, int], set[int]] = {}
    for msg in messages:
        if msg.free and stored[msg.id] == msg.strand:
            founded.setdefault((msg.own, msg.bucket), set()).add(msg.strand)
    return next((f"I4: {who} founded {sorted(found)}" for who, found in founded.items() if len(found) > 1), "")


def _groups(said: list[Msg], messages: list[Msg], stored: dict[object, int], store: Store) -> str:
    """I7 and I8: customers and conversations as the set of messages says, whatever came first."""
    customer = customers(said)
    if wrong := {who: (root, customer[who]) for who, root in store.people if root != customer.get(who, who)}:
        return f"I7, I8: customers are, and should be: {wrong}"
    want = conversations(messages, customer)
    root = {msg.id: root_at(store, stored[msg.id], end(store, stored[msg.id])) for msg in messages}
    for one, other in combinations(root, 2):
        if (root[one] == root[other]) != (want[one] == want[other]):
            return f"I7, I8: {one} and {other} are {'' if root[one] == root[other] else 'not '}one conversation"
    return ""


def customers(said: Iterable[Msg]) -> dict[str, str]:
    """The customer of each identity: proven pairs, and persons' words, of which the latest counts."""
    links: dict[tuple[object, object], Link] = {}
    people: set[str] = set()
    for msg in said:
        people |= {msg.own, *msg.parties, msg.pair, *msg.word[:2]} - {""}
        if msg.pair:
            link = links.get(pair(msg.own, msg.pair)) or Link(pair(msg.own, msg.pair))
            links[link.ends] = link._replace(needs=frozenset({()}))
        if msg.word[0]:
            link = links.get(pair(*msg.word[:2])) or Link(pair(*msg.word[:2]))
            links[link.ends] = link if link.at > msg.at else link._replace(state=msg.word[2], at=msg.at)
    return roots(people, links.values(), {})


def conversations(messages: list[Msg], customer: dict[str, str]) -> dict[int, int]:
    """A number for each message, equal for those that belong together."""
    group = {msg.id: msg.id for msg in messages}
    for one, other in combinations(messages, 2):
        if together(one, other, customer):
            old, new = group[other.id], group[one.id]
            group = {name: new if number == old else number for name, number in group.items()}
    return group


def together(one: Msg, other: Msg, customer: dict[str, str]) -> bool:
    """Whether a rule says so of two messages, which looks at nothing else."""
    if one.names == other.id or other.names == one.id or (one.names and one.names == other.names):
        return True
    its, theirs = ({customer[party] for party in msg.parties} for msg in (one, other))
    if set(one.keys) & set(other.keys) and its & theirs:
        return True
    return one.free and other.free and abs(one.at - other.at) <= WINDOW and customer[one.own] == customer[other.own]
