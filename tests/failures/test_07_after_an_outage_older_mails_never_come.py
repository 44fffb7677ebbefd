"""What users saw: after an outage older mails never come, or a nightly time-out switches the mailbox off until an admin looks.

chatwoot/chatwoot#10429, chatwoot/chatwoot#6604, chatwoot/chatwoot#9234, chatwoot/chatwoot#4532, chatwoot/chatwoot#9084.
Here the mail server is away for 72 hours: first silent, then gone. The channel says `failing`, is never switched off and goes
on trying; the 500 mails that waited are all there afterwards, in order, and nobody did anything.
"""

from datetime import timedelta

from failures.house import House, at, mail, said, until

from onethread.state.channel_states import ChannelStates
from onethread.testing.servers.dovecot import DovecotServer
from onethread.testing.servers.proxy import TcpProxy

WAITING = 500
OUTAGE = timedelta(hours=72)


async def test_all_that_waited_comes_in_order_by_itself(house: House, dovecot_server: DovecotServer) -> None:
    with TcpProxy((dovecot_server.host, dovecot_server.port)) as link:
        mailbox = house.reads_mail(dovecot_server, host=link.host, port=link.port, timeout_seconds=0.5)
        mailbox.append(mail("before@example.org", "Before"), at=at(0))
        async with house.running():
            await house.quiet()
            link.freeze()
            await until(lambda: is_in(house, "failing"), "silence is noticed")
            link.thaw()
            link.refuse()
            moments = [at(60 + n * OUTAGE / timedelta(minutes=1) / WAITING) for n in range(WAITING)]
            mailbox.pour({moment: mail(f"{n}@example.org", f"Mail {n}") for n, moment in enumerate(moments)})
            house.later = OUTAGE
            assert await is_in(house, "failing")
            link.accept()
            await house.quiet()
            await until(lambda: is_in(house, "healthy"), "all is well again")
    (channel,) = (await house.get("/v1/channels"))["items"]
    assert channel["state"] == "healthy"
    (conversation,) = await house.conversations()
    assert [said(one) for one in await house.messages(conversation["id"])] == [
        "Before",
        *(f"Mail {n}" for n in range(WAITING)),
    ]


async def is_in(house: House, state: str) -> bool:
    found = await ChannelStates(house.state).get(house.channels[0].id)
    return found is not None and found.state == state
