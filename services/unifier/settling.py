"""Which strands are one conversation, and which identities one customer: the union of links that count. Pure.

Roots are always the eldest member, so redirects go to elders only, and no race of merges can make a cycle.
"""

from collections.abc import Callable, Iterable, Mapping

from unifier.links import Evidence, Link


def counts(link: Link, together: Callable[[str, str], bool]) -> bool:
    """Whether a link joins its ends now: a person's word, else evidence whose pair (if it needs one) is one customer."""
    if link.state != "auto":
        return link.state == "together"
    return any(_holds(evidence, together) for evidence in link.evidence)


def _holds(evidence: Evidence, together: Callable[[str, str], bool]) -> bool:
    return evidence.counts and (not evidence.needs or together(evidence.needs[0], evidence.needs[1]))


def roots(
    nodes: Iterable[str],
    links: Iterable[Link],
    together: Callable[[str, str], bool],
    age: Callable[[str], tuple[int, str]] = lambda node: (0, node),
) -> dict[str, str]:
    """Each node's root. Links are taken in id order; one that would unite a pair set apart is skipped, along chains too."""
    parent = {node: node for node in nodes}

    def root(node: str) -> str:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    ordered = sorted(links, key=lambda link: link.id)
    apart = [link.ends for link in ordered if link.state == "apart"]
    for link in ordered:
        one, other = root(link.ends[0]), root(link.ends[1])
        if one == other or not counts(link, together):
            continue
        if any({root(a), root(b)} == {one, other} for a, b in apart):
            continue
        elder, younger = sorted((one, other), key=age)
        parent[younger] = elder
    return {node: root(node) for node in parent}


def same_customer(customers: Mapping[str, str]) -> Callable[[str, str], bool]:
    """Whether two identities are one customer, by a map of identity to root; an unknown one stands alone."""

    def together(one: str, other: str) -> bool:
        return customers.get(one, one) == customers.get(other, other)

    return together
