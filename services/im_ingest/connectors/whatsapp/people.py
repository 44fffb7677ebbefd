"""What WhatsApp tells of people besides what they say: wishes, new ids, names in the address book, who answers them.

It knows no envelope and no message.
"""

from collections.abc import Iterator, Sequence

from im_ingest.connectors.whatsapp.entities import (
    BookChange,
    Contact,
    Handover,
    Preference,
    UserIdUpdate,
    Value,
    Writer,
)
from im_ingest.connectors.whatsapp.who import Ids, ids, person, phone
from im_ingest.meta import moment
from onethread.event import (
    Claim,
    ContactSubscribed,
    ContactUnsubscribed,
    Event,
    IdentityChanged,
    Party,
    System,
    Unknown,
)
from onethread.event import Contact as ContactFacts
from onethread.identity import digest

PASSED, TAKEN = "The chat was passed to our app.", "The chat was taken by another app."


def preference(wish: Preference, contacts: Sequence[Contact]) -> Event:
    """Whether somebody wants marketing messages, from now on."""
    known, party = person(ids(wish.wa_id, wish.user_id), contacts)
    out = wish.value == "stop"
    return Event(
        f"preference:{known.best}:{wish.category}:{wish.timestamp}",
        ContactUnsubscribed(reason="opt_out") if out else ContactSubscribed(reason="opt_in"),
        sender=party,
        received_at=moment(wish.timestamp),
        channel_data={"category": wish.category, "value": wish.value},
    )


def renamed(update: UserIdUpdate) -> Iterator[Event]:
    """The old id and the new one are one person."""
    changed = update.user_id
    if changed is None or not (changed.previous and changed.current):
        yield Event(f"user_id_update:{update.wa_id}:{update.timestamp}", Unknown(label="user_id_update"))
        return
    _, party = person(ids(update.wa_id, changed.current), [])
    yield Event(
        f"user_id_update:{changed.previous}:{changed.current}",
        IdentityChanged(old=Claim("whatsapp_user", changed.previous), new=Claim("whatsapp_user", changed.current)),
        external_thread_id=changed.current,
        sender=party,
        received_at=moment(update.timestamp),
    )


def address(entry: BookChange) -> Event:
    """A name from the address book of our own app. It says how we call a number, so the number is all it claims."""
    book, at = entry.contact, moment(entry.metadata.timestamp if entry.metadata else None)
    number = ids(book.phone_number if book else "", None).number
    if not (book and number and entry.action == "add"):
        stamp = entry.metadata.timestamp if entry.metadata else ""
        return Event(f"state_sync:{number}:{stamp}", Unknown(label=f"state_sync {entry.action}"), received_at=at)
    party = Party(claims=(phone(number),), name=book.full_name or "")
    return Event(
        phone(number).value,
        ContactFacts(form="address_book"),
        revision=digest(book.full_name or ""),
        sender=party,
        received_at=at,
    )


def handed_over(value: Value, handover: Handover, contacts: Sequence[Contact]) -> Event:
    """The chat was given to us, or taken ("messaging_handovers"); what is said while another app has it comes as `standby`."""
    known, party = person(_writer(value.sender or Writer()), contacts)
    context = handover.conversation_context
    more = {
        "previous_owner_role": handover.previous_owner_role,
        "new_owner_role": handover.new_owner_role,
        "metadata": handover.metadata,
        "summary": context.summary.text if context and context.summary else None,
    }
    return Event(
        f"handover:{known.best}:{value.type}:{value.timestamp}",
        System(text=PASSED if value.control_passed else TAKEN),
        external_thread_id=known.best,
        sender=party,
        received_at=moment(value.timestamp),
        reply_context=known.reply_context,
        channel_data={name: said for name, said in more.items() if said},
    )


def _writer(writer: Writer) -> Ids:
    return ids(writer.phone_number, writer.user_id)
