"""One customer and what she does at her providers: mail, Telegram, Mastodon. It knows nothing of Onethread but its settings."""

from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from onethread.testing.mastodon_server import MastodonServer
from onethread.testing.servers.imap import ImapServer
from onethread.testing.telegram_server import TelegramServer

ADDRESS = "mia.lang@example.com"
MASTODON_USER = "https://social.example/users/mia"
USER = "support"
PASSWORD = "support password"
BEGINS = datetime(2026, 1, 5, 9, 0, 1, tzinfo=UTC)
MAIL = b"""\
Received: from mail.example.com by mx.example.org; Mon, 05 Jan 2026 09:00:01 +0000
Authentication-Results: mx.example.org; dmarc=pass header.from=example.com
Date: Mon, 05 Jan 2026 09:00:00 +0000
From: Mia Lang <mia.lang@example.com>
To: support@example.org
Subject: My kettle is broken
Message-ID: <kettle-1@mail.example.com>
Content-Type: text/plain; charset=utf-8

The kettle no longer heats.
""".replace(b"\n", b"\r\n")
MIA = {"id": 700100200, "is_bot": False, "first_name": "Mia", "last_name": "Lang", "language_code": "en"}


class Providers:
    """The providers' side of three channels."""

    def __init__(self, mail: ImapServer) -> None:
        self.mail = mail
        self.telegram = TelegramServer(delay=lambda _attempt, after: min(after or 0.2, 0.5))
        self.mastodon = MastodonServer(begins=BEGINS + timedelta(minutes=31))
        self._updates: list[Any] = []

    async def __aenter__(self) -> Self:
        await self.telegram.__aenter__()
        await self.mastodon.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.mastodon.__aexit__(*error)
        await self.telegram.__aexit__(*error)

    def channels(self) -> list[dict[str, Any]]:
        """Settings, as an admin writes them."""
        return [
            {
                "id": "chn_mail",
                "connector": "imap",
                "since": "2000-01-01T00:00:00Z",
                "allow_networks": ["127.0.0.0/8"],
                "settings": {
                    "account": "support@example.org",
                    "host": self.mail.host,
                    "port": self.mail.port,
                    "tls": "none",
                    "username": USER,
                    "password": PASSWORD,
                    "authserv_ids": ["mx.example.org"],
                    "poll_seconds": 2,
                },
            },
            {
                "id": "chn_telegram",
                "connector": "telegram",
                "hook_secret": "0123456789abcdef0123",
                "allow_networks": ["127.0.0.0/8"],
                "settings": {
                    "account": str(self.telegram.id),
                    "bot_username": self.telegram.username,
                    "token": self.telegram.token,
                    "secrets": ["telegram secret-token_1".replace(" ", "-")],
                    "api_url": self.telegram.url,
                },
            },
            {
                "id": "chn_mastodon",
                "connector": "mastodon",
                "since": "2000-01-01T00:00:00Z",
                "allow_networks": ["127.0.0.0/8"],
                "settings": {
                    "account": self.mastodon.acct,
                    "base_url": self.mastodon.url,
                    "access_token": self.mastodon.token,
                },
            },
        ]

    def writes_a_mail(self) -> None:
        """Delivered into our mailbox."""
        self.mail.deliver(USER, MAIL, at=BEGINS.timestamp())

    async def opens_the_bot(self, link: str) -> None:
        """By the deep link, then writes."""
        (parameter,) = parse_qs(urlsplit(link).query)["start"]
        at = int((BEGINS + timedelta(minutes=12)).timestamp())
        self._updates.append(await self.telegram.say(f"/start {parameter}", MIA, date=at))
        self._updates.append(await self.telegram.say("It is the steel one.", MIA, date=at + 60))
        await self.telegram.confirmed()

    async def mentions_us_while_the_stream_is_down(self) -> None:
        """The socket drops, she mentions us meanwhile; later the notification is streamed once more."""
        with self.mastodon.while_down():
            await self.mastodon.drop_sockets()
            await self.mastodon.mention("mia", "any news about my kettle?")

    async def everything_again(self) -> None:
        """Every delivery once more."""
        self.writes_a_mail()
        for update in self._updates:
            await self.telegram.repeat(update)
        await self.telegram.confirmed()
        for notification in self.mastodon.notifications:
            await self.mastodon.repeat(notification)
