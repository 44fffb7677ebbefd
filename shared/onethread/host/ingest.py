"""From provider records to durable events: the one way in, for every edge. It knows no edge and no connector.

    Raw ─► whose? ─► normalize ─► stamped ─► checked ─► fitted ─► log     what fails on the way ─► dead letter, durable too

`records` returns when everything is durable, event or dead letter; it raises when anything is not, and then nothing may be
acknowledged. Doing the same again makes no second event: ids are computed from what the provider sent.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime

import msgspec

from onethread import dead_letters, metrics
from onethread.blobs import Blobs
from onethread.connector import Raw
from onethread.dead_letters import DeadLetter
from onethread.envelope import decode_value, encode_value, milliseconds
from onethread.errors import Poison, Retryable
from onethread.event import Event, Source
from onethread.host import keeping
from onethread.host.batch import Batch, Outcome, Part, Streak
from onethread.host.channel import Channel, Channels
from onethread.host.parsing.normalizing import Found, Over, Raised, Refused
from onethread.host.parsing.pool import Parsed, Parsers
from onethread.host.shrinking import fitted
from onethread.host.stamping import proven, stamped
from onethread.host.taps import Taps
from onethread.host.tasks import cancelled
from onethread.log.drafts import MAX_RECORD_BYTES
from onethread.log.port import Draft, EventLog
from onethread.log.topics import DEAD_LETTERS, MESSAGES
from onethread.logs import get_logger
from onethread.own_tokens import OwnTokens

_log = get_logger(__name__)

BUGS_IN_A_ROW = 20
"""So many records in a row that break the connector's code stop a pull: it is the code that is wrong, not the records."""
_WRONG_TYPE = (AttributeError, TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError)


class Stopped(Retryable):
    """`BUGS_IN_A_ROW` was reached. What came before the row is durable; the row is neither set aside nor passed over."""


