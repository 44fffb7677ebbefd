"""One installation as its users meet it: mailboxes, a bot's webhook, replicas, and the public API. It knows no failure.

Every part is the real one: IMAP and webhook hosts, connectors, log, unifier, stores, API. A replica has its own of each, over
the same log and the same stores, as a process of its own would.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any, NamedTuple, Self

import httpx
import msgspec
from imapclient import IMAPClient
from pydantic import SecretStr

from email_ingest.connectors.imap.connector import Imap
from email_ingest.connectors.imap.settings import Settings as MailSettings
from im_ingest.connectors.messenger.connector import Messenger
from im_ingest.connectors.messenger.connector import Settings as PageSettings
from im_ingest.connectors.slack.connector import Settings as WorkspaceSettings
from im_ingest.connectors.slack.connector import Slack
from im_ingest.connectors.telegram.connector import SECRET_HEADER, Telegram
from im_ingest.connectors.telegram.connector import Settings as BotSettings
from im_ingest.connectors.whatsapp.connector import Settings as NumberSettings
from im_ingest.connectors.whatsapp.connector import WhatsApp
from onethread import dead_letters
from onethread.blobs import Blobs
from onethread.connector import Connector, Host
from onethread.envelope import draft, event_id
from onethread.event import AnyFact, Claim, Event, LinkEnd, LinkSet, Party
from onethread.host.backoff import Pace
from onethread.host.channel import Channel, Channels
from onethread.host.errands import Errands
from onethread.host.fetching import Fetching
from onethread.host.ingest import Ingest
from onethread.host.jobs import Jobs
from onethread.host.lent import Lender
from onethread.host.media import Limits
from onethread.host.parsing.pool import Parsers
from onethread.host.parsing.worker import Budget
from onethread.host.polling import PollingHost
from onethread.host.standing import Standing
from onethread.host.stream import StreamHost
from onethread.host.tasks import cancelled
from onethread.host.wakes import Notes
from onethread.host.webhook import WebhookApp
from onethread.identity import canonicalised
from onethread.log.kafka import KafkaLog
from onethread.log.port import EventLog, TopicPartition
from onethread.log.sqlite import SqliteLog
from onethread.log.topics import CONVERSATIONS, MESSAGES, topics
from onethread.own_tokens import OwnTokens
from onethread.state.api_keys import ApiKeys
from onethread.state.cursors import Cursors
from onethread.state.leases import Leases
from onethread.state.mongo import MongoState
from onethread.state.port import StateStore
from onethread.state.sqlite import SqliteState
from onethread.state.tokens import Tokens
from onethread.testing.messenger_server import MessengerServer
from onethread.testing.servers.imap import ImapServer
from onethread.testing.serving import Loopback
from onethread.testing.slack_server import SlackServer
from onethread.testing.telegram_server import TelegramServer
from onethread.testing.whatsapp_server import WhatsAppServer
from unifier.api.app import ChannelInfo, create_app
from unifier.publishing import read
from unifier.store.mongo import MongoConversations
from unifier.store.port import ConversationStore
from unifier.store.sqlite import SqliteConversations
from unifier.worker import GROUP, Worker

PACE = Pace(first=0.02, longest=0.1, person=0.2, contend=0.05, watch=0.02, wakes=0.05, resources=0.2, settled=0.1)
LOOPBACK = (ip_network("127.0.0.0/8"),)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
BOT, BOT_SECRET, HOOK = 9000, "the-bots-webhook-secret", "the-hooks-secret-part"
READS = ("conversations:read", "customers:read", "channels:read")
PATIENCE = float(os.environ.get("ONETHREAD_TEST_PATIENCE", "60"))
GENEROUS = Budget(seconds=30.0)
"""For mail that is read in parser processes while the machine of the tests is busy."""


async def until(holds: Callable[[], Awaitable[Any]], what: str) -> Any:
    """Wait for a state, and return what it is. Raises AssertionError, saying what did not come."""
    last: Any = None
    try:
        async with asyncio.timeout(PATIENCE):
            while not (last := await holds()):  # noqa: ASYNC110 -- the state is behind a socket, or in a file
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"waited {PATIENCE} s in vain until {what}; last seen: {last}") from None
    return last


class Backend(NamedTuple):
    """Where everything is: in files of `folder`, or on Kafka and in MongoDB."""

    folder: Path
    kafka: str = ""
    mongodb: str = ""
    database: str = ""

    def blobs(self) -> Blobs:
        """The files of all processes."""
        return Blobs((self.folder / "blobs").as_uri())

    def log(self, name: str) -> EventLog:
        """One process's log, not open yet."""
        if self.kafka:
            return KafkaLog(self.kafka, client_id=name, session_timeout=6)
        return SqliteLog(self.folder / "log.sqlite")

    def state(self) -> StateStore:
        """One process's state, not open yet."""
        if self.mongodb:
            return MongoState(self.mongodb, self.database)
        return SqliteState(self.folder / "state.sqlite")

    def store(self) -> ConversationStore:
        """One process's conversations, not open yet."""
        if self.mongodb:
            return MongoConversations(self.mongodb, self.database)
        return SqliteConversations(self.folder / "conversations.sqlite")


