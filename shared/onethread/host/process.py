"""One process of Onethread: its log, state, blobs, HTTP entrance and parts, put together from settings. No service is named.

HTTP answers from the first moment: /healthz, /readyz (which names what is missing) and 503 for everything else, until the log
and the stores answer. So a broker or database that is down at start is waited for, and said, not crashed upon.
"""

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from onethread import assembly, logs
from onethread.connector import Connector, Webhook
from onethread.errors import OnethreadError, Retryable
from onethread.host.channel import Channels
from onethread.host.errands import Errands
from onethread.host.fetching import Fetching
from onethread.host.health import Health
from onethread.host.ingest import Ingest
from onethread.host.jobs import Jobs
from onethread.host.latest import Latest
from onethread.host.lent import Lender
from onethread.host.lifecycle import Service, nothing
from onethread.host.listeners import Listeners
from onethread.host.media import Limits
from onethread.host.mounted import MountedApps
from onethread.host.polling import PollingHost
from onethread.host.problems import problem, send_answer
from onethread.host.server import HttpServer
from onethread.host.standing import ENTRANCE, Standing
from onethread.host.stream import StreamHost
from onethread.host.subscribing import Subscriptions
from onethread.host.taps import Taps
from onethread.host.wakes import Notes
from onethread.host.watchdog import Look, Watchdog
from onethread.host.webhook import WebhookApp
from onethread.log.topics import MESSAGES, topics
from onethread.opening import Opening
from onethread.own_tokens import OwnTokens
from onethread.settings import Settings
from onethread.state.channel_states import ChannelStates, Reason
from onethread.state.cursors import Cursors
from onethread.state.leases import Leases
from onethread.state.tokens import Tokens

_log = logs.get_logger(__name__)

ASGI = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
Probe = Callable[[], Awaitable[object]]


