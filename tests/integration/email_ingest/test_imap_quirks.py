"""The IMAP connector against servers that misbehave: each script is a quirk that somebody has met."""

import asyncio
import base64
import contextlib
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import msgspec
import pytest
from integration.email_ingest.recording_host import RecordingHost, until
from integration.email_ingest.scripted_server import FOLDER, OK, ScriptedServer, scripted
from pydantic import ValidationError

from email_ingest.connectors.imap.connector import Imap
from email_ingest.connectors.imap.settings import Settings
from onethread.connector import Token
from onethread.errors import Misconfigured, Poison, Retryable, Unauthorised
from onethread.event import Message

USER = "support@example.com"
START = '{"uidvalidity":7,"uid":2}'
MAIL = b"From: mia@example.com\r\nSubject: Late\r\n\r\nWhere is it?\r\n"


def connector(server: ScriptedServer, **changed: object) -> Imap:
    given: dict[str, Any] = {
        "account": USER,
        "host": server.host,
        "port": server.port,
        "tls": "none",
        "password": "secret",
        "poll_seconds": 0.05,
        "timeout_seconds": 2.0,
    }
    return Imap(Settings.model_validate({**given, **changed}))


def oauth(server: ScriptedServer) -> Imap:
    return connector(
        server,
        password=None,
        oauth_client_id="client",
        oauth_client_secret="hush",
        oauth_refresh_token="first",
        oauth_token_url="https://login.example.com/token",
    )


def fetched(uid: int, body: bytes) -> bytes:
    size = str(len(body)).encode()
    return b'* %d FETCH (UID %d INTERNALDATE "03-Mar-2026 09:15:00 +0100" BODY[] {%s}\r\n%s)\r\n' % (
        uid,
        uid,
        size,
        body,
    )


async def run_until(server: ScriptedServer, imap: Imap, host: RecordingHost, count: int) -> None:
    """A session, until so many records are there."""
    task = asyncio.create_task(imap.session(host, "INBOX", host.cursor))
    try:
        await until(lambda: len(host.records) >= count or task.done())
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def begun() -> RecordingHost:
    host = RecordingHost()
    host.cursor = START
    return host


# --- logging in --------------------------------------------------------------------------------------------------


async def test_a_connection_that_ends_at_the_login_is_no_wrong_password() -> None:
    async with scripted(LOGIN=None) as server:
        with pytest.raises(Retryable, match="during the login"):
            await connector(server).session(RecordingHost(), "INBOX", None)


@pytest.mark.parametrize(
    "words", [b"[UNAVAILABLE] Temporary failure", b"[LIMIT] Too many connections", b"Try again later"]
)
async def test_a_server_that_is_busy_is_no_wrong_password(words: bytes) -> None:
    async with scripted(LOGIN=b"{tag} NO " + words + b"\r\n") as server:
        with pytest.raises(Retryable, match="cannot log us in now"):
            await connector(server).session(RecordingHost(), "INBOX", None)


async def test_the_servers_own_words_on_a_wrong_password_are_told() -> None:
    async with scripted(LOGIN=b"{tag} NO [ALERT] Application-specific password required\r\n") as server:
        with pytest.raises(
            Misconfigured, match=r"settings.password \(\[ALERT\] Application-specific password required\)"
        ):
            await connector(server).session(RecordingHost(), "INBOX", None)


# --- OAuth -------------------------------------------------------------------------------------------------------

GRANTED = {"access_token": "ya29.TEST-TOKEN", "expires_in": 3600}
VECTOR = b"dXNlcj1zdXBwb3J0QGV4YW1wbGUuY29tAWF1dGg9QmVhcmVyIHlhMjkuVEVTVC1UT0tFTgEB"


def issuer(status: int, answer: object, asked: list[dict[str, list[str]]]) -> httpx.AsyncClient:
    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(parse_qs(request.content.decode()))
        return httpx.Response(status, content=msgspec.json.encode(answer))

    return httpx.AsyncClient(transport=httpx.MockTransport(handle))


