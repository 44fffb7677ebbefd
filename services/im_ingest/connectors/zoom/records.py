"""A record of Zoom as events, and a body as a record without secrets: the one way in. It knows no signature.

No I/O, no clock, no secret. A kind that it does not know is counted; it is never lost.
"""

from collections.abc import Iterator

import msgspec

from im_ingest import salvage
from im_ingest.connectors.zoom import bot, calls, center, chat, meetings, phone
from im_ingest.connectors.zoom.entities import Envelope, User
from im_ingest.connectors.zoom.frame import Frame, Us, person
from onethread.connector import Raw
from onethread.event import Claim, Contact, Event, Party
from onethread.identity import digest

Json = dict[str, msgspec.Raw]

HANDLERS = {**bot.HANDLERS, **phone.HANDLERS, **calls.HANDLERS, **meetings.HANDLERS, **center.HANDLERS}
TEAM_CHAT = ("team_chat.", "chat_message.", "chat_channel.")
SECRETS = frozenset({
    "download_token", "response_url", "callback_url", "callback_token", "signature", "trigger_id",
})  # fmt: skip
"""Whoever has one may fetch files, answer in the bot's name, or open a form."""


class _Owner(msgspec.Struct):
    """Whose chat it is, where somebody of another company acted."""

    contact_account_id: str | None = None
    channel_owner_account_id: str | None = None


class _Account(msgspec.Struct):
    """Whose webhook it is: the account of who acted, empty for people of other companies. Chatbots have a spelling of their own."""

    account_id: str | None = None
    own: str | None = msgspec.field(default=None, name="accountId")
    object: msgspec.Raw = msgspec.Raw(b"{}")

    @property
    def named(self) -> str:
        """The account, "" where none is told."""
        if found := self.account_id or self.own:
            return found
        try:
            where, _ = salvage.decoded(bytes(self.object), _Owner)
        except msgspec.MsgspecError:
            return ""
        return where.contact_account_id or where.channel_owner_account_id or ""


def events(data: bytes, us: Us) -> Iterator[Event]:
    """The events of one webhook. msgspec's errors mean that it is none."""
    envelope, _ = salvage.decoded(data, Envelope)
    frame = Frame(envelope.event, envelope.event_ts, bytes(envelope.payload), us, data)
    if frame.name in HANDLERS:
        yield from HANDLERS[frame.name](frame)
    elif frame.name.startswith(TEAM_CHAT):
        yield from chat.events(frame)
    else:
        yield frame.unknown()


def profile(data: bytes, us: Us, user_id: str) -> Event:
    """What a lookup brought about somebody of the account."""
    user = msgspec.json.decode(data, type=User)
    full = " ".join(filter(None, (user.first_name, user.last_name))) or user.display_name or ""
    bare = person(us, user_id, user.email, name=full, external=False)
    number = (Claim("phone", user.phone_number, evidence="profile"),) if user.phone_number else ()
    party = Party(
        claims=bare.claims + number,
        name=full,
        kind=bare.kind,
        is_us=bare.is_us,
        timezone=user.timezone or "",
        locale=user.language or "",
    )
    facts = digest(party.name, party.timezone, party.locale, *(claim.value for claim in party.claims))
    return Event(user_id, Contact(form="profile"), revision=facts, sender=party)


def record(body: bytes) -> Raw:
    """A body as a record, for its account. A trigger is kept as its hash: it is the only name that a command has.

    msgspec's errors mean that it is no webhook.
    """
    envelope = msgspec.json.decode(body, type=Json)
    payload = envelope.get("payload", msgspec.Raw(b"{}"))
    account, _ = salvage.decoded(bytes(payload), _Account)
    kept = _without_secrets(msgspec.json.decode(payload, type=Json))
    data = msgspec.json.encode({**_without_secrets(envelope), "payload": kept})
    return Raw(data, account=account.named)


def _without_secrets(fields: Json) -> Json:
    kept = {name: value for name, value in fields.items() if name not in SECRETS}
    if "triggerId" in kept:
        hashed = digest(bytes(kept["triggerId"]).decode("utf-8", "replace"))
        kept["triggerId"] = msgspec.Raw(msgspec.json.encode(hashed))
    inner = kept.get("object")
    if inner is not None and bytes(inner).lstrip()[:1] == b"{":
        kept["object"] = msgspec.Raw(msgspec.json.encode(_without_secrets(msgspec.json.decode(inner, type=Json))))
    return kept
