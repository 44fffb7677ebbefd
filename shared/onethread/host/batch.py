"""What one call of the way in gathers before anything is written, and what came of it. It knows no log and no connector's code."""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec

from onethread.connector import Raw
from onethread.dead_letters import DeadLetter
from onethread.event import Event
from onethread.host.channel import Channel
from onethread.host.showing import Seen
from onethread.log.port import Draft


class Outcome(msgspec.Struct, frozen=True):
    """What became of the records, all of it durable. `degraded`: what a person should look into, "" if nothing.

    `seen`: the same at length, while anybody listens.
    """

    events: tuple[str, ...] = ()
    dead_letters: tuple[str, ...] = ()
    degraded: str = ""
    seen: tuple[Seen, ...] = ()


class Streak:
    """Bugs in a row of one pull, over its pages."""

    def __init__(self) -> None:
        self.length = 0


class Part(msgspec.Struct, frozen=True):
    """What became of one record: events with their drafts, or a dead letter, or nothing."""

    finished: Sequence[tuple[Event, Draft]] = ()
    letter: DeadLetter | None = None


class Batch:
    """What one call gathers before it writes; `row`: bugs in a row so far."""

    def __init__(self, streak: Streak | None) -> None:
        self.events: list[Event] = []
        self.drafts: list[Draft] = []
        self.parts: list[Part] = []
        self.letters: list[DeadLetter] = []
        self.excerpts: list[str] = []
        self.degraded = ""
        self.streak = streak
        self.row = streak.length if streak else 0

    async def add(self, parts: Iterable[Part | asyncio.Task[Part]]) -> None:
        """In order; waits for those that are not finished."""
        for one in parts:
            part = await one if isinstance(one, asyncio.Task) else one
            self.parts.append(part)
            for event, draft in part.finished:
                self.events.append(event)
                self.drafts.append(draft)
            if part.letter is not None:
                self.letters.append(part.letter)

    def seen(self, channel: Channel, records: Iterable[tuple[Channel, Raw]]) -> tuple[Seen, ...]:
        """All of it, for those who listen: `records` as they were given to the parsers; what was for no channel comes first."""
        unrouted = [
            Seen(channel.id, Raw(letter.data, letter.form, letter.account, letter.about), letter=letter)
            for letter in self.letters
            if letter.stage == "route"
        ]
        became = [
            Seen(target.id, raw, tuple(event for event, _ in part.finished), part.letter)
            for (target, raw), part in zip(records, self.parts, strict=True)
        ]
        return (*unrouted, *became)