async def test_oauth_logs_in_with_a_token_made_from_the_refresh_token() -> None:
    asked: list[dict[str, list[str]]] = []
    host = RecordingHost(http=issuer(200, {**GRANTED, "refresh_token": "second"}, asked))
    async with scripted(AUTHENTICATE=b"+ \r\n", UID_SEARCH=b"* SEARCH\r\n{tag} OK\r\n") as server:
        server.script[""] = None  # the peer closes once it has the token
        with pytest.raises(Retryable):
            await oauth(server).session(host, "INBOX", None)
    assert VECTOR in server.lines
    assert base64.b64decode(VECTOR) == b"user=support@example.com\1auth=Bearer ya29.TEST-TOKEN\1\1"
    assert asked[0]["refresh_token"] == ["first"]
    assert asked[0]["client_secret"] == ["hush"]
    assert host.tokens["imap"].refresh == "second"


async def test_a_refresh_token_that_was_rotated_is_used_the_next_time() -> None:
    asked: list[dict[str, list[str]]] = []
    host = RecordingHost(http=issuer(200, GRANTED, asked))
    host.tokens["imap"] = Token("old", host.now() - timedelta(hours=1), "second")
    async with scripted(AUTHENTICATE=None) as server:
        with pytest.raises(Retryable):
            await oauth(server).session(host, "INBOX", None)
    assert asked[0]["refresh_token"] == ["second"]
    assert host.tokens["imap"].refresh == "second"


async def test_a_token_that_is_refused_is_answered_with_an_empty_line() -> None:
    challenges = iter([b"+ eyJzdGF0dXMiOiI0MDAifQ==\r\n", b"A1 NO [AUTHENTICATIONFAILED] Invalid credentials\r\n"])
    host = RecordingHost(http=issuer(200, GRANTED, []))
    tags: list[bytes] = []

    def authenticate(line: bytes) -> bytes:
        tags.append(line.split()[0])
        return b"+ \r\n"

    async with scripted(AUTHENTICATE=authenticate) as server:
        server.script[""] = lambda _line: next(challenges).replace(b"A1", tags[0])
        with pytest.raises(Unauthorised, match=r"settings.oauth_refresh_token"):
            await oauth(server).session(host, "INBOX", None)
    assert server.lines[-1] == b""


@pytest.mark.parametrize(
    ("status", "answer", "words"),
    [
        (401, {"error": "invalid_client"}, "settings.oauth_client_id"),
        (400, {"error": "invalid_scope"}, "settings.oauth_scope"),
    ],
)
async def test_wrong_settings_of_oauth_are_named(status: int, answer: object, words: str) -> None:
    async with scripted() as server:
        with pytest.raises(Misconfigured, match=words):
            await oauth(server).session(RecordingHost(http=issuer(status, answer, [])), "INBOX", None)


@pytest.mark.parametrize("answer", [{"error": "invalid_grant"}, "?"])
async def test_consent_that_was_taken_back_is_left_to_the_host(answer: object) -> None:
    async with scripted() as server:
        imap = oauth(server)
        with pytest.raises(httpx.HTTPStatusError):
            await imap.session(RecordingHost(http=issuer(400, answer, [])), "INBOX", None)
        last = [step async for step in imap.check(RecordingHost(http=issuer(400, answer, [])))][-1]
    assert not last.ok
    assert "authorise again" in last.todo


async def test_what_is_no_token_endpoint_is_told() -> None:
    async with scripted() as server:
        with pytest.raises(Poison, match=r"settings.oauth_token_url"):
            await oauth(server).session(RecordingHost(http=issuer(200, ["?"], [])), "INBOX", None)


def test_settings_want_one_way_to_log_in() -> None:
    with pytest.raises(ValidationError, match="either password"):
        Settings(account=USER, host="imap.example.com")


# --- reading -----------------------------------------------------------------------------------------------------


