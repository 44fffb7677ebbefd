"""The IMAP connector against real servers: what arrives, what is left alone, and what it does when a link dies."""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

import msgspec
import pytest
from imapclient import IMAPClient
from integration.email_ingest.recording_host import RecordingHost, until

from email_ingest.connectors.imap.connector import Imap
from email_ingest.connectors.imap.settings import Settings
from onethread.connector import Raw
from onethread.errors import Misconfigured, Retryable
from onethread.event import Message
from onethread.testing.backends import USERS
from onethread.testing.servers.dovecot import DovecotServer
from onethread.testing.servers.imap import ImapServer
from onethread.testing.servers.proxy import TcpProxy

USER = "support@example.com"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
QUIET = 300.0  # poll_seconds with which only IDLE can be in time


@pytest.fixture(params=["dovecot_server", "pymap_server"])
def server(request: pytest.FixtureRequest) -> ImapServer:
    found: ImapServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(params=["new_dovecot_server", "new_pymap_server"])
def new_server(request: pytest.FixtureRequest) -> Callable[..., ImapServer]:
    factory: Callable[..., ImapServer] = request.getfixturevalue(request.param)
    return factory


@pytest.fixture
def folder(server: ImapServer) -> str:
    """A folder of the test's own, with nothing in it."""
    name = f"Inbound/{secrets.token_hex(6)}"
    server.deliver(USER, mail("the first one makes the folder"), name)
    empty(server, name)
    return name


def empty(server: ImapServer, folder: str) -> None:
    with client(server, folder) as imap:
        imap.delete_messages(imap.search())
        imap.expunge()


@contextlib.contextmanager
def client(server: ImapServer, folder: str | None = None):  # noqa: ANN201 -- a generator of imapclient's untyped client
    with IMAPClient(server.host, server.port, ssl=False, timeout=10) as imap:
        imap.login(USER, server.users[USER])
        if folder is not None:
            imap.select_folder(folder)
        yield imap


def mail(subject: str, body: str = "Where is it?") -> bytes:
    return (
        f"From: Mia Lang <mia@example.com>\r\nTo: {USER}\r\nSubject: {subject}\r\nDate: Tue, 03 Mar 2026 09:15:00 +0100\r\n"
        f"Message-ID: <{secrets.token_hex(8)}@example.com>\r\n\r\n{body}\r\n"
    ).encode()


def connector(server: ImapServer | TcpProxy, **changed: object) -> Imap:
    given = {
        "account": USER,
        "host": server.host,
        "port": server.port,
        "tls": "none",
        "password": USERS[USER],
        "poll_seconds": QUIET,
        "timeout_seconds": 10.0,
    }
    return Imap(Settings.model_validate({**given, **changed}))


@contextlib.asynccontextmanager
async def running(imap: Imap, host: RecordingHost, folder: str) -> AsyncIterator["asyncio.Task[None]"]:
    """A session that has begun to wait for mail, and is stopped afterwards."""
    task = asyncio.create_task(imap.session(host, folder, host.cursor))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Retryable):
            await task


async def begun(host: RecordingHost, task: "asyncio.Task[None]") -> None:
    await until(lambda: host.cursor is not None or task.done())
    if task.done():
        task.result()


def append(server: ImapServer, folder: str, *mails: bytes) -> None:
    """By IMAP, one after the other: of files that are delivered in one second, the order is the server's."""
    with client(server) as imap:
        for one in mails:
            imap.append(folder, one)


async def deliver(server: ImapServer, raw: bytes, folder: str) -> None:
    await asyncio.to_thread(server.deliver, USER, raw, folder)


# --- what arrives ------------------------------------------------------------------------------------------------


async def test_a_delivered_mail_arrives_by_idle(server: ImapServer, folder: str) -> None:
    imap, host = connector(server), RecordingHost()
    async with running(imap, host, folder) as task:
        await begun(host, task)
        await deliver(server, mail("Late parcel"), folder)
        await until(lambda: len(host.records) == 1)
        await deliver(server, mail("Still late"), folder)
        await until(lambda: len(host.records) == 2)
    (first, second) = host.events(imap)
    assert host.subjects(imap) == ["Late parcel", "Still late"]
    assert first.received_at is not None
    assert first.received_at <= second.received_at  # type: ignore[operator]
    assert first.place.id == f"{USER}/{folder}"
    assert host.records[0].media_type == "message/rfc822"


