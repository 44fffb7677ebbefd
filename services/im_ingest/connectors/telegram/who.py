"""Who and where: parties, places and ids of Telegram. It knows nothing of what was said.

Ids of users are global; a message's id is unique in its chat only, and in the chats of a connected business account in that
connection only (Bot API, "Message" and "BusinessConnection").
"""

from typing import NamedTuple

from telegram import Chat, Message, User

from im_ingest.connectors.telegram.strict import known, whole, words
from onethread.event import Claim, Party, PartyKind, Place, PlaceKind

PLACE_KINDS: dict[str, PlaceKind] = {"private": "direct", "group": "group", "supergroup": "group", "channel": "channel"}


class Us(NamedTuple):
    """Our side: the bot's numeric id, its name without @, and the ids of people and chats that answer for us."""

    id: str
    username: str
    agents: frozenset[str] = frozenset()

    def owns(self, number: str) -> bool:
        """Whether a user or a chat is our side."""
        return number == self.id or number in self.agents


def _chat_id(chat: Chat) -> str:
    """The chat's id; the library lets a message pass that names no chat."""
    return str(whole(known(chat, Chat).id))


def person(user: User, us: Us, *further: Claim) -> Party:
    """A user, or a bot. `further` claims are evidence for a pair with the user's id."""
    number, username = str(whole(known(user, User).id)), words(user.username)
    kind: PartyKind = "bot" if user.is_bot else "agent" if us.owns(number) else "person"
    return Party(
        claims=(Claim("telegram_user", number), *further),
        name=full_name(user.first_name, user.last_name),
        username=username,
        kind=kind,
        is_us=us.owns(number),
        locale=words(user.language_code),
        profile_url=f"https://t.me/{username}" if username else "",
    )


def full_name(first: object, last: object) -> str:
    """First and last name, either of which may be missing."""
    return " ".join(filter(None, (words(first), words(last))))


def speaking_chat(chat: Chat, us: Us) -> Party:
    """A chat that speaks in its own name: a channel, or a group whose administrator hides. Nobody knows the person."""
    number = _chat_id(chat)
    return Party(
        claims=(Claim("telegram_chat", number),),
        name=words(chat.title),
        username=words(chat.username),
        kind="agent" if us.owns(number) else "anonymous",
        is_us=us.owns(number),
    )


def partner(chat: Chat) -> Party:
    """The other person of a private chat, whose chat id is the user's id."""
    return Party(
        claims=(Claim("telegram_user", _chat_id(chat)),),
        name=full_name(chat.first_name, chat.last_name),
        username=words(chat.username),
    )


def place(chat: Chat, message_id: int | None = None) -> Place:
    """Where it was said. Only chats with a public name have a link that opens for everybody."""
    kind = PLACE_KINDS.get(str(known(chat, Chat).type), "group")
    public = words(chat.username) if kind != "direct" else ""
    permalink = f"https://t.me/{public}" if public else ""
    if permalink and message_id is not None:
        permalink += f"/{message_id}"
    return Place(id=_chat_id(chat), kind=kind, name=words(chat.title), permalink=permalink)


def message_ref(chat: Chat, message_id: object, connection: object = None) -> str:
    """The external id of a message: `<chat>:<message_id>`, after the business connection where there is one."""
    return ":".join(filter(None, (words(connection), _chat_id(chat), str(whole(message_id)))))


def thread_ref(chat: Chat, topic: object = None, connection: object = None) -> str:
    """The external id of a thread: the chat, in a business connection, in a topic."""
    topics = () if topic is None else (str(whole(topic)),)
    return ":".join(filter(None, (words(connection), _chat_id(chat), *topics)))


def topic_of(message: Message) -> int | None:
    """The topic of a forum, or the person's own topic in the direct messages of a channel.

    `message_thread_id` alone is not one: supergroups set it on every reply.
    """
    if message.direct_messages_topic is not None:
        return whole(message.direct_messages_topic.topic_id)
    return whole(message.message_thread_id) if message.is_topic_message and message.message_thread_id else None


def thread_of(message: Message) -> str:
    """The thread a message is in."""
    return thread_ref(message.chat, topic_of(message), message.business_connection_id)


def ours(message: Message, us: Us) -> bool:
    """Whether our side wrote it: our bot, one of our people or chats, or the owner of a connected business account.

    In a business account's private chat the customer is the one whose id is the chat's; everybody else is the owner, or a bot
    that writes for the owner (`sender_business_bot`).
    """
    user = message.from_user
    if user is not None and message.business_connection_id:
        return message.sender_business_bot is not None or str(user.id) != _chat_id(message.chat)
    if message.sender_chat is not None:
        return us.owns(_chat_id(message.sender_chat))
    return user is not None and us.owns(str(user.id))


def sender(message: Message, us: Us) -> Party:
    """Who wrote it. Where a chat speaks (`sender_chat`), `from` is only a placeholder for old programs."""
    if message.sender_chat is not None:
        return speaking_chat(message.sender_chat, us)
    if message.from_user is None:
        return Party(kind="anonymous")
    if not ours(message, us):
        return person(message.from_user, us, *own_number(message))
    return our_side(message, us)


def our_side(message: Message, us: Us) -> Party:
    """The bot or the member of staff that wrote for us."""
    bot = message.sender_business_bot
    party = person(bot or known(message.from_user, User), us)
    kind: PartyKind = "bot" if party.kind == "bot" else "agent"
    return Party(claims=party.claims, name=party.name, username=party.username, kind=kind, is_us=True)


def own_number(message: Message) -> tuple[Claim, ...]:
    """The sender's own phone number: only a card that names the sender's own user id proves it, and none that is passed on.

    What is passed on may be old: the number may be somebody else's by now.
    """
    contact, user = message.contact, message.from_user
    if contact is None or user is None or message.forward_origin is not None:
        return ()
    if contact.user_id is None or whole(contact.user_id) != whole(user.id):
        return ()
    return (Claim("phone", words(contact.phone_number), evidence="own_contact"),)
