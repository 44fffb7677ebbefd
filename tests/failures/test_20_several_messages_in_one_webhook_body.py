"""What users saw: several messages come in one webhook body, and only the first is read.

Seen in the sources of Chatwoot, Zammad and Tiledesk; david-lev/pywa#229, botpress/botpress PR 15083. Here a body of WhatsApp with
two entries of two changes of three messages, statuses between them, comes to three replicas: all twelve are there, what is bad
in it is set aside alone, and a failed status blocks nothing.
"""

from typing import Any

from failures.house import House, said, until

from onethread import dead_letters
from onethread.testing.whatsapp_server import WhatsAppServer

MIA, BEN = "351912000111", "351912000222"


def change(server: WhatsAppServer, first: int) -> dict[str, Any]:
    """Three messages of two people; before them a failed status, and what nobody can read."""
    who = {0: MIA, 1: BEN, 2: MIA}
    messages = [
        {"from": who[n], "id": f"wamid.{first + n}", "timestamp": str(1767225600 + first + n), "type": "text",
         "text": {"body": f"Number {first + n}"}}
        for n in who
    ]  # fmt: skip
    failed = {"id": "wamid.OUT", "status": "failed", "timestamp": "1767225600", "recipient_id": MIA}
    contacts = [{"profile": {"name": "Mia Lang"}, "wa_id": MIA}, {"profile": {"name": "Ben Ode"}, "wa_id": BEN}]
    metadata = {"display_phone_number": server.number, "phone_number_id": server.number_id}
    bad = {"from": 7, "id": f"wamid.bad{first}", "type": "text", "text": {"body": "whose is it?"}}
    lists = {"statuses": [failed, {"id": f"wamid.{first}", "status": 5}], "messages": [bad, *messages]}
    return {"field": "messages", "value": {"metadata": metadata, "contacts": contacts, **lists}}


async def test_all_twelve_are_stored_and_the_bad_ones_are_set_aside_alone(each_house: House) -> None:
    house = each_house
    server = WhatsAppServer(delay=lambda attempt: 0.05, patience=30)
    channel = house.takes_whatsapp(server)
    async with server, house.running(replicas=3) as replicas:
        entries = [{"id": f"{e}", "changes": [change(server, 6 * e + 3 * c) for c in range(2)]} for e in range(2)]
        body = server.deliver(*entries)  # there is no URL yet: it is only made
        for replica in replicas:
            server.repeat(body, to=replica.hook(channel))
        await server.confirmed(30)
        await house.quiet()

        async def joined() -> bool:
            return len(await house.conversations()) == 2

        await until(joined, "each of the two people has one conversation")
        messages = await house.all_messages()
    assert sorted(said(one) for one in messages) == sorted(f"Number {n}" for n in range(12))
    assert {delivery.status for delivery in server.deliveries} == {200}
    letters = [one async for one in dead_letters.read_all(house.log) if one.channel_id == channel]
    assert len({one.data for one in letters}) == 8  # a message and a status of each change
    assert {one.reason for one in letters} == {"poison"}
    assert {one["sender"]["name"] for one in messages} == {"Mia Lang", "Ben Ode"}