async def test_the_bytes_are_those_that_were_delivered(dovecot_server: DovecotServer) -> None:
    raw = b"Subject:  Gr\xfc\xdfe\r\nX-Odd:a\r\n\r\n\xff no text at all\r\n"
    folder = f"Inbound/{secrets.token_hex(6)}"
    await deliver(dovecot_server, raw, folder)
    host = RecordingHost(since=LONG_AGO)
    async with running(connector(dovecot_server), host, folder):
        await until(lambda: len(host.records) == 1)
    assert host.records[0].data == raw


async def test_the_place_to_begin_is_durable_before_anything_is_read(server: ImapServer, folder: str) -> None:
    await deliver(server, mail("Old"), folder)
    imap, host = connector(server), RecordingHost()
    async with running(imap, host, folder) as task:
        await begun(host, task)
    assert host.records == []
    await deliver(server, mail("While we were away"), folder)
    async with running(imap, host, folder):
        await until(lambda: len(host.records) == 1)
    assert host.subjects(imap) == ["While we were away"]


async def test_mail_since_a_moment_is_read_from_there_on(server: ImapServer, folder: str) -> None:
    with client(server) as imap_client:
        for day in (1, 5, 9):
            imap_client.append(folder, mail(f"Day {day}"), msg_time=datetime(2026, 3, day, 12, tzinfo=UTC))
    imap, host = connector(server), RecordingHost(since=datetime(2026, 3, 4, tzinfo=UTC))
    async with running(imap, host, folder):
        await until(lambda: len(host.records) == 2)
    assert host.subjects(imap) == ["Day 5", "Day 9"]
    assert host.events(imap)[0].received_at == datetime(2026, 3, 5, 12, tzinfo=UTC)


async def test_a_mail_somebody_opened_is_read_and_its_flags_are_left_alone(server: ImapServer, folder: str) -> None:
    with client(server) as imap_client:
        imap_client.append(folder, mail("Opened"), flags=[b"\\Seen", b"\\Flagged"])
        imap_client.append(folder, mail("Unopened"))
    imap, host = connector(server), RecordingHost(since=LONG_AGO)
    async with running(imap, host, folder):
        await until(lambda: len(host.records) == 2)
    assert host.subjects(imap) == ["Opened", "Unopened"]
    with client(server, folder) as imap_client:
        flags = [
            set(one[b"FLAGS"]) - {b"\\Recent"} for one in imap_client.fetch(imap_client.search(), ["FLAGS"]).values()
        ]
    assert flags == [{b"\\Seen", b"\\Flagged"}, set()]


async def test_a_second_session_reads_nothing_twice(server: ImapServer, folder: str) -> None:
    append(server, folder, *(mail(f"Mail {n}") for n in range(5)))
    imap, host = connector(server), RecordingHost(since=LONG_AGO)
    async with running(imap, host, folder):
        await until(lambda: len(host.records) == 5)
    for n in (5, 6):  # a search for what follows the last one names the last one
        async with running(imap, host, folder):
            await deliver(server, mail(f"Mail {n}"), folder)
            await until(lambda: len(host.records) > n)  # noqa: B023 -- called in this round only
    assert host.subjects(imap) == [f"Mail {n}" for n in range(7)]


async def test_looking_finds_what_was_not_announced(server: ImapServer, folder: str) -> None:
    imap, host = connector(server, poll_seconds=0.2), RecordingHost()
    async with running(imap, host, folder) as task:
        await begun(host, task)
        await until(lambda: len(host.cursors) == 1)
        with client(server) as imap_client:
            imap_client.append(folder, mail("Found"))
        await until(lambda: len(host.records) == 1)


