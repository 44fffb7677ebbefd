"""Who wrote a mail, and to whom: sender, recipients, and whether that is us. It knows their headers, and no body. Pure."""

from collections.abc import Iterable

import msgspec

from email_ingest import automatic
from email_ingest.addresses import Mailbox, mailboxes, split_plus
from email_ingest.authentication import Verdict, proves
from email_ingest.headers import words
from email_ingest.parts import Part
from onethread.event import Claim, Party, Role
from onethread.identity import canonical_email

MAX_RECIPIENTS = 500
MAX_TOKENS = 10
MAX_FIELDS = 20
"""Fields of one name that are read: two To are a mistake that occurs, hundreds are an attack."""

_RECIPIENTS: tuple[tuple[str, Role], ...] = (
    ("to", "to"),
    ("cc", "cc"),
    ("bcc", "bcc"),
    ("delivered-to", "delivered_to"),
    ("x-original-to", "delivered_to"),
    ("envelope-to", "delivered_to"),
)


def party(mailbox: Mailbox, evidence: str = "unsigned_from", role: Role | None = None) -> Party:
    """A mailbox as a party; without an address it is anonymous."""
    claims = (Claim("email", mailbox.address, evidence=evidence),) if mailbox.address else ()
    return Party(claims=claims, name=mailbox.name, role=role, kind="person" if claims else "anonymous")


class Participants:
    """The people of one mail. `ours`: our addresses in canonical form; `sent`: it lies in the folder of sent mail."""

    def __init__(self, root: Part, ours: frozenset[str], verdict: Verdict, *, sent: bool) -> None:
        self.root, self.ours, self.verdict = root, ours, verdict
        self.mailbox = self._from()
        self.outbound = sent or self._from_us()
        self.notes: list[str] = []

    def is_ours(self, address: str) -> bool:
        """Whether an address, with or without a `+…`, is one of ours. Spelling does not matter."""
        return bool(address) and canonical_email(split_plus(address)[0]) in self.ours

    def _from(self) -> Mailbox:
        """The first mailbox of From. Several From fields or mailboxes can be read in several ways: not sound.

        A list that rewrote From says in X-Original-From (Google Groups) who wrote; nobody vouches for that.
        """
        values = self.root.all("from")
        found = mailboxes(values[0]) if values else ()
        first = found[0] if found else Mailbox("", "", sound=False)
        original = mailboxes(self.root.first("x-original-from"))
        if original and original[0].address and (self.is_ours(first.address) or automatic.list_id(self.root)):
            return original[0]._replace(sound=False)
        return first._replace(sound=first.sound and len(values) == 1 and len(found) == 1)

    def _from_us(self) -> bool:
        """Whether From is ours and our own server did not find that forged."""
        forged = self.verdict.results.get("dmarc") == "fail"
        return self.is_ours(self.mailbox.address) and self.mailbox.sound and not forged

    def sender(self) -> Party:
        """Who wrote it. Only DMARC's word on an address that can be read in one way makes the claim more than a claim."""
        found = party(self.mailbox, "dmarc" if proves(self.verdict, self.mailbox) else "unsigned_from")
        organization = words(self.root.first("organization")[:1000])[:300]
        kind = "agent" if self.outbound else found.kind
        return msgspec.structs.replace(found, is_us=self.outbound, organization=organization, kind=kind)

    def reply_to(self) -> tuple[Party, ...]:
        """Where answers are wanted. Anybody can write that: never a proof of anything."""
        return tuple(party(mailbox) for mailbox in mailboxes(self.root.first("reply-to"))[:10] if mailbox.address)

    def recipients(self) -> tuple[Party, ...]:
        """Each address once per role, in the order of the headers."""
        found: dict[tuple[str, Role], Party] = {}
        for header, role in _RECIPIENTS:
            for value in self.root.all(header)[:MAX_FIELDS]:
                for mailbox in mailboxes(value):
                    if mailbox.address:
                        one = msgspec.structs.replace(party(mailbox, role=role), is_us=self.is_ours(mailbox.address))
                        found.setdefault((mailbox.address.lower(), role), one)
        if len(found) > MAX_RECIPIENTS:
            self.notes.append(f"more than {MAX_RECIPIENTS} recipients")
        return tuple(found.values())[:MAX_RECIPIENTS]


def tokens(recipients: Iterable[Party]) -> tuple[str, ...]:
    """What follows `+c_`, or the plus sign alone, in our own addresses.

    It may be a reply token of ours; only the host has the key to tell.
    """
    found: dict[str, None] = {}
    for recipient in recipients:
        extra = split_plus(recipient.claims[0].value)[1]
        if recipient.is_us and extra:
            found[extra.removeprefix("c_")] = None
    return tuple(found)[:MAX_TOKENS]
