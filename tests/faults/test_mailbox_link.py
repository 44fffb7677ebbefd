"""The link to a mail server breaks in every way while mails come: each is there once, in order."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from failures.house import Backend, at, built, mail, said

from onethread.testing.figures import Figures, report
from onethread.testing.servers.dovecot import DovecotServer
from onethread.testing.servers.proxy import TcpProxy

AT_A_TIME = 15


async def test_each_mail_is_there_once_whatever_the_link_does(tmp_path: Path, dovecot_server: DovecotServer) -> None:
    with TcpProxy((dovecot_server.host, dovecot_server.port)) as link:
        timers: list[threading.Timer] = []

        def lasting(begin: Callable[[], None], end: Callable[[], None]) -> None:
            begin()
            timers.append(threading.Timer(1.0, end))
            timers[-1].start()

        faults: list[Callable[[], None]] = [
            link.cut,
            link.half_close,
            partial(lasting, link.freeze, link.thaw),
            partial(lasting, partial(link.freeze, answers_only=True), link.thaw),
            partial(lasting, link.refuse, link.accept),
            *(partial(link.lose_answer, after, b"FETCH") for after in (0, 1, 700, 3000)),
        ]
        async with built(Backend(tmp_path)) as house:
            mailbox = house.reads_mail(dovecot_server, host=link.host, port=link.port, timeout_seconds=0.5)
            async with house.running():
                await house.quiet()
                for turn, fault in enumerate(faults):
                    fault()
                    numbers = range(turn * AT_A_TIME, (turn + 1) * AT_A_TIME)
                    mailbox.pour({at(number): mail(f"{number}@example.org", f"Mail {number}") for number in numbers})
                    await house.quiet()
            for timer in timers:
                timer.join()
            (conversation,) = await house.conversations()
            found = [said(one) for one in await house.messages(conversation["id"])]
    count = len(faults) * AT_A_TIME
    wanted = [f"Mail {number}" for number in range(count)]
    figures = Figures(
        "link to the mail server", len(faults), count, len(set(found)), count - len(set(found)),
        len(found) - len(set(found)), on="SQLite", equal=found == wanted,
    )  # fmt: skip
    report(figures)
    assert link.lost > 0
    assert found == wanted
