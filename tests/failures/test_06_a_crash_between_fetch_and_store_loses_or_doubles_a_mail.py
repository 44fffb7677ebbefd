"""What users saw: a crash between fetching, storing and flagging a mail loses it, doubles it, or leaves an empty conversation.

zammad/zammad#78, zammad/zammad#1662, zammad/zammad#243, freescout-help-desk/freescout#3186, chatwoot/chatwoot#9506. Here a
replica dies before and after each thing it writes on a mail's way, each time another mail's; afterwards each mail is one
message, no conversation was ever without one, and no mail was deleted or flagged.
"""

import contextlib
from collections.abc import AsyncIterator

import pytest
from failures.house import House, Mailbox, mail, said, until

from onethread.log.port import EventLog
from onethread.state.port import StateStore
from onethread.testing.failpoints import FailPoints, Moment, pointed
from onethread.testing.servers.imap import ImapServer
from unifier.store.port import ConversationStore

READS = ("entries", "keys", "clocks", "tails", "heads", "identities", "customers", "links", "links_at", "epoch")
ON_THE_WAY = ("log.append", "state.put(cursors)", "store.", "reader.")
"""What a mail meets; leases and the channel's state are about the mailbox."""
WRITES = ("log.append", "state.put(cursors)", "store.insert", "reader.commit")
FEW = ("log.append(onethread.messages):after", "store.insert:after")
"""Enough for every day where the broker misses a dead member for seconds; the others are in the long form."""


class Died(BaseException):
    """The end of a replica, in the middle of something: nothing that it would have done after it is done."""


class Death:
    """Strikes at a moment; from then on, the replica changes nothing. No moment: never."""

    def __init__(self, at: Moment | None = None) -> None:
        self.at, self.struck = at, False

    def __call__(self, moment: Moment) -> None:
        """At each fail-point."""
        self.struck = self.struck or moment == self.at
        if self.struck:
            raise Died(str(moment))


@contextlib.asynccontextmanager
async def mortal(house: House, death: Death) -> AsyncIterator[FailPoints]:
    """A replica that death may meet."""
    points, backend = FailPoints(death), house.backend
    log = pointed(EventLog, backend.log("mortal"), "log", points)
    state = pointed(StateStore, backend.state(), "state", points)
    store = pointed(ConversationStore, backend.store(), "store", points, READS)
    with contextlib.suppress(Died):
        async with house.running(log=log, state=state, store=store, lease=0.4):
            yield points


def letter(number: int) -> bytes:
    """The mail of somebody nobody knew."""
    return mail(f"{number}@example.org", f"Mail {number}", From=f"customer-{number}@example.org")


async def its_way(house: House, mailbox: Mailbox) -> list[Moment]:
    """Every moment at which a replica can die while a mail is on its way to a mailbox that is known already."""
    trace: list[Moment] = []
    for number in (0, 1):
        async with mortal(house, Death()) as points:
            mailbox.append(letter(number))
            await house.quiet()
            trace = [moment for moment in points.trace if moment.point.startswith(ON_THE_WAY)]
    return trace


@pytest.mark.timeout(300)
async def test_each_mail_is_one_message_wherever_the_replica_died(each_house: House, pymap_server: ImapServer) -> None:
    await dies_on_its_way(each_house, pymap_server, FEW if each_house.backend.kafka else ON_THE_WAY)


@pytest.mark.soak
@pytest.mark.timeout(0)
async def test_each_mail_is_one_message_at_every_write(each_house: House, pymap_server: ImapServer) -> None:
    await dies_on_its_way(each_house, pymap_server, WRITES)


async def dies_on_its_way(house: House, server: ImapServer, where: tuple[str, ...]) -> None:
    """Once at each moment of these, each time with a mail of its own."""
    mailbox = house.reads_mail(server)
    way = await its_way(house, mailbox)
    assert len(way) >= 20, way
    moments = [moment for moment in way if moment.point.startswith(where)]
    for number, moment in enumerate(moments, 2):
        death = Death(moment)
        async with mortal(house, death):
            mailbox.append(letter(number))
            await until(lambda death=death: struck(death), f"it died at {moment}")
        assert all(one["message_count"] for one in await house.conversations())
    async with house.running():
        await house.quiet()
    found = await house.all_messages()
    assert sorted(said(one) for one in found) == sorted(f"Mail {n}" for n in range(len(moments) + 2))
    assert len(await house.conversations()) == len(found)
    assert mailbox.flags() == [set()] * len(found)


async def struck(death: Death) -> bool:
    return death.struck
