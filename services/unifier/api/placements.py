"""Why an entry is where it is, in words a person can check. Pure: links, identities and entries are looked up by others."""

from collections import deque
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import NamedTuple

from unifier.api import schemas
from unifier.api.facts import by
from unifier.api.ids import shown
from unifier.links import Evidence, Identity, Link
from unifier.model import Entry, Moved, plain
from unifier.settling import counts, same_customer

_RULES = {
    "opened": "Nothing before it was found that it belongs to: it opened this conversation.",
    "thread": "The channel says so: it is in the same thread there.",
    "reply_token": "It came back with our own signed token, which names this conversation.",
    "named": "It names a message of this conversation: a reply, a quote, or something about it.",
    "idle_window": "It answers nothing, and came while the same customer's conversation was still going on.",
    "person": "A person put it here.",
    "joined": "Written by us when the conversations became one.",
}
_OPENED_AND_JOINED = (
    "By itself it belongs to nothing before it: it opened a conversation, which is part of this one now."
)
_EVIDENCE = {
    "provider": "the channel's own ids",
    "network_phone": "the phone number the network vouches for",
    "directory": "the company's directory",
    "dmarc": "mail that passed DMARC",
    "signed_login": "a signed log-in",
    "own_contact": "own contact card",
    "link_nonce": "our signed link came back",
    "desk": "a desk's word",
    "form": "a form",
    "profile": "a profile",
}
_SHARED = {"shared_reference": "They share a Message-ID", "thread": "The channel has both in one thread"}


class Why(NamedTuple):
    """What was looked up. `strands`: those of the conversation, eldest first; `links`: all that touch them.

    `people`: the identities of the customers that evidence needs; `pairs`: the links between those; `roots`: strand → root.
    """

    links: tuple[Link, ...] = ()
    people: Mapping[str, Identity] = {}
    pairs: tuple[Link, ...] = ()
    roots: Mapping[str, str] = {}


def moved(value: Moved | None) -> schemas.Moved | None:
    """A person's move."""
    return schemas.Moved(to=plain(value.to), at=shown(value.at), by=by(value.by)) if value else None


def placement(entry: Entry, why: Why) -> schemas.Placement:
    """The placement of one entry."""
    matched, joins = entry.placement.matched, path(entry.home, why)
    return schemas.Placement(
        rule="person" if entry.moved else entry.placement.rule,
        reason=_reason(entry, joined=bool(joins)),
        moved=moved(entry.moved),
        matched=schemas.Matched(
            type=matched.type,
            value=matched.value or None,
            entry_id=plain(matched.entry_id) if "/" in matched.entry_id else matched.entry_id or None,
        )
        if matched
        else None,
        joined_by=[_joined_by(link, why) for link in joins],
    )


def _reason(entry: Entry, *, joined: bool) -> str:
    if entry.moved:
        return _RULES["person"]
    if entry.placement.rule == "opened" and joined:
        return _OPENED_AND_JOINED
    matched = entry.placement.matched
    if entry.placement.rule == "shared_reference" and matched and matched.value:
        same = entry.event is not None and entry.event.external_id == matched.value
        return (
            f"Its own Message-ID <{matched.value}> was known already: a quicker reply names it, a copy lies in another "
            "mailbox of ours, or another mail has the same Message-ID."
            if same
            else f"Answers <{matched.value}>, which is in this conversation."
        )
    return _RULES.get(entry.placement.rule, f"By the rule {entry.placement.rule}.")


def path(strand: str, why: Why) -> list[Link]:
    """The links from a strand to the conversation's eldest, shortest way; those that count now."""
    together = same_customer({one: person.customer for one, person in why.people.items()})
    root = why.roots.get(strand, strand)
    inside = [link for link in why.links if all(why.roots.get(end) == root for end in link.ends)]
    return _way(strand, root, [link for link in inside if link.kind == "strand" and counts(link, together)])


def _way(start: str, goal: str, links: Iterable[Link]) -> list[Link]:
    """The shortest chain of links between two ends; empty if there is none."""
    beside: dict[str, list[Link]] = {}
    for link in sorted(links, key=lambda link: link.id):
        for end in link.ends:
            beside.setdefault(end, []).append(link)
    ways: dict[str, list[Link]] = {start: []}
    waiting = deque([start])
    while waiting and goal not in ways:
        here = waiting.popleft()
        for link in beside.get(here, ()):
            there = link.ends[1] if link.ends[0] == here else link.ends[0]
            if there not in ways:
                ways[there] = [*ways[here], link]
                waiting.append(there)
    return ways.get(goal, [])


def _joined_by(link: Link, why: Why) -> schemas.JoinedBy:
    if link.state == "together":
        who = link.by.agent or link.by.program
        return schemas.JoinedBy(
            link_id=plain(link.id),
            rule="person",
            reason=f"A person ({who}) joined them." if who else "A person joined them.",
        )
    together = same_customer({one: person.customer for one, person in why.people.items()})
    holding = [one for one in link.evidence if one.counts and (not one.needs or together(*one.needs))]
    evidence = min(holding, key=lambda one: (bool(one.needs), one.rule))
    return schemas.JoinedBy(link_id=plain(link.id), rule=evidence.rule, reason=_because(evidence, why))


def _because(evidence: Evidence, why: Why) -> str:
    match evidence.rule:
        case "idle_window":
            text = "A message that answers nothing came while the other conversation of the same customer was going on"
        case "shared_reference" | "thread":
            text = _SHARED[evidence.rule]
        case "named" | "reply_token":
            text = "A message of one names a message of the other"
        case other:
            text = f"By the rule {other}"
    return f"{text}; {_one_customer(evidence.needs, why)}." if evidence.needs else f"{text}."


def _one_customer(needs: Iterable[str], why: Why) -> str:
    """Which two addresses, and how: what joins them, or each of those that join them by way of others."""
    one, other = sorted(needs)
    way = _way(one, other, [link for link in why.pairs if counts(link, lambda *_: True)])
    between = [end for link, beyond in pairwise(way) for end in link.ends if end in beyond.ends]
    names = " and ".join(sorted(_name(who, why) for who in (one, other)))
    how = "; ".join(_how(link) for link in way)
    by_way = f", by way of {', '.join(_name(who, why) for who in between)}" if between else ""
    return f"{names} are one customer{by_way}" + (f" ({how})" if how else "")


def _name(identity: str, why: Why) -> str:
    return why.people[identity].type.replace("_", " ") if identity in why.people else "address"


def _how(link: Link) -> str:
    if link.state == "together":
        return "a person says so"
    return ", ".join(sorted({_EVIDENCE.get(one.rule, one.rule) for one in link.evidence if one.counts}))
