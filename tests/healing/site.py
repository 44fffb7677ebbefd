"""A log and a store with a small story in them, and the command over both: for tests that damage, set back and mend."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from grouping.as_events import event_of
from grouping.facts import WINDOW_HOURS, Dialogue, Said, Word
from typer.testing import CliRunner, Result

from all_in_one.cli import app
from onethread import envelope
from onethread.blobs import Blobs
from onethread.event import Event
from onethread.log.kafka import KafkaLog
from onethread.log.port import EventLog, Extent
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import MESSAGES, topics
from unifier.model import scoped
from unifier.policy import HOUR, Policies, Policy
from unifier.restoring import Replay
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations
from unifier.worker import GROUP, Worker

TENANT, OTHER = "acme", "other"
POLICIES = Policies(Policy(window=WINDOW_HOURS * HOUR))
PARTITIONS = 3


class Site(NamedTuple):
    """Where log and store are. With `kafka` and `mongodb`, these; else files in the folder."""

    folder: Path
    mongodb: str = ""
    database: str = "healing"
    kafka: str = ""

    def log(self) -> EventLog:
        if self.kafka:
            return KafkaLog(self.kafka, client_id="healing", deadline=10, session_timeout=6)
        return SqliteLog(self.folder / "log.sqlite")

    def store(self) -> ConversationStore:
        if self.mongodb:
            return MongoConversations(self.mongodb, self.database)
        return SqliteConversations(self.folder / "conversations.sqlite")

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[tuple[EventLog, ConversationStore]]:
        async with self.log() as log, self.store() as store:
            yield log, store

    async def prepare(self) -> None:
        async with self.opened() as (log, store):
            await log.apply(topics(partitions=PARTITIONS))
            await store.create_indexes()

    async def tell(self, events: Sequence[Event]) -> None:
        """Log them, and let a worker thread and commit everything that was not yet."""
        async with self.opened() as (log, store):
            await log.append(MESSAGES, [envelope.draft(event) for event in events])
            await work(log, store)

    def command(self, *arguments: str) -> Result:
        """The command, in this process; outside of any event loop."""
        config = self.folder / "onethread.yaml"
        settings: dict[str, Any] = {"data": str(self.folder), "grouping": {"idle_hours": WINDOW_HOURS}}
        if self.mongodb:
            settings["store"] = {"url": self.mongodb, "database": self.database}
        if self.kafka:
            settings["log"] = {"url": f"kafka://{self.kafka}"}
        config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        return CliRunner().invoke(app, ["--config", str(config), *arguments])

    def verified(self, *arguments: str) -> dict[str, Any]:
        """What `verify` says of a store at rest."""
        result = self.command("--json", "verify", "--at-rest", *arguments)
        assert result.exit_code in (0, 1), result.output
        said: dict[str, Any] = json.loads(result.stdout)
        assert said["clean"] == (result.exit_code == 0)
        return said


async def work(log: EventLog, store: ConversationStore) -> None:
    """What a unifier does until nothing is left."""
    worker = Worker(log, store, Blobs("memory:///"), member="test", policies=POLICIES)
    commits = await log.commits(GROUP, MESSAGES)
    extents = await log.extents(MESSAGES)
    left = {one: Extent(commits.get(one, 0), extent.end) for one, extent in extents.items()}
    await Replay(log, worker, now=lambda: 0).run(left, commit=True)


def story() -> dict[str, list[Said]]:
    """By tenant. Numbers are given in the order in which things are said."""
    phone, other = "phone:+15550100", "phone:+15550101"
    mail, third = "email:mia@example.com", "email:ben@example.com"
    said = [Said(number, "chat", number * 10, phone, thread="chat-a") for number in range(5)]
    said += [
        Said(10, "mail", 1000, mail),
        Said(11, "mail", 3000, mail, references=(10,)),
        Said(12, "mail", 7000, mail),
        Said(20, "chat", 9000, other, thread="chat-b"),
        Said(21, "mail", 9010, third),
        Said(22, "chat", 9020, other, thread="chat-b", also=(third, "own_contact")),
        Said(30, "chat", 12000, phone, thread="chat-a"),
        Said(31, "chat", 12010, phone, thread="chat-a"),
    ]
    return {TENANT: said, OTHER: [Said(40 + number, "chat", number, phone, thread="chat-a") for number in range(2)]}


def events() -> list[Event]:
    """The story as events."""
    return [event_of(one, Dialogue(tuple(said)), tenant) for tenant, said in story().items() for one in said]


def entry_of(number: int, tenant: str = TENANT) -> str:
    """The entry of a message of the story."""
    said = story()[tenant]
    one = next(fact for fact in said if fact.number == number)
    return scoped(tenant, event_of(one, Dialogue(tuple(said)), tenant).id)


def longer_story(count: int, seed: int) -> list[Event]:
    """Messages of a few customers over mail and chat, who answer, and say that addresses are theirs; and a person who links."""
    chance = random.Random(seed)
    said: list[Said] = []
    for number in range(count):
        who = chance.randrange(12)
        address, phone = f"email:c{who}@example.com", f"phone:+1555{who:04d}"
        earlier = [one.number for one in said if one.author == address]
        minutes = number * 11 + chance.randrange(-60, 60)
        if chance.random() < 0.4:
            references = (chance.choice(earlier),) if earlier and chance.random() < 0.5 else ()
            said.append(Said(number, "mail", minutes, address, references=references))
        else:
            also = (address, "own_contact") if chance.random() < 0.1 else None
            said.append(Said(number, "chat", minutes, phone, thread=f"chat-{phone}", also=also))
    dialogue = Dialogue(tuple(said))
    told = [event_of(one, dialogue, TENANT) for one in said]
    for order in range(count // 20):
        # Right behind the later of the two: a replay that reads it before them would set it aside.
        ends = sorted(chance.sample(range(count), 2))
        word = Word((ends[0], ends[1]), chance.choice(("together", "together", "apart")), order)
        behind = next(place for place, one in enumerate(told) if one.id == event_of(said[ends[1]], dialogue, TENANT).id)
        told.insert(behind + 1, event_of(word, dialogue, TENANT))
    return told


def run(coroutine: Any) -> Any:
    """For tests that call the command, which has an event loop of its own."""
    return asyncio.run(coroutine)
