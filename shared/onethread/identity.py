"""How a claim is written down (canonical form) and how far it is trusted (strength). Pure; it knows no store.

Ids never hold an address: they are hashes over tenant, type, scope and canonical value.
"""

import base64
import hashlib
import string
import unicodedata
from contextlib import suppress
from enum import IntEnum

import msgspec
import phonenumbers

from onethread.event import Claim


class Strength(IntEnum):
    """How far evidence is trusted. Only `VERIFIED` links two identities by itself."""

    HINT = 1
    CLAIMED = 2
    VERIFIED = 3


STRENGTH: dict[str, Strength] = {
    "provider": Strength.VERIFIED,  # the provider's own user id
    "network_phone": Strength.VERIFIED,  # the network carries the number: WhatsApp, SMS
    "directory": Strength.VERIFIED,  # the company's own directory: Slack, Teams
    "dmarc": Strength.VERIFIED,  # our receiving server says dmarc=pass (RFC 7489)
    "signed_login": Strength.VERIFIED,  # signed by the company's own site
    "own_contact": Strength.VERIFIED,  # the sender's own contact card, vouched for by the provider
    "link_nonce": Strength.VERIFIED,  # our signed token came back; set by the host only
    "desk": Strength.VERIFIED,  # a person's word; set by the API only
    "form": Strength.CLAIMED,
    "profile": Strength.CLAIMED,
    "unsigned_from": Strength.CLAIMED,
    "unattested_caller": Strength.CLAIMED,
    "deep_link": Strength.CLAIMED,
    "username": Strength.HINT,
    "signature": Strength.HINT,
    "name": Strength.HINT,
}
"""One table for all connectors, so that none overstates what it knows."""

HOST_ONLY = frozenset({"link_nonce", "desk"})
"""Evidence that a connector may not give."""


def strength(evidence: str) -> Strength:
    """The strength of a kind of evidence; what nobody knows is a hint."""
    return STRENGTH.get(evidence, Strength.HINT)


def canonical(kind: str, value: str) -> str:
    """The form in which two spellings of one address are equal; "" where there is nothing to compare. Never raises."""
    text = unicodedata.normalize("NFC", value).strip()
    match kind:
        case "email":
            return canonical_email(text)
        case "phone":
            return canonical_phone(text)
        case "website":
            return unicodedata.normalize("NFC", text.casefold()).rstrip("/" + string.whitespace)
        case _:
            return text


def canonical_email(address: str) -> str:
    """Lower case, the domain in its ASCII form (IDNA). No provider's private rules (dots, plus): those guess."""
    local, _, domain = address.rstrip(".").rpartition("@")
    with suppress(UnicodeError):  # no domain that DNS could hold is compared as it is
        domain = domain.encode("idna").decode("ascii")
    domain = domain.lower().rstrip(".")  # again: IDNA knows other full stops
    if not local or not domain or any(c.isspace() for c in domain):
        return ""
    return unicodedata.normalize("NFC", f"{local.lower()}@{domain}")


def canonical_phone(number: str) -> str:
    """E.164 where the number is complete, else its digits (short codes, internal numbers).

    Mobile numbers that networks spell in two ways become one: Mexico's +52 1, Argentina's +54 9, and Brazil's ninth digit
    (added in 2012-2016 to eight-digit mobile numbers that begin with 6 to 9). Landlines are left alone. A word in the place
    of a number ("anonymous", the alphanumeric sender of an SMS) is no address: anyone can write it.
    """
    digits = "".join(str(unicodedata.decimal(c)) for c in number if c.isdecimal())
    if len(digits) < _SHORTEST and any(c.isalpha() for c in number):
        return ""
    try:
        parsed = phonenumbers.parse(f"+{digits.removeprefix('00')}", None)
    except phonenumbers.NumberParseException:
        return digits
    national = str(parsed.national_number)
    match parsed.country_code:
        case 52 if len(national) == 11 and national.startswith("1"):
            national = national[1:]
        case 54 if len(national) == 11 and national.startswith("9"):
            national = national[1:]
        case 55 if len(national) == 10 and national[2] in "6789":
            national = f"{national[:2]}9{national[2:]}"
        case _ if not phonenumbers.is_possible_number(parsed):
            return digits
        case _:
            return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return f"+{parsed.country_code}{national}"


_SHORTEST = 7
"""Digits of the shortest number with a country code (Saint Helena, Niue)."""


def canonicalised(claim: Claim) -> Claim:
    """The claim with its canonical form; `canonical` "" means that it says nothing and is to be dropped."""
    return msgspec.structs.replace(claim, canonical=canonical(claim.type, claim.value))


def digest(*parts: str) -> str:
    """The hash that all ids are made of: base32, lower case, of SHA-256's first 20 bytes over the JSON list."""
    raw = hashlib.sha256(msgspec.json.encode(parts)).digest()[:20]
    return base64.b32encode(raw).decode("ascii").lower()


KNOWN_IDENTITY = "idn"
"""Claim type whose value is an identity id already: what our own signed token proves, since a hash names no address."""


def identity_id(tenant: str, claim: Claim) -> str:
    """`idn_…` of a claim; the same for every spelling of it. A claim of type `idn` is the id it holds, unchanged.

    Only the host writes claims of type `idn` (evidence `link_nonce`): from a connector they would be forgeries.
    """
    if claim.type == KNOWN_IDENTITY:
        return claim.value
    return "idn_" + digest(tenant, claim.type, claim.scope, claim.canonical or canonical(claim.type, claim.value))
