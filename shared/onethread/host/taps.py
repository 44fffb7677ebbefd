"""What is to be shown to those who listen to a channel, in memory: requests, records, what became of them. It knows no store.

A delivery pays a look into a dict while nobody listens. `onethread.host.listeners` keeps true who does, and writes what waits here.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from onethread.connector import Answer, Rejected, Request
from onethread.host.channel import Channel
from onethread.host.faults import Bug, translated
from onethread.host.showing import Seen, Showing, fitted
from onethread.logs import get_logger

_log = get_logger(__name__)

_WAITING = 64
"""So much waits at most for the writer."""


class Glimpse:
    """What one request does, told step by step. This one keeps nothing: nobody listens."""

    def asked(self, request: Request) -> None:
        """This is the request, as far as it has been read."""

    def authentic(self) -> None:
        """Its signature is right."""

    def refused(self, error: Exception) -> None:
        """It is not let in, or nothing of it could be stored."""

    def saw(self, seen: Iterable[Seen]) -> None:
        """It is durable: this became of its records."""

    def answered(self, answer: Answer | None) -> None:
        """The end. None: the caller had gone."""


NOBODY = Glimpse()


class _Watched(Glimpse):
    """The glimpse of a request that somebody wants to see."""

    def __init__(self, taps: "Taps", tap: "_Tap") -> None:
        self._taps, self._tap = taps, tap
        self._request: Request | None = None
        self._seen: tuple[Seen, ...] | None = None
        self._signature = "not looked at"
        self._error: Exception | None = None

    def asked(self, request: Request) -> None:
        self._request = request
        if request.method == "GET":
            self._signature = "not needed: GET"

    def authentic(self) -> None:
        self._signature = "right"

    def refused(self, error: Exception) -> None:
        self._error = error

    def saw(self, seen: Iterable[Seen]) -> None:
        self._seen = tuple(seen)

    def answered(self, answer: Answer | None) -> None:
        self._taps.keep(self._tap, self._document, answer)
        self._taps.records(one for one in self._seen or () if one.channel_id != self._tap.channel.id)

    def _document(self, answer: Answer | None) -> dict[str, Any]:
        show, request = self._tap.showing, self._request
        said: dict[str, Any] = {"request": show.request(request)} if request else {}
        said |= {"signature": self._signature, "answer": answer.status if answer else "none: the caller had gone"}
        if isinstance(self._error, Rejected) and self._signature == "not looked at":
            said["signature"] = f"wrong: {show.masked(_why(self._error))}"
        elif self._error is not None:
            said["refused"] = show.masked(_why(self._error))
        elif self._seen is None and answer and answer.status < 400:
            said["handshake"] = show.body(answer.body)
        return {**said, "events": show.made(self._seen or ())}


def _why(error: Exception) -> str:
    """The host's sentence; of a mistake in a connector's code, also what it raised. An address may hold a token: none is shown."""
    ours = translated(error, datetime.now(UTC))
    mistake = error.__cause__ if isinstance(ours, Rejected) else error
    if mistake is None or not isinstance(translated(mistake, datetime.now(UTC)), Bug):
        return str(ours)
    return f"{ours} ({type(mistake).__name__}: {mistake})"


class _Tap(NamedTuple):
    """Somebody listens to a channel."""

    channel: Channel
    listener: str
    showing: Showing


class Taps:
    """Who listens to which channel, as this process knows it, and what waits to be shown. True while anybody listens."""

    def __init__(self, service: str, now: Callable[[], datetime]) -> None:
        self._service, self._now = service, now
        self._live: dict[str, _Tap] = {}
        self._waiting: deque[tuple[str, bytes]] = deque()
        self._more = asyncio.Event()
        self._missed: dict[str, int] = {}

    def __bool__(self) -> bool:
        return bool(self._live)

    def glimpse(self, channel_id: str) -> Glimpse:
        """For one request to the channel's entrance."""
        tap = self._live.get(channel_id)
        return _Watched(self, tap) if tap else NOBODY

    def records(self, seen: Iterable[Seen]) -> None:
        """What became of records that no request brought."""
        for one in seen if self._live else ():
            tap = self._live.get(one.channel_id)
            if tap:
                self.keep(tap, _of_record, tap.showing, one)

    def strayed(self, path: str) -> None:
        """A request below /hooks/ was for no channel: perhaps for this one, with another secret."""
        tap = self._live.get(path.partition("/hooks/")[2].partition("/")[0]) if self._live else None
        if tap:
            why = "the secret part of its URL is not the channel's hook_secret, or the channel has no webhook"
            self.keep(tap, lambda: {"signature": "not looked at", "refused": why, "answer": 404, "events": []})

    def keep(self, tap: _Tap, shown: Callable[..., dict[str, Any]], *given: Any) -> None:
        """To be shown. Whatever goes wrong over it stays here: what is shown has been done."""
        if len(self._waiting) >= _WAITING:
            self.missed(tap.channel.id)
            return
        try:
            head = {"at": self._now().isoformat(), "service": self._service}
            missed = self._missed.pop(tap.channel.id, 0)
            value = fitted({**head, **shown(*given), **({"missed": missed} if missed else {})})
        except Exception as error:  # noqa: BLE001 -- a delivery must not suffer from somebody who looks on
            _log.error("what came could not be shown to who listens", channel_id=tap.channel.id, exc_info=error)
            return
        self._waiting.append((tap.channel.id, value))
        self._more.set()

    def missed(self, channel_id: str) -> None:
        """One could not be shown; the next one says how many."""
        self._missed[channel_id] = self._missed.get(channel_id, 0) + 1

    def begin(self, channel: Channel, listener: str) -> None:
        """Somebody listens, or another: say that we do as well."""
        old = self._live.get(channel.id)
        if old is None or old.channel is not channel or old.listener != listener:
            self._live[channel.id] = tap = _Tap(channel, listener, Showing(channel))
            self.keep(tap, lambda: {"listening": channel.id})

    def end(self, channel_id: str) -> None:
        """Nobody listens any more."""
        self._live.pop(channel_id, None)
        self._missed.pop(channel_id, None)

    @property
    def live(self) -> frozenset[str]:
        """The channels that somebody listens to."""
        return frozenset(self._live)

    async def next(self) -> tuple[str, bytes]:
        """What is to be shown next, and on which channel; waits for it."""
        while not self._waiting:
            self._more.clear()
            await self._more.wait()
        return self._waiting.popleft()


def _of_record(show: Showing, one: Seen) -> dict[str, Any]:
    return {**({"record": show.record(one.raw)} if one.raw else {}), "events": show.made([one])}
