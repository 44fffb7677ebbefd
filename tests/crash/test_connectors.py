"""Each connector's source is acknowledged last: whatever the process died at, what was not stored comes again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import NamedTuple

import pytest
from crash.matrix import rigged_in_memory
from crash.rig import Called
from crash.telling import Entrance
from failures.house import Mailbox, mail

from onethread.testing.figures import Figures, report
from onethread.testing.mastodon_server import MastodonServer
from onethread.testing.servers.imap import ImapServer
from onethread.testing.slack_server import SlackServer
from onethread.testing.telegram_server import TelegramServer
from onethread.testing.wecom_kf_server import WeComKfServer

ON_THE_WAY = ("log.append", "state.put(cursors)", "polling.", "host.emit", "websocket.", "http.")
BETWEEN = ("log.append(onethread.messages):after", "state.put(cursors):before")
"""After the log has confirmed, and before the source is told."""
PLACES = {
    "slack": ("log.append(onethread.messages):after", "websocket.send:before"),
    "wecom_kf": (*BETWEEN, "http.body:after", "polling.fetch:after"),
}
"""As `BETWEEN`, of those that are told otherwise; and where a notice is taken, and what it told of is not stored."""
TEXTS = ["one", "two", "three"]


class Source(NamedTuple):
    """`called`: what a provider does that calls us."""

    entrance: Entrance
    called: Called | None = None


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
async def wecom_kf() -> AsyncIterator[Source]:
    """One message after the other, each with a notice, which never comes again once it was taken."""
    async with WeComKfServer() as server:
        unsaid = list(TEXTS)

        async def called(hook: str) -> None:
            server.callback = hook
            await server.until(lambda: pulls(server) > 0)  # what asks by itself has asked: from now on a notice must
            while unsaid:
                text, before = unsaid.pop(0), pulls(server)
                server.say(text, f"wm-{text}")
                await server.until(partial(_has_pulled, server, before))

        given = {"account": server.receiver, "open_kfids": list(server.accounts), "secret": server.secret}
        given |= {"tokens": [server.token], "aes_keys": [server.aes_key], "api_url": server.url}
        yield Source(Entrance("wecom_kf", given, len(TEXTS)), called)


@pytest.mark.parametrize(
    "everywhere", [pytest.param(False, id="between"), pytest.param(True, id="anywhere", marks=pytest.mark.soak)]
)
@pytest.mark.parametrize("name", ["telegram", "mastodon", "imap", "slack", "wecom_kf"])
async def test_a_source_gives_again_what_was_not_stored(name: str, everywhere: bool, pymap_server: ImapServer) -> None:
    sources = {"telegram": telegram, "mastodon": mastodon, "imap": lambda: imap(pymap_server), "slack": slack}
    waiting = {**sources, "wecom_kf": wecom_kf}[name]
    between = PLACES.get(name, BETWEEN)
    where = ON_THE_WAY if everywhere else between
    async with rigged_in_memory() as rig:
        async with waiting() as source:
            whole = await rig.receive(source.entrance, called=source.called)
        assert len(whole.messages) == len(set(whole.messages)) == len(TEXTS)
        moments = [moment for moment in whole.trace if moment.point.startswith(where)]
        killed, wrong = 0, []
        for moment in moments:
            async with waiting() as source:
                found = await rig.receive(source.entrance, moment, called=source.called)
            killed += found.killed
            if found.messages != whole.messages:
                wrong.append((moment, found.messages))
    report(
        Figures(
            f"{name} killed at a point", killed, killed * len(TEXTS), killed * len(TEXTS) - len(wrong), len(wrong),
            points=len({moment.point for moment in moments}), equal=not wrong,
        )
    )  # fmt: skip
    assert not wrong
    assert set(between) <= {moment.point for moment in moments}
    assert killed >= len(moments) - 2, f"{killed} of {moments}"
