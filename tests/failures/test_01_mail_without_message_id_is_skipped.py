"""What users saw: mail without a Message-ID is taken for already fetched, is skipped, or stops the whole run.

chatwoot/chatwoot#9069, freescout-help-desk/freescout#311, freescout-help-desk/freescout#4740. Here three such mails and one
with an id are four messages; another poll adds none, and after a restart that reads the mailbox anew their ids are the same.
"""

from failures.house import House, mail, said

from onethread.testing.servers.imap import ImapServer


async def test_each_of_them_is_a_message_once_however_often_it_is_read(house: House, mail_server: ImapServer) -> None:
    mailbox = house.reads_mail(mail_server)
    mailbox.append(mail(text="It is late."), mail(text="It is very late."), mail("one@example.org"), mail(text="Well?"))
    async with house.running():
        await house.quiet()
    first = await house.all_messages()
    assert sorted(said(one) for one in first) == [
        "It is late.", "It is very late.", "Well?", "Where is my parcel?",
    ]  # fmt: skip
    async with house.running():  # goes on where the other stopped
        mailbox.append(mail("two@example.org", "Last one."))
        await house.quiet()
    assert len(await house.all_messages()) == 5

    await house.loses_its_place()
    async with house.running():
        await house.quiet()
    again = await house.all_messages()
    assert len(again) == 5
    assert {one["id"] for one in first} < {one["id"] for one in again}