class Mailbox:
    """A mailbox on a real server: what people and their mail programs do with it. `folder`: its own, so that it is empty."""

    def __init__(self, server: ImapServer, user: str) -> None:
        self.server, self.user = server, user
        self.folder = f"Inbound/{secrets.token_hex(6)}"
        self._arrived = 0
        with self._client() as imap:
            imap.create_folder(self.folder)

    def append(self, *mails: bytes, at: datetime | None = None, flags: Iterable[bytes] = ()) -> None:
        """They arrive in this order; `at`: when."""
        with self._client() as imap:
            for mail in mails:
                imap.append(self.folder, mail, flags=tuple(flags), msg_time=at)
                self._arrived += 1

    def pour(self, mails: Mapping[datetime, bytes]) -> None:
        """Many at once, each with its time of arrival."""
        for at, mail in mails.items():
            self.server.deliver(self.user, mail, self.folder, at=at.timestamp())
            self._arrived += 1

    @property
    def holds_mail(self) -> bool:
        """Whether anything came."""
        return self._arrived > 0

    @property
    def last(self) -> int:
        """UID of the newest mail; 0 where the server does not know yet of all that were poured into its folder."""
        with self._client() as imap:
            status = imap.folder_status(self.folder, ["UIDNEXT", "MESSAGES"])
        return int(status[b"UIDNEXT"]) - 1 if status[b"MESSAGES"] >= self._arrived else 0

    def flags(self) -> list[set[bytes]]:
        """Of each mail, the eldest first."""
        with self._client() as imap:
            imap.select_folder(self.folder, readonly=True)
            found = imap.fetch(imap.search(), ["FLAGS"]) if imap.search() else {}
        return [set(one[b"FLAGS"]) - {b"\\Recent"} for _, one in sorted(found.items())]

    def _client(self) -> Any:
        imap = IMAPClient(self.server.host, self.server.port, ssl=False, timeout=20)
        imap.login(self.user, self.server.users[self.user])
        return imap


