"""One IMAP connection, read-only, on a thread of its own. It knows the protocol and imapclient, and nothing of cursors or events.

imapclient blocks and is not thread-safe, so each link has one thread. It has no time-outs of its own accord, and its
`idle_check` cannot tell a closed connection from silence: here every read has a time-out, and waiting is done on the socket,
so that whatever ends the silence (a mail, or the end) is met by a command that must be answered.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from imaplib import IMAP4
from typing import Any, TypeVar

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError
from imapclient.imapclient import SENT

from email_ingest.connectors.imap.faults import Refused, translated
from email_ingest.connectors.imap.oauth import xoauth2
from email_ingest.connectors.imap.settings import Settings
from onethread.errors import Misconfigured, OnethreadError

T = TypeVar("T")

CONNECT_SECONDS = 10.0
HEAD_BYTES = 65_536
"""What is fetched of a mail that is too large."""
SENT_NAMES = frozenset({"sent", "sent items", "sent messages", "sent mail"})


class Link:
    """One connection. Every coroutine raises Retryable for what works later, Misconfigured for what a person must change."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.uidvalidity = 0
        self.uidnext = 0
        self.grew = False
        self._client: Any = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="imap")

    # --- opening ------------------------------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Reach the server, and encrypt if that comes first."""
        await self._call(self._connect)

    def _connect(self) -> None:
        settings = self.settings
        timeout = SocketTimeout(connect=min(CONNECT_SECONDS, settings.timeout_seconds), read=settings.timeout_seconds)
        encrypted = settings.tls == "tls"
        context = self._context() if encrypted else None
        # Kept here, on the thread, so that `close` ends it even if whoever waits for it was cancelled.
        self._client = IMAPClient(settings.host, settings.port, ssl=encrypted, ssl_context=context, timeout=timeout)
        self._client.normalise_times = False

    def _context(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.settings.ca_file)
        except OSError as error:
            raise Misconfigured(f"settings.ca_file: {self.settings.ca_file} cannot be read as PEM") from error

    async def encrypt(self) -> None:
        """STARTTLS, where the settings say so."""
        if self.settings.tls == "starttls":
            await self._call(lambda: self._client.starttls(self._context()))

    async def log_in(self, token: str | None) -> None:
        """With an OAuth token, or with the password."""
        settings = self.settings
        if token is not None:
            await self._call(lambda: self._client.sasl_login("XOAUTH2", xoauth2(settings.user, token)))
            return
        assert settings.password is not None
        password = settings.password.get_secret_value()
        await self._call(lambda: self._client.login(settings.user, password))

    async def open(self, folder: str, token: str | None) -> None:
        """All of it, then EXAMINE: read-only, so that nothing here can mark a mail as seen."""
        await self.connect()
        await self.encrypt()
        await self.log_in(token)
        await self.examine(folder)

    async def examine(self, folder: str) -> None:
        """Select a folder read-only. Raises Misconfigured if there is none of that name."""
        try:
            state: Mapping[bytes, Any] = await self._call(lambda: self._client.select_folder(folder, readonly=True))
        except Refused as error:
            if await self._call(lambda: self._client.folder_exists(folder)):
                raise
            raise Misconfigured(f"there is no folder {folder!r}: change settings.folders") from error
        self.uidvalidity = int(state.get(b"UIDVALIDITY", 0))
        self.uidnext = int(state.get(b"UIDNEXT", 0))

    # --- what there is --------------------------------------------------------------------------------------------

    async def has(self, capability: str) -> bool:
        """Whether the server can do that, now that we are logged in."""
        return bool(await self._call(lambda: self._client.has_capability(capability)))

    async def is_sent(self, folder: str) -> bool:
        """Whether a folder holds sent mail: by SPECIAL-USE (RFC 6154), else by its name."""
        listed: Iterable[Any] = await self._call(lambda: self._client.list_folders(pattern=folder))
        for flags, delimiter, name in listed:
            if name == folder:
                last = name.rsplit(delimiter.decode(), 1)[-1] if delimiter else name
                return SENT in flags or last.casefold() in SENT_NAMES
        return False

    async def sent_folder(self) -> str | None:
        """The name of the folder of sent mail, if the server tells."""
        found: str | None = await self._call(lambda: self._client.find_special_folder(SENT))
        return found

    async def search(self, first: int, last: int | None, since: date | None = None) -> list[int]:
        """The UIDs from `first` to `last` (None: the end), ascending.

        `n:*` names the newest mail even if its UID is smaller than n (RFC 3501, 6.4.8): those are dropped here.
        """
        criteria: list[Any] = ["UID", f"{first}:{last or '*'}"]
        if since is not None:
            criteria += ["SINCE", since]
        found: Iterable[int] = await self._call(lambda: self._search(criteria))
        return sorted({uid for uid in found if uid >= first})

    def _search(self, criteria: list[Any]) -> Iterable[int]:
        imap = self._client._imap  # noqa: SLF001 -- imapclient drops what a server says beside an answer
        imap.response("EXISTS")
        found: Iterable[int] = self._client.search(criteria)
        # Announced beside the answer, a mail may be too new for it, and IDLE will not announce it again.
        self.grew = imap.response("EXISTS")[1] != [None]
        return found

    async def fetch(self, uids: list[int], *items: str) -> dict[int, dict[bytes, Any]]:
        """Items of some mails; a mail that is gone is not in the answer. Raises Poison if the answer cannot be read."""
        if not uids:
            return {}
        found: dict[int, dict[bytes, Any]] = await self._call(lambda: self._client.fetch(uids, list(items)))
        return found

    # --- waiting --------------------------------------------------------------------------------------------------

    async def wait(self, seconds: float) -> None:
        """IDLE (RFC 2177) until the server says anything, closes, or the time is up; then IDLE is over, and was answered."""
        if not await self._call(self._begin_idle):
            await self._readable(seconds)
        await self._call(self._client.idle_done)

    def _begin_idle(self) -> bool:
        """Begin; whether something to read is here already, in a buffer that the socket knows nothing of."""
        imap = self._client._imap  # noqa: SLF001 -- imapclient shows neither its buffer nor what precedes the continuation
        try:
            self._client.idle()
        except IMAPClientError as error:
            # A line about the folder may precede the "+" (imapclient takes that for an error); a refusal is one.
            if isinstance(error, IMAP4.abort) or imap.tagged_commands.get(self._client._idle_tag):  # noqa: SLF001
                raise
            while imap._get_response() is not None:  # noqa: SLF001
                pass
            return True
        sock = self._client.socket()
        sock.settimeout(0)
        try:
            return bool(imap.file.peek(1))
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            sock.settimeout(self.settings.timeout_seconds)

    async def _readable(self, seconds: float) -> None:
        """No thread waits here, so that a mailbox at rest costs none of the machine, and a stop takes effect at once."""
        loop, readable = asyncio.get_running_loop(), asyncio.Event()
        descriptor = self._client.socket().fileno()
        loop.add_reader(descriptor, readable.set)
        try:
            async with asyncio.timeout(seconds):
                await readable.wait()
        except TimeoutError:
            pass
        finally:
            loop.remove_reader(descriptor)

    # --- the thread -----------------------------------------------------------------------------------------------

    async def _call(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except OnethreadError:
            raise
        except Exception as error:
            raise translated(error, self.settings) from error

    def close(self) -> None:
        """End it at once. A call that is still under way on the thread is woken by the end of its socket."""
        if self._client is not None:
            with contextlib.suppress(OSError):
                self._client.socket().shutdown(socket.SHUT_RDWR)
        self._thread.submit(self._discard)
        self._thread.shutdown(wait=False)

    def _discard(self) -> None:
        if self._client is None:
            return
        with contextlib.suppress(OSError, ValueError):
            self._client.shutdown()


def internal_date(value: Any) -> str:
    """INTERNALDATE in ISO 8601, UTC; "" for none, or one that no calendar holds."""
    if not isinstance(value, datetime):
        return ""
    try:
        aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).isoformat()
    except (OverflowError, ValueError):
        return ""
