"""IMAP: one mailbox, read as mails arrive. It knows sessions and probes; the protocol is in `link`, mail in `email_ingest.mime`."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime

import httpx

from email_ingest.connectors.imap.link import Link
from email_ingest.connectors.imap.oauth import access_token
from email_ingest.connectors.imap.reader import Reader, position
from email_ingest.connectors.imap.settings import Settings
from email_ingest.mime import Delivery, Mailstore, events, excerpt
from onethread.connector import Checks, Connector, Excerpts, Host, Raw, Step, Stream
from onethread.errors import OnethreadError
from onethread.event import Event


class Imap(Connector[Settings], Stream, Excerpts, Checks):
    """One mailbox. A resource is a folder; its cursor a UIDVALIDITY and the last UID that is durable."""

    name = "imap"
    network = "email"

    async def resources(self, host: Host) -> Sequence[str]:
        """The folders of the settings and, if wanted and not among them, that of sent mail."""
        folders = list(dict.fromkeys(self.settings.folders))
        if self.settings.follow_sent:
            link = Link(self.settings)
            try:
                await link.connect()
                await link.encrypt()
                await link.log_in(await access_token(self.settings, host))
                sent = await link.sent_folder()
            finally:
                link.close()
            if sent is not None and sent not in folders:
                folders.append(sent)
        return folders

    async def session(self, host: Host, resource: str, cursor: str | None) -> None:
        """Read what is new, then wait for more: announced by the server, or found by looking every `poll_seconds`.

        Looking is the heart-beat, too: a link that died in silence fails it within `timeout_seconds`.
        """
        link = Link(self.settings)
        try:
            await link.open(resource, await access_token(self.settings, host))
            at = await position(cursor, link, host)
            reader = Reader(host, link, self.settings, resource, at, sent=await link.is_sent(resource))
            if await link.has("X-GM-EXT-1"):
                reader.items.append("X-GM-THRID")
            idles = await link.has("IDLE")
            while True:
                await reader.catch_up()
                if idles:
                    await link.wait(self.settings.poll_seconds)
                else:
                    await asyncio.sleep(self.settings.poll_seconds)
        finally:
            link.close()

    def normalize(self, raw: Raw) -> Iterable[Event]:
        return events(raw.data, self._store(), _delivery(raw))

    def excerpt(self, raw: Raw, because: str) -> Iterable[Event]:
        """The header, the first words, and the mail as a file."""
        return excerpt(raw.data, self._store(), _delivery(raw), because)

    def _store(self) -> Mailstore:
        settings = self.settings
        return Mailstore(
            settings.account,
            addresses=frozenset(settings.addresses),
            authserv_ids=frozenset(name.casefold() for name in settings.authserv_ids),
        )

    async def check(self, host: Host) -> AsyncIterator[Step]:
        """Reach, encrypt, log in, folders, announcements: the first that fails ends it, and says what to change."""
        link = Link(self.settings)
        where = f"{self.settings.host}:{self.settings.port}"
        step = f"reach {where}"
        try:
            await link.connect()
            yield Step(step, ok=True)
            step = "encrypt"
            await link.encrypt()
            if self.settings.tls == "none":
                yield Step(
                    step, ok=True, todo="settings.tls is none: fine on one machine only, the password can be read"
                )
            else:
                yield Step(step, ok=True)
            step = f"log in as {self.settings.user}"
            await link.log_in(await access_token(self.settings, host))
            yield Step(step, ok=True)
            for folder in self.settings.folders:
                step = f"folder {folder}"
                await link.examine(folder)
                yield Step(step, ok=True)
            step = "announcements (IDLE)"
            idles = await link.has("IDLE")
            looks = f"the server has no IDLE: mails are found every {self.settings.poll_seconds:g} seconds"
            yield Step(step, ok=True, todo="" if idles else looks)
        except OnethreadError as error:
            yield Step(step, ok=False, todo=str(error))
        except httpx.HTTPError as error:
            todo = f"settings.oauth_token_url, or consent: {type(error).__name__} there; if it stays, authorise again"
            yield Step(step, ok=False, todo=todo)
        finally:
            link.close()


def _delivery(raw: Raw) -> Delivery:
    about = raw.about
    return Delivery(
        folder=about.get("folder", "INBOX"),
        sent=about.get("sent") == "1",
        internal_date=_moment(about.get("internal_date", "")),
        cut=about.get("cut", ""),
        provider_thread=about.get("thread", ""),
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
