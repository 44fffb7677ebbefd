"""Each connector's source is acknowledged last: whatever the process died at, what was not stored comes again."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
from crash.matrix import rigged_in_memory
from crash.sources import TEXTS, Source, imap, mastodon, slack, telegram, wecom_kf

from onethread.testing.figures import Figures, report
from onethread.testing.servers.imap import ImapServer

ON_THE_WAY = ("log.append", "state.put(cursors)", "polling.", "host.emit", "websocket.", "http.")
BETWEEN = ("log.append(onethread.messages):after", "state.put(cursors):before")
"""After the log has confirmed, and before the source is told."""
PLACES = {
    "slack": ("log.append(onethread.messages):after", "websocket.send:before"),
    "wecom_kf": (*BETWEEN, "http.body:after", "polling.fetch:after"),
}
"""As `BETWEEN`, of those that are told otherwise; and where a notice is taken, and what it told of is not stored."""


Waiting = AbstractAsyncContextManager[Source]


@pytest.mark.parametrize(
    "everywhere", [pytest.param(False, id="between"), pytest.param(True, id="anywhere", marks=pytest.mark.soak)]
)
@pytest.mark.parametrize("name", ["telegram", "mastodon", "imap", "slack", "wecom_kf"])
async def test_a_source_gives_again_what_was_not_stored(name: str, everywhere: bool, pymap_server: ImapServer) -> None:
    sources = {"telegram": telegram, "mastodon": mastodon, "imap": lambda: imap(pymap_server), "slack": slack}
    between = PLACES.get(name, BETWEEN)
    reached = await killed(name, {**sources, "wecom_kf": wecom_kf}[name], ON_THE_WAY if everywhere else between)
    assert set(between) <= reached


@pytest.mark.soak
async def test_what_no_notice_told_of_is_found_by_the_poll() -> None:
    assert set(BETWEEN) <= await killed("wecom_kf without notices", partial(wecom_kf, "wecom_kf_poll"), BETWEEN)


async def killed(name: str, waiting: Callable[[], Waiting], where: tuple[str, ...]) -> set[str]:
    """At each moment that begins so; which points these were. Each text must be there once, whatever happened."""
    async with rigged_in_memory() as rig:
        async with waiting() as source:
            whole = await rig.receive(source.entrance, called=source.called)
        assert not source.faults(whole)
        moments = [moment for moment in whole.trace if moment.point.startswith(where)]
        kills, wrong = 0, []
        for moment in moments:
            async with waiting() as source:
                found = await rig.receive(source.entrance, moment, called=source.called)
            kills += found.killed
            if found.messages != whole.messages:
                wrong.append((moment, found.messages))
    points = {moment.point for moment in moments}
    report(
        Figures(
            f"{name} killed at a point", kills, kills * len(TEXTS), kills * len(TEXTS) - len(wrong), len(wrong),
            points=len(points), equal=not wrong,
        )
    )  # fmt: skip
    assert not wrong
    assert kills >= len(moments) - 2, f"{kills} of {moments}"
    return points
