"""Who: parties of Messenger. It knows nothing of what was said.

A person has another id at each page (Meta for Developers, "Messenger Platform: Page-scoped IDs").
"""

import re
from typing import NamedTuple

from im_ingest.connectors.messenger.entities import Item, Profile
from onethread.event import Claim, Party, PartyKind

PAGE_INBOX = "263902037430900"
"""The app through which people answer in the page's inbox (Messenger Platform, "Handover Protocol")."""

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]{1,255}\.[^@\s.]{2,63}")
PHONE = re.compile(r"\+[0-9]{7,15}")


class Sides(NamedTuple):
    """Both sides of an item. `person`: the page-scoped id of the customer, "" for one who has none."""

    person: str
    page: str
    ours: bool


def sides(item: Item, page: str) -> Sides:
    """Who is who. The page's own messages are marked as echoes; it never is the one who reads or presses."""
    sender, recipient = (
        (item.sender.id if item.sender else None) or "",
        (item.recipient.id if item.recipient else None) or "",
    )
    echo = bool(item.message and item.message.is_echo)
    ours = echo or (sender == page and sender != "")
    return Sides(recipient if ours else sender, page, ours)


def customer(both: Sides, *further: Claim) -> Party:
    """The person; `further` claims are evidence for a pair."""
    if not both.person:
        return Party(kind="anonymous")
    return Party(claims=(person(both.person, both.page), *further))


def person(page_scoped: str, page: str) -> Claim:
    """The person's identity."""
    return Claim("messenger_user", page_scoped, scope=page)


def us(both: Sides, app: str) -> Party:
    """The page, when a person wrote in its inbox, or an app."""
    kind: PartyKind = "agent" if app in {"", "0", PAGE_INBOX} else "app"
    return Party(claims=(Claim("messenger_page", both.page),), kind=kind, is_us=True)


def shared(payload: str, text: str) -> tuple[Claim, ...]:
    """Address or number that somebody gave by a button which Messenger fills in. Nobody proved it."""
    if payload != text:
        return ()
    if EMAIL.fullmatch(payload):
        return (Claim("email", payload, evidence="profile"),)
    return (Claim("phone", payload, evidence="profile"),) if PHONE.fullmatch(payload) else ()


def named(profile: Profile, claim: Claim) -> Party:
    """A person with what Messenger tells; the picture's address expires, so it is not kept."""
    full = " ".join(filter(None, (profile.first_name, profile.last_name)))
    return Party(
        claims=(claim,),
        name=full or profile.name or "",
        locale=profile.locale or "",
        timezone=_zone(profile.timezone),
    )


def _zone(hours: float | str | None) -> str:
    """Messenger tells hours from UTC."""
    try:
        minutes = round(float(hours or 0) * 60)
    except (ValueError, OverflowError):
        return ""
    if hours in (None, "") or abs(minutes) > 24 * 60:
        return ""
    return f"UTC{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
