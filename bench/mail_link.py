"""P3: a mailbox of Dovecot's, from the first connection to the last event confirmed, against mbsync. It knows no IMAP command."""

import asyncio
import contextlib
import json
import random
import resource
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from pydantic import SecretStr

from bench.backends import Backends
from bench.child import peak_memory
from bench.comparing import Entrant, Goal, Plan
from bench.contender import Contender, Incomplete, Notes, Usage
from bench.mail_baseline import MBSYNC, FetchToMaildir, Mailbox, Mbsync
from bench.mails import everyday
from bench.mime import CORPUS
from bench.program import usage
from email_ingest.connectors.imap.connector import Imap
from email_ingest.connectors.imap.settings import Settings
from onethread.blobs import Blobs
from onethread.errors import Misconfigured
from onethread.host.channel import Channel, Channels
from onethread.host.ingest import Ingest
from onethread.host.lent import Lender
from onethread.host.parsing.pool import Parsers
from onethread.host.parsing.worker import Budget
from onethread.host.standing import Standing
from onethread.host.stream import StreamHost
from onethread.log.kafka import KafkaLog
from onethread.log.port import EventLog, TopicPartition
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import DEAD_LETTERS, MESSAGES, topics
from onethread.own_tokens import OwnTokens
from onethread.state.cursors import Cursors
from onethread.state.leases import Leases
from onethread.state.sqlite import SqliteState
from onethread.state.tokens import Tokens

GOAL = Goal("P3", must=1.0, stretch=3.0)
_USER = "support@shop.example"
_KEY = SecretStr("a-signing-key-of-the-bench-that-is-long-enough")
_PATIENCE = 300.0
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


class WatchedCursors(Cursors):
    """Cursors that tell when one reaches the UID `last`: it is saved when everything up to it is confirmed by the log."""

    reached: asyncio.Event
    last: int

    async def save(self, channel: str, resource: str, cursor: str, fence: int) -> None:
        """See Cursors."""
        await super().save(channel, resource, cursor, fence)
        if json.loads(cursor)["uid"] >= self.last:
            self.reached.set()