async def test_the_newest_mail_is_not_read_again_and_again() -> None:
    """`3:*` names mail 2 when there is no third."""
    async with scripted(UID_SEARCH=b"* SEARCH 2\r\n" + OK) as server:
        host = begun()
        task = asyncio.create_task(connector(server).session(host, "INBOX", host.cursor))
        await until(lambda: server.count(b"UID SEARCH") >= 5)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert host.records == []
    assert server.count(b"FETCH") == 0


async def test_with_nothing_new_a_look_is_one_search() -> None:
    async with scripted(UID_SEARCH=b"* SEARCH\r\n" + OK) as server:
        host = begun()
        task = asyncio.create_task(connector(server).session(host, "INBOX", host.cursor))
        await until(lambda: server.count(b"DONE") >= 3)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    start = next(n for n, line in enumerate(server.lines) if b"IDLE" in line)
    words = [line.split()[-1] if line == b"DONE" else line.split()[1] for line in server.lines[start : start + 6]]
    assert words == [b"IDLE", b"DONE", b"UID", b"IDLE", b"DONE", b"UID"]


async def test_a_folder_with_wide_gaps_is_searched_in_steps() -> None:
    folder = FOLDER.replace(b"UIDNEXT 4", b"UIDNEXT 120004")

    def search(line: bytes) -> bytes:
        return b"* SEARCH 120003\r\n" + OK if b":*" in line else b"* SEARCH\r\n" + OK

    def fetch(line: bytes) -> bytes:
        return (b"* 1 FETCH (UID 120003 RFC822.SIZE 9)\r\n" if b"SIZE" in line else fetched(120003, MAIL)) + OK

    async with scripted(EXAMINE=folder, UID_SEARCH=search, UID_FETCH=fetch) as server:
        host = begun()
        await run_until(server, connector(server), host, 1)
    assert [line.split()[4] for line in server.lines if b"UID SEARCH" in line][:3] == [
        b"3:50002",
        b"50003:100002",
        b"100003:*",
    ]
    assert host.cursor == '{"uidvalidity":7,"uid":120003,"tries":0}'


@pytest.mark.parametrize("body", [b"BODY[] NIL", b"FLAGS (\\Seen)"])
async def test_a_mail_without_a_body_is_skipped(body: bytes) -> None:
    def fetch(line: bytes) -> bytes:
        return (
            b"* 1 FETCH (UID 3 RFC822.SIZE 9)\r\n" if b"SIZE" in line else b"* 1 FETCH (UID 3 " + body + b")\r\n"
        ) + OK

    async with scripted(
        UID_FETCH=fetch, UID_SEARCH=lambda line: (b"* SEARCH 3\r\n" if b"3:*" in line else b"") + OK
    ) as server:
        host = begun()
        task = asyncio.create_task(connector(server).session(host, "INBOX", host.cursor))
        await until(lambda: '"uid":3' in (host.cursor or ""))
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert host.records == []


@pytest.mark.parametrize(
    "refusal",
    [b"{tag} NO The message could not be converted\r\n", b"* 3 FETCH (UID 3 BODY[] " + b"(" * 3000 + b")\r\n" + OK],
)
async def test_a_mail_the_server_does_not_hand_out_is_tried_thrice_then_shown(refusal: bytes) -> None:
    """Mail 4 must not wait for it longer than that."""

    def fetch(line: bytes) -> bytes:
        if b"SIZE" in line:
            return b"* 3 FETCH (UID 3 RFC822.SIZE 9)\r\n* 4 FETCH (UID 4 RFC822.SIZE 9)\r\n" + OK
        return fetched(4, MAIL) + OK if b"FETCH 4 " in line else refusal

    async with scripted(UID_FETCH=fetch, UID_SEARCH=b"* SEARCH 3 4\r\n" + OK) as server:
        imap, host = connector(server), begun()
        for _ in range(2):
            with pytest.raises(Retryable, match="UID 3 cannot be fetched"):
                await imap.session(host, "INBOX", host.cursor)
            assert host.records == []
        server.script["UID SEARCH"] = lambda line: (b"* SEARCH 3 4\r\n" if b"3:*" in line else b"* SEARCH 4\r\n") + OK
        await run_until(server, imap, host, 2)
    shown, late = (event.fact for event in host.events(imap))
    assert isinstance(shown, Message)
    assert shown.degraded.startswith("the server did not hand it out")
    assert isinstance(late, Message)
    assert late.subject == "Late"


