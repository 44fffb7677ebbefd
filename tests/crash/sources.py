"""What there is at providers: messages, files and people, at their simulators, for real connectors. It kills nobody."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, NamedTuple

from crash.rig import Called, Received
from crash.telling import Entrance
from failures.house import Mailbox, mail

from onethread.testing.mastodon_server import MastodonServer
from onethread.testing.servers.imap import ImapServer
from onethread.testing.slack_server import SlackServer
from onethread.testing.telegram_server import TelegramServer
from onethread.testing.wecom_kf_server import WeComKfServer

TEXTS = ["one", "two", "three"]
MIA = "wm00000001"
PHOTO, LETTER = b"\xff\xd8\xff" + b"photo" * 20, b"%PDF-1.7 " + b"letter" * 400_000
NOTE = b"\x89PNG\r\n\x1a\n a note"
MESSAGES = [[PHOTO], [LETTER], [PHOTO, NOTE]]
"""By message, its files. One is larger than what is kept in memory; one was sent twice; the last message has two."""
FILES = [content for files in MESSAGES for content in files]


def of_texts(found: Received) -> list[str]:
    """What is wrong at the end, where `TEXTS` were said."""
    once = len(found.messages) == len(set(found.messages)) == len(TEXTS)
    return [] if once else [f"messages: {found.messages}"]


def of_files(found: Received) -> list[str]:
    """What is wrong at the end, where `FILES` were sent."""
    hashes, there = [hashlib.sha256(content).hexdigest() for content in FILES], found.kept
    wanted = {
        "blobs": (there.blobs, sorted(set(hashes))),
        "files of messages": (there.shown, sorted(("stored", each) for each in hashes)),
        "names": (there.people, ["Mia Lang"]),
        "messages": (len(found.messages), len(MESSAGES)),
    }
    return [*there.wrong, *(f"{what}: {is_}, not {should}" for what, (is_, should) in wanted.items() if is_ != should)]


class Source(NamedTuple):
    """`called`: what a provider does that calls us; `faults`: what is wrong at the end."""

    entrance: Entrance
    called: Called | None = None
    faults: Callable[[Received], list[str]] = of_texts


@asynccontextmanager
async def telegram() -> AsyncIterator[Source]:
    async with TelegramServer(longest_poll=0.2) as server:
        for number, text in enumerate(TEXTS):
            await server.say(text, {"id": 700100200 + number, "is_bot": False, "first_name": "Mia"})
        given = {"account": str(server.id), "bot_username": server.username, "token": server.token}
        given |= {"api_url": server.url, "edge": "polling"}
        yield Source(Entrance("telegram", {**given, "secrets": ["hook-secret"]}, len(TEXTS)))


@asynccontextmanager
async def mastodon() -> AsyncIterator[Source]:
    async with MastodonServer() as server:
        for number, text in enumerate(TEXTS):
            await server.mention(f"mia{number}@remote.example", text)
        given = {"account": server.acct, "base_url": server.url, "access_token": server.token}
        yield Source(Entrance("mastodon", given, len(TEXTS)))


@asynccontextmanager
async def imap(server: ImapServer) -> AsyncIterator[Source]:
    user = "support@example.com"
    mailbox = Mailbox(server, user)
    mailbox.append(*(mail(f"{text}@example.org", text, From=f"{text}@example.org") for text in TEXTS))
    given = {"account": user, "host": server.host, "port": server.port, "tls": "none", "password": server.users[user]}
    yield Source(Entrance("imap", {**given, "folders": [mailbox.folder]}, len(TEXTS)))
    assert mailbox.flags() == [set()] * len(TEXTS)


@asynccontextmanager
async def slack() -> AsyncIterator[Source]:
    """By Socket Mode: what is not acknowledged comes again by the next connection."""
    async with SlackServer() as server:
        for text in TEXTS:
            server.say(text, f"U0{text.upper()}")
        given = {"account": server.team, "bot_token": server.teams[server.team], "app_token": server.app_token}
        yield Source(Entrance("slack", {**given, "api_url": server.url, "edge": "socket"}, len(TEXTS)))


def pulls(server: WeComKfServer) -> int:
    """How often somebody asked for messages."""
    return sum(path == "kf/sync_msg" for path, _ in server.calls)


def _has_pulled(server: WeComKfServer, before: int) -> bool:
    return pulls(server) > before


@asynccontextmanager
async def wecom_kf(connector: str = "wecom_kf") -> AsyncIterator[Source]:
    """One message after the other, each with a notice, which never comes again once it was taken; or all notices are lost."""
    async with WeComKfServer() as server:
        server.silent = connector == "wecom_kf_poll"
        unsaid = list(TEXTS)

        async def called(hook: str) -> None:
            server.callback = hook
            await server.until(lambda: pulls(server) > 0)  # what asks by itself has asked: from now on a notice must
            while unsaid:
                text, before = unsaid.pop(0), pulls(server)
                server.say(text, f"wm-{text}")
                await server.until(partial(_has_pulled, server, before))

        yield Source(Entrance(connector, _settings(server), len(TEXTS)), called)


@asynccontextmanager
async def files() -> AsyncIterator[Source]:
    """Mia sent files; who she is, is to be looked up."""
    async with WeComKfServer() as server:
        server.customers[MIA] = {"nickname": "Mia Lang"}
        for contents in MESSAGES:
            parts = [{"media_id": server.keep_file(content, "application/octet-stream")} for content in contents]
            record = [{"msg_content": json.dumps({"msgtype": "image", "image": part})} for part in parts]
            kind, said = ("file", parts[0]) if len(parts) == 1 else ("merged_msg", {"title": "A chat", "item": record})
            server.item("wk00000001", kind, said, external_userid=MIA, origin=3)
        yield Source(Entrance("wecom_kf", _settings(server), len(MESSAGES), fetches=True), faults=of_files)


def _settings(server: WeComKfServer) -> dict[str, Any]:
    given = {"account": server.receiver, "open_kfids": list(server.accounts), "secret": server.secret}
    return {**given, "tokens": [server.token], "aes_keys": [server.aes_key], "api_url": server.url}
