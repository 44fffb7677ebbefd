"""The records of WhatsApp's webhooks as typed structs: decoding them checks them. It knows no event.

Source: Meta for Developers, "WhatsApp Business Platform: Webhooks reference" and "Business-scoped user IDs". A record is a
change that holds one element; see `split`.
"""

from typing import Any

import msgspec

from im_ingest.connectors.whatsapp.said import Error
from im_ingest.meta import Stamp


class Metadata(msgspec.Struct):
    """Our number."""

    display_phone_number: str = ""
    phone_number_id: str = ""


class Profile(msgspec.Struct):
    """What people chose to be called."""

    name: str | None = None
    username: str | None = None


class Contact(msgspec.Struct):
    """Somebody the change is about. `wa_id`: the phone number, absent if the person hides it behind a username."""

    profile: Profile | None = None
    wa_id: str | None = None
    user_id: str | None = None
    parent_user_id: str | None = None


class Status(msgspec.Struct):
    """What became of a message of ours, or of a call; in a group the participant is the person, the recipient the group."""

    id: str
    status: str
    timestamp: Stamp = None
    type: str | None = None
    recipient_id: str | None = None
    recipient_user_id: str | None = None
    recipient_parent_user_id: str | None = None
    recipient_type: str | None = None
    recipient_participant_id: str | None = None
    recipient_participant_user_id: str | None = None
    recipient_participant_parent_user_id: str | None = None
    pricing: dict[str, Any] | None = None
    errors: list[Error] | None = None


class Call(msgspec.Struct):
    """One state of a call. Its session description (network addresses, passwords) was taken out at the entrance."""

    id: str
    event: str = ""
    status: str | None = None
    direction: str | None = None
    timestamp: Stamp = None
    start_time: Stamp = None
    end_time: Stamp = None
    duration: int | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    from_user_id: str | None = None
    to: str | None = None
    to_user_id: str | None = None


class Preference(msgspec.Struct):
    """Whether a person wants marketing messages."""

    wa_id: str | None = None
    user_id: str | None = None
    category: str = ""
    value: str = ""
    timestamp: Stamp = None


class Changed(msgspec.Struct):
    """An id before and after."""

    previous: str = ""
    current: str = ""


class UserIdUpdate(msgspec.Struct):
    """A person's business-scoped id became another, as when the number changes."""

    wa_id: str | None = None
    user_id: Changed | None = None
    timestamp: Stamp = None


class BookEntry(msgspec.Struct):
    """A person in the address book of the WhatsApp Business app."""

    full_name: str | None = None
    phone_number: str | None = None


class BookMoment(msgspec.Struct):
    """When the address book changed."""

    timestamp: Stamp = None


class BookChange(msgspec.Struct):
    """The address book of the WhatsApp Business app, told once after coupling and upon every change."""

    type: str = ""
    action: str = ""
    contact: BookEntry | None = None
    metadata: BookMoment | None = None


class Writer(msgspec.Struct):
    """The person whose chat goes from one app to another."""

    phone_number: str | None = None
    user_id: str | None = None


class Summary(msgspec.Struct):
    """What was said so far, in Meta's words."""

    text: str | None = None


class Context(msgspec.Struct):
    """What an app is told that gets a chat."""

    summary: Summary | None = None


class Handover(msgspec.Struct):
    """Who had the chat, and who has it now, by their roles, such as `ai_agent` and `escalation`."""

    previous_owner_role: str | None = None
    new_owner_role: str | None = None
    metadata: str | None = None
    conversation_context: Context | None = None


class ThreadContext(msgspec.Struct):
    """Who a thread of the history is with."""

    wa_id: str | None = None
    user_id: str | None = None


class Thread(msgspec.Struct):
    """A chat of the history; `id` is the person's number."""

    id: str = ""
    context: ThreadContext | None = None
    messages: list[msgspec.Raw] = []


class History(msgspec.Struct):
    """Messages from before the number was coupled, or the reason why there are none."""

    threads: list[Thread] = []
    errors: list[Error] | None = None


class Value(msgspec.Struct):
    """What changed: one element, undecoded, with the contacts that it names. `event`: of changes about the account."""

    metadata: Metadata | None = None
    contacts: list[msgspec.Raw] | None = None
    messages: list[msgspec.Raw] | None = None
    statuses: list[msgspec.Raw] | None = None
    message_echoes: list[msgspec.Raw] | None = None
    calls: list[msgspec.Raw] | None = None
    user_preferences: list[msgspec.Raw] | None = None
    user_id_update: list[msgspec.Raw] | None = None
    state_sync: list[msgspec.Raw] | None = None
    history: list[msgspec.Raw] | None = None
    errors: list[Error] | None = None
    event: str | None = None
    conversation_context: Context | None = None
    sender: Writer | None = None
    type: str | None = None
    timestamp: Stamp = None
    control_passed: Handover | None = None
    control_taken: Handover | None = None


class Change(msgspec.Struct):
    """One change of an entry."""

    field: str
    value: msgspec.Raw
