"""Each connector's source is acknowledged last: whatever the process died at, what was not stored comes again."""

import pytest
from crash.matrix import rigged_in_memory
from crash.sources import TEXTS, imap, mastodon, slack, telegram, wecom_kf

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
        assert not source.faults(whole)
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
