"""The plain reference: which messages belong together, as a function of the set of facts. Every two are compared.

Written from the rules (who, T1 to T4, and persons' words), with no code of the unifier and no thought of speed.
"""

from collections.abc import Iterable
from itertools import combinations

from grouping.as_events import claim
from grouping.facts import WINDOW_HOURS, Dialogue, Said

from onethread.identity import digest, identity_id

WINDOW = WINDOW_HOURS * 60
VERIFIED = {"own_contact", "link_nonce", "directory"}

Grouping = frozenset[frozenset[int]]


def grouping(dialogue: Dialogue, tenant: str) -> Grouping:
    """The conversations, as sets of the numbers said."""
    who = customers(dialogue, tenant)
    joined = [
        (one.number, other.number)
        for one, other in combinations(dialogue.said, 2)
        if together(one, other, who, dialogue.threads)
    ]
    groups = connected((said.number for said in dialogue.said), [*joined, *ties(dialogue)])
    return moved(groups, dialogue)


def ties(dialogue: Dialogue) -> list[tuple[int, int]]:
    """The pairs of messages that a person's last word on them joins."""
    words = last_words(dialogue, int)
    return [(min(pair), max(pair)) for pair, state in words.items() if state == "together"]


def last_words(dialogue: Dialogue, kind: type) -> dict[frozenset, str]:
    """Each pair that a person spoke about, and the state of the latest word."""
    words: dict[frozenset, tuple[int, str]] = {}
    for word in dialogue.words:
        if isinstance(word.ends[0], kind):
            pair = frozenset(word.ends)
            words[pair] = max(words.get(pair, (-1, "auto")), (word.order, word.state))
    return {pair: state for pair, (_, state) in words.items()}


def moved(groups: Grouping, dialogue: Dialogue) -> Grouping:
    """The conversations after persons moved messages; of a message moved twice the last move counts."""
    homes: dict[int, object] = {number: group for group in groups for number in group}
    before = dict(homes)
    for move in sorted(dialogue.moves, key=lambda move: move.order):
        for number in move.numbers:
            homes[number] = move if move.to is None else before[move.to]
    found: dict[object, set[int]] = {}
    for number, home in homes.items():
        found.setdefault(home, set()).add(number)
    return frozenset(frozenset(group) for group in found.values())


def customers(dialogue: Dialogue, tenant: str) -> dict[str, int]:
    """Address → a number that equal customers share."""
    words = last_words(dialogue, str)
    evidence = {
        frozenset((said.author, said.also[0])) for said in dialogue.said if said.also and said.also[1] in VERIFIED
    }
    pairs = {pair: words.get(pair, "auto") for pair in {*words, *evidence}}
    parent: dict[str, str] = {}

    def root(address: str) -> str:
        while parent.setdefault(address, address) != address:
            address = parent[address]
        return address

    apart = [tuple(pair) for pair, state in pairs.items() if state == "apart"]
    for pair in sorted(pairs, key=lambda pair: link_order(pair, tenant)):
        if pairs[pair] == "together" or (pairs[pair] == "auto" and pair in evidence):
            one, other = (root(address) for address in pair)
            blocked = any({root(a), root(b)} == {one, other} for a, b in apart)
            if one != other and not blocked:
                parent[one] = other
    roots = sorted({root(address) for address in list(parent)})
    return {address: roots.index(root(address)) for address in list(parent)}


def link_order(pair: frozenset[str], tenant: str) -> str:
    """Where a chain meets an apart, links are taken in the order of their ids; ids are hashes, so this must hash alike."""
    ends = sorted(f"{tenant}/{identity_id(tenant, claim(address))}" for address in pair)
    return digest("identity", *ends)


def together(one: Said, other: Said, who: dict[str, int], threads: frozenset[str]) -> bool:
    """Whether a rule joins two facts."""
    return (
        same_thread(one, other)
        or names(one) & names(other) != set()
        or shares_reference(one, other, who)
        or in_hours(one, other, who, threads)
        or in_hours(other, one, who, threads)
    )


def same_thread(one: Said, other: Said) -> bool:
    """T1: the provider's thread; a direct chat's id is a person, not a thread."""
    return bool(one.thread) and one.thread == other.thread and one.place == other.place != "chat"


def names(said: Said) -> set[tuple[str, int]]:
    """T2: its own id and those it names, in its account; T1: the mail of ours whose signed token came back."""
    here = {said.quotes, said.about, said.number if said.about is None else None}
    named = {*((said.place, number) for number in here), ("mail", said.answers)}
    return {(place, number) for place, number in named if number is not None}


def shares_reference(one: Said, other: Said, who: dict[str, int]) -> bool:
    """T3: a Message-ID in common, and a party in common (author or addressed)."""
    if one.place != "mail" or other.place != "mail" or one.about is not None or other.about is not None:
        return False
    if not {one.number, *one.references} & {other.number, *other.references}:
        return False
    return any(same(a, b, who) for a in parties(one) for b in parties(other))


def parties(said: Said) -> set[str]:
    """Author and addressed, without us."""
    return {address for address in (said.author, *said.others) if address != "us"}


def same(one: str, other: str, who: dict[str, int]) -> bool:
    """One identity, or one customer."""
    return one == other or (one in who and who[one] == who.get(other))


def is_free(said: Said, threads: frozenset[str]) -> bool:
    """Names nothing but itself, or is in a direct chat, which is all there is where channels group by ticket."""
    if said.about is not None or said.automatic:
        return False
    if said.place == "chat":
        return True
    if said.place in threads:
        return False
    if said.quotes is not None or said.references or said.answers is not None:
        return False
    return said.thread in ("", str(said.number))


def in_hours(earlier: Said, later: Said, who: dict[str, int], threads: frozenset[str]) -> bool:
    """T4: the later is free, at most W after the earlier, by the same customer, in channels that group alike."""
    if not is_free(later, threads) or earlier.about is not None or earlier.automatic:
        return False
    if (earlier.place in threads) != (later.place in threads):
        return False
    if later.place in threads and not is_free(earlier, threads):
        return False  # a chat and a thread: that is for a person to say
    if not earlier.own or not later.own or not same(earlier.own, later.own, who):
        return False
    return 0 <= later.minutes - earlier.minutes <= WINDOW


def connected(nodes: Iterable[int], edges: Iterable[tuple[int, int]]) -> Grouping:
    """Connected components."""
    group = {node: {node} for node in nodes}
    for one, other in edges:
        if group[one] is not group[other]:
            group[one] |= group[other]
            for node in group[other]:
                group[node] = group[one]
    return frozenset(frozenset(members) for members in group.values())
