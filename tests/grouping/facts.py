"""Facts of a dialogue: what people said and commanded, in terms of the rules alone. Data only.

A dialogue is a set of facts: any order of delivery must give the same grouping. Addresses are `type:value`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

WINDOW_HOURS = 6


@dataclass(frozen=True)
class Said:
    """One message, edit or reaction. `number` names it; `minutes` since the start of the dialogue.

    `place`: mail, chat (direct), post (opens its own thread, or is a comment in another's), group. `quotes`: the number of
    another message of its account, which may never come. `about`: the number of the message it edits or reacts to.
    `also`: a further claim of the author and its evidence. `answers`: the number of our mail whose signed token came back.
    """

    number: int
    place: str
    minutes: int
    author: str
    others: tuple[str, ...] = ()
    outbound: bool = False
    thread: str = ""
    references: tuple[int, ...] = ()
    quotes: int | None = None
    about: int | None = None
    reaction: bool = False
    also: tuple[str, str] | None = None
    automatic: bool = False
    answers: int | None = None

    @property
    def own(self) -> str:
        """The customer's side."""
        return self.others[0] if self.outbound and self.others else "" if self.outbound else self.author


@dataclass(frozen=True)
class Word:
    """A person's word on two addresses, or on the conversations of two messages. `order` tells the later of two."""

    ends: tuple[str, str] | tuple[int, int]
    state: str
    order: int


@dataclass(frozen=True)
class Move:
    """A person puts messages where another one is (`to`), or, without `to`, into a conversation of their own."""

    numbers: tuple[int, ...]
    order: int
    to: int | None = None


Fact = Said | Word | Move


@dataclass(frozen=True)
class Dialogue:
    """A set of facts. `threads`: the places whose channels group by ticket and not by episode."""

    said: tuple[Said, ...]
    words: tuple[Word, ...] = ()
    moves: tuple[Move, ...] = ()
    threads: frozenset[str] = frozenset()

    def fact(self, number: int) -> Said:
        """The message, edit or reaction of this number."""
        return next(said for said in self.said if said.number == number)


def facts_of(dialogue: Dialogue) -> Iterator[Fact]:
    """Every fact."""
    yield from dialogue.said
    yield from dialogue.words
    yield from dialogue.moves
