"""What users saw: a mail that a person opened before the system looked was never imported.

freescout-help-desk/freescout#3406, freescout-help-desk/freescout#1611, freescout-help-desk/freescout#4064,
freescout-help-desk/freescout#2416. Here flags mean nothing to the reader: a mail that is seen, answered or flagged is a
message like any other, and no flag in the mailbox is changed by reading.
"""

from failures.house import House, mail, said

from onethread.testing.servers.imap import ImapServer


async def test_flags_decide_nothing_and_stay_as_they_are(house: House, mail_server: ImapServer) -> None:
    mailbox = house.reads_mail(mail_server)
    mailbox.append(mail("opened@example.org", "Opened"), flags=[b"\\Seen"])
    mailbox.append(mail("answered@example.org", "Answered"), flags=[b"\\Seen", b"\\Answered", b"\\Flagged"])
    mailbox.append(mail("new@example.org", "New"))
    async with house.running():
        await house.quiet()
        mailbox.append(mail("meanwhile@example.org", "Opened on a phone"), flags=[b"\\Seen"])
        await house.quiet()
    texts = {said(one) for one in await house.all_messages()}
    assert texts == {"Opened", "Answered", "New", "Opened on a phone"}
    assert mailbox.flags() == [{b"\\Seen"}, {b"\\Seen", b"\\Answered", b"\\Flagged"}, set(), {b"\\Seen"}]
