"""The demo's story: one customer, six channels. What people do, at simulated providers; nothing here knows an event.

Mia Lang mails about a kettle. She opens the Telegram bot by a link that was made for her address, and shares her phone number; that
number sends a photo by WhatsApp. In Slack the shop's own directory has her address; the QR code that she scans with WeChat was made
for it too. Her Mastodon account a person links to her. The second telling sends every delivery once more.
"""

import struct
import tempfile
import zlib
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from all_in_one import story_channels
from onethread.testing.mastodon_server import MastodonServer
from onethread.testing.servers.pymap import PymapServer
from onethread.testing.slack_server import SlackServer
from onethread.testing.telegram_server import TelegramServer
from onethread.testing.wechat_server import WeChatServer
from onethread.testing.whatsapp_server import WhatsAppServer

ADDRESS = "mia.lang@example.com"
MAILBOX, PASSWORD = "desk@example.org", "mailbox-password"
PHONE = "12025550147"
MASTODON_USER = "https://social.example/users/mia"
_MIA = {"id": 700100200, "is_bot": False, "first_name": "Mia", "last_name": "Lang", "language_code": "en"}
_SLACK_USER, _OPENID = "U0MIA", "oMiaLang0001"

MAIL = """\
Received: from mail.example.com by mx.example.org; {date}
Authentication-Results: mx.example.org; dmarc=pass header.from=example.com
Date: {date}
From: Mia Lang <mia.lang@example.com>
To: desk@example.org
Subject: My kettle is broken
Message-ID: <kettle-1@mail.example.com>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Hello, the kettle I bought in December no longer heats. What can you do?
"""


