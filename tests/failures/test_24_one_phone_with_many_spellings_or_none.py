"""What users saw: one phone has many spellings, and is many customers; a message without a phone is not taken at all.

chatwoot/chatwoot#5840, #14048, #13837, PR 14657; shridarpatil/whatomate#531. Here the numbers of Brazil, Mexico and Argentina that
networks spell in two ways are one customer each, the number stays as it came, landlines are left alone; and who hides the number
behind a username is heard, and joined with it once number and id come together.
"""

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


async def test_two_spellings_are_one_customer_and_stay_as_they_came(each_house: House) -> None:
    """And a landline is not taken for a mobile number that would be spelled so."""
    house, server = each_house, WhatsAppServer(delay=lambda attempt: 0.05, patience=30)
    channel = house.takes_whatsapp(server)
    numbers = [number for spellings in zip(*VARIANTS.values(), strict=True) for number in spellings]
    async with server, house.running(replicas=3) as replicas:
        for turn, number in enumerate((*numbers, *LANDLINES)):
            server.repeat(server.say(f"From {number}", number), to=replicas[turn % 3].hook(channel))
        await server.confirmed(30)
        await house.quiet()

        async def joined() -> bool:
            return len(await house.conversations()) == len(VARIANTS) + len(LANDLINES)

        await until(joined, "each person has one conversation")
        talks = [{said(one) for one in await house.messages(each["id"])} for each in await house.conversations()]
    for spellings in (*VARIANTS.values(), *((number,) for number in LANDLINES)):
        assert {f"From {number}" for number in spellings} in talks
    assert await written(house) == {f"+{number}" for number in (*numbers, *LANDLINES)}


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
