"""The entrance that providers call: a plain ASGI application. It knows the order of work, and no provider.

    GET   handshake, else 405
    POST  size ─► authenticate ─► handshake ─► unpack ─► normalise ─► log ─► answer

    /hooks/{channel id}/{the channel's secret part}/{what the connector calls request.path}

Nothing is answered with 2xx before it is durable, as an event or as a dead letter.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec

from onethread import metrics
from onethread.connector import Answer, Host, Keys, Rejected, Request, Retryable, Webhook, same
from onethread.host.batch import Outcome
from onethread.host.bodies import Disconnected, body_of, drain, is_short
from onethread.host.channel import Channel
from onethread.host.delivery import Deliveries, Place, Waker
from onethread.host.faults import Bug, translated
from onethread.host.ingest import Ingest
from onethread.host.keys import KeyCache
from onethread.host.problems import problem, refusal, send_answer
from onethread.host.standing import ENTRANCE, Standing
from onethread.host.taps import Glimpse
from onethread.logs import get_logger
from onethread.state.channel_states import Reason

_log = get_logger(__name__)
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_RETRY_AFTER = 5
"""Seconds that a caller is asked to wait, where nobody said how long."""
_PAUSES = 256
"""So many refused ones pause at most."""
_UNREAD = frozenset({413, 503})
"""Answers given before the body was read; what still comes of it is thrown away, so that they arrive."""
_MARK = "/hooks/"
_REFUSALS = 3
"""So many in a row that are refused, and none between them that is let in, are told: a secret is wrong, as a rule."""
_COMPARE = (
    "compare the secrets in this channel's settings with the provider's; see each request and why it is refused with "
    "`onethread listen --channel` and the channel's id"
)
_SET_ASIDE = Reason(
    "set_aside",
    "nothing of the latest delivery could be understood; it is kept",
    "look at it with `onethread dead-letters list`; mend the connector, then replay",
)


class WebhookApp:
    """Mount it so that paths below `/hooks/` reach it, or run it alone.

    `public_url`: what providers were given, without `/hooks`; signatures may cover it, so it is never taken from a request.
    `lend`: the host for `Keys`; `wake`: what a Wake is handed to; `standing`: where the channel's state is reported.
    `body_limit` bytes and `read_seconds` bound a body; `admitted` bounds the deliveries in memory at one time, and `memory`
    their bytes, those still being written included. `pause`: seconds before a 503 for want of room, since who comes again at
    once, whatever we ask, would take the time of those we have let in.
    """

    def __init__(
        self,
        ingest: Ingest,
        *,
        public_url: str,
        lend: Callable[[Channel], Host],
        wake: Waker,
        standing: Standing,
        body_limit: int = 3 * 1024 * 1024,
        read_seconds: float = 10.0,
        admitted: int = 256,
        memory: int = 64 * 1024 * 1024,
        pause: float = 0.5,
    ) -> None:
        self._ingest, self._public_url = ingest, public_url.rstrip("/")
        self._keys = KeyCache(lend, ingest.now)
        self._body_limit, self._read_seconds = body_limit, read_seconds
        self._deliveries = Deliveries(ingest, wake, admitted, memory)
        self._standing = standing
        self._refusals: Counter[str] = Counter()
        self._pause, self._pausing = pause, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI 3."""
        if scope["type"] != "http":
            raise RuntimeError(f"the webhook entrance serves http, not {scope['type']}")
        started = asyncio.get_running_loop().time()
        channel, rest = self._route(scope)
        if channel is None:
            self._ingest.taps.strayed(scope["path"])
            await send_answer(send, problem(404))
            return
        glimpse = self._ingest.taps.glimpse(channel.id)
        try:
            answer, headers = await self._answered(channel, rest, scope, receive, started, glimpse)
            unread = drain(receive) if headers.get("connection") == "close" and answer.status in _UNREAD else None
            await send_answer(send, answer, headers, unread)
        except Disconnected:
            glimpse.answered(None)
            return
        glimpse.answered(answer)
        metrics.HOOKS.add(channel.id, str(answer.status))
        metrics.HOOK_SECONDS.add(channel.id, by=asyncio.get_running_loop().time() - started)

    async def stop(self) -> None:
        """Take nothing more, and finish writing what was taken."""
        await self._deliveries.stop()
        await self._standing.said()

    def _route(self, scope: Scope) -> tuple[Channel | None, str]:
        _, found, rest = scope["path"].partition(_MARK)
        channel_id, _, rest = rest.partition("/")
        secret, slash, rest = rest.partition("/")
        channel = self._ingest.channels.get(channel_id) if found else None
        if channel is None or not isinstance(channel.connector, Webhook) or Webhook not in channel.connector.edges:
            return None, ""
        expected = channel.hook_secret.get_secret_value()
        return (channel, slash + rest) if expected and same(secret, expected) else (None, "")

    async def _answered(
        self, channel: Channel, rest: str, scope: Scope, receive: Receive, started: float, glimpse: Glimpse
    ) -> tuple[Answer, dict[str, str]]:
        if scope["method"] == "GET":
            asked = self._request(scope, rest, b"")
            glimpse.asked(asked)
            answer = self._handshake(channel, asked, glimpse)
            return (answer, {}) if answer else (problem(405), {"allow": "POST"})
        if scope["method"] != "POST":
            return problem(405), {"allow": "POST"}
        with self._deliveries.admission() as place:
            if place is None:
                return await self._full(scope, receive)
            arrived = self._request(scope, rest, b"")
            glimpse.asked(arrived)
            body = await body_of(scope, receive, self._body_limit, self._read_seconds, place.take)
            if isinstance(body, int):
                return await self._full(scope, receive) if body == 503 else (problem(body), {"connection": "close"})
            return await self._delivered(channel, msgspec.structs.replace(arrived, body=body), started, place, glimpse)

    async def _full(self, scope: Scope, receive: Receive) -> tuple[Answer, dict[str, str]]:
        """No room in memory. A small body is thrown away first: to close the connection would cost both sides more."""
        short = is_short(scope)
        if short:
            await drain(receive)
        if self._pausing < _PAUSES:
            self._pausing += 1
            try:
                await asyncio.sleep(self._pause)
            finally:
                self._pausing -= 1
        answer, headers = _later(None)
        return answer, headers if short else {**headers, "connection": "close"}

    async def _delivered(
        self, channel: Channel, request: Request, started: float, place: Place, glimpse: Glimpse
    ) -> tuple[Answer, dict[str, str]]:
        glimpse.asked(request)
        try:
            request = await self._authentic(channel, request)
            glimpse.authentic()
            self._refusals[channel.id] = 0
            if answer := self._handshake(channel, request, glimpse):
                return answer, {}
            answer, outcome = await self._deliveries.deliver(channel, request, started, place)
        except Rejected as error:
            self._refused(channel, error, glimpse)
            return refusal(error.status), {}
        except Exception as error:  # noqa: BLE001 -- nothing is acknowledged that is not stored, whatever went wrong
            glimpse.refused(error)
            return self._not_stored(channel, error)
        glimpse.saw(outcome.seen)
        self._stored(channel, outcome)
        return answer, {}

    def _stored(self, channel: Channel, outcome: Outcome) -> None:
        """It works; but for what a person should look into. What was only set aside does not show that it works."""
        if outcome.degraded:
            reason = Reason("bug", outcome.degraded, outcome.degraded)
        elif outcome.dead_letters and not outcome.events:
            reason = _SET_ASIDE
        else:
            self._standing.report_soon(channel.id, ENTRANCE, "healthy")
            return
        self._standing.report_soon(channel.id, ENTRANCE, "degraded", reason)

    def _not_stored(self, channel: Channel, error: Exception) -> tuple[Answer, dict[str, str]]:
        ours = translated(error, self._ingest.now())
        if isinstance(ours, Bug):
            _log.error("the entrance raised what it should not", channel_id=channel.id, exc_info=error)
        todo = "" if isinstance(ours, Retryable) else str(ours)
        self._standing.report_soon(channel.id, ENTRANCE, "failing", Reason("not_stored", str(ours), todo))
        return _later(ours.after if isinstance(ours, Retryable) else None)

    async def _authentic(self, channel: Channel, request: Request) -> Request:
        """The request with its keys, once it is authentic. Raises Rejected, or what `load_key` raises."""
        connector = channel.connector
        assert isinstance(connector, Webhook)
        if isinstance(connector, Keys):
            with self._strictly(channel, "key_names"):
                names = tuple(connector.key_names(request))
            request = await self._keys.with_keys(channel, request, names)
        with self._strictly(channel, "authenticate"):
            connector.authenticate(request)
        return request

    @contextmanager
    def _strictly(self, channel: Channel, stage: str) -> Iterator[None]:
        """Whatever a forged request does to a connector's code, it is not let in: any exception becomes Rejected."""
        try:
            yield
        except Rejected:
            raise
        except Exception as error:
            metrics.BUGS.add(channel.id, stage)
            _log.error("an entrance raised what it should not", channel_id=channel.id, stage=stage, exc_info=error)
            raise Rejected(f"{stage} failed") from error

    def _handshake(self, channel: Channel, request: Request, glimpse: Glimpse) -> Answer | None:
        assert isinstance(channel.connector, Webhook)
        try:
            with self._strictly(channel, "handshake"):
                return channel.connector.handshake(request)
        except Rejected as error:
            self._refused(channel, error, glimpse)
            return refusal(error.status)

    def _refused(self, channel: Channel, error: Rejected, glimpse: Glimpse) -> None:
        """Whoever finds the channel's URL knows its secret part, so it is the provider as a rule, and a setting is wrong."""
        glimpse.refused(error)
        # At debug: anyone who has the URL can send as many as they like. The metric counts them by status.
        _log.debug("refused", channel_id=channel.id, status=error.status, reason=str(error))
        self._refusals[channel.id] += 1
        if self._refusals[channel.id] == _REFUSALS:
            text = f"{_REFUSALS} requests in a row were refused, none was let in between: {error}"
            self._standing.report_soon(channel.id, ENTRANCE, "degraded", Reason("refused", text, _COMPARE))

    def _request(self, scope: Scope, rest: str, body: bytes) -> Request:
        query: bytes = scope.get("query_string", b"")
        path = (scope.get("raw_path") or quote(scope["path"]).encode()).decode("latin-1")
        url = self._public_url + path[path.find(_MARK) :] + (f"?{query.decode('latin-1')}" if query else "")
        headers: dict[str, str] = {}
        for name, text in scope["headers"]:
            key, value = name.decode("latin-1").lower(), text.decode("latin-1")
            headers[key] = f"{headers[key]}, {value}" if key in headers else value
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=None)
        return Request(scope["method"], url, rest, dict(pairs), headers, body, self._ingest.now())


def _later(after: float | None) -> tuple[Answer, dict[str, str]]:
    return problem(503), {"retry-after": str(max(1, round(after or _RETRY_AFTER)))}
