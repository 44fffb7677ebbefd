"""What the host adds to a connector's event, and what it takes away: ids, times, claims. Pure; it knows no log and no store."""

from datetime import datetime
from functools import cache
from typing import Any, get_args, get_type_hints

import msgspec

from onethread.connector import Raw
from onethread.envelope import event_id, milliseconds
from onethread.errors import Poison
from onethread.event import Claim, EntriesMove, Event, Foreign, LinkSet, Party, Source
from onethread.host.channel import Channel
from onethread.identity import HOST_ONLY, KNOWN_IDENTITY, canonicalised
from onethread.own_tokens import OwnTokens

_DOWNGRADED = "deep_link"
"""What a connector may not prove counts as what anyone can write."""


def stamped(event: Event, channel: Channel, raw: Raw, source: Source) -> Event:
    """The event with everything that only the host may say. Raises Poison for what no connector may yield.

    `raw.ingested_at` is set. Tokens are left for `proven`.
    """
    if not isinstance(event, Event):
        raise Poison(f"normalize yielded a {type(event).__name__}, not an Event")
    if isinstance(event.fact, LinkSet | EntriesMove | Foreign):
        raise Poison(f"{event.kind} is not a connector's to say")
    if not event.external_id:
        raise Poison("an event needs an external_id: without one, all such events would be one")
    assert raw.ingested_at is not None
    network, account = channel.network, channel.account
    clean: Event = _clean(event)
    return msgspec.structs.replace(
        clean,
        id=event_id(channel.tenant, network, account, event.kind, event.external_id, event.revision),
        tenant=channel.tenant,
        channel_id=channel.id,
        network=network,
        account=account,
        ingested_at=milliseconds(raw.ingested_at),
        received_at=clean.received_at or milliseconds(raw.ingested_at),
        history=clean.received_at is not None and clean.received_at < channel.created_at,
        answers="",
        source=source,
    )


def proven(event: Event, tokens: OwnTokens | None) -> tuple[Event, int]:
    """The event with what its tokens prove in their place; and how many proved nothing.

    Only what a customer sends proves something: our own mail on its way out holds the token too. A sender without an
    address is left so, since the claim would make them the very person the link was made for.
    """
    if not event.tokens:
        return event, 0
    refused, sender, answers = 0, event.sender, ""
    for token in event.tokens:
        assert event.received_at is not None
        proof = tokens.verify(token, event.tenant, event.network, event.received_at) if tokens else None
        if proof is None:
            refused += 1
        elif event.direction == "inbound" and proof.kind == "link" and sender.claims:
            claim = Claim(KNOWN_IDENTITY, proof.id, evidence="link_nonce", canonical=proof.id)
            sender = msgspec.structs.replace(sender, claims=(*sender.claims, claim))
        elif event.direction == "inbound" and proof.kind == "reply":
            answers = proof.id
    return msgspec.structs.replace(event, tokens=(), sender=sender, answers=answers), refused


def _clean(part: Any) -> Any:
    """A copy of structs and tuples, all the way down: times cut to milliseconds UTC, claims canonical, empty ones dropped."""
    if isinstance(part, datetime):
        return _moment(part)
    if isinstance(part, Claim):
        return _needed(part)
    if isinstance(part, tuple):
        return tuple([_clean(each) for each in part]) if part else part
    if not isinstance(part, msgspec.Struct):
        return part
    changed: dict[str, Any] = {}
    for name in _unclean(type(part)):
        old = getattr(part, name)
        if old and (new := _clean(old)) is not old:
            changed[name] = new
    if isinstance(part, Party):
        changed["claims"] = _claims(part.claims)
    return msgspec.structs.replace(part, **changed) if changed else part


@cache
def _unclean(struct: type[msgspec.Struct]) -> tuple[str, ...]:
    """The fields of a struct that hold times or claims, at any depth; a party's claims are a case of their own."""
    hints = get_type_hints(struct)
    return tuple(
        name for name in struct.__struct_fields__ if _holds(hints[name]) and not (struct is Party and name == "claims")
    )


def _holds(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint in (Claim, Party) or bool(_unclean(hint))
    return hint is datetime or any(_holds(one) for one in get_args(hint))


def _claims(claims: tuple[Claim, ...]) -> tuple[Claim, ...]:
    cleaned = [_claim(claim) for claim in claims if claim.type != KNOWN_IDENTITY]
    return tuple(claim for claim in cleaned if claim.canonical)


def _needed(claim: Claim) -> Claim:
    """A claim that stands alone, as in `identity.changed`: without an address there is nothing to say."""
    cleaned = _claim(claim)
    if claim.type == KNOWN_IDENTITY or not cleaned.canonical:
        raise Poison(f"a claim of type {claim.type} that holds no address")
    return cleaned


def _claim(claim: Claim) -> Claim:
    if claim.evidence in HOST_ONLY:
        claim = msgspec.structs.replace(claim, evidence=_DOWNGRADED)
    return canonicalised(claim)


def _moment(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise Poison("a time without a zone: the connector must say which")
    try:
        return milliseconds(moment)
    except (OverflowError, ValueError) as error:
        raise Poison("a time that no calendar holds") from error