async def test_batches_keep_order_and_bounds(server: ImapServer, folder: str) -> None:
    append(server, folder, *(mail(f"{n}", "x" * (5_000 if n == 4 else 10)) for n in range(7)))
    imap, host = connector(server, batch_mails=3, batch_bytes=4_000), RecordingHost(since=LONG_AGO)
    async with running(imap, host, folder):
        await until(lambda: len(host.records) == 7)
    assert host.subjects(imap) == [str(n) for n in range(7)]
    assert host.batches == [3, 1, 1, 2]
    assert host.cursors == sorted(host.cursors, key=lambda cursor: msgspec.json.decode(cursor)["uid"])


async def test_one_mail_of_twenty_that_is_garbage_stops_nothing(server: ImapServer, folder: str) -> None:
    append(server, folder, *(b"\xff\xfe\x01 garbage\r\n" if n == 7 else mail(f"Mail {n}") for n in range(20)))
    imap, host = connector(server), RecordingHost(since=LONG_AGO)
    async with running(imap, host, folder):
        await until(lambda: len(host.records) == 20)
    facts = [event.fact for event in host.events(imap)]
    assert len(facts) == 20
    assert [n for n, fact in enumerate(facts) if isinstance(fact, Message) and fact.subject == ""] == [7]


async def test_of_a_huge_mail_the_beginning_is_read(server: ImapServer, folder: str) -> None:
    append(server, folder, mail("Huge", "words\r\n" * 50_000), mail("Small"))
    imap, host = connector(server, max_bytes=100_000), RecordingHost(since=LONG_AGO)
    async with running(imap, host, folder):
        await until(lambda: len(host.records) == 2)
    huge, small = (event.fact for event in host.events(imap))
    assert isinstance(huge, Message)
    assert isinstance(small, Message)
    assert huge.subject == "Huge"
    assert huge.body.text.startswith("words\nwords")
    assert "over settings.max_bytes" in huge.degraded
    assert len(host.records[0].data) <= 65_536
    assert small.degraded == ""


async def test_a_mail_that_is_gone_in_between_is_skipped(server: ImapServer, folder: str) -> None:
    append(server, folder, *(mail(f"{n}") for n in range(4)))
    imap, host = connector(server, batch_mails=1), RecordingHost(since=LONG_AGO)

    def expunge() -> None:
        with client(server, folder) as imap_client:
            imap_client.delete_messages(imap_client.search(["SUBJECT", "2"]))
            imap_client.expunge()

    async def delete_the_third(records: Sequence[Raw]) -> None:
        if records and not host.records:
            await asyncio.to_thread(expunge)

    host.before_emit = delete_the_third
    async with running(imap, host, folder):
        await until(lambda: len(host.records) == 3)
    assert host.subjects(imap) == ["0", "1", "3"]


async def test_a_folder_made_anew_is_read_from_its_beginning(dovecot_server: DovecotServer) -> None:
    folder = f"Inbound/{secrets.token_hex(6)}"
    raw = mail("Kept")
    await deliver(dovecot_server, raw, folder)
    imap, host = connector(dovecot_server), RecordingHost(since=LONG_AGO)
    async with running(imap, host, folder):
        await until(lambda: len(host.records) == 1)
    before = host.cursor
    with client(dovecot_server) as imap_client:
        imap_client.delete_folder(folder)
        imap_client.create_folder(folder)
        imap_client.append(folder, raw)
        imap_client.append(folder, mail("New"))
    async with running(imap, host, folder):
        await until(lambda: len(host.records) == 3)
    assert host.subjects(imap) == ["Kept", "Kept", "New"]
    first, again, _ = host.events(imap)
    assert (first.external_id, first.revision) == (again.external_id, again.revision)
    assert before is not None
    assert host.cursor is not None
    assert msgspec.json.decode(before)["uidvalidity"] != msgspec.json.decode(host.cursor)["uidvalidity"]


