"""Team Chat: what people write to each other and in channels, by both families of events. It knows no chatbot.

Whether a message is ours decides the list of agents: Zoom tells of both directions alike.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import msgspec

from im_ingest.connectors.zoom.entities import Chat, ChatObject, File
from im_ingest.connectors.zoom.frame import USER, Frame, moment, person
from onethread.errors import Poison
from onethread.event import (
    AnyFact,
    Attachment,
    AttachmentKind,
    Body,
    Content,
    Event,
    Message,
    MessageDeleted,
    MessageEdited,
    ParticipantJoined,
    ParticipantLeft,
    Party,
    Place,
    Quote,
    ReactionAdded,
    ReactionRemoved,
    System,
    Unknown,
    WebLink,
)

C = TypeVar("C", bound=Content)
Handler = Callable[["Scene"], Iterator[Event]]

FILES: dict[str, AttachmentKind] = {"image": "image", "screen shot": "image", "audio": "voice", "audio v2": "voice"}
LINES = {
    "chat_channel.created": "The channel was made.",
    "chat_channel.updated": "The channel is now called {name}",
    "chat_channel.deleted": "The channel was deleted.",
    "team_chat.channel_archived": "The channel was archived.",
    "team_chat.channel_unarchived": "The channel is no longer archived.",
}


class Scene(NamedTuple):
    """What happened, with both sides."""

    frame: Frame
    chat: Chat

    @property
    def here(self) -> ChatObject:
        """The object."""
        return self.chat.object

    @property
    def channel(self) -> str:
        """Id of the channel, "" in a chat of two. Events about the channel itself call it `id`."""
        own = self.here.id if self.frame.name.startswith("chat_channel.") or self.frame.name in LINES else None
        return self.here.channel_id or own or ""

    @property
    def message_id(self) -> str:
        """The message's id. Raises Poison."""
        found = self.here.message_id or self.here.msg_id or self.here.id
        if not found:
            raise Poison("an event that names no message")
        return found

    @property
    def root(self) -> str:
        """The message that the thread is about, "" if it is this one."""
        return self.here.reply_main_message_id or self.here.parent_msg_id or ""

    @property
    def sender(self) -> Party:
        """The operator."""
        chat = self.chat
        return person(self.frame.us, chat.operator_id, chat.operator, external=chat.by_external_user is not False)

    @property
    def other(self) -> Party:
        """The other side of a chat of two; who talks with somebody of another company is ours."""
        party = person(self.frame.us, self.here.contact_id, self.here.contact_email)
        return msgspec.structs.replace(party, kind="agent", is_us=True) if self.chat.by_external_user else party

    def thread(self, root: str) -> str:
        """A thread of a channel; of two people, their chat."""
        if self.channel:
            return f"{self.channel}:{root}" if root else self.channel
        sides = (
            self.chat.operator_id or self.chat.operator or "",
            self.here.contact_id or self.here.contact_email or "",
        )
        if not all(sides):
            raise Poison("an event that names neither channel nor both people")
        return "dm:" + "|".join(sorted(sides))

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
            reply_context=self._reply_context(),
            lookups=(f"{USER}{self.chat.operator_id}",) if asks else (),
            **fields,
        )

    def _place(self) -> Place:
        name = self.here.channel_name or self.here.name or ""
        return Place(id=self.channel, kind="channel", name=name) if self.channel else Place()

    def _at(self) -> datetime | None:
        return moment(self.here.timestamp) or self.frame.at

    def _reply_context(self) -> dict[str, str]:
        where = {"to_channel": self.channel} if self.channel else {"to_contact": self.chat.operator_id or ""}
        return {name: value for name, value in where.items() if value and not self.sender.is_us}


def events(frame: Frame) -> Iterator[Event]:
    """The events of one webhook of Team Chat."""
    yield from HANDLERS.get(frame.name, _unknown)(Scene(frame, frame.decoded(Chat)))


def _posted(scene: Scene) -> Iterator[Event]:
    yield scene.event(scene.message_id, _content(Message, scene), root=scene.root or scene.message_id)


def _updated(scene: Scene) -> Iterator[Event]:
    root = scene.root or scene.message_id
    fact = _content(MessageEdited, scene)
    yield scene.event(scene.message_id, fact, root=root, revision=scene.frame.revision)


