"""What people said to a company, as finished events. It knows the event's fields and no rule of the unifier."""

from collections.abc import Sequence
from typing import Any

import msgspec
from desk.site import MINUTE, START

from onethread.envelope import event_id
from onethread.event import (
    AnyFact,
    Attachment,
    Body,
    Claim,
    EntriesMove,
    Event,
    LinkEnd,
    LinkSet,
    Message,
    MessageDeleted,
    MessageEdited,
    Party,
    Place,
    ReactionAdded,
    Receipt,
)
from onethread.identity import canonicalised
from unifier.reading import moment

US = {"email": "desk@example.com", "whatsapp": "15550100", "x": "shop"}


class Company:
    """Makes the events of one tenant. Times are minutes since the site's clock began."""

    def __init__(self, tenant: str = "acme") -> None:
        self.tenant = tenant

    # --- people ---

    def mia(self, *more: Claim, name: str = "Mia Lang") -> Party:
        """By mail."""
        return party(Claim("email", f"mia@{self.tenant}.example", evidence="dmarc"), *more, name=name)

    def mia_on_whatsapp(self, *more: Claim) -> Party:
        """By phone; with `self.her_mail` the two are one customer."""
        return party(Claim("phone", "+15550123", evidence="network_phone"), *more, name="Mia")

    def her_mail(self, evidence: str = "own_contact") -> Claim:
        """Her mail address, as another channel knows it."""
        return Claim("email", f"mia@{self.tenant}.example", evidence=evidence)

    # --- messages ---

    def mail(self, name: str, at: float, text: str = "", **fields: Any) -> Event:
        """A mail `name@example.com`; `answers` names another."""
        answers = fields.pop("answers", None)
        references = (f"{answers}@example.com",) if answers else ()
        fact = Message(
            subject=fields.pop("subject", "Kettle"),
            body=Body(text=text or f"mail {name}", html=fields.pop("html", "")),
            attachments=tuple(fields.pop("attachments", ())),
            in_reply_to=references,
            references=references,
        )
        fields.setdefault("sender", self.mia())
        return self.event("email", f"{name}@example.com", fact, at, place=Place(kind="mailbox"), **fields)

    def answer(self, name: str, at: float, text: str = "", **fields: Any) -> Event:
        """Our mail to her."""
        ours = party(Claim("email", US["email"]), name="Desk", is_us=True, kind="agent")
        fields.setdefault("recipients", (self.mia(),))
        return self.mail(name, at, text, direction="outbound", sender=ours, **fields)

    def chat(self, name: str, at: float, text: str = "", **fields: Any) -> Event:
        """A WhatsApp message."""
        fields.setdefault("sender", self.mia_on_whatsapp())
        body = Body(text=text or f"chat {name}")
        fact = Message(body=body, attachments=tuple(fields.pop("attachments", ())), **fields.pop("content", {}))
        thread = fields.pop("thread", "chat-of-mia")
        return self.event("whatsapp", name, fact, at, external_thread_id=thread, **fields)

    def sent(self, name: str, at: float, text: str = "", **fields: Any) -> Event:
        """Our WhatsApp message to her."""
        ours = party(Claim("whatsapp_number", US["whatsapp"]), name="Desk", is_us=True, kind="agent")
        return self.chat(
            name, at, text, direction="outbound", sender=ours, recipients=(self.mia_on_whatsapp(),), **fields
        )

    def edit(self, of: Event, at: float, text: str, **fields: Any) -> Event:
        """The whole message anew."""
        return self.about(of, MessageEdited(body=Body(text=text), **fields), at)

    def delete(self, of: Event, at: float, *, erase: bool = False) -> Event:
        """The sender takes it back."""
        return self.about(of, MessageDeleted(erase=erase), at)

    def react(self, of: Event, at: float, symbol: str) -> Event:
        """A reaction of Mia's."""
        return self.about(
            of, ReactionAdded(target=of.external_id, symbol=symbol), at, name=f"{of.external_id}-{symbol}"
        )

    def receipt(self, of: Event, at: float, status: Any, **fields: Any) -> Event:
        """What became of our message."""
        name = f"{of.external_id}-{status}"
        return self.about(of, Receipt(target=of.external_id, status=status, **fields), at, name=name)

    def up_to(self, last: Event, at: float, status: Any) -> Event:
        """Of all our messages in the thread, up to one."""
        fact = Receipt(status=status, until=last.received_at)
        thread = last.external_thread_id
        return self.event(
            last.network,
            thread,
            fact,
            at,
            revision=f"{status}:{at}",
            place=last.place,
            sender=self.mia_on_whatsapp(),
            external_thread_id=thread,
        )

    def about(self, of: Event, fact: AnyFact, at: float, *, name: str = "") -> Event:
        """Something about a message, in its place, by its sender."""
        return self.event(
            of.network,
            name or of.external_id,
            fact,
            at,
            revision=str(at),
            place=of.place,
            sender=of.sender,
            recipients=of.recipients,
            direction=of.direction,
            external_thread_id=of.external_thread_id,
        )

    # --- commands ---

    def link(self, one: Event, other: Event, state: Any, at: float) -> Event:
        """A person's word on the conversations of two messages."""
        ends = (LinkEnd(entry_id=one.id), LinkEnd(entry_id=other.id))
        return self.event("", f"link-{at}", LinkSet(ends=ends, state=state, at=_at(at)), at)

    def move(self, moved: Sequence[Event], to: Event | None, at: float) -> Event:
        """A person puts messages elsewhere; None: into a conversation of their own."""
        ids = tuple(one.id for one in moved)
        return self.event("", f"move-{at}", EntriesMove(entry_ids=ids, to=to.id if to else "", at=_at(at)), at)

    # --- events ---

    def event(self, network: str, external_id: str, fact: AnyFact, at: float, **fields: Any) -> Event:
        """A finished event, as the host leaves it."""
        account = US.get(network, "")
        bare = Event(external_id, fact, **fields)
        return msgspec.structs.replace(
            bare,
            id=event_id(self.tenant, network, account, bare.kind, external_id, bare.revision),
            tenant=self.tenant,
            channel_id=f"chn_{self.tenant}_{network}",
            network=network,
            account=account,
            received_at=_at(at),
            ingested_at=_at(at),
        )


def _at(minutes: float) -> Any:
    return moment(START + round(minutes * MINUTE))


def party(*claims: Claim, **fields: Any) -> Party:
    """Somebody, with canonical claims."""
    return Party(claims=tuple(canonicalised(claim) for claim in claims), **fields)


def photo(name: str = "kettle.jpg", **fields: Any) -> Attachment:
    """A picture."""
    return Attachment(kind="image", filename=name, media_type="image/jpeg", **fields)
