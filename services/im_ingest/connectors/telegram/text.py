"""Words of a Telegram message and what is marked in them. Offsets of entities count UTF-16 code units, not characters.

It knows no file, and nothing of who wrote.
"""

from collections.abc import Iterable, Iterator

from telegram import Message, MessageEntity

from im_ingest.connectors.telegram.strict import whole, words
from im_ingest.connectors.telegram.who import Us, person
from onethread.event import Mention, Party, WebLink

UTF16 = "utf-16-le"
"""Two bytes a code unit, no byte order mark."""


def written(message: Message) -> str:
    """The words: of a text, or under a picture; of a poll, a dice, a checklist what can be read of them."""
    return words(message.text) or words(message.caption) or _spelled_out(message)


def _spelled_out(message: Message) -> str:
    if message.poll is not None:
        options = (f"- {words(option.text)}" for option in message.poll.options)
        return "\n".join((words(message.poll.question), *options))
    if message.checklist is not None:
        tasks = (f"- {words(task.text)}" for task in message.checklist.tasks)
        return "\n".join((words(message.checklist.title), *tasks))
    if message.dice is not None:
        return f"{words(message.dice.emoji)} {whole(message.dice.value)}"
    if message.game is not None:
        return words(message.game.title)
    return ""


def _marked(message: Message) -> Iterator[tuple[MessageEntity, str]]:
    """Every entity with the piece of text it covers."""
    entities = message.entities or message.caption_entities
    units = (words(message.text) or words(message.caption)).encode(UTF16) if entities else b""
    for entity in entities:
        start = 2 * max(whole(entity.offset), 0)
        yield entity, units[start : start + 2 * max(whole(entity.length), 0)].decode(UTF16, "ignore")


def mentions(message: Message, us: Us) -> tuple[Mention, ...]:
    """Who is named: by `@username`, or, for people without one, by their account."""
    return tuple(_mentions(_marked(message), us))


def _mentions(marked: Iterable[tuple[MessageEntity, str]], us: Us) -> Iterator[Mention]:
    for entity, piece in marked:
        if entity.type == MessageEntity.MENTION:
            username = piece.removeprefix("@")
            is_us = username.casefold() == us.username.casefold()
            yield Mention(party=Party(username=username, is_us=is_us), is_us=is_us)
        elif entity.type == MessageEntity.TEXT_MENTION and entity.user is not None:
            party = person(entity.user, us)
            yield Mention(party=party, is_us=party.is_us)


def links(message: Message) -> tuple[WebLink, ...]:
    """Addresses: those one can read, and those behind other words."""
    return tuple(_links(_marked(message)))


def _links(marked: Iterable[tuple[MessageEntity, str]]) -> Iterator[WebLink]:
    for entity, piece in marked:
        if entity.type == MessageEntity.URL:
            yield WebLink(url=piece)
        elif entity.type == MessageEntity.TEXT_LINK:
            yield WebLink(url=words(entity.url), title=piece)