def _deleted(scene: Scene) -> Iterator[Event]:
    yield scene.event(scene.message_id, MessageDeleted(), root=scene.root or scene.message_id)


def _reacted(scene: Scene) -> Iterator[Event]:
    target, symbol = scene.message_id, scene.here.emoji or ""
    removed = scene.frame.name.endswith("_removed")
    if not symbol and not removed:
        raise Poison("a reaction without emoji")
    fact = ReactionRemoved(target=target, symbol=symbol) if removed else ReactionAdded(target=target, symbol=symbol)
    actor = scene.chat.operator_id or scene.chat.operator or ""
    yield scene.event(f"{target}:{actor}:{symbol}", fact, root=target, revision=scene.frame.revision)


def _members(scene: Scene) -> Iterator[Event]:
    """Who came or went: those who are named, else the operator."""
    left = scene.frame.name.endswith(("_left", "_removed"))
    us = scene.frame.us
    named = [
        (one.id, person(us, one.id, one.email, name=one.display_name or ""))
        for one in scene.here.members or ()
        if one.id
    ]
    for member, party in named or [(scene.chat.operator_id or "", scene.sender)]:
        fact = ParticipantLeft(party=party) if left else ParticipantJoined(party=party)
        yield scene.event(f"{scene.frame.own_id()}:{member}", fact)


def _line(scene: Scene) -> Iterator[Event]:
    text = LINES[scene.frame.name].format(name=scene.here.name or "")
    yield scene.event(scene.frame.own_id(), System(text=text))


def _unknown(scene: Scene) -> Iterator[Event]:
    """Visible where it is said who did it, and where; else only counted."""
    told = scene.channel or (scene.here.contact_id and scene.chat.operator_id)
    if told and scene.chat.operator_id and scene.here.message_id:
        root = scene.root or scene.here.message_id
        yield scene.event(scene.frame.own_id(), Unknown(label=scene.frame.name), root=root)
    else:
        yield scene.frame.unknown()


def _content(kind: type[C], scene: Scene) -> C:
    here = scene.here
    files = tuple(_file(one, scene) for one in here.files or () if one.file_id)
    links = dict.fromkeys(one.format_attr for one in here.rich_text or () if one.format_type == "AddLink")
    return kind(
        body=Body(text=here.message or ""),
        attachments=files,
        links=tuple(WebLink(url=url) for url in links if url),
        quote=Quote(external_id=scene.root) if scene.root else None,
        unsupported="" if here.message or files else "message",
    )


def _file(file: File, scene: Scene) -> Attachment:
    """Only the API tells where it is; it wants to know in whose chat."""
    chat, here = scene.chat, scene.here
    outside = bool(chat.by_external_user)
    if scene.channel:
        where = ("me" if outside else chat.operator_id or "me", "to_channel", scene.channel)
    elif outside:
        where = (here.contact_id or "me", "to_contact", chat.operator_id or chat.operator or "")
    else:
        where = (chat.operator_id or "me", "to_contact", here.contact_id or here.contact_email or "")
    return Attachment(
        kind=FILES.get(file.file_message_type or "", "file"),
        filename=file.file_name or "",
        size_bytes=file.file_size,
        external_id=file.file_id,
        locator=msgspec.json.encode([*where, scene.message_id, file.file_id]).decode(),
    )


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(
        (
            "team_chat.dm_message_posted",
            "team_chat.channel_message_posted",
            "chat_message.sent",
            "chat_message.replied",
        ),
        _posted,
    ),
    **dict.fromkeys(
        ("team_chat.dm_message_updated", "team_chat.channel_message_updated", "chat_message.updated"), _updated
    ),
    **dict.fromkeys(
        ("team_chat.dm_message_deleted", "team_chat.channel_message_deleted", "chat_message.deleted"), _deleted
    ),
    **dict.fromkeys(
        (f"team_chat.{where}_reaction_{what}" for where in ("dm", "channel") for what in ("added", "removed")), _reacted
    ),
    **dict.fromkeys((f"chat_channel.member_{what}" for what in ("invited", "joined", "left", "removed")), _members),
    **dict.fromkeys(LINES, _line),
}
