"""One event of Team Chat with both of its sides: where, who, and what every event made of it shares. It knows nothing of what was said.

Whether a message is ours decides the list of agents, for Zoom tells of both directions alike; between two companies the company decides.

Source: Zoom's reference of Team Chat events. Of people of other companies it leaves `operator_id`, `account_id` and in channels `operator`
empty, and so `contact_id`; the member id alone is always there.
"""

from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from im_ingest.connectors.zoom.entities import Chat, ChatObject
from im_ingest.connectors.zoom.frame import USER, Frame, moment, person
from onethread.errors import Poison
from onethread.event import AnyFact, Event, Party, Place

CHANNELS = ("chat_channel.", "team_chat.channel_archived", "team_chat.channel_unarchived")
"""Events about a channel itself, which call it `id`."""
POSTED = ("_posted", ".sent", ".replied", ".app_mention")
"""Events that bring a message."""


class Scene(NamedTuple):
    """What happened, with both sides. `degraded`: what of it could not be read."""

    frame: Frame
    chat: Chat
    degraded: str = ""

    @property
    def here(self) -> ChatObject:
        """The object."""
        return self.chat.object

    @property
    def channel(self) -> str:
        """Id of the channel, "" in a chat of two."""
        own = self.here.id if self.frame.name.startswith(CHANNELS) else None
        return self.here.channel_id or own or ""

    @property
    def named(self) -> str:
        """The message's id, "" where it has none."""
        return self.here.message_id or self.here.msg_id or self.here.id or ""

    @property
    def message_id(self) -> str:
        """The message's id, which what becomes of it cannot do without. Raises Poison."""
        if not self.named:
            raise Poison("an event that names no message")
        return self.named

    @property
    def root(self) -> str:
        """The message that the thread is about, "" if it is this one."""
        return self.here.reply_main_message_id or self.here.parent_msg_id or ""

    @property
    def actor(self) -> str:
        """The best id of who did it."""
        return self.chat.operator_id or self.chat.operator_member_id or self.chat.operator or ""

    @property
    def contact(self) -> str:
        """The best id of the other side of a chat of two."""
        return self.here.contact_id or self.here.contact_member_id or self.here.contact_email or ""

    @property
    def sender(self) -> Party:
        """The operator; who writes to somebody of another company is ours."""
        chat = self.chat
        outside = chat.by_external_user is not False
        party = person(self.frame.us, chat.operator_id, chat.operator, chat.operator_member_id, external=outside)
        return _ours(party) if not outside and not self.channel and self._talks_outside else party

    @property
    def other(self) -> Party:
        """The other side of a chat of two; whom somebody of another company talks with is ours."""
        here = self.here
        known = bool(here.contact_id and here.contact_member_id)  # the older events tell ids of other companies, too
        party = person(self.frame.us, here.contact_id, here.contact_email, here.contact_member_id, external=not known)
        return _ours(party) if self.chat.by_external_user else party

    @property
    def _talks_outside(self) -> bool:
        """Whether the other side is of another company: Zoom tells its member id alone."""
        return bool(self.here.contact_member_id) and not self.here.contact_id

    def thread(self, root: str) -> str:
        """A thread of a channel; of two people, their chat, whoever of them writes."""
        if self.channel:
            return f"{self.channel}:{root}" if root else self.channel
        members = (self.chat.operator_member_id, self.here.contact_member_id)
        sides = members if all(members) else (self.actor, self.contact)
        if not any(sides):
            raise Poison("an event that names neither channel nor people")
        return "dm:" + "|".join(sorted(filter(None, sides)))

    def event(self, external_id: str, fact: AnyFact, *, root: str = "", revision: str = "", **fields: Any) -> Event:
        """An event of this scene."""
        sender, direct = self.sender, not self.channel
        asks = sender.kind == "person" and bool(self.chat.operator_id) and not self.chat.by_external_user
        return Event(
            external_id,
            fact,
            revision=revision,
            external_thread_id=self.thread(root),
            place=self._place(),
            direction="outbound" if sender.is_us else "inbound",
            echo=sender.is_us,
            sender=sender,
            recipients=(self.other,) if direct else (),
            received_at=self._at(),
            reply_context=self._reply_context(ours=sender.is_us),
            lookups=(f"{USER}{self.chat.operator_id}",) if asks else (),
            **fields,
        )

    def _place(self) -> Place:
        name = self.here.channel_name or self.here.name or ""
        return Place(id=self.channel, kind="channel", name=name) if self.channel else Place()

    def _at(self) -> datetime | None:
        """A message has its own time; that of what becomes of it is the event's, whose object repeats the message's."""
        told = moment(self.here.timestamp), self.frame.at
        first, second = told if self.frame.name.endswith(POSTED) else told[::-1]
        return first or second

    def _reply_context(self, *, ours: bool) -> dict[str, str]:
        where = {"to_channel": self.channel} if self.channel else {"to_contact": self.actor}
        return {name: value for name, value in where.items() if value and not ours}


def _ours(party: Party) -> Party:
    return msgspec.structs.replace(party, kind="agent", is_us=True)
