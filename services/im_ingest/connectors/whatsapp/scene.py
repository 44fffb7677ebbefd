"""A WhatsApp message with who and where: what every event made of it shares. It knows nothing of what was said."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from im_ingest.connectors.whatsapp.entities import Contact, Metadata
from im_ingest.connectors.whatsapp.said import Context, Message
from im_ingest.connectors.whatsapp.who import SAME_END, Ids, ids, person, place, us
from im_ingest.meta import moment, readable
from im_ingest.seconds import spread
from onethread.errors import Poison
from onethread.event import AnyFact, Claim, Event, Party
from onethread.identity import canonical

WHO = frozenset({"from", "from_user_id", "to", "to_user_id", "recipient", "group_id"})
"""Without them a message could come to the wrong person."""


class Setting(NamedTuple):
    """What the change says of its messages.

    `imported`: they are older than the channel; `standby`: another app has the chat; `echoes`: our side wrote them;
    `summary`: what was said before, in Meta's words; `came`: when the record came, and which of a delivery it was.
    """

    ours: Metadata | None = None
    contacts: Sequence[Contact] = ()
    imported: bool = False
    standby: bool = False
    echoes: bool = False
    summary: str = ""
    came: Mapping[str, str] = {}


class Scene(NamedTuple):
    """A message with both sides. `ours`: our side wrote it; `lost`: parts of a strange shape; `setting`: where it was found."""

    message: Message
    known: Ids
    customer: Party
    our_side: Party
    ours: bool
    at: datetime | None
    lost: str
    setting: Setting

    def event(self, fact: AnyFact, external_id: str = "", revision: str = "") -> Event:
        """An event about this message, or about the one that `external_id` names."""
        message = self.message
        bare = Event(
            external_id or message.id,
            fact,
            revision=revision,
            external_thread_id=message.group_id or self.known.best,
            place=place(message),
            sender=self.customer,
            received_at=self.at,
            reply_context=self._reply_context(),
            standby=self.setting.standby,
        )
        if not self.ours:
            return bare
        addressed = (self.customer,) if self.customer.claims else ()  # a group is addressed as a place
        return msgspec.structs.replace(
            bare, sender=self.our_side, recipients=addressed, direction="outbound", echo=True
        )

    def _reply_context(self) -> dict[str, str]:
        """What a reply is addressed with (Meta, "WhatsApp Cloud API: Group messaging")."""
        group = self.message.group_id
        return {"to": group, "recipient_type": "group"} if group else self.known.reply_context

    def wrote(self, context: Context | None) -> Party | None:
        """Who wrote what is quoted, as far as the context says."""
        author = (context.from_ if context else None) or ""
        if author and (author == self.known.user_id or _same_number(author, self.known.number)):
            return self.customer
        return self.our_side if _is_one_of(author, self.our_side) else None


def scene(data: msgspec.Raw, setting: Setting, partner: Ids | None = None) -> Scene:
    """Who wrote it to whom. `partner`: the other side, where the thread says it and not the message."""
    message, lost = readable(data, Message)
    if strange := WHO & set(lost):
        raise Poison(f"of a strange form: {', '.join(sorted(strange))}")
    own = us(setting.ours, by_an_app=setting.standby)
    ours = setting.echoes or _is_ours(message, own)
    if ours:
        known = ids(message.to, message.to_user_id or message.recipient, message.to_parent_user_id)
    else:
        known = ids(message.from_, message.from_user_id, message.from_parent_user_id)
    if partner is not None and not message.group_id:
        known = Ids(known.number or partner.number, known.user_id or partner.user_id, known.parent_id)
    if ours and not (known.best or message.group_id):
        raise Poison("our side wrote it, and it does not say to whom")
    whole, customer = person(known, setting.contacts, *_own_numbers(message, ours=ours))
    return Scene(message, whole, customer, own, ours, _moment(message, setting), ", ".join(lost), setting)


def _moment(message: Message, setting: Setting) -> datetime | None:
    """Meta tells whole seconds. Of an imported history only the place counts: when it came says nothing."""
    second, came = moment(message.timestamp), setting.came.get("came", "")
    if second is None or not came:
        return second
    seen = second if setting.imported else datetime.fromisoformat(came)
    return second + timedelta(milliseconds=spread(second, seen, int(setting.came.get("place", "0"))))


def _is_ours(message: Message, own: Party) -> bool:
    """What names its addressee was written by us; so was what comes from our number."""
    if message.to or message.to_user_id:
        return True
    return _is_one_of(message.from_ or "", own)


def _is_one_of(number: str, party: Party) -> bool:
    return any(_same_number(number, claim.value) for claim in party.claims)


def _same_number(one: str, other: str) -> bool:
    """Whether two spellings are of one number."""
    alike = bool(one) and one[-SAME_END:] == other[-SAME_END:]
    return alike and canonical("phone", one) == canonical("phone", other)


def _own_numbers(message: Message, *, ours: bool) -> tuple[Claim, ...]:
    """The sender's own number, given by the button that asks for it; any other card proves nothing."""
    cards = [card for card in message.contacts or () if card.origin == "contact_request" and not ours]
    numbers = [each.wa_id or each.phone or "" for card in cards for each in card.phones or ()]
    claims = [Claim("phone", f"+{number.lstrip('+')}", evidence="own_contact") for number in numbers if number]
    return tuple(claim for claim in claims if not _same_number(claim.value, message.from_ or ""))
