"""An activity with its sides and its place: what every event made of it shares. It knows nothing of what was said."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from im_ingest.connectors.teams.content import device
from im_ingest.connectors.teams.entities import Account, Activity, Conversation
from im_ingest.connectors.teams.who import Us, party, tenant_of
from onethread.errors import Poison
from onethread.event import AnyFact, Event, Party, Place, PlaceKind
from onethread.identity import digest

MEMBER = "member:"
"""Before service URL, conversation and person, the locator of a look-up."""
CLOSED = frozenset({"private", "shared"})
"""Types of channels with members of their own."""
PLACES: dict[str, PlaceKind] = {"personal": "direct", "groupChat": "group", "channel": "channel"}


class Scene(NamedTuple):
    """One activity. `unread`: what of it could not be read, for people."""

    activity: Activity
    us: Us
    data: bytes
    unread: str = ""

    @property
    def tenant(self) -> str:
        """Whose directory its people are in."""
        return tenant_of(self.activity) or self.us.tenant

    @property
    def chat(self) -> str:
        """The chat or the channel, whatever the thread; message ids are unique in it."""
        return self.conversation.id.partition(";")[0]

    @property
    def conversation(self) -> Conversation:
        """Where it is. Raises Poison."""
        if self.activity.conversation is None or not self.activity.conversation.id:
            raise Poison("an activity without a conversation")
        return self.activity.conversation

    @property
    def kind(self) -> PlaceKind:
        """What sort of conversation it is; where none is named, a chat of one person and the bot, unless it says otherwise."""
        named = self.conversation.conversation_type or ("groupChat" if self.conversation.is_group else "personal")
        return PLACES.get(named, "group")

    def message_id(self, activity_id: str | None) -> str:
        """Our id of a message of this chat. Raises Poison for none."""
        if not activity_id:
            raise Poison("an activity that names no message")
        return f"{self.chat}:{activity_id}"

    def own_id(self, what: str = "") -> str:
        """The id of what is no message."""
        own = self.activity.id or self.fingerprint()
        return ":".join(filter(None, (self.chat, own, what)))

    def stamp(self) -> str:
        """What tells two changes of one message apart."""
        return self.activity.timestamp or self.fingerprint()

    def fingerprint(self) -> str:
        """What tells an activity without an id from all others, and is the same when it comes again."""
        return digest(self.data.decode("utf-8", "replace"))

    def event(self, external_id: str, fact: AnyFact, *, revision: str = "", **fields: Any) -> Event:
        """An event of this activity."""
        here, account = self.activity, self.activity.sender or Account()
        ours = self.us.owns(account)
        sender = party(account, self.us, self.tenant, device(here))
        return Event(
            external_id,
            fact,
            revision=revision,
            external_thread_id=self.conversation.id,
            place=self._place(),
            direction="outbound" if ours else "inbound",
            echo=ours,
            sender=sender,
            received_at=moment(here.timestamp),
            reply_context=self._reply_context(),
            lookups=() if ours else self._lookups(account, sender),
            **fields,
        )

    def persons(self, accounts: Iterable[Account] | None) -> Iterable[tuple[Account, Party]]:
        """Accounts that have an id, each with its party."""
        return [(one, party(one, self.us, self.tenant)) for one in accounts or () if one.id or one.aad_object_id]

    def _place(self) -> Place:
        said, data = self.conversation, self.activity.channel_data
        channel, team = (data.channel, data.team) if data else (None, None)
        return Place(
            id=self.chat,
            kind=self.kind,
            name=said.name or (channel.name if channel else None) or "",
            space=(team.id if team else None) or "",
        )

    def _reply_context(self) -> dict[str, str]:
        context = {"service_url": self.activity.service_url or "", "conversation": self.conversation.id}
        return context if all(context.values()) else {}

    def _lookups(self, account: Account, sender: Party) -> tuple[str, ...]:
        if not (account.id and self.activity.service_url and sender.kind == "person"):
            return ()
        asked = [self.activity.service_url, self._roster(), account.id, self.tenant]
        return (MEMBER + msgspec.json.encode(asked).decode(),)

    def _roster(self) -> str:
        """Whose members are asked for: a thread has none of its own, and those of a team are in all of its standard channels."""
        data = self.activity.channel_data
        if self.kind != "channel" or data is None or (data.channel and data.channel.type in CLOSED):
            return self.chat
        return (data.team.id if data.team else None) or self.chat


def moment(text: str | None) -> datetime | None:
    """An ISO 8601 time; without a zone, it is UTC. None where it cannot be read: no message is lost for that."""
    try:
        at = msgspec.convert(text, datetime)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
    except (msgspec.ValidationError, ValueError, OverflowError):
        return None