class Ingest:
    """Takes records of channels. `now` is the clock; `tokens` None: none are accepted; `parsers`: where they are read.

    `taps`: those who listen; whoever calls `records` shows them what came.
    """

    def __init__(
        self,
        log: EventLog,
        blobs: Blobs,
        channels: Channels,
        tokens: OwnTokens | None = None,
        *,
        parsers: Parsers | None = None,
        taps: Taps | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.channels = channels
        self.now = now
        self.taps = taps if taps is not None else Taps("", now)  # one that nobody listens to is false
        self.came: dict[str, datetime] = {}
        """By channel, when a message of it was last made durable here."""
        self._log, self._blobs, self._tokens = log, blobs, tokens
        self._parsers = parsers or Parsers()

    async def records(self, channel: Channel, raws: Iterable[Raw], streak: Streak | None = None) -> Outcome:
        """Normalise and publish, in order. Returns when all is durable; raises Retryable or Misconfigured when not.

        A record that cannot be understood is set aside alone. With a `streak`, too many bugs in a row raise Stopped.
        """
        batch = Batch(streak)
        routed = await self._routed(channel, map(self._arrived, raws), batch)
        try:
            await self._normalized(routed, batch)
        except Stopped:
            # The same page comes again until somebody mends the connector: what is good in it need not wait, and the
            # dead letters would be written again each time.
            await self._publish(channel, batch)
            raise
        await self._set_aside(batch.letters)
        await self._publish(channel, batch)
        if streak is not None:
            streak.length = batch.row
        letters = tuple(letter.id for letter in batch.letters)
        seen = batch.seen(channel, routed) if self.taps else ()
        return Outcome(tuple(event.id for event in batch.events), letters, batch.degraded, seen)

    async def set_aside(self, letter: DeadLetter) -> None:
        """Make a dead letter durable; a large original moves to the blob store. Raises what `records` raises."""
        await self._set_aside([await keeping.light(letter, self._blobs)])

    def _arrived(self, raw: Raw) -> Raw:
        return raw if raw.ingested_at else msgspec.structs.replace(raw, ingested_at=milliseconds(self.now()))

    async def _routed(self, channel: Channel, raws: Iterable[Raw], batch: Batch) -> list[tuple[Channel, Raw]]:
        """Each record with the channels it is for; one that is for none is set aside."""
        found = []
        for raw in raws:
            targets = self.channels.receiving(channel, raw.account)
            found += [(target, raw) for target in targets]
            if not targets:
                detail = f"no channel of connector {channel.connector.name} has this account; add one, then replay"
                batch.letters.append(await self._letter(channel, raw, "route", "no_channel", detail))
        return found

    async def _normalized(self, records: Sequence[tuple[Channel, Raw]], batch: Batch) -> None:
        """What becomes of each goes into the batch, in order. While blobs are written for one, the next are read."""
        asked = [(channel.connector, raw) for channel, raw in records]
        parts: list[Part | asyncio.Task[Part]] = []
        try:
            async with aclosing(self._parsers.each(asked)) as outcomes:
                async for parsed in outcomes:
                    parts.append(await self._parsed(*records[len(parts)], parsed, batch))
        except Stopped:
            await batch.add(parts)
            raise
        else:
            await batch.add(parts)
        finally:
            await cancelled([part for part in parts if isinstance(part, asyncio.Task)])

    async def _parsed(self, channel: Channel, raw: Raw, parsed: Parsed, batch: Batch) -> Part | asyncio.Task[Part]:
        bug = parsed.instead_of or parsed.outcome
        if isinstance(bug, Raised):
            self._bug(channel, bug, batch)
        else:
            batch.row = 0
        match parsed.outcome:
            case Found(events):
                if parsed.instead_of is not None:
                    batch.excerpts.append(parsed.instead_of.cause)
                work = self._finish(channel, raw, events)
                return asyncio.create_task(work) if keeping.takes_blobs(raw, events) else await work
            case Refused(stage, detail):
                return await self._aside(channel, raw, stage, "poison", detail)
            case Raised():
                return await self._aside(channel, raw, "normalize", "bug", batch.degraded)
            case Over() as over:
                detail = f"{self._parsers.why(over)}; if it is honest, give it more, then replay"
                return await self._aside(channel, raw, "normalize", "budget", detail)

    def _bug(self, channel: Channel, bug: Raised, batch: Batch) -> None:
        batch.row += 1
        if batch.streak is not None and batch.row >= BUGS_IN_A_ROW:
            raise Stopped(
                f"{BUGS_IN_A_ROW} records in a row broke the connector ({bug.kind}); "
                "mend or update it: the pull then goes on where it stopped"
            )
        metrics.BUGS.add(channel.id, "normalize")
        _log.error("normalize raised what it should not", channel_id=channel.id, error=bug.kind, at=bug.at)
        batch.degraded = f"{bug.kind} in the connector's normalize; mend it, then replay its dead letters"

    async def _finish(self, channel: Channel, raw: Raw, found: Sequence[Event]) -> Part:
        """All events of a record, or its dead letter: never some of them."""
        if not found:
            return Part()
        try:
            source = await keeping.source_of(raw, self._blobs)
            return Part([await self._finished(event, channel, raw, source) for event in found])
        except Poison as error:
            return await self._aside(channel, raw, "encode", "poison", str(error))

    async def _aside(self, channel: Channel, raw: Raw, stage: str, reason: str, detail: str) -> Part:
        return Part(letter=await self._letter(channel, raw, stage, reason, detail))

    async def _finished(self, event: Event, channel: Channel, raw: Raw, source: Source) -> tuple[Event, Draft]:
        try:
            whole, refused = proven(stamped(event, channel, raw, source), self._tokens)
        except _WRONG_TYPE as error:
            raise Poison(
                f"an event with a field of a wrong type ({type(error).__name__}); mend the connector"
            ) from error
        if refused:
            metrics.TOKENS_REFUSED.add(channel.id, by=refused)
        value = encode_value(await keeping.attachments_stored(whole, self._blobs))
        checked = decode_value(value)  # structs are not checked when they are made, only when they are read
        if len(value) > MAX_RECORD_BYTES // 2:
            checked, value = await keeping.referenced(checked, raw, self._blobs), b""
        final, record = fitted(checked, value)
        if final is not checked:
            metrics.TRUNCATED.add(channel.id)
        return final, record

    async def _publish(self, channel: Channel, batch: Batch) -> None:
        if not batch.drafts:
            return
        await self._log.append(MESSAGES, batch.drafts)
        for event in batch.events:
            metrics.EVENTS.add(event.channel_id, event.kind)
            if event.kind == "message":
                self.came[event.channel_id] = self.now()
        for cause in batch.excerpts:
            metrics.DEGRADED.add(channel.id, cause)
        metrics.LAST_DURABLE.set(channel.id, to=self.now().timestamp())

    async def _set_aside(self, letters: Sequence[DeadLetter]) -> None:
        if not letters:
            return
        await self._log.append(DEAD_LETTERS, [dead_letters.draft(letter) for letter in letters])
        for letter in letters:
            metrics.DEAD_LETTERS.add(letter.channel_id, letter.stage, letter.reason)
            where = {"channel_id": letter.channel_id, "stage": letter.stage, "reason": letter.reason}
            _log.warning("set aside", dead_letter_id=letter.id, **where)

    async def _letter(self, channel: Channel, raw: Raw, stage: str, reason: str, detail: str) -> DeadLetter:
        assert raw.ingested_at is not None
        letter = dead_letters.of_raw(
            raw, tenant=channel.tenant, channel_id=channel.id, connector=channel.connector.name, stage=stage, reason=reason,
            detail=detail, at=raw.ingested_at,
        )  # fmt: skip
        return await keeping.light(letter, self._blobs)
