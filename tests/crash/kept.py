"""What became of files and look-ups: what the blob store holds, what messages show, what is left to do. It knows no kill."""

import collections
import hashlib
import os
import time
from pathlib import Path

import msgspec
from crash.telling import Telling

from onethread import envelope
from onethread.event import Event, Message
from onethread.log.port import EventLog, TopicPartition
from onethread.log.topics import MESSAGES
from onethread.state.port import StateStore
from unifier.api.message_state import folded
from unifier.model import HeadFilter
from unifier.store.port import ConversationStore

_LONG_AGO = 3 * 3600.0
"""Seconds after which nobody writes to a file any more."""


class Kept(msgspec.Struct, frozen=True):
    """`blobs`: the hashes of what is stored; `shown`: of each file of each message, its status and hash; `people`: whose name is known."""

    blobs: list[str]
    shown: list[tuple[str, str]]
    people: list[str]
    wrong: list[str]
    """What must never be, whatever there was to fetch."""


async def kept(told: Telling, log: EventLog, state: StateStore, store: ConversationStore) -> Kept:
    """Read everything of a telling that has ended."""
    folder = Path(told.folder) / "blobs"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    named = [path for path in files if path.parent.name != "incoming"]
    events = await _events(told.tenant, log)
    jobs = [one.id for one in await state.scan("fetches") if told.tenant in one.id]
    wrong = [f"half of {path.name}" for path in named if hashlib.sha256(path.read_bytes()).hexdigest() != path.name]
    wrong += [f"left in incoming: {path.name}" for path in files if path not in named]
    wrong += [f"a job is left: {one}" for one in jobs]
    wrong += _told_twice(events)
    return Kept(
        blobs=sorted(path.name for path in named),
        shown=await _shown(told.tenant, store),
        people=sorted({event.sender.name for event in events if event.kind == "contact"}),
        wrong=wrong,
    )


def abandoned(folder: Path) -> int:
    """How many files a killed process left on their way; hours pass over them."""
    incoming = folder / "blobs" / "incoming"
    files = list(incoming.iterdir()) if incoming.is_dir() else []
    for path in files:
        os.utime(path, times=(time.time() - _LONG_AGO,) * 2)
    return len(files)


async def _events(tenant: str, log: EventLog) -> list[Event]:
    records = await log.fetch(TopicPartition(MESSAGES, 0), 0, 10_000)
    events = [envelope.read(record.value, record.headers) for record in records]
    return [event for event in events if event.tenant == tenant]


def _told_twice(events: list[Event]) -> list[str]:
    """Messages whose files were said to be there by events of different ids."""
    ids = collections.defaultdict(set)
    for event in events:
        if event.kind in {"message.completed", "contact"}:
            ids[event.kind, event.external_id].add(event.id)
    return [f"{kind} of {name} has {len(found)} ids" for (kind, name), found in ids.items() if len(found) > 1]


async def _shown(tenant: str, store: ConversationStore) -> list[tuple[str, str]]:
    heads = await store.list_heads(tenant, "created", None, 1000, HeadFilter())
    found = []
    for head in heads:
        for entry in await store.run(head.id, 0, 1000):
            if entry.event is not None and isinstance(entry.event.fact, Message):
                fact = folded(await store.about([entry.id])).with_files(entry.event.fact)
                assert isinstance(fact, Message)
                found += [(file.status, file.sha256) for file in fact.attachments]
    return sorted(found)
