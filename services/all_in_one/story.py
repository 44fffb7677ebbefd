"""The demo's story: one customer, three channels. What people do, at simulated providers; nothing here knows an event.

Mia Lang mails about a kettle; she opens the Telegram bot by a link that was made for her address, and writes; her Mastodon
account, which a person links to her, mentions the shop. The second telling sends every delivery once more.
"""

import tempfile
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from onethread.testing.mastodon_server import MastodonServer
from onethread.testing.servers.pymap import PymapServer
from onethread.testing.telegram_server import TelegramServer

ADDRESS = "mia.lang@example.com"
MAILBOX, PASSWORD = "desk@example.org", "mailbox-password"
TELEGRAM_SECRET, HOOK_SECRET = "telegram-secret-of-the-demo", "hook-of-the-demo-0123456789"
MASTODON_USER = "https://social.example/users/mia"
BEGINS = datetime(2026, 1, 5, 9, 0, 1, tzinfo=UTC)
_MIA = {"id": 700100200, "is_bot": False, "first_name": "Mia", "last_name": "Lang", "language_code": "en"}

MAIL = b"""\
Received: from mail.example.com by mx.example.org; Mon, 05 Jan 2026 09:00:01 +0000
Authentication-Results: mx.example.org; dmarc=pass header.from=example.com
Date: Mon, 05 Jan 2026 09:00:00 +0000
From: Mia Lang <mia.lang@example.com>
To: desk@example.org
Subject: My kettle is broken
Message-ID: <kettle-1@mail.example.com>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Hello, the kettle I bought in December no longer heats. What can you do?
"""


class Story:
    """The providers of the demo. `async with Story(folder) as story`."""

    def __init__(self) -> None:
        self.telegram = TelegramServer(delay=lambda _attempt, after: after or 0.2)
        self.mastodon = MastodonServer(begins=BEGINS + timedelta(minutes=31))
        self._stack = AsyncExitStack()
        self._folder = tempfile.TemporaryDirectory(prefix="onethread-demo-")
        self.mail = PymapServer(Path(self._folder.name) / "mail", {MAILBOX: PASSWORD})
        self._told: list[Any] = []

    async def __aenter__(self) -> Self:
        self._stack.callback(self._folder.cleanup)
        await self._stack.enter_async_context(self.telegram)
        await self._stack.enter_async_context(self.mastodon)
        self.mail.start()
        self._stack.callback(self.mail.stop)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def channels(self) -> list[dict[str, Any]]:
        """The settings of the three channels, as an admin would write them."""
        loopback = ["127.0.0.0/8"]
        mail = {
            "account": MAILBOX,
            "host": self.mail.host,
            "port": self.mail.port,
            "tls": "none",
            "username": MAILBOX,
            "password": PASSWORD,
            "authserv_ids": ["mx.example.org"],
        }
        telegram = {
            "account": str(self.telegram.id),
            "bot_username": self.telegram.username,
            "token": self.telegram.token,
            "secrets": [TELEGRAM_SECRET],
            "api_url": self.telegram.url,
        }
        mastodon = {
            "account": self.mastodon.acct,
            "base_url": self.mastodon.url,
            "access_token": self.mastodon.token,
        }
        return [
            {
                "id": "chn_mail",
                "name": "Support mailbox",
                "connector": "imap",
                "since": "2000-01-01T00:00:00Z",
                "settings": mail,
                "allow_networks": loopback,
            },
            {
                "id": "chn_telegram",
                "name": "Shop bot",
                "connector": "telegram",
                "hook_secret": HOOK_SECRET,
                "settings": telegram,
                "allow_networks": loopback,
            },
            {
                "id": "chn_mastodon",
                "name": "Shop on Mastodon",
                "connector": "mastodon",
                "since": "2000-01-01T00:00:00Z",
                "settings": mastodon,
                "allow_networks": loopback,
            },
        ]

    def mails(self) -> None:
        """Mia writes a mail; her provider delivers it into our mailbox."""
        self.mail.deliver(MAILBOX, MAIL, at=BEGINS.timestamp())

    async def opens_telegram(self, token: str) -> None:
        """Mia opens the bot by the link and writes. Telegram calls our webhook."""
        at = int((BEGINS + timedelta(minutes=12)).timestamp())
        self._told.append(await self.telegram.say(f"/start {token}", _MIA, date=at))
        self._told.append(
            await self.telegram.say("It is the steel one, order 4711. Photo follows.", _MIA, date=at + 60)
        )
        await self.telegram.confirmed()

    async def mentions_us(self) -> None:
        """Mia's account mentions the shop; her instance streams it to us."""
        await self.mastodon.mention("mia", "any news about my kettle?")

    async def again(self) -> None:
        """Every delivery once more: the mail as a second copy, the updates, the notification."""
        self.mail.deliver(MAILBOX, MAIL, at=BEGINS.timestamp())
        for update in self._told:
            await self.telegram.repeat(update)
        await self.telegram.confirmed()
        for notification in self.mastodon.notifications:
            await self.mastodon.repeat(notification)