async def test_a_line_before_the_continuation_of_idle_is_news_not_an_error() -> None:
    async with scripted(IDLE=b"* 3 EXISTS\r\n+ idling\r\n", UID_SEARCH=b"* SEARCH\r\n" + OK) as server:
        host = begun()
        task = asyncio.create_task(connector(server, poll_seconds=300).session(host, "INBOX", host.cursor))
        await until(lambda: server.count(b"UID SEARCH") >= 3)
        assert not task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_news_in_one_piece_with_the_continuation_is_not_overlooked() -> None:
    async with scripted(IDLE=b"+ idling\r\n* 4 EXISTS\r\n", UID_SEARCH=b"* SEARCH\r\n" + OK) as server:
        host = begun()
        task = asyncio.create_task(connector(server, poll_seconds=300).session(host, "INBOX", host.cursor))
        await until(lambda: server.count(b"UID SEARCH") >= 3)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_half_a_line_while_we_wait_is_waited_for() -> None:
    async with scripted(IDLE=b"+ idling\r\n* 4 EX", UID_SEARCH=b"* SEARCH\r\n" + OK) as server:
        host, answer = begun(), server.answer
        server.answer = lambda line: (b"ISTS\r\n" if line == b"DONE" else b"") + (answer(line) or b"")  # type: ignore[method-assign]
        task = asyncio.create_task(connector(server, poll_seconds=300).session(host, "INBOX", host.cursor))
        await until(lambda: server.count(b"UID SEARCH") >= 3)
        assert not task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_server_without_idle_is_looked_at() -> None:
    capabilities = b"* CAPABILITY IMAP4rev1\r\n" + OK
    async with scripted(CAPABILITY=capabilities, UID_SEARCH=b"* SEARCH\r\n" + OK) as server:
        imap, host = connector(server), begun()
        task = asyncio.create_task(imap.session(host, "INBOX", host.cursor))
        await until(lambda: server.count(b"UID SEARCH") >= 3)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert server.count(b"IDLE") == 0
        last = [step async for step in imap.check(host)][-1]
    assert last.ok
    assert "no IDLE" in last.todo


async def test_a_server_that_says_goodbye_ends_the_session() -> None:
    async with scripted(IDLE=b"+ idling\r\n* BYE Autologout\r\n", UID_SEARCH=b"* SEARCH\r\n" + OK) as server:
        answer = server.answer
        server.answer = lambda line: None if line == b"DONE" else answer(line)  # type: ignore[method-assign]
        with pytest.raises(Retryable):
            await asyncio.wait_for(connector(server, poll_seconds=300).session(begun(), "INBOX", START), 10)


async def test_gmails_thread_is_kept_beside_the_mail() -> None:
    capabilities = b"* CAPABILITY IMAP4rev1 IDLE X-GM-EXT-1\r\n" + OK

    def fetch(line: bytes) -> bytes:
        if b"SIZE" in line:
            return b"* 3 FETCH (UID 3 RFC822.SIZE 9)\r\n" + OK
        assert b"X-GM-THRID" in line
        return fetched(3, MAIL).replace(b"(UID 3", b"(X-GM-THRID 1790000000000000001 UID 3") + OK

    search = lambda line: (b"* SEARCH 3\r\n" if b"3:*" in line else b"") + OK  # noqa: E731
    async with scripted(CAPABILITY=capabilities, UID_FETCH=fetch, UID_SEARCH=search) as server:
        imap, host = connector(server), begun()
        await run_until(server, imap, host, 1)
    assert host.events(imap)[0].channel_data == {"provider_thread": "1790000000000000001"}
