"""Who and where: parties, threads and places of WhatsApp. It knows nothing of what was said.

A person is known by a phone number (`wa_id`), by a business-scoped user id, or by both; a username may hide the number. The
id is made for one pair of person and business portfolio, so a value of it names nobody else (Meta, "Business-scoped user
IDs"). When both arrive together, they are two claims of one party, and the two identities become one.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from im_ingest.connectors.whatsapp.entities import Contact, Metadata
from im_ingest.connectors.whatsapp.said import Message
from onethread.event import Claim, Party, Place
from onethread.identity import canonical

USER_ID = re.compile(r"(?P<country>[A-Z]{2})\.(?:ENT\.)?[A-Za-z0-9]{1,128}")
NUMBER = re.compile(r"\+?[0-9]{5,20}")
SAME_END = 8
"""Digits that both spellings of a number of Brazil, Mexico or Argentina end with."""


class Ids(NamedTuple):
    """What a person is known by; "" for what is not told."""

    number: str = ""
    user_id: str = ""
    parent_id: str = ""

    @property
    def best(self) -> str:
        """The one that lasts: a number may be hidden or given up."""
        return self.user_id or self.number

    @property
    def reply_context(self) -> dict[str, str]:
        """What a reply is addressed with: `to` takes numbers, `recipient` ids."""
        return {name: value for name, value in (("to", self.number), ("recipient", self.user_id)) if value}


def ids(number: str | None, user_id: str | None, parent_id: str | None = None) -> Ids:
    """Ids as a record gives them; an id in the place of a number is taken for what it is."""
    written = number or ""
    if USER_ID.fullmatch(written):
        return Ids("", user_id or written, parent_id or "")
    return Ids(written if NUMBER.fullmatch(written) else "", user_id or "", parent_id or "")


def phone(number: str) -> Claim:
    """A number that WhatsApp carries. It is written without +."""
    return Claim("phone", f"+{number.removeprefix('+')}", evidence="network_phone")


def person(known: Ids, contacts: Sequence[Contact], *further: Claim) -> tuple[Ids, Party]:
    """A customer, with all that the record's contacts tell of them; `further` claims are evidence for a pair."""
    contact = next((each for each in contacts if _is_of(each, known)), Contact())
    told = ids(contact.wa_id, contact.user_id, contact.parent_user_id)
    whole = Ids(known.number or told.number, known.user_id or told.user_id, known.parent_id or told.parent_id)
    country = USER_ID.fullmatch(whole.user_id)
    profile = contact.profile
    party = Party(
        claims=(*_claims(whole), *further),
        name=(profile.name if profile else None) or "",
        username=(profile.username if profile else None) or "",
        country=country["country"] if country else "",
    )
    return whole, party


def _is_of(contact: Contact, known: Ids) -> bool:
    """Whether a contact is that person. Two numbers or two ids that differ are two people, whatever else the record says."""
    told = ids(contact.wa_id, contact.user_id)
    if told.user_id and known.user_id:
        return told.user_id == known.user_id
    if told.number and known.number:
        return canonical("phone", told.number) == canonical("phone", known.number)
    return not known.best


def _claims(known: Ids) -> tuple[Claim, ...]:
    return (
        *((Claim("whatsapp_user", known.user_id),) if known.user_id else ()),
        *((phone(known.number),) if known.number else ()),
        *((Claim("whatsapp_parent_user", known.parent_id),) if known.parent_id else ()),
    )


def us(metadata: Metadata | None, *, by_an_app: bool = False) -> Party:
    """Our number: a person who wrote from it, or an app such as Meta's own agent."""
    number = "".join(c for c in (metadata.display_phone_number if metadata else "") if c.isdecimal())
    claims = (phone(number),) if NUMBER.fullmatch(number) else ()
    return Party(claims=claims, kind="app" if by_an_app else "agent", is_us=True)


def place(message: Message) -> Place:
    """A chat of two, or a group."""
    return Place(id=message.group_id, kind="group") if message.group_id else Place()
