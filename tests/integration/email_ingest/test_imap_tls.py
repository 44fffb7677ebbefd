"""The IMAP connector over TLS: mail arrives, and a certificate that does not fit is told."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from integration.email_ingest.recording_host import RecordingHost, until
from integration.email_ingest.scripted_server import OK, scripted
from integration.email_ingest.tls import certificate, tls_front

from email_ingest.connectors.imap.connector import Imap
from email_ingest.connectors.imap.settings import Settings
from onethread.errors import Misconfigured, Retryable
from onethread.testing.backends import USERS
from onethread.testing.servers.imap import ImapServer

USER = "sales@example.com"


@pytest.fixture(params=["dovecot_server", "pymap_server"])
def server(request: pytest.FixtureRequest) -> ImapServer:
    found: ImapServer = request.getfixturevalue(request.param)
    return found


def connector(host: str, port: int, **changed: object) -> Imap:
    given: dict[str, Any] = {"account": USER, "host": host, "port": port, "password": USERS[USER], "poll_seconds": 300}
    return Imap(Settings.model_validate({**given, "timeout_seconds": 5.0, **changed}))


async def test_a_delivered_mail_arrives_over_tls(server: ImapServer, tmp_path: Path) -> None:
    made = certificate(tmp_path)
    async with tls_front((server.host, server.port), made.context) as front:
        imap, host = connector(*front, ca_file=made.file), RecordingHost()
        assert all([step.ok async for step in imap.check(host)])
        task = asyncio.create_task(imap.session(host, "INBOX", None))
        await until(lambda: host.cursor is not None or task.done())
        for n in range(3):
            raw = f"From: mia@example.com\r\nSubject: {n}\r\n\r\n{'words ' * 5_000}\r\n".encode()
            await asyncio.to_thread(server.deliver, USER, raw)
            await until(lambda: len(host.records) > n)  # noqa: B023 -- called in this round only
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert host.subjects(imap) == ["0", "1", "2"]


async def test_a_link_that_is_closed_under_tls_ends_the_session(server: ImapServer, tmp_path: Path) -> None:
    made = certificate(tmp_path)
    async with tls_front((server.host, server.port), made.context) as front:
        host = RecordingHost()
        task = asyncio.create_task(connector(*front, ca_file=made.file).session(host, "INBOX", None))
        await until(lambda: host.cursor is not None or task.done())
    with pytest.raises(Retryable):
        await asyncio.wait_for(task, 10)


async def test_a_certificate_nobody_vouches_for_says_what_to_change(server: ImapServer, tmp_path: Path) -> None:
    made = certificate(tmp_path)
    async with tls_front((server.host, server.port), made.context) as front:
        with pytest.raises(Misconfigured, match=r"settings.ca_file"):
            await connector(*front).session(RecordingHost(), "INBOX", None)


async def test_a_certificate_of_another_host_says_what_to_change(server: ImapServer, tmp_path: Path) -> None:
    made = certificate(tmp_path, "192.0.2.1")
    async with tls_front((server.host, server.port), made.context) as front:
        with pytest.raises(Misconfigured, match=r"settings.host"):
            await connector(*front, ca_file=made.file).session(RecordingHost(), "INBOX", None)


async def test_an_authority_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"settings.ca_file"):
        await connector("127.0.0.1", 9, ca_file=tmp_path / "none.pem").session(RecordingHost(), "INBOX", None)


async def test_starttls_is_done_before_the_password_is_said(tmp_path: Path) -> None:
    made = certificate(tmp_path)
    capabilities = b"* CAPABILITY IMAP4rev1 STARTTLS\r\n" + OK
    async with scripted(STARTTLS=OK, CAPABILITY=capabilities, UID_SEARCH=b"* SEARCH\r\n" + OK) as server:
        server.context = made.context
        steps = [
            step
            async for step in connector(server.host, server.port, tls="starttls", ca_file=made.file).check(
                RecordingHost()
            )
        ]
        assert all(step.ok for step in steps)
        words = [line.split()[1] for line in server.lines if line]
        assert words.index(b"STARTTLS") < words.index(b"LOGIN")


async def test_a_server_without_starttls_never_hears_the_password() -> None:
    async with scripted() as server:
        steps = [step async for step in connector(server.host, server.port, tls="starttls").check(RecordingHost())]
    assert not steps[-1].ok
    assert server.count(b"LOGIN") == 0
