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
    """Line by line; a message holds at most one of these."""
    poll, checklist, dice, invoice = message.poll, message.checklist, message.dice, message.invoice
    prize = message.giveaway or message.giveaway_winners
    lines: list[str] = []
    if poll is not None:
        lines += [words(poll.question), *(f"- {words(option.text)}" for option in poll.options)]
    if checklist is not None:
        lines += [words(checklist.title), *(f"- {words(task.text)}" for task in checklist.tasks)]
    if dice is not None:
        lines.append(f"{words(dice.emoji)} {whole(dice.value)}")
    if message.game is not None:
        lines.append(words(message.game.title))
    if invoice is not None:
        lines += [words(invoice.title), words(invoice.description)]
    if prize is not None:
        lines.append(words(prize.prize_description))
    return "\n".join(filter(None, lines))


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
    """Addresses: those one can read, those behind other words, and that of a story of a chat with a public name."""
    return (*_links(_marked(message)), *_story(message))


def _story(message: Message) -> Iterator[WebLink]:
    """Bots get no story itself; the form of its link is that of Telegram's "Deep links"."""
    story = message.story
    if story is not None and words(story.chat.username):
        yield WebLink(url=f"https://t.me/{words(story.chat.username)}/s/{whole(story.id)}")


def _links(marked: Iterable[tuple[MessageEntity, str]]) -> Iterator[WebLink]:
    for entity, piece in marked:
        if entity.type == MessageEntity.URL:
            yield WebLink(url=piece)
        elif entity.type == MessageEntity.TEXT_LINK:
            yield WebLink(url=words(entity.url), title=piece)