async def test_sent_mail_is_an_echo_and_its_folder_is_found(dovecot_server: DovecotServer) -> None:
    await deliver(dovecot_server, mail("Answered").replace(b"mia@example.com", b"desk@elsewhere.example"), "Sent")
    imap, host = connector(dovecot_server, follow_sent=True), RecordingHost(since=LONG_AGO)
    assert list(await imap.resources(host)) == ["INBOX", "Sent"]
    async with running(imap, host, "Sent"):
        await until(lambda: len(host.records) >= 1)
    assert host.events(imap)[0].echo


# --- what goes wrong ---------------------------------------------------------------------------------------------


async def test_a_wrong_password_says_what_to_change(server: ImapServer) -> None:
    imap, host = connector(server, password="wrong"), RecordingHost()
    with pytest.raises(Misconfigured, match=r"user support@example.com: change settings.username or settings.password"):
        await imap.session(host, "INBOX", None)
    assert [(step.ok, step.name) async for step in imap.check(host)][-1] == (False, f"log in as {USER}")


async def test_a_folder_that_is_not_there_says_what_to_change(server: ImapServer) -> None:
    imap, host = connector(server, folders=["Nowhere"]), RecordingHost()
    with pytest.raises(Misconfigured, match=r"no folder 'Nowhere': change settings.folders"):
        await imap.session(host, "Nowhere", None)
    assert not [step async for step in imap.check(host)][-1].ok


async def test_all_probes_pass_where_all_is_well(server: ImapServer) -> None:
    steps = [step async for step in connector(server).check(RecordingHost())]
    assert all(step.ok for step in steps)
    assert [step.name for step in steps] == [
        f"reach {server.host}:{server.port}",
        "encrypt",
        f"log in as {USER}",
        "folder INBOX",
        "announcements (IDLE)",
    ]


async def test_tls_where_there_is_none_says_what_to_change(server: ImapServer) -> None:
    steps = [step async for step in connector(server, tls="tls", timeout_seconds=3).check(RecordingHost())]
    assert not steps[-1].ok
    assert "settings.tls" in steps[-1].todo


async def test_nobody_there_is_tried_again() -> None:
    with TcpProxy() as proxy, pytest.raises(Retryable, match=r"settings.host or settings.port"):
        await connector(proxy).session(RecordingHost(), "INBOX", None)


async def test_a_server_killed_while_we_wait_is_noticed_at_once_and_met_again(
    new_server: Callable[..., ImapServer],
) -> None:
    server = await asyncio.to_thread(new_server, USERS)
    imap, host = connector(server), RecordingHost()
    async with running(imap, host, "INBOX") as task:
        await begun(host, task)
        await deliver(server, mail("Before"), "INBOX")
        await until(lambda: len(host.records) == 1)
        start = time.monotonic()
        await asyncio.to_thread(server.kill)
        with pytest.raises(Retryable):
            await asyncio.wait_for(asyncio.shield(task), 10)
        assert time.monotonic() - start < 10
    await deliver(server, mail("Meanwhile"), "INBOX")
    await asyncio.to_thread(server.start)
    async with running(imap, host, "INBOX"):
        await until(lambda: len(host.records) == 2)
    assert host.subjects(imap) == ["Before", "Meanwhile"]


@pytest.mark.parametrize("fault", ["freeze", "cut", "half_close"])
async def test_a_link_that_dies_ends_the_session(server: ImapServer, folder: str, fault: str) -> None:
    with TcpProxy((server.host, server.port)) as proxy:
        imap, host = connector(proxy, poll_seconds=0.5, timeout_seconds=1.0), RecordingHost()
        async with running(imap, host, folder) as task:
            await begun(host, task)
            getattr(proxy, fault)()
            with pytest.raises(Retryable):
                await asyncio.wait_for(asyncio.shield(task), 10)
        proxy.thaw()


async def test_a_stop_takes_effect_at_once_however_long_the_server_is_silent(server: ImapServer, folder: str) -> None:
    with TcpProxy((server.host, server.port)) as proxy:
        imap, host = connector(proxy, timeout_seconds=60.0), RecordingHost()
        async with running(imap, host, folder) as task:
            await begun(host, task)
            proxy.freeze()
            start = time.monotonic()
        assert time.monotonic() - start < 5
        proxy.thaw()
