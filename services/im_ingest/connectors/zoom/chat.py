"""Team Chat: what people write to each other and in channels, by both families of events. It knows no side and no chatbot."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from im_ingest.connectors.zoom.entities import At, Chat, File, Member
from im_ingest.connectors.zoom.frame import Frame, Us, person
from im_ingest.connectors.zoom.scene import Scene
from onethread.errors import Poison
from onethread.event import (
    Attachment,
    AttachmentKind,
    Body,
    Content,
    Event,
    Mention,
    Message,
    MessageDeleted,
    MessageEdited,
    ParticipantJoined,
    ParticipantLeft,
    Party,
    Quote,
    ReactionAdded,
    ReactionRemoved,
    System,
    Unknown,
    WebLink,
)

C = TypeVar("C", bound=Content)
Handler = Callable[[Scene], Iterator[Event]]

FILES: dict[str, AttachmentKind] = {"image": "image", "screen shot": "image", "audio": "voice", "audio v2": "voice"}
LINES = {
    "chat_channel.created": "The channel was made.",
    "chat_channel.updated": "The channel is now called {name}",
    "chat_channel.deleted": "The channel was deleted.",
    "team_chat.channel_archived": "The channel was archived.",
    "team_chat.channel_unarchived": "The channel is no longer archived.",
}


def events(frame: Frame) -> Iterator[Event]:
    """The events of one webhook of Team Chat."""
    yield from HANDLERS.get(frame.name, _unknown)(Scene(frame, *frame.salvaged(Chat)))


def _posted(scene: Scene) -> Iterator[Event]:
    named = scene.named or scene.frame.own_id()
    yield scene.event(named, _content(Message, scene), root=scene.root or named)


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
    yield scene.event(f"{target}:{scene.actor}:{symbol}", fact, root=target, revision=scene.frame.revision)


def _members(scene: Scene) -> Iterator[Event]:
    """Who came or went: those who are named, else the operator."""
    left = scene.frame.name.endswith(("_left", "_removed"))
    named = [(one.id or one.email or "", _member(one, scene.frame.us)) for one in scene.here.members or ()]
    for member, party in [pair for pair in named if pair[0]] or [(scene.actor, scene.sender)]:
        fact = ParticipantLeft(party=party) if left else ParticipantJoined(party=party)
        yield scene.event(f"{scene.frame.own_id()}:{member}", fact)


def _member(one: Member, us: Us) -> Party:
    return person(us, one.id, one.email, name=one.display_name or "")


def _line(scene: Scene) -> Iterator[Event]:
    text = LINES[scene.frame.name].format(name=scene.here.name or "")
    yield scene.event(scene.frame.own_id(), System(text=text))


def _unknown(scene: Scene) -> Iterator[Event]:
    """Visible where it is said who did it, and where; else only counted."""
    if (scene.channel or scene.contact) and scene.actor and scene.here.message_id:
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
        mentions=tuple(_mention(one, scene.frame.us) for one in here.at_items or () if one.at_contact_member_id),
        unsupported="" if here.message or files else "message",
        degraded=scene.degraded,
    )


def _mention(at: At, us: Us) -> Mention:
    party = person(us, at.at_contact_user_id, at.at_contact, at.at_contact_member_id)
    return Mention(party=party, is_us=party.is_us)


def _file(file: File, scene: Scene) -> Attachment:
    """Only the API tells where it is; it wants to know in whose chat."""
    outside = bool(scene.chat.by_external_user)
    if scene.channel:
        where = ("me" if outside else scene.chat.operator_id or "me", "to_channel", scene.channel)
    elif outside:
        where = (scene.here.contact_id or "me", "to_contact", scene.actor)
    else:
        where = (scene.chat.operator_id or "me", "to_contact", scene.contact)
    return Attachment(
        kind=FILES.get(file.file_message_type or "", "file"),
        filename=file.file_name or "",
        size_bytes=file.file_size,
        external_id=file.file_id,
        status="pending" if scene.named else "reference",
        locator=msgspec.json.encode([*where, scene.named, file.file_id]).decode() if scene.named else "",
    )


HANDLERS: dict[str, Handler] = {
    **dict.fromkeys(
        (
            "team_chat.dm_message_posted",
            "team_chat.channel_message_posted",
            "team_chat.app_mention",
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