class Story:
    """The providers of the demo. `async with Story() as story`. It was yesterday: providers keep files for some days only."""

    def __init__(self) -> None:
        yesterday = datetime.now(UTC) - timedelta(days=1)
        self._begins = yesterday.replace(hour=9, minute=0, second=1, microsecond=0)
        self.telegram = TelegramServer(delay=lambda _attempt, after: after or 0.2)
        self.whatsapp = WhatsAppServer(delay=lambda _attempt: 0.2)
        self.slack = SlackServer(delay=lambda _number: 0.2)
        self.wechat = WeChatServer(mode="safe", delay=lambda _attempt: 0.2)
        self.mastodon = MastodonServer(begins=self._begins + timedelta(minutes=31))
        self._stack = AsyncExitStack()
        self._folder = tempfile.TemporaryDirectory(prefix="onethread-demo-")
        self.mail = PymapServer(Path(self._folder.name) / "mail", {MAILBOX: PASSWORD})
        self._updates: list[Any] = []
        self._wechat_told: list[str] = []

    async def __aenter__(self) -> Self:
        self._stack.callback(self._folder.cleanup)
        for server in (self.telegram, self.whatsapp, self.slack, self.wechat, self.mastodon):
            await self._stack.enter_async_context(server)
        self.mail.start()
        self._stack.callback(self.mail.stop)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def channels(self) -> list[dict[str, Any]]:
        """The settings of the channels."""
        return [
            story_channels.mail(self.mail, MAILBOX, PASSWORD),
            story_channels.telegram(self.telegram),
            story_channels.whatsapp(self.whatsapp),
            story_channels.slack(self.slack),
            story_channels.wechat(self.wechat),
            story_channels.mastodon(self.mastodon),
        ]

    async def enter_urls(self, url: str) -> bool:
        """An admin enters the channels' URLs where only a website takes them. Whether both were verified. `url`: of the service."""
        hooks = {channel: f"{url}/hooks/{channel}/{secret}" for channel, secret in story_channels.HOOK_SECRETS.items()}
        return await self.slack.enter(hooks["chn_slack"]) and await self.wechat.enter(hooks["chn_wechat"])

    def registered(self) -> bool:
        """Whether the channels that register themselves have done so, and the stream is open."""
        return self.telegram.webhook is not None and bool(self.whatsapp.override) and self.mastodon.listeners > 0

    def _at(self, minutes: int) -> int:
        """Unix seconds, so many minutes after the beginning."""
        return int(self._begins.timestamp()) + 60 * minutes

    # --- what Mia does -------------------------------------------------------------------------------------------------

    def mails(self) -> None:
        """She writes a mail; her provider delivers it into our mailbox."""
        mail = MAIL.format(date=format_datetime(self._begins)).encode()
        self.mail.deliver(MAILBOX, mail, at=self._begins.timestamp())

    async def opens_telegram(self, link: str) -> None:
        """She opens the bot by the link, writes, and shares her number by Telegram's own button."""
        at = self._at(12)
        (token,) = parse_qs(urlsplit(link).query)["start"]
        self._updates.append(await self.telegram.say(f"/start {token}", _MIA, date=at))
        self._updates.append(await self.telegram.say("It is the steel one, order 4711.", _MIA, date=at + 60))
        card = {"phone_number": f"+{PHONE}", "first_name": "Mia", "last_name": "Lang", "user_id": _MIA["id"]}
        chat = {"id": _MIA["id"], "type": "private", "first_name": "Mia", "last_name": "Lang"}
        shared = {"message_id": 5901, "date": at + 75, "from": _MIA, "chat": chat, "contact": card}
        self._updates.append(await self.telegram.deliver("message", **shared))
        await self.telegram.confirmed()

    async def sends_a_photo(self) -> None:
        """She sends a photo by WhatsApp; the delivery names it, and the file is to be fetched."""
        photo = self.whatsapp.keep_media("4100000000000001", picture(320, 240), "image/png")
        image = {**photo, "caption": "This is what the base looks like"}
        self.whatsapp.message({"type": "image", "image": image, "timestamp": str(self._at(17))}, PHONE)
        await self.whatsapp.confirmed()

    async def writes_in_slack(self) -> None:
        """She is a guest of the shop's workspace, whose directory has her address; she writes to the app."""
        profile = {"real_name": "Mia Lang", "email": ADDRESS}
        self.slack.web.users[_SLACK_USER] = {
            "id": _SLACK_USER,
            "team_id": self.slack.team,
            "name": "mia",
            "is_restricted": True,
            "is_email_confirmed": True,
            "profile": profile,
        }
        at = f"{self._at(21)}.000100"
        self.slack.say("My colleagues here have the same kettle. Is it a known fault?", _SLACK_USER, "D0MIA", ts=at)
        await self.slack.confirmed()

    async def scans_a_code(self, link: str) -> None:
        """She scans the QR code that was made for her address, follows the account, and writes. Encrypted, as all of it."""
        at = self._at(26)
        (ticket,) = parse_qs(urlsplit(link).query)["ticket"]
        self._wechat_told.append(self.wechat.scan(ticket, _OPENID, CreateTime=at))
        await self.wechat.confirmed()
        self._wechat_told.append(self.wechat.say("Can I bring it to the shop?", _OPENID, CreateTime=at + 40))
        await self.wechat.confirmed()

    async def mentions_us(self) -> None:
        """Her account mentions the shop; her instance streams it to us."""
        await self.mastodon.mention("mia", "any news about my kettle?")

    async def again(self) -> int:
        """Every delivery once more: the mail as a second copy, each request, the notification. How many they are."""
        self.mails()
        for update in self._updates:
            await self.telegram.repeat(update)
        whatsapp = {one.body for one in self.whatsapp.deliveries}
        for body in whatsapp:
            self.whatsapp.repeat(body, to=self.whatsapp.override)
        slack = {one.body for one in self.slack.deliveries}
        for body in slack:
            self.slack.repeat(body)
        for told in self._wechat_told:
            self.wechat.deliver(told)
        for notification in self.mastodon.notifications:
            await self.mastodon.repeat(notification)
        for server in (self.telegram, self.whatsapp, self.slack, self.wechat):
            await server.confirmed()
        requests = len(self._updates) + len(whatsapp) + len(slack) + len(self._wechat_told)
        return 1 + requests + len(self.mastodon.notifications)


def picture(width: int, height: int) -> bytes:
    """A PNG: grey steel, darker below (PNG specification, third edition, section 5)."""
    rows = b"".join(b"\0" + bytes([200 - 120 * y // height]) * width for y in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
