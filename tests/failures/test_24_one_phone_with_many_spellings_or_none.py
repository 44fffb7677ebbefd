"""What users saw: one phone has many spellings, and is many customers; a message without a phone is not taken at all.

chatwoot/chatwoot#5840, #14048, #13837, PR 14657; shridarpatil/whatomate#531. Here the numbers of Brazil, Mexico and Argentina that
networks spell in two ways are one customer each, the number stays as it came, landlines are left alone; and who hides the number
behind a username is heard, and joined with it once number and id come together.
"""

import pytest
from failures.house import House, said, until

from onethread import envelope
from onethread.event import Message
from onethread.log.port import TopicPartition
from onethread.log.topics import MESSAGES
from onethread.testing.whatsapp_server import WhatsAppServer

MIA, MIA_ID, BEN_ID = "351912000111", "PT.13491208655302741918", "PT.24817305912873645029"

VARIANTS = {
    "Brazil": ("551187654321", "5511987654321"),
    "Mexico": ("5215512345678", "525512345678"),
    "Argentina": ("5491112345678", "541112345678"),
}
LANDLINES = ("551133334444", "5511933334444")


async def written(house: House) -> set[str]:
    """The numbers of all senders, as the log has them."""
    found: set[str] = set()
    for partition, extent in (await house.log.extents(MESSAGES)).items():
        for record in await house.log.fetch(TopicPartition(MESSAGES, partition), extent.begin, limit=1000):
            event = envelope.read(record.value, record.headers)
            if event.tenant == house.tenant and isinstance(event.fact, Message):
                found |= {claim.value for claim in event.sender.claims if claim.type == "phone"}
    return found


@pytest.mark.parametrize("country", VARIANTS)
async def test_two_spellings_are_one_customer_and_stay_as_they_came(house: House, country: str) -> None:
    server = WhatsAppServer(delay=lambda attempt: 0.05)
    channel = house.takes_whatsapp(server)
    async with server, house.running() as (replica,):
        server.callback = replica.hook(channel)
        for number in VARIANTS[country]:
            server.say(f"From {number}", number)
        await server.confirmed()
        await house.quiet()
    (conversation,) = await house.conversations()
    assert len(await house.messages(conversation["id"])) == 2
    assert await written(house) == {f"+{number}" for number in VARIANTS[country]}


async def test_a_landline_is_not_taken_for_a_mobile_number(house: House) -> None:
    server = WhatsAppServer(delay=lambda attempt: 0.05)
    channel = house.takes_whatsapp(server)
    async with server, house.running() as (replica,):
        server.callback = replica.hook(channel)
        for number in LANDLINES:
            server.say(f"From {number}", number)
        await server.confirmed()
        await house.quiet()
    assert len(await house.conversations()) == 2


async def test_who_hides_the_number_is_heard_and_joined_when_number_and_id_come_together(each_house: House) -> None:
    house = each_house
    server = WhatsAppServer(delay=lambda attempt: 0.05, patience=30)
    channel = house.takes_whatsapp(server)
    async with server, house.running(replicas=3) as replicas:
        hooks = [replica.hook(channel) for replica in replicas]
        for number, (text, known) in enumerate(
            {
                "I hide my number": {"user_id": MIA_ID, "hidden": True},
                "I am somebody else": {"user_id": BEN_ID, "hidden": True},
                "An app of before": {},
            }.items()
        ):
            server.repeat(server.say(text, MIA, **known), to=hooks[number])
        await server.confirmed(30)
        await house.quiet()
        assert len(await house.conversations()) == 3
        both = server.say("Here are both", MIA, user_id=MIA_ID)
        for hook in hooks:
            server.repeat(both, to=hook)
        await server.confirmed(30)
        await house.quiet()

        async def joined() -> bool:
            return len(await house.conversations()) == 2

        await until(joined, "number and id are one customer")
        talks = [{said(one) for one in await house.messages(each["id"])} for each in await house.conversations()]
    assert {"I am somebody else"} in talks
    assert {"I hide my number", "An app of before", "Here are both"} in talks
