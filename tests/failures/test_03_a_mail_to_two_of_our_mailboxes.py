"""What users saw: a mail to two of our mailboxes appears in one only, or multiplies when a list delivers it as well.

freescout-help-desk/freescout#480, freescout-help-desk/freescout#1352, freescout-help-desk/freescout#4748,
freescout-help-desk/freescout#5485 (PR 5636), zammad/zammad#1578. Here it is one entry for each mailbox, all in one
conversation by its Message-ID; later replies join it, whichever mailbox they reach.
"""

from failures.house import House, at, mail, said

from onethread.testing.servers.imap import ImapServer

SUPPORT, SALES = "support@example.com", "sales@example.com"
TO_BOTH = {"To": SUPPORT, "Cc": SALES}


async def test_it_is_one_entry_a_mailbox_in_one_conversation(house: House, mail_server: ImapServer) -> None:
    support, sales = house.reads_mail(mail_server, SUPPORT), house.reads_mail(mail_server, SALES)
    original = mail("both@example.org", **TO_BOTH)
    by_the_list = b"Received: from lists.example.com by mx\r\nList-Id: <all.example.com>\r\n" + original
    async with house.running():
        support.append(original, by_the_list, at=at(0))
        sales.append(original, at=at(0))
        await house.quiet()
        (conversation,) = await house.conversations()
        entries = await house.messages(conversation["id"])
        assert sorted(one["channel_id"] for one in entries) == sorted(house.mailboxes)
        assert {one["placement"]["rule"] for one in entries} == {"opened", "shared_reference"}
        (copy,) = [one for one in entries if one["placement"]["rule"] == "shared_reference"]
        assert "a copy lies in another mailbox" in copy["placement"]["reason"]

        four_days = 4 * 24 * 60  # further apart than hours of silence would join
        reply = {"In_Reply_To": "<both@example.org>", "References": "<both@example.org>"}
        sales.append(mail("later@example.org", "Any news?", **reply, To=SALES), at=at(four_days))
        support.append(mail("last@example.org", "Hello?", **reply), at=at(2 * four_days))
        await house.quiet()
    (joined,) = await house.conversations()
    assert joined["id"] == conversation["id"]
    assert [said(one) for one in await house.messages(joined["id"])][2:] == ["Any news?", "Hello?"]


async def test_a_mail_to_one_mailbox_and_its_alias_is_one(house: House, mail_server: ImapServer) -> None:
    support = house.reads_mail(mail_server, SUPPORT, addresses=["help@example.com"])
    original = mail("alias@example.org", To=SUPPORT, Cc="help@example.com")
    support.append(*(b"Delivered-To: %s\r\n" % to.encode() + original for to in (SUPPORT, "help@example.com")))
    async with house.running():
        await house.quiet()
    assert len(await house.all_messages()) == 1
