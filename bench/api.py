"""P8: a page of 50 entries through the API's ASGI application, against the same query by the store's adapter alone."""

import contextlib
import itertools
from pathlib import Path
from typing import Any

import msgspec

from bench.backends import Backends
from bench.comparing import Entrant, Goal, Plan
from bench.contender import Contender, Incomplete
from bench.traffic import ACCOUNT, NETWORK, TENANT, Traffic
from onethread import envelope
from onethread.blobs import Blobs
from onethread.errors import Misconfigured
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import topics
from onethread.state.api_keys import ApiKeys
from onethread.state.sqlite import SqliteState
from unifier.api.app import ChannelInfo, create_app
from unifier.batch import Batch
from unifier.model import HeadFilter, plain
from unifier.policy import Policy
from unifier.publishing import Publisher
from unifier.reading import moment, read
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations
from unifier.worker import BATCH, wall_clock

PAGE = 50
GOAL = Goal("P8", must=0.35, stretch=0.50)
_STORED = Traffic(2_000, burst=100)
_A_MINUTE = 60_000  # milliseconds


class Pages(Contender):
    """The newest page of one conversation after the other, of 20 with 100 entries each. A page is a unit."""

    def __init__(self, name: str, pages: int, url: str, database: str) -> None:
        self.name, self._pages, self._url, self._database = name, pages, url, database

    async def open(self, folder: Path) -> None:
        """See Contender: what is in the store was threaded by the unifier."""
        self._stack = contextlib.AsyncExitStack()
        self._folder = folder
        self._store = await self._stack.enter_async_context(self._new_store())
        await self._store.create_indexes()
        log = await self._stack.enter_async_context(SqliteLog(folder / "log.sqlite"))
        await log.apply(topics(partitions=1))
        drafts = _STORED.drafts(0)
        for begin in range(0, len(drafts), BATCH):
            events = [envelope.read(draft.value, draft.headers) for draft in drafts[begin : begin + BATCH]]
            readings = [read(event, Policy()) for event in events]
            await Batch(self._store, Publisher(self._store, log), wall_clock).apply(readings)
        heads = await self._store.list_heads(TENANT, "created", None, 100, HeadFilter())
        self._strands = itertools.cycle([head.id for head in heads])
        await self.begin()

    async def close(self) -> None:
        """See Contender."""
        await self._stack.aclose()

    async def begin(self) -> None:
        """Whatever else is to be opened."""

    async def run(self) -> int:
        """See Contender."""
        for _ in range(self._pages):
            await self.page(next(self._strands))
        return self._pages

    async def page(self, strand: str) -> None:
        """One page."""
        raise NotImplementedError

    def _new_store(self) -> ConversationStore:
        if self._url:
            return MongoConversations(self._url, self._database)
        return SqliteConversations(self._folder / "conversations.sqlite")


class Bare(Pages):
    """The adapter's `timeline`."""

    async def page(self, strand: str) -> None:
        """See Pages. One more than the page, as the API asks, which has to know whether there is another."""
        found = await self._store.timeline([strand], None, PAGE + 1, None)
        if len(found) != PAGE + 1:
            raise Incomplete(f"a page of {len(found)} entries")


class Ours(Pages):
    """`GET /v1/conversations/{id}/entries?limit=50`: key, scope, limits, conversation, people, JSON; without a socket."""

    async def begin(self) -> None:
        """See Pages."""
        state = await self._stack.enter_async_context(SqliteState(self._folder / "state.sqlite"))
        channels = [ChannelInfo("chn_acme", TENANT, "chat", "acme", NETWORK, ACCOUNT, ())]
        blobs = Blobs((self._folder / "blobs").as_uri())
        self._now = wall_clock()
        self._app = create_app(
            self._store, state, blobs, channels, cursor_keys=[b"a key of the bench, long enough"], now=lambda: self._now
        )
        key, _ = await ApiKeys(state).create(TENANT, "bench", ("conversations:read",), now=moment(self._now))
        self._headers = [(b"host", b"desk.example"), (b"authorization", f"Bearer {key}".encode())]

    async def prepare(self) -> None:
        """See Contender: a key may ask 600 times a minute, so its minute passes here."""
        self._now += _A_MINUTE

    async def page(self, strand: str) -> None:
        """See Pages."""
        status, body = await self._get(f"/v1/conversations/{plain(strand)}/entries", f"limit={PAGE}")
        # A look at the end, which costs nothing, tells a whole page; `check` reads one.
        if status != 200 or not body.endswith(b"}"):
            raise Incomplete(f"a page with status {status}: {body[:200]!r}")
        self._last = body

    async def check(self) -> None:
        """See Contender."""
        found = len(msgspec.json.decode(self._last)["items"])
        if found != PAGE:
            raise Incomplete(f"a page of {found} entries")

    async def _get(self, path: str, query: str) -> tuple[int, bytes]:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http", "path": path,
            "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "headers": self._headers,
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        }  # fmt: skip
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


def plans(backends: Backends, quick: bool) -> list[Plan]:  # noqa: FBT001 -- one signature for all benches
    """Over SQLite, then over the MongoDB protocol where a server can be started."""
    found = [_plan("api-sqlite", "a page of 50 entries; SQLite", "", quick=quick)]
    name, title = "api-mongo", "a page of 50 entries; the MongoDB protocol"
    try:
        found.append(_plan(name, title, backends.mongo(), quick=quick))
    except Misconfigured as error:
        found.append(Plan(name, title, "pages", missing=str(error)))
    return found


def _plan(name: str, title: str, url: str, *, quick: bool) -> Plan:
    pages = 20 if quick else 60
    bare, ours = Bare("bare adapter", pages, url, "bare"), Ours("onethread API", pages, url, "ours")
    return Plan(name, title, "pages", (Entrant(bare), Entrant(ours, GOAL)), rounds=3 if quick else 5)