class House:
    """The installation. Add channels first, then let replicas run; the desk sees it through the API."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.tenant = f"t{secrets.token_hex(4)}"
        self.later = timedelta()
        self.channels: list[Channel] = []
        self.mailboxes: dict[str, Mailbox] = {}
        self.log, self.state, self.store = backend.log("house"), backend.state(), backend.store()
        self.desk = httpx.AsyncClient()

    def now(self) -> datetime:
        """The clock of every replica; `later` advances it."""
        return datetime.now(UTC) + self.later

    # --- channels ---

    def reads_mail(
        self, server: ImapServer, user: str = "support@example.com", kind: type[Imap] = Imap, **settings: Any
    ) -> Mailbox:
        """A mailbox, and the channel that reads it by a connector of this kind."""
        mailbox = Mailbox(server, user)
        given = {"host": server.host, "port": server.port, "tls": "none", "password": server.users[user], **settings}
        imap = kind(
            MailSettings.model_validate({"account": user, "folders": [mailbox.folder], "poll_seconds": 0.2, **given})
        )
        self.mailboxes[self._adds(imap, since=LONG_AGO)] = mailbox
        return mailbox

    def takes_telegram(self, server: TelegramServer | None = None) -> str:
        """A bot's webhook; its channel's id. `server`: where its files are."""
        bot: dict[str, Any] = {
            "account": str(BOT),
            "bot_username": "shop_bot",
            "token": f"{BOT}:sample",
            "secrets": [BOT_SECRET],
        }
        if server is not None:
            bot |= {"token": server.token, "api_url": server.url}
        return self._adds(Telegram(BotSettings.model_validate(bot)))

    def takes_whatsapp(self, server: WhatsAppServer) -> str:
        """A business number's webhook; its channel's id."""
        number = {"account": server.number_id, "app_secrets": [server.app_secret], "access_token": server.access_token}
        given = {**number, "verify_token": "ours", "api_url": server.url}
        return self._adds(WhatsApp(NumberSettings.model_validate(given)))

    def takes_messenger(self, server: MessengerServer) -> str:
        """A page's webhook; its channel's id."""
        page = {"account": server.page, "app_secrets": [server.app_secret], "access_token": server.access_token}
        given = {**page, "verify_token": "ours", "api_url": server.url}
        return self._adds(Messenger(PageSettings.model_validate(given)))

    def takes_slack(self, server: SlackServer) -> str:
        """A workspace's Request URL; its channel's id."""
        given = {"account": server.team, "bot_token": server.teams[server.team], "api_url": server.url}
        signed = {"signing_secrets": [server.signing_secret]}
        return self._adds(Slack(WorkspaceSettings.model_validate({**given, **signed})))

    def _adds(self, connector: Connector[Any], **fields: Any) -> str:
        name = f"chn_{self.tenant}_{len(self.channels)}"
        common = {"created_at": LONG_AGO, "hook_secret": SecretStr(HOOK), "allow_networks": LOOPBACK}
        self.channels.append(Channel(id=name, tenant=self.tenant, connector=connector, **{**common, **fields}))
        return name

    # --- what runs ---

    @asynccontextmanager
    async def running(self, replicas: int = 1, **ports: Any) -> AsyncIterator[list["Replica"]]:
        """So many replicas, until the end of the block; `ports` replaces what they are opened on."""
        async with AsyncExitStack() as stack:
            names = [f"replica-{secrets.token_hex(3)}" for _ in range(replicas)]
            yield [await stack.enter_async_context(Replica(self, name, **ports)) for name in names]

    async def says(self, *events: Event) -> None:
        """Finished events into the log, as a connector's host or a desk's command leaves them."""
        await self.log.append(MESSAGES, [draft(event) for event in events])

    async def quiet(self) -> None:
        """Wait until every mail is read, and every event in the log is threaded."""
        for channel, mailbox in self.mailboxes.items():
            if mailbox.holds_mail:
                last = await until(partial(asyncio.to_thread, lambda box=mailbox: box.last), "the server has all mail")
                await until(lambda c=channel, m=mailbox, n=last: self._has_read(c, m, n), "all mail is read")
        await until(self._caught_up, "the unifier has caught up")

    async def loses_its_place(self) -> None:
        """Who reads a mailbox next begins anew."""
        for channel, mailbox in self.mailboxes.items():
            if document := await self.state.get("cursors", f"{channel}/{mailbox.folder}"):
                await self.state.delete("cursors", document.id, document.version)

    async def _has_read(self, channel: str, mailbox: Mailbox, last: int) -> bool:
        cursor = await Cursors(self.state).load(channel, mailbox.folder)
        return cursor is not None and msgspec.json.decode(cursor)["uid"] >= last

    async def _caught_up(self) -> bool:
        commits = await self.log.commits(GROUP, MESSAGES)
        extents = await self.log.extents(MESSAGES)
        return all(commits.get(place, extent.begin) >= extent.end for place, extent in extents.items())

    # --- what a desk sees ---

    async def get(self, path: str, **params: Any) -> Any:
        """One resource of the API."""
        return (await self.desk.get(path, params=params)).raise_for_status().json()

    async def conversations(self) -> list[Any]:
        """All, in the order of birth."""
        items: list[Any] = (await self.get("/v1/conversations", sort="created", limit=100))["items"]
        return items

    async def messages(self, conversation: str) -> list[Any]:
        """All messages of a conversation, the eldest first, each with its placement."""
        path, cursor, found = f"/v1/conversations/{conversation}/entries", {}, []
        while True:
            page = await self.get(path, kind="message", expand="placement", limit=200, **cursor)
            found += page["items"]
            if not page["has_more"]:
                return found[::-1]
            cursor = {"cursor": page["next_cursor"]}

    async def all_messages(self) -> list[Any]:
        """Of every conversation."""
        return [one for each in await self.conversations() for one in await self.messages(each["id"])]

    async def who(self, *addresses: Claim) -> list[Any]:
        """The customers of addresses, None where nobody is known by one."""
        items = [{"type": one.type, "value": one.value} for one in addresses]
        return list(
            (await self.desk.post("/v1/customers/lookup", json={"items": items})).raise_for_status().json()["items"]
        )

    async def changes(self) -> dict[str, int]:
        """What a consumer of the changes has of this tenant: the last number of each strand. First appearances have no gap."""
        last: dict[str, int] = {}
        for partition, extent in (await self.log.extents(CONVERSATIONS)).items():
            offset = extent.begin
            while offset < extent.end:
                for record in await self.log.fetch(TopicPartition(CONVERSATIONS, partition), offset):
                    offset = record.offset + 1
                    change = read(record.value)
                    if change.strand.startswith(f"{self.tenant}/"):
                        assert change.seq <= last.get(change.strand, 0) + 1
                        last[change.strand] = max(change.seq, last.get(change.strand, 0))
        return last

    async def letters(self, tenant: str = "") -> int:
        """How many dead letters this house, or another `tenant`, has: others have written to the same log."""
        wanted = tenant or self.tenant
        return len([letter async for letter in dead_letters.read_all(self.log) if letter.tenant == wanted])

    @cached_property
    def app(self) -> Any:
        """The API of one process."""
        shown = [
            ChannelInfo(one.id, one.tenant, one.id, one.connector.name, one.network, one.account, ())
            for one in self.channels
        ]
        blobs, now = self.backend.blobs(), lambda: int(self.now().timestamp() * 1000)
        return create_app(
            self.store, self.state, blobs, shown, cursor_keys=[b"a key of the tests, long enough"], now=now
        )

    async def opens_its_desk(self, tenant: str = "", *more: str) -> httpx.AsyncClient:
        """A client of the API with a key of this tenant; `more`: what it may do besides reading."""
        key, _ = await ApiKeys(self.state).create(tenant or self.tenant, "test", (*READS, *more), now=self.now())

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)  # made when it is called first: then all channels are there

        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://desk.example",
            headers={"Authorization": f"Bearer {key}"},
        )


@asynccontextmanager
async def built(backend: Backend) -> AsyncIterator[House]:
    """An installation with nothing in it."""
    house = House(backend)
    async with house.log, house.state, house.store:
        await house.log.apply(topics(partitions=4))
        await house.store.create_indexes()
        await house.desk.aclose()
        async with await house.opens_its_desk() as house.desk:
            yield house


class Replica:
    """One process, as far as the cluster can see. `log`, `state`, `store` replace what it is opened on; `lease`: seconds; `budget`: mail is read in parser processes."""

    def __init__(
        self,
        house: House,
        name: str,
        *,
        log: EventLog | None = None,
        state: StateStore | None = None,
        store: ConversationStore | None = None,
        batch: int = 500,
        lease: float = 2.0,
        budget: Budget | None = None,
    ) -> None:
        backend = house.backend
        self._house = house
        self._log, self._state = log or backend.log(name), state or backend.state()
        self._store = store or backend.store()
        blobs, keys = backend.blobs(), [SecretStr("MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")]
        self._parsers = Parsers(budget)
        ingest = Ingest(
            self._log, blobs, Channels(house.channels), OwnTokens(keys), parsers=self._parsers, now=house.now
        )
        leases = Leases(self._state, name, ttl=lease)
        self._lender = Lender(ingest, Tokens(self._state, keys, leases, now=house.now), pace=PACE)
        self._standing = Standing(self._state, house.now)
        cursors = Cursors(self._state)
        self._polling = PollingHost(self._lender, leases, cursors, self._standing, Notes(self._state))
        self._stream = StreamHost(self._lender, leases, cursors, self._standing)
        self._hooks = WebhookApp(
            ingest, public_url="http://hooks.example", lend=self._lender.host, wake=self._polling.wake, standing=self._standing
        )  # fmt: skip
        limits = Limits(max_bytes=1024 * 1024, seconds=2.0)
        self._fetching = Fetching(
            self._lender, self._log, Jobs(self._state), Errands(self._lender, self._log, blobs, limits, self._standing),
            group="onethread.media.house", member=name, parallel=4,
        )  # fmt: skip
        self._served = Loopback(self._hooks)
        now = lambda: int(house.now().timestamp() * 1000)  # noqa: E731 -- the worker's clock is in milliseconds
        self._worker = Worker(self._log, self._store, blobs, member=name, now=now, batch=batch)
        self._end = asyncio.Event()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        stack = self._stack
        for port in (self._log, self._state, self._store):
            await stack.enter_async_context(port)
        working = asyncio.create_task(self._worker.run(self._end))
        parts = (self._polling, self._stream, self._fetching)
        pulling = [asyncio.create_task(part.run()) for part in parts]

        async def stop() -> None:
            self._end.set()
            await self._fetching.stop()
            await cancelled(pulling)
            for part in (self._polling, self._stream, self._hooks):
                await part.stop()
            await self._lender.close()
            await self._parsers.close()
            await working

        stack.push_async_callback(stop)
        await stack.enter_async_context(self._served)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stack.__aexit__(*error)  # type: ignore[arg-type]

    def hook(self, channel: str) -> str:
        """The URL that a provider is given for a channel; it answers once the replica runs."""
        return f"{self._served.url}/hooks/{channel}/{HOOK}"

    def lends(self, channel: str) -> Host:
        """What a connector's calls get here."""
        return self._lender.host(next(one for one in self._house.channels if one.id == channel))

    async def takes(self, client: httpx.AsyncClient, channel: str, update: Mapping[str, Any]) -> int:
        """Telegram delivers an update here; the status of our answer."""
        headers = {SECRET_HEADER: BOT_SECRET, "content-type": "application/json"}
        return (await client.post(self.hook(channel), content=msgspec.json.encode(update), headers=headers)).status_code


