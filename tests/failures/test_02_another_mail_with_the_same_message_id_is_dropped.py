"""What users saw: a sender uses one Message-ID for different mails, and the second is dropped and flagged as read.

freescout-help-desk/freescout#5591, freescout-help-desk/freescout#4958. Here they are two messages of one conversation, and
the placement of the later says that it bears an id that was there before; a copy with the same bytes is no third one.
"""

from failures.house import House, at, mail, said

from onethread.testing.servers.imap import ImapServer

ID = "invoice@shop.example"


async def test_both_are_read_and_a_copy_of_the_same_bytes_is_none(house: House, mail_server: ImapServer) -> None:
    mailbox = house.reads_mail(mail_server)
    first = mail(ID, "Invoice 1")
    second = mail(ID, "Invoice 2", Date="Tue, 03 Mar 2026 09:00:00 +0000")
    for minutes, raw in enumerate((first, second, first, second)):
        mailbox.append(raw, at=at(minutes))
    async with house.running():
        await house.quiet()
    (conversation,) = await house.conversations()
    one, two = await house.messages(conversation["id"])
    assert [said(one), said(two)] == ["Invoice 1", "Invoice 2"]
    assert one["placement"]["rule"] == "opened"
    assert two["placement"]["matched"] == {"type": "message_id", "value": ID, "entry_id": None}
    assert "same Message-ID" in two["placement"]["reason"]


async def test_mails_of_two_days_with_one_id_are_two(house: House, mail_server: ImapServer) -> None:
    mailbox = house.reads_mail(mail_server)
    mailbox.append(mail(ID, "Daily report"))
    mailbox.append(mail(ID, "Daily report", Date="Tue, 03 Mar 2026 09:00:00 +0000"))
    async with house.running():
        await house.quiet()
    assert len(await house.all_messages()) == 2
