"""Files and look-ups that are to be fetched: durable jobs, each with the time at which it is due. It fetches nothing.

Whoever takes a job moves its time forward first, by compare-and-set: so one replica works at it, and it falls due again if that
one dies. The times are of wall clocks; where those differ between machines, work may be done twice, which changes nothing. Of jobs that
are done nothing is kept.
"""

import msgspec

from onethread.errors import Conflict
from onethread.host.fetched import Fetched
from onethread.host.media import Outcome
from onethread.identity import digest
from onethread.state.port import Document, StateStore

_JOBS, _ASKED = "fetches", "looked_up"
_LOOKUP = "lookup_"
DAY = 86400.0
"""Seconds."""


class Files(msgspec.Struct, frozen=True, omit_defaults=True, tag="files"):
    """Those of the event at this place of the log.

    By the number of the file: `outcomes`, and `other`, a SHA-256 that came in the place of the one that the provider names.
    """

    partition: int
    offset: int
    outcomes: dict[str, Outcome] = {}
    other: dict[str, str] = {}


class Lookup(msgspec.Struct, frozen=True, tag="lookup"):
    """What the connector is to look up."""

    locator: str


class Job(msgspec.Struct, frozen=True, omit_defaults=True):
    """`due`, `until`: Unix seconds; after `until` it is given up. `tries`: those that failed so far; `refused`: of these, for want of access."""

    channel: str
    due: float
    until: float
    about: Files | Lookup
    tries: int = 0
    refused: int = 0


_decode = msgspec.json.Decoder(Job).decode


class Held:
    """A job that is ours for a while. `fetched`: what need not be done at all."""

    def __init__(self, store: StateStore, job: Job, document: Document, fetched: Fetched) -> None:
        self.job, self.fetched = job, fetched
        self._store, self._document = store, document

    async def change(self, job: Job) -> None:
        """What is known now, and when it is due. Raises Conflict when another has it by now."""
        value = msgspec.json.encode(job)
        self._document = await self._store.put(_JOBS, self._document.id, value, self._document.version)
        self.job = job

    async def give_back(self, now: float) -> None:
        """Whoever comes first may take it. Raises Conflict as `change`."""
        await self.change(msgspec.structs.replace(self.job, due=now))

    async def done(self) -> None:
        """Never again. Raises Conflict when another has it by now."""
        await self._store.remove(_JOBS, self._document.id, self._document.version)


class Jobs:
    """All methods raise Retryable while the store is away."""

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._fetched = Fetched(store)
        self._until: dict[str, float] = {}

    async def add(self, key: str, job: Job) -> bool:
        """False: it is there already, and stays as it was."""
        try:
            await self._store.put(_JOBS, key, msgspec.json.encode(job), 0)
        except Conflict:
            return False
        return True

    async def all(self) -> dict[str, Job]:
        """Every job that is not done."""
        return {document.id: _decode(document.value) for document in await self._store.scan(_JOBS)}

    async def take(self, key: str, now: float, lease: float) -> Held | None:
        """The job, for `lease` seconds; None: it is done, not due yet, or another has it."""
        document = await self._store.get(_JOBS, key)
        if document is None or (job := _decode(document.value)).due > now:
            return None
        held = Held(self._store, job, document, self._fetched)
        try:
            await held.change(msgspec.structs.replace(job, due=now + lease))
        except Conflict:
            return None
        return held

    # --- one look-up a locator and day ---

    async def asked(self, channel: str, locator: str, now: float) -> bool:
        """Whether it was looked up, or is about to be, since this time yesterday."""
        key = lookup_key(channel, locator)
        if self._until.get(key, 0.0) > now:
            return True
        document = await self._store.get(_ASKED, key)
        return document is not None and msgspec.json.decode(document.value, type=float) > now

    async def note(self, channel: str, locator: str, now: float) -> None:
        """It need not be looked up again for a day."""
        key, until = lookup_key(channel, locator), now + DAY
        document = await self._store.get(_ASKED, key)
        try:
            await self._store.put(_ASKED, key, msgspec.json.encode(until), document.version if document else 0)
        except Conflict:
            return  # another replica says the same
        self._until[key] = until

    async def forget(self, now: float) -> None:
        """What was looked up more than a day ago, and what was stored weeks ago."""
        await self._fetched.forget(now)
        self._until = {key: until for key, until in self._until.items() if until > now}
        for document in await self._store.scan(_ASKED):
            if msgspec.json.decode(document.value, type=float) <= now:
                try:
                    await self._store.remove(_ASKED, document.id, document.version)
                except Conflict:
                    continue


def files_key(channel: str, event: str) -> str:
    """The job of an event's files."""
    return f"{channel}/{event}"


def lookup_key(channel: str, locator: str) -> str:
    """The job of a look-up."""
    return f"{channel}/{_LOOKUP}{digest(locator)}"


def of_lookup(key: str) -> bool:
    """Whether the job of this key is a look-up."""
    return key.partition("/")[2].startswith(_LOOKUP)