def said(entry: Any) -> str:
    """The words of a message, as the API shows it."""
    return str(entry["fact"]["body"]["text"])


# --- what people say ---------------------------------------------------------------------------------------------------

BEGINS = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MIA = {"id": 700100200, "is_bot": False, "first_name": "Mia", "last_name": "Lang"}


def at(minutes: float) -> datetime:
    """So long after the story began."""
    return BEGINS + timedelta(minutes=minutes)


def mail(message_id: str = "", text: str = "Where is my parcel?", **headers: str) -> bytes:
    """A mail of Mia's; `message_id` "" for one without."""
    lines = {
        "From": "Mia Lang <mia@example.org>",
        "To": "support@example.com",
        "Subject": "My parcel",
        "Date": "Mon, 02 Mar 2026 09:00:00 +0000",
        **({"Message-ID": f"<{message_id}>"} if message_id else {}),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode() + f"\r\n{text}\r\n".encode()


def update(number: int, text: str, *, date: int = 1772442000, **more: Any) -> dict[str, Any]:
    """Mia writes to the bot."""
    chat = {"id": MIA["id"], "type": "private", "first_name": "Mia"}
    said = {
        "message_id": 5000 + number,
        "date": date,
        "from": MIA,
        "chat": chat,
        **({"text": text} if text else {}),
        **more,
    }
    return {"update_id": 731_000_000 + number, "message": said}


def event(
    tenant: str,
    external_id: str,
    fact: AnyFact,
    minutes: float,
    *claims: Claim,
    network: str = "live_chat",
    **fields: Any,
) -> Event:
    """A finished event of a channel that has no connector here, as its host leaves it."""
    sender = Party(claims=tuple(canonicalised(claim) for claim in claims), name="Mia Lang") if claims else Party()
    bare = Event(external_id, fact, sender=sender, received_at=at(minutes), ingested_at=at(minutes), **fields)
    name = event_id(tenant, network, "shop", bare.kind, external_id, bare.revision)
    return msgspec.structs.replace(bare, id=name, tenant=tenant, network=network, account="shop", channel_id="chn_chat")


def word(tenant: str, one: Claim, other: Claim, state: Any, minutes: float) -> Event:
    """A person's word on two addresses: together, apart, or auto (no word)."""
    ends = (LinkEnd(claim=canonicalised(one)), LinkEnd(claim=canonicalised(other)))
    fact = LinkSet(ends=ends, state=state, at=at(minutes))
    return event(tenant, f"word-{minutes}", fact, minutes, network="onethread")
