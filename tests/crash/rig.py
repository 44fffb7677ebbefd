"""The outside of the story: provider and callers, who outlive every process that is killed, and keep account of what was taken."""

import asyncio
import hashlib
import hmac
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec
from crash.kept import Kept, abandoned, kept
from crash.outcome import Outcome, messages, outcome
from crash.shop import FIRST_ACT, HOOKED, POLLED, STREAMED, Item, commands, expected
from crash.telling import HOOK, SECRET, Entrance, Telling
from fastapi import FastAPI
from grouping.invariants import Feed
from hostkit import served
from provider import Provider

from onethread.log.port import EventLog
from onethread.log.topics import topics
from onethread.testing.failpoints import Moment
from unifier.store.port import ConversationStore


class Verdict(NamedTuple):
    """Of one telling with its kills. `killed`: how many of them came about; `recovery`: seconds from the last to lag zero."""

    kills: tuple[Moment, ...]
    killed: int
    outcome: Outcome
    trace: list[Moment]
    accepted: int
    recovery: float

    def faults(self, wanted: str) -> list[str]:
        """What is wrong with the state; empty: nothing."""
        return self.outcome.faults(wanted)


class Received(NamedTuple):
    """`messages`: the texts that are stored, each as often as it is; `half`: files that a kill left without a name."""

    killed: int
    messages: list[str]
    trace: list[Moment]
    kept: Kept
    half: int


Called = Callable[[str], Awaitable[None]]
"""What a provider does once it knows the URL of a process that listens."""
APART = 100.0
"""Seconds from one process to the next, by their clocks: what the one held, the next may take; no signature is too old yet."""


class Shop:
    """The provider: pages and a stream, and what its webhook sender remembers as taken."""

    def __init__(self) -> None:
        self._polled, self._streamed = Provider(), Provider()
        self._polled.items = [msgspec.to_builtins(item) for item in POLLED]
        self._streamed.items = [msgspec.to_builtins(item) for item in STREAMED]
        self.app = FastAPI()
        self.app.mount("/polled", self._polled.app)
        self.app.mount("/streamed", self._streamed.app)


