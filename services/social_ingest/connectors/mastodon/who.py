"""Who and where on Mastodon: parties and places. It knows nothing of what was said."""

import re
from collections.abc import Iterator

from onethread.event import Claim, Mention, Party, Place
from social_ingest.connectors.mastodon.entities import Account, Field, Named, Status

LINKED = re.compile(r'href="(https?://[^"<>\s]{1,2000})"')


def full(acct: str, ours: str) -> str:
    """`user@domain`; servers leave the domain of their own people away."""
    return acct if "@" in acct else f"{acct}@{ours.rpartition('@')[2]}"


def is_us(acct: str, ours: str) -> bool:
    """Whether that is our account. Domains and, on Mastodon, user names know no case."""
    return full(acct, ours).casefold() == ours.casefold()


def party(account: Account, ours: str) -> Party:
    """Somebody. The actor's URI is the identity; servers before Mastodon 4.2 name only the profile's address."""
    identity = account.uri or account.url or ""
    return Party(
        claims=(Claim("mastodon_user", identity), *_websites(account.fields or ())),
        name=account.display_name,
        username=full(account.acct, ours),
        kind="bot" if account.bot else "person",
        is_us=is_us(account.acct, ours),
        avatar=account.avatar or "",
        profile_url=account.url or "",
    )


def _websites(fields: tuple[Field, ...]) -> Iterator[Claim]:
    """Pages that link back to the profile, as the author's server has seen."""
    for field in fields:
        found = LINKED.search(field.value) if field.verified_at else None
        if found:
            yield Claim("website", found[1], evidence="profile")


def mentions(named: tuple[Named, ...], ours: str) -> tuple[Mention, ...]:
    """Who is named. The record has their addresses, not their identities, so there are no claims."""
    return tuple(_mention(each, ours) for each in named)


def _mention(named: Named, ours: str) -> Mention:
    us = is_us(named.acct, ours)
    return Mention(party=Party(username=full(named.acct, ours), profile_url=named.url or "", is_us=us), is_us=us)


def place(status: Status, ours: str) -> Place:
    """A talk of two, or the post under which it was said: the parent, as the record does not name the root."""
    if status.visibility == "direct":
        us = is_us(status.account.acct, ours)
        return Place(id="" if us else status.account.uri or "", kind="direct", permalink=status.url or "")
    return Place(id=status.in_reply_to_id or status.id, kind="post", permalink=status.url or "")
