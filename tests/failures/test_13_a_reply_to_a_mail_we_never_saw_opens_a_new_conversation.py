"""What users saw: an agent answered from a mail program we do not read, and each turn opens a new conversation.

chatwoot/chatwoot#10028, chatwoot/chatwoot#3868, chatwoot/chatwoot#10750, chatwoot/chatwoot#10791, zammad/zammad#5716.
Here C and D, which both come after our unseen B, are one conversation by the ids that they share, and A with them, whatever
comes first; days lie between them, so that nothing but the ids speaks for it.
"""

from itertools import permutations

from failures.house import House, at, mail, said

from onethread.testing.servers.imap import ImapServer

DAY = 24 * 60


def chain(story: str) -> dict[str, tuple[int, bytes]]:
    """A is answered by B, which nobody sees; C answers B; D answers C, and its mail program names only the nearest two."""
    a, b, c, d = (f"{name}.{story}@example.org" for name in "abcd")
    who = {"From": f"Mia <{story}@example.org>"}
    return {
        "A": (0, mail(a, f"A {story}", **who)),
        "C": (9 * DAY, mail(c, f"C {story}", **who, In_Reply_To=f"<{b}>", References=f"<{a}> <{b}>")),
        "D": (18 * DAY, mail(d, f"D {story}", **who, In_Reply_To=f"<{c}>", References=f"<{b}> <{c}>")),
    }


async def test_they_are_one_conversation_in_whatever_order_they_come(house: House, mail_server: ImapServer) -> None:
    mailbox = house.reads_mail(mail_server)
    orders = list(permutations("ACD"))
    for order in orders:
        mails = chain("".join(order).lower())
        for name in order:
            days, raw = mails[name]
            mailbox.append(raw, at=at(days))
    async with house.running(batch=1):
        await house.quiet()
    found = [[said(one) for one in await house.messages(each["id"])] for each in await house.conversations()]
    stories = ["".join(order).lower() for order in orders]
    assert sorted(found) == sorted([f"A {story}", f"C {story}", f"D {story}"] for story in stories)


async def test_without_the_first_mail_the_replies_still_meet(house: House, mail_server: ImapServer) -> None:
    mailbox = house.reads_mail(mail_server)
    for order in ("CD", "DC"):
        mails = chain(order.lower())
        for name in order:
            days, raw = mails[name]
            mailbox.append(raw, at=at(days))
    async with house.running(batch=1):
        await house.quiet()
    found = [[said(one) for one in await house.messages(each["id"])] for each in await house.conversations()]
    assert sorted(found) == [["C cd", "D cd"], ["C dc", "D dc"]]