class Ours(Contender):
    """`StreamHost` with the IMAP connector and parser processes in their default settings, each round as a new channel.

    A mail is a unit. `bootstrap` "": the SQLite log.
    """

    def __init__(self, name: str, mailbox: Mailbox, bootstrap: str = "") -> None:
        self.name, self._mailbox, self._bootstrap = name, mailbox, bootstrap
        self._round = 0

    async def open(self, folder: Path) -> None:
        """See Contender."""
        self._folder = folder
        self._stack = contextlib.AsyncExitStack()
        self._log: EventLog = (
            KafkaLog(self._bootstrap, client_id="bench") if self._bootstrap else SqliteLog(folder / "log.sqlite")
        )
        self._state = SqliteState(folder / "state.sqlite")
        self._parsers = Parsers(Budget())
        for part in (self._log, self._state, self._parsers):
            await self._stack.enter_async_context(part)
        await self._log.apply(topics(partitions=4))

    async def close(self) -> None:
        """See Contender."""
        await self._stack.aclose()

    async def prepare(self) -> None:
        """See Contender: another channel and empty blobs, so that nothing is known from before."""
        self._round += 1
        self._ends = await self._log_ends(MESSAGES)
        blobs = Blobs((self._folder / f"blobs-{self._round}").as_uri())
        ingest = Ingest(self._log, blobs, Channels([self._channel()]), OwnTokens([_KEY]), parsers=self._parsers)
        leases = Leases(self._state, f"bench.{self._round}")
        self._cursors = WatchedCursors(self._state)
        self._cursors.reached, self._cursors.last = asyncio.Event(), self._mailbox.mails
        self._lender = Lender(ingest, Tokens(self._state, [_KEY], leases))
        self._host = StreamHost(self._lender, leases, self._cursors, Standing(self._state, ingest.now))

    async def run(self) -> int:
        """See Contender: lease, log-in, every mail fetched, normalised and confirmed, the cursor saved."""
        self._running = asyncio.create_task(self._host.run())
        reached = asyncio.create_task(self._cursors.reached.wait())
        await asyncio.wait({reached, self._running}, timeout=_PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if not reached.done():
            reached.cancel()
            raise Incomplete(f"the connector ended, or took longer than {_PATIENCE:g} s")
        return self._mailbox.mails

    async def check(self) -> None:
        """See Contender: each mail of the mailbox is in an event of the log, and none was set aside."""
        self._running.cancel()
        await asyncio.wait({self._running})
        await self._host.stop()
        await self._lender.close()
        aside = sum((await self._log_ends(DEAD_LETTERS)).values())
        self._kept = len(await self._uids())
        if aside or self._kept != self._mailbox.mails:
            raise Incomplete(f"{self._kept} of {self._mailbox.mails} mails are in the log, {aside} dead letters")

    def program(self) -> Usage | None:
        """See Contender: this process and its parsers, since they do a part of the work."""
        mine = resource.getrusage(resource.RUSAGE_SELF)
        parsers = [usage(pid) for pid in self._parsers.pids]
        cpu = mine.ru_utime + mine.ru_stime + sum(one.cpu for one in parsers)
        return Usage(cpu, peak_memory() + sum(one.peak_bytes for one in parsers))

    def notes(self) -> Notes:
        """How many mails were kept."""
        return {"mails kept": f"{self._kept:,} of {self._mailbox.mails:,}"}

    async def _uids(self) -> set[str]:
        """UIDs of the mails whose events this round appended."""
        found: set[str] = set()
        for number, end in (await self._log_ends(MESSAGES)).items():
            offset = self._ends.get(number, 0)
            while offset < end:
                records = await self._log.fetch(TopicPartition(MESSAGES, number), offset)
                found.update(msgspec.json.decode(record.value)["source"]["about"]["uid"] for record in records)
                offset = records[-1].offset + 1
        return found

    async def _log_ends(self, topic: str) -> dict[int, int]:
        return {number: extent.end for number, extent in (await self._log.extents(topic)).items()}

    def _channel(self) -> Channel:
        box = self._mailbox
        settings = Settings(
            account=box.user,
            host=box.host,
            port=box.port,
            tls="none",
            password=SecretStr(box.password),
            poll_seconds=300,
        )
        name = f"chn_mail{self._round}"
        return Channel(id=name, tenant="acme", connector=Imap(settings), created_at=_LONG_AGO, since=_LONG_AGO)


def plans(backends: Backends, quick: bool) -> list[Plan]:  # noqa: FBT001 -- one signature for all benches
    """Against mbsync (or what stands in for it), SQLite, and Kafka where it can be started."""
    mails = 500 if quick else 5_000
    title = f"{mails:,} mails of a Dovecot, read by IMAP, confirmed by the log"
    try:
        mailbox = _filled(backends, mails)
    except Misconfigured as error:
        return [Plan("mail", title, "mails", missing=str(error))]
    baseline: Contender = Mbsync("mbsync, fsync", mailbox)
    goal: Goal | None = GOAL
    if MBSYNC is None:
        baseline, goal = FetchToMaildir("imapclient to a Maildir, fsync", mailbox), None
        title += "; THERE IS NO mbsync HERE (apt-get install isync), so P3 IS NOT MEASURED: this is against a stand-in"
    entrants = [Entrant(baseline), Entrant(Ours("onethread, SQLite log", mailbox), goal)]
    try:
        entrants.append(Entrant(Ours("onethread, Kafka log", mailbox, backends.kafka()), goal))
    except Misconfigured as error:
        title += f" (Kafka: {error})"
    return [Plan("mail", title, "mails", tuple(entrants), rounds=1 if quick else 3)]


def _filled(backends: Backends, mails: int) -> Mailbox:
    server = backends.dovecot({_USER: "a password"})
    for raw in _mails(mails):
        server.deliver(_USER, raw)
    return Mailbox(server.host, server.port, _USER, server.users[_USER], mails)


def _mails(number: int) -> list[bytes]:
    """Mails of everyday size and odd ones of the corpus in turns, each with a line of its own, as delivery adds one."""
    usual: Sequence[bytes] = everyday((number + 1) // 2)
    odd = [path.read_bytes() for path in sorted(CORPUS.glob("*.eml"))]
    made = []
    for index in range(number):
        kind = usual if index % 2 else odd
        line = f"Received: from out.example by mx.shop.example with LMTP id {index:08d};\r\n\tMon, 5 Jan 2026 08:00:00 +0000\r\n"
        made.append(line.encode() + kind[index // 2 % len(kind)])
    random.Random(3).shuffle(made)
    return made