class Account:
    """What was accepted, on the disk before the next is sent."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("ab", buffering=0)
        self.deliveries = 0
        self.commands = 0

    def delivered(self) -> None:
        """One more delivery was answered with 200."""
        self.deliveries += 1
        self._note("delivery", self.deliveries)

    def commanded(self) -> None:
        """One more command was confirmed."""
        self.commands += 1
        self._note("command", self.commands)

    @property
    def whole(self) -> bool:
        """Whether the callers have nothing left to send."""
        return self.deliveries == len(HOOKED) and self.commands == len(commands(""))

    def close(self) -> None:
        self._file.close()

    def _note(self, what: str, number: int) -> None:
        self._file.write(f"{what} {number}\n".encode())
        os.fsync(self._file.fileno())


class Ends(NamedTuple):
    """Where all tellings end, if they share their servers: each is a tenant then."""

    log: EventLog
    store: ConversationStore
    feed: Feed


class Rig:
    """Tells the story as often as one likes. `like`: where the backends are; without any, each telling has files of its own."""

    def __init__(
        self, folder: Path, forks: Process, provider: str, like: Telling, client: httpx.AsyncClient, ends: Ends | None
    ) -> None:
        self._folder, self._forks, self._provider, self._like, self._client = folder, forks, provider, like, client
        self._ends = ends
        self._number = 0

    async def receive(self, entrance: Entrance, *kills: Moment, called: Called | None = None) -> Received:
        """Let a real connector read what there is for it; each kill ends one process, and the next goes on."""
        told = msgspec.structs.replace(self._new(), entrance=entrance)
        account, killed, half = Account(Path(told.folder) / "accepted"), 0, 0
        for kill in kills:
            killed += await self._run(msgspec.structs.replace(told, kills=[kill]), account, called)
            half += abandoned(Path(told.folder))
            told = msgspec.structs.replace(told, passed=told.passed + APART)
        assert not await self._run(told, account, called)
        account.close()
        async with told.log() as log, told.state() as state, told.store() as store:
            found = await messages(told.tenant, store)
            return Received(killed, found, _trace(told), await kept(told, log, state, store), half)

    async def perform(self, *kills: Moment) -> Verdict:
        """Tell; each kill ends one process, and the next goes on. Then to the end, and look."""
        told = self._new()
        account, killed, since = Account(Path(told.folder) / "accepted"), 0, time.monotonic()
        try:
            for kill in kills:
                killed += await self._run(msgspec.structs.replace(told, kills=[kill]), account)
            since = time.monotonic()
            if await self._run(told, account):
                raise AssertionError("killed by nobody")
        finally:
            account.close()
        recovery = time.monotonic() - since
        assert account.whole, f"accepted {account.deliveries} deliveries, {account.commands} commands"
        accepted = len(expected(told.tenant))  # all that is to be stored, by its account
        return Verdict(kills, killed, await self._look(told), _trace(told), accepted, recovery)

    def _new(self) -> Telling:
        self._number += 1
        tenant = f"t{os.getpid()}x{self._number}"
        folder = self._folder / tenant
        folder.mkdir()
        return msgspec.structs.replace(self._like, folder=str(folder), tenant=tenant, provider=self._provider)

    async def _look(self, told: Telling) -> Outcome:
        if self._ends is not None:
            return await outcome(told.tenant, *self._ends)
        async with told.log() as log, told.store() as store:
            return await outcome(told.tenant, log, store, Feed(log))

    async def _run(self, told: Telling, account: Account, called: Called | None = None) -> bool:
        """One process, to its end; whether it was killed. Raises AssertionError where it failed by itself."""
        assert self._forks.stdin is not None
        assert self._forks.stdout is not None
        told = msgspec.structs.replace(told, commanded=account.commands)
        self._forks.stdin.write(msgspec.json.encode(told) + b"\n")
        calling: asyncio.Task[None] | None = None
        async for line in self._forks.stdout:
            word, _, rest = line.decode().strip().partition(" ")
            if word == "port":
                url = f"http://127.0.0.1:{rest}"
                calling = asyncio.ensure_future(called(_hook(url, told)) if called else self._call(url, told, account))
            elif word == "commanded":
                account.commanded()
            elif word == "ended":
                if calling is not None:
                    calling.cancel()
                    await asyncio.wait([calling])
                if rest not in {"0", "-9"}:
                    raise AssertionError(f"a process ended with {rest}; {told.kills}; see its errors above")
                return rest == "-9"
        raise AssertionError("the fork server is gone")

    async def _call(self, url: str, told: Telling, account: Account) -> None:
        """The provider's webhooks: each again until it is answered with 200; then the word that the next act may begin."""
        for act in range(told.acts):
            last = FIRST_ACT if act + 1 < told.acts else len(HOOKED)
            while account.deliveries < last:
                body = _body(HOOKED[account.deliveries])
                if await self._post(_hook(url, told), body):
                    account.delivered()
            await self._post(f"{url}/next", b"")

    async def _post(self, url: str, body: bytes) -> bool:
        try:
            answer = await self._client.post(url, content=body, headers=_signature(body))
        except httpx.HTTPError:
            await asyncio.sleep(0.002)  # it died; who called is told soon
            return False
        return answer.status_code == 200


def _hook(url: str, told: Telling) -> str:
    name = told.entrance.connector if told.entrance else "hook"
    return f"{url}/hooks/chn_{name}_{told.tenant}/{HOOK}"


def _trace(told: Telling) -> list[Moment]:
    return msgspec.json.decode((Path(told.folder) / "trace").read_bytes(), type=list[Moment])


def _body(items: Sequence[Item]) -> bytes:
    return msgspec.json.encode({"items": items})


def _signature(body: bytes) -> dict[str, str]:
    return {"x-acme-signature": hmac.new(SECRET.get_secret_value().encode(), body, hashlib.sha256).hexdigest()}


@asynccontextmanager
async def rigged(folder: Path, like: Telling | None = None, paths: Sequence[Path] = ()) -> AsyncIterator[Rig]:
    """A provider, a fork server, and callers, for as many tellings as one likes. `paths`: source that comes before the usual."""
    tests = Path(__file__).parents[1]
    python_path = os.pathsep.join(map(str, (*paths, tests, tests / "packages")))
    with (folder / "errors").open("ab") as errors:
        forks = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "crash.forks", stdin=PIPE, stdout=PIPE, stderr=errors,
            env={**os.environ, "PYTHONPATH": python_path, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    assert forks.stdin is not None
    told = like or Telling("", "", "")
    try:
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(served(Shop().app))
            limits = httpx.Limits(max_keepalive_connections=0)
            client = await stack.enter_async_context(httpx.AsyncClient(limits=limits, timeout=10.0))
            ends = await _opened(told, stack) if told.kafka else None
            yield Rig(folder, forks, url.removeprefix("http://"), told, client, ends)
    finally:
        forks.stdin.close()
        await forks.wait()


async def _opened(told: Telling, stack: AsyncExitStack) -> Ends:
    log = await stack.enter_async_context(told.log())
    store = await stack.enter_async_context(told.store())
    await store.create_indexes()
    await log.apply(topics(partitions=1))
    return Ends(log, store, Feed(log))
