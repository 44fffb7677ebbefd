"""Which pairs of identities an event speaks for, and which identities it brings. Pure; settling them is elsewhere.

A party's first claim is its own identity; each further claim of the same party is evidence for a pair with it, as strong as
the weaker of the two. Verified pairs link by themselves, claimed ones are suggestions, hints are not kept.
A From that nobody verified is still the same identity as the verified one, but brings no pairs and changes no profile.
"""

from collections.abc import Iterator

from onethread.event import Claim, Contact, IdentityChanged, Party
from onethread.identity import Strength, canonical, strength
from unifier.links import SAID_OF_PEOPLE, Evidence, Identity, LinkWish, Profile
from unifier.reading import Reading, identity_of
from unifier.threading import wish

_OWN_WORD = frozenset({"unsigned_from", "unattested_caller", "deep_link"})
"""Evidence under which anybody may have written: such a sender is read, and believed nothing."""


def identities(reading: Reading) -> Iterator[Identity]:
    """Every identity the event names, us left out; to be inserted where absent."""
    for party in (reading.event.sender, *reading.event.recipients):
        if not party.is_us:
            claims = party.claims if _believed(party) else party.claims[:1]
            yield from (_identity(reading, claim) for claim in claims if strength(claim.evidence) > Strength.HINT)
    fact = reading.event.fact
    if isinstance(fact, IdentityChanged):
        yield _identity(reading, fact.old)
        yield _identity(reading, fact.new)


def _identity(reading: Reading, claim: Claim) -> Identity:
    who = identity_of(reading.tenant, claim)
    value = claim.canonical or canonical(claim.type, claim.value)
    return Identity(
        id=who,
        type=claim.type,
        scope=claim.scope,
        value=value,
        since=reading.at,
        customer=who,
        evidence=(claim.evidence,),
    )


def _believed(party: Party) -> bool:
    return bool(party.claims) and party.claims[0].evidence not in _OWN_WORD


def pairs(reading: Reading) -> Iterator[LinkWish]:
    """The identity links the event speaks for."""
    for party in (reading.event.sender, *reading.event.recipients):
        if party.is_us or not _believed(party):
            continue
        first = party.claims[0]
        for further in party.claims[1:]:
            yield from _pair(reading, first, further)
    fact = reading.event.fact
    if isinstance(fact, IdentityChanged):
        yield from _pair(reading, fact.old, fact.new)


def _pair(reading: Reading, one: Claim, other: Claim) -> Iterator[LinkWish]:
    # Of two as strong, the further claim names the link: it is what the event brings beside the party's own identity.
    weaker = min((other, one), key=lambda claim: strength(claim.evidence))
    ends = identity_of(reading.tenant, one), identity_of(reading.tenant, other)
    if strength(weaker.evidence) == Strength.HINT or ends[0] == ends[1]:
        return
    rule = weaker.evidence if weaker.evidence != "provider" else one.evidence
    counts = strength(weaker.evidence) == Strength.VERIFIED
    yield wish(*ends, Evidence(rule=rule, counts=counts, entry_id=reading.id, at=reading.at), kind="identity")


def profiles(reading: Reading) -> dict[str, Profile]:
    """What the providers say of the people in it; of a sender nobody vouches for, nothing."""
    found: dict[str, Profile] = {}
    for who, _, party in reading.people:
        if party.is_us or not _believed(party) or (party is not reading.event.sender and not party.name):
            continue
        found.setdefault(who, _profile(party, reading.at))
    if isinstance(reading.event.fact, Contact) and reading.own:
        found[reading.own] = _profile(reading.event.sender, reading.at)
    return {who: profile.told_at() for who, profile in found.items() if profile.said()}


def _profile(party: Party, at: int) -> Profile:
    return Profile(at=at, **{name: getattr(party, name) for name in SAID_OF_PEOPLE})
