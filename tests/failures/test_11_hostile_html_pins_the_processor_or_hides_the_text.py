"""What users saw: thousands of links, or a huge body, hold the processor for minutes; or the text of a mail is not to be seen.

zammad/zammad#2374, zammad/zammad#2706, zammad/zammad#4260, freescout-help-desk/freescout#3667, chatwoot/chatwoot#2365,
chatwoot/chatwoot#3572. Here such mails are read within the budget that every mail has. One that goes over it is shown by its
first words, with the mail itself as a file; and what looks like a quote is not taken away where nothing else would be left.
"""

import hashlib

from failures.defects import NeverEnds
from failures.house import House, at, mail, said

from onethread import metrics
from onethread.host.parsing.worker import Budget
from onethread.testing.servers.dovecot import DovecotServer

WORDS = "Our kettle leaks."
HUGE = mail("huge@example.org", f"<p>{WORDS}</p>\r\n" * 400_000, Content_Type="text/html")
LINKS = mail("links@example.org", "<a href='https://shop.example/x'>kettle</a>\r\n" * 5_000, Content_Type="text/html")
BUDGET = Budget(seconds=2.0, megabytes=256)


async def test_ten_megabytes_and_five_thousand_links_are_read_within_the_budget(
    house: House, dovecot_server: DovecotServer
) -> None:
    assert len(HUGE) > 10_000_000
    mailbox = house.reads_mail(dovecot_server)
    mailbox.pour({at(0): HUGE, at(1): LINKS})
    ended = metrics.PARSERS_ENDED.value("time"), metrics.PARSERS_ENDED.value("memory")
    async with house.running(budget=BUDGET):
        await house.quiet()
    huge, links = [said(one) for one in await house.all_messages()]
    assert huge.startswith(WORDS)
    assert links.count("kettle") == 5_000
    assert (metrics.PARSERS_ENDED.value("time"), metrics.PARSERS_ENDED.value("memory")) == ended


async def test_over_the_budget_the_first_words_are_shown_and_the_mail_is_a_file(
    house: House, dovecot_server: DovecotServer
) -> None:
    mailbox = house.reads_mail(dovecot_server, kind=NeverEnds)
    mailbox.pour({at(0): HUGE, at(1): mail("small@example.org", "And a small one")})
    async with house.running(budget=BUDGET):
        await house.quiet()
    huge, small = await house.all_messages()
    assert said(huge).startswith(WORDS)
    assert "parsing.seconds" in huge["fact"]["degraded"]
    (file,) = huge["fact"]["attachments"]
    assert (file["filename"], file["sha256"]) == ("original.eml", hashlib.sha256(HUGE).hexdigest())
    assert said(small) == "And a small one"


QUOTES = {
    "only quoted lines": "> Our kettle leaks.\r\n> What can we do?",
    "an attribution and a quote": "On Mon, 2 Mar 2026, Mia Lang wrote:\r\n> Our kettle leaks.",
    "below a separator": "-----Original Message-----\r\nOur kettle leaks.",
    "a copied header first": "From: Mia Lang\r\nSent: Monday\r\nTo: Shop\r\nSubject: Kettle\r\n\r\nOur kettle leaks.",
}


async def test_quotes_are_not_taken_away_where_nothing_would_be_left(
    house: House, dovecot_server: DovecotServer
) -> None:
    mailbox = house.reads_mail(dovecot_server)
    mailbox.pour({at(n): mail(f"q{n}@example.org", text) for n, text in enumerate(QUOTES.values())})
    async with house.running(budget=BUDGET):
        await house.quiet()
    shown = [said(one) for one in await house.all_messages()]
    assert [name for name, text in zip(QUOTES, shown, strict=True) if "kettle leaks." not in text] == []