class Process:
    """Add services to it, then `run`. `connectors`: those whose channels it serves."""

    def __init__(self, settings: Settings, name: str, connectors: Mapping[str, type[Connector[Any]]]) -> None:
        self.settings = settings
        self._name = name
        self.member = os.environ.get("HOSTNAME", socket.gethostname()) + f".{name}"
        self.keys = assembly.master_keys(settings)
        self.log = assembly.event_log(settings, f"onethread-{name}")
        self.state = assembly.state_store(settings)
        self.blobs = assembly.blob_store(settings)
        self.channels = assembly.channels(settings, connectors)
        self.health = Health()
        self._watchdog = Watchdog(self.health)
        self._service = Service()
        self._routes: list[tuple[str, ASGI]] = []
        self._opens: list[tuple[str, Opening, Probe]] = []
        self.opens("log", self.log, lambda: self.log.extents(MESSAGES))
        self.opens("state", self.state, lambda: self.state.get("health", "probe"))
        self.health.wants("blobs", self.blobs.answers)
        self.watches("log", self._unconfirmed)
        self._prepares: list[Callable[[], Awaitable[object]]] = []
        self._finishes: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._parts: list[tuple[str, Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]] = []
        self.http = HttpServer(self._asgi, settings.http.host, settings.http.port)
        self.url = f"http://{settings.http.host}:{self.http.bind()}"
        """Where it listens; `public_url`, where the world finds it."""
        self.public_url = settings.http.public_url or self.url
        self.lender: Lender | None = None
        """What gives connectors their way to the outside; None where no channel is served."""
        self.ready = asyncio.Event()

    # --- putting together ---

    def opens(self, name: str, what: Opening, probe: Probe) -> None:
        """Open before any part starts, close after all have ended; ready only while `probe` returns."""
        self._opens.append((name, what, probe))

    def prepares(self, work: Callable[[], Awaitable[object]]) -> None:
        """Done once everything is open, before any part starts."""
        self._prepares.append(work)

    def runs(self, name: str, run: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]) -> None:
        """A part; see `Service.runs`."""
        self._parts.append((name, run, stop))

    def watches(self, name: str, look: Look) -> None:
        """End the process, to be restarted, when it is stuck; see `Watchdog.watches`."""
        self._watchdog.watches(name, look)

    def mounts(self, prefix: str, app: ASGI) -> None:
        """Serve paths that begin with `prefix`; the longest prefix wins."""
        self._routes.append((prefix, app))
        self._routes.sort(key=lambda route: -len(route[0]))

    def applies_topics(self) -> None:
        """Create the topics at the start: for the embedded default, where nobody else does."""
        log = self.settings.log
        self.prepares(lambda: self.log.apply(topics(log.partitions, log.retention_hours, log.feed_hours)))

    def ingests(self) -> None:
        """Every edge of the channels: webhooks, polling, streams, mounted applications."""
        now = lambda: datetime.now(UTC)  # noqa: E731 -- the one clock of this process
        parsers = assembly.parsers(self.settings)
        taps = Taps(self.member, now)
        ingest = Ingest(self.log, self.blobs, self.channels, OwnTokens(self.keys), parsers=parsers, taps=taps, now=now)
        # A holder's name is of one run: a process that comes back is another, and waits until the lease has run out.
        leases = Leases(self.state, f"{self.member}.{secrets.token_hex(4)}")
        lender = Lender(ingest, Tokens(self.state, self.keys, leases, now=now), public_url=self.public_url)
        self.lender = lender
        standing = Standing(self.state, now)
        cursors = Cursors(self.state)
        polling = PollingHost(lender, leases, cursors, standing, Notes(self.state))
        stream = StreamHost(lender, leases, cursors, standing)
        http = self.settings.http
        webhook = WebhookApp(
            ingest,
            public_url=self.public_url,
            lend=lender.host,
            wake=polling.wake,
            standing=standing,
            body_limit=http.max_body_bytes,
            admitted=http.max_waiting,
            memory=http.max_waiting_bytes,
        )
        self.prepares(lambda: _announced(self.channels, standing, ChannelStates(self.state)))
        self.mounts("/hooks/", webhook)
        self.mounts("/apps/", MountedApps(self.channels, lender))
        self.runs("polling", polling.run, polling.stop)
        self.runs("streams", stream.run, stream.stop)
        if len(self.channels):
            self._fetches(lender, standing)
        self.runs("subscriptions", Subscriptions(lender, leases, standing).run, nothing)
        self.runs("latest messages", Latest(ingest.came, ChannelStates(self.state)).run, nothing)
        self.runs("listeners", Listeners(taps, self.state, self.channels, every=lender.pace.wakes).run, nothing)
        self._finishes += [
            ("parser processes", parsers.close),
            ("connectors' connections", lender.close),
            ("webhooks", webhook.stop),
        ]

    def _fetches(self, lender: Lender, standing: Standing) -> None:
        """What messages only refer to: files, and what connectors look up."""
        given = self.settings.media
        errands = Errands(lender, self.log, self.blobs, Limits(given.max_bytes, given.seconds), standing)
        group = f"onethread.media.{self._name}"
        fetching = Fetching(
            lender, self.log, Jobs(self.state), errands, group=group, member=self.member, parallel=given.parallel
        )
        self.runs("fetching", fetching.run, fetching.stop)

    # --- running ---

    async def run(self) -> bool:
        """Until asked to stop. False: something did not go in good order, and the process is to be restarted."""
        self._service.runs("http", self.http.run_until_stopped, self.http.stop)
        self._service.runs("services", self._serve, self._stop_parts)
        self._service.runs("watchdog", self._watchdog.run)
        for path in ("/healthz", "/readyz", "/metrics"):
            self.mounts(path, self.health)
        self.health.needs("services", self._is_up)
        return await self._service.run()

    def stop(self) -> None:
        """Ask for the end."""
        self._service.stop()

    async def _serve(self) -> None:
        for name, what, probe in self._opens:
            self.health.needs(name, probe)  # before it is there, so that /readyz names what is waited for
            await self._opened(name, what)
            self._service.closes(name, what.close)
        for name, finish in self._finishes:  # closed the last first: what still writes, before what it writes to
            self._service.closes(name, finish)
        for work in self._prepares:
            await work()
        self.ready.set()
        _log.info("ready", channels=len(self.channels), url=self.public_url)
        running = [asyncio.create_task(self._named(name, run)) for name, run, _ in self._parts]
        try:
            await asyncio.wait(
                running, return_when=asyncio.FIRST_COMPLETED
            ) if running else await asyncio.Event().wait()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _named(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        try:
            await run()
        except OnethreadError as error:
            _log.error("a service failed", service=name, reason=str(error))
        except Exception as error:  # noqa: BLE001 -- said here, once; the process ends with it
            _log.error("a service failed", service=name, exc_info=error)

    async def _opened(self, name: str, what: Opening) -> None:
        """Wait for it, saying once why, and once that it is there."""
        said, delay = "", 0.25
        while True:
            try:
                await what.open()
            except Retryable as error:
                if str(error) != said:
                    said = str(error)
                    _log.warning("waiting", what=name, reason=said)
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)
            else:
                if said:
                    _log.info("is there", what=name)
                return

    async def _stop_parts(self) -> None:
        self.health.stop()
        for _, _, stop in reversed(self._parts):
            await stop()

    async def _unconfirmed(self) -> object | None:
        return self.log.unconfirmed

    async def _is_up(self) -> None:
        if not self.ready.is_set():
            raise Retryable("the log and the stores are not open yet")

    async def _asgi(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        path = scope["path"]
        for prefix, app in self._routes:
            if path.startswith(prefix):
                if app is self.health or self.ready.is_set():
                    await app(scope, receive, send)
                else:
                    await send_answer(send, problem(503), {"retry-after": "2"})
                return
        await send_answer(send, problem(404))


_AWAITED = Reason(
    "awaited",
    "nothing was delivered yet",
    "write to the channel; if this stays, see what `onethread check` says of it, and whether the provider has its URL",
)
_CLOSED = Reason(
    "no_hook_secret",
    "the provider cannot call the channel: it has no hook_secret",
    "set `hook_secret` to the output of `openssl rand -hex 16`, start again, and give the provider the channel's URL",
)


async def _announced(channels: Channels, standing: Standing, states: ChannelStates) -> None:
    """A webhook that nobody has called yet is there all the same; one that nobody can call says so."""
    for channel in channels:
        edges = channel.connector.edges
        if Webhook not in edges:
            continue
        known = await states.get(channel.id)
        if not channel.hook_secret.get_secret_value():
            await standing.report(channel.id, ENTRANCE, "failing" if len(edges) == 1 else "degraded", _CLOSED)
        elif known is None or known.reason == _CLOSED:
            await standing.report(channel.id, ENTRANCE, "starting", _AWAITED)
