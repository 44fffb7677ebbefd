"""What users saw: one oversized or broken mail stops the mailbox for days.

freescout-help-desk/freescout#4293, freescout-help-desk/freescout#4256, chatwoot/chatwoot (PR 11981), zammad/zammad#795.
Here every mail is read alone, in a parser process. One that our code cannot read is shown as an excerpt; one of which not even
that can be made is set aside with its reason, and the channel says so. The others do not notice.
"""

import msgspec
from failures.defects import BreaksAtEverything, BreaksAtReading
from failures.house import GENEROUS, House, at, mail, said, until

from email_ingest.connectors.imap.connector import Imap
from onethread import dead_letters
from onethread.blobs import Blobs
from onethread.connector import Raw
from onethread.dead_letters import DeadLetter
from onethread.host.channel import Channels
from onethread.host.ingest import Ingest
from onethread.state.channel_states import ChannelStates
from onethread.testing.servers.dovecot import DovecotServer

MAILS = 20
BROKEN = 7


def mails() -> list[bytes]:
    return [
        mail(f"m{n}@example.org", f"Mail {n}", **({"X_Breaks": "yes"} if n == BROKEN else {})) for n in range(MAILS)
    ]


async def test_the_others_arrive_and_the_broken_one_is_set_aside_until_it_can_be_read(
    house: House, dovecot_server: DovecotServer
) -> None:
    mailbox = house.reads_mail(dovecot_server, kind=BreaksAtEverything)
    mailbox.pour({at(n): one for n, one in enumerate(mails())})
    async with house.running(budget=GENEROUS):
        await house.quiet()
        assert await words(house) == [f"Mail {n}" for n in range(MAILS) if n != BROKEN]
        await until(lambda: says_what_to_do(house), "the channel says that something needs a look")
    (letter,) = [one async for one in dead_letters.read_all(house.log)]
    assert (letter.stage, letter.reason) == ("normalize", "bug")
    assert "ZeroDivisionError" in letter.detail
    assert letter.data == mails()[BROKEN]
    mended(house)
    for _ in range(2):
        await replayed(house, letter)
    async with house.running():
        await house.quiet()
    assert await words(house) == [f"Mail {n}" for n in range(MAILS)]


async def test_a_mail_whose_body_cannot_be_read_is_shown_all_the_same_and_never_twice(
    house: House, dovecot_server: DovecotServer
) -> None:
    mailbox = house.reads_mail(dovecot_server, kind=BreaksAtReading)
    mailbox.pour({at(n): one for n, one in enumerate(mails())})
    async with house.running(budget=GENEROUS):
        await house.quiet()
        await until(lambda: says_what_to_do(house), "the channel says that something needs a look")
    assert await words(house) == [f"Mail {n}" for n in range(MAILS)]
    assert await house.letters() == 0
    mended(house)
    await house.loses_its_place()
    async with house.running():
        await house.quiet()
    assert await words(house) == [f"Mail {n}" for n in range(MAILS)]


async def test_an_oversized_mail_is_shown_by_its_beginning(house: House, dovecot_server: DovecotServer) -> None:
    mailbox = house.reads_mail(dovecot_server, max_bytes=1_000_000)
    mailbox.append(mail("big@example.org", "See below.\r\n" + ("x" * 70 + "\r\n") * 40_000), at=at(0))
    mailbox.append(mail("small@example.org", "And a small one"), at=at(1))
    async with house.running(budget=GENEROUS):
        await house.quiet()
    big, small = await words(house)
    assert big.startswith("See below.")
    assert small == "And a small one"


async def words(house: House) -> list[str]:
    (conversation,) = await house.conversations()
    return [said(one) for one in await house.messages(conversation["id"])]


async def says_what_to_do(house: House) -> bool:
    found = await ChannelStates(house.state).get(house.channels[0].id)
    return found is not None and found.state == "degraded" and "mend it" in found.reason.todo


def mended(house: House) -> None:
    """The next release reads what this one could not."""
    (broken,) = house.channels
    house.channels[:] = [msgspec.structs.replace(broken, connector=Imap(broken.connector.settings))]


async def replayed(house: House, letter: DeadLetter) -> None:
    """As `onethread dead-letters replay` does it."""
    ingest = Ingest(house.log, Blobs("memory:///"), Channels(house.channels), now=house.now)
    raw = Raw(letter.data, letter.form, letter.account, letter.about, letter.media_type, letter.at)
    outcome = await ingest.records(house.channels[0], [raw])
    assert outcome.events
