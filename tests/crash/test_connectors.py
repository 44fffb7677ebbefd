"""Each connector's source is acknowledged last: whatever the process died at, what was not stored comes again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from crash.matrix import rigged_in_memory
from crash.telling import Entrance
from failures.house import Mailbox, mail

from onethread.testing.figures import Figures, report
from onethread.testing.mastodon_server import MastodonServer
from onethread.testing.servers.imap import ImapServer
from onethread.testing.telegram_server import TelegramServer

ON_THE_WAY = ("log.append", "state.put(cursors)", "polling.", "host.emit", "websocket.")
BETWEEN = ("log.append(onethread.messages):after", "state.put(cursors):before")
"""After the log has confirmed, and before the source is told."""
TEXTS = ["one", "two", "three"]


@asynccontextmanager
async def telegram() -> AsyncIterator[Entrance]:
    async with TelegramServer(longest_poll=0.2) as server:
        for number, text in enumerate(TEXTS):
            await server.say(text, {"id": 700100200 + number, "is_bot": False, "first_name": "Mia"})
        given = {"account": str(server.id), "bot_username": server.username, "token": server.token}
        yield Entrance(
            "telegram", {**given, "secrets": ["hook-secret"], "api_url": server.url, "edge": "polling"}, len(TEXTS)
        )


@asynccontextmanager
async def mastodon() -> AsyncIterator[Entrance]:
    async with MastodonServer() as server:
        for number, text in enumerate(TEXTS):
            await server.mention(f"mia{number}@remote.example", text)
        given = {"account": server.acct, "base_url": server.url, "access_token": server.token}
        yield Entrance("mastodon", given, len(TEXTS))


@asynccontextmanager
async def imap(server: ImapServer) -> AsyncIterator[Entrance]:
    user = "support@example.com"
    mailbox = Mailbox(server, user)
    mailbox.append(*(mail(f"{text}@example.org", text, From=f"{text}@example.org") for text in TEXTS))
    given = {"account": user, "host": server.host, "port": server.port, "tls": "none", "password": server.users[user]}
    yield Entrance("imap", {**given, "folders": [mailbox.folder]}, len(TEXTS))
    assert mailbox.flags() == [set()] * len(TEXTS)


@pytest.mark.parametrize(
    "where", [pytest.param(BETWEEN, id="between"), pytest.param(ON_THE_WAY, id="anywhere", marks=pytest.mark.soak)]
)
@pytest.mark.parametrize("name", ["telegram", "mastodon", "imap"])
async def test_a_source_gives_again_what_was_not_stored(
    name: str, where: tuple[str, ...], pymap_server: ImapServer
) -> None:
    waiting = {"telegram": telegram, "mastodon": mastodon, "imap": lambda: imap(pymap_server)}[name]
    async with rigged_in_memory() as rig:
        async with waiting() as entrance:
            whole = await rig.receive(entrance)
        assert len(whole.messages) == len(set(whole.messages)) == len(TEXTS)
        moments = [moment for moment in whole.trace if moment.point.startswith(where)]
        killed, wrong = 0, []
        for moment in moments:
            async with waiting() as entrance:
                found = await rig.receive(entrance, moment)
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
    assert set(BETWEEN) <= {moment.point for moment in moments}
    assert killed >= len(moments) - 2, f"{killed} of {moments}"
