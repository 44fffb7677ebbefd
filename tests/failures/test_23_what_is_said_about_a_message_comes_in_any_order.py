"""What users saw: a status goes backwards; an edit, a reaction or a deletion is invisible, or hangs in the air.

chatwoot/chatwoot#14529, #10637, #10411, #10874, #13230, fazer-ai/chatwoot PR 275. Here what happens to messages comes to three
replicas in several orders, also before the messages: the end is always the same. An edit keeps the words before it, a reaction
that changes or goes is one record, and the status that came furthest stands.
"""

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from itertools import permutations
from typing import Any

import httpx
import pytest
from failures.house import MIA, House, Replica, said, update

from onethread.testing.messenger_server import MessengerServer
from onethread.testing.meta_server import MetaServer
from onethread.testing.slack_server import SlackServer
from onethread.testing.whatsapp_server import WhatsAppServer

PERSON = "6543210987654321"
NUMBER, HEART, THUMB = "351912000111", "\u2764", "\U0001f44d"
STATUSES = ("sent", "delivered", "read")
ORDERS: dict[str, Callable[[list[Any]], list[Any]]] = {
    "as they happened": list,
    "backwards": lambda happened: happened[::-1],
    "shuffled": lambda happened: random.Random(23).sample(happened, len(happened)),
}


@pytest.fixture
def order(request: pytest.FixtureRequest) -> Callable[[list[Any]], list[Any]]:
    """How the deliveries come."""
    return ORDERS[request.param]


in_several_orders = pytest.mark.parametrize(
    ("each_house", "order"),
    [*(("sqlite", name) for name in ORDERS), ("kafka_and_mongodb", "backwards")],
    indirect=True,
)


async def outcome(house: House) -> list[Any]:
    """Of each message, the eldest first: its words, those it had before, what stands of reactions, its status, whether it is gone."""
    await house.quiet()
    found = []
    async with await house.opens_its_desk("", "entries:raw") as desk:
        for one in sorted(await house.all_messages(), key=lambda one: str(one["received_at"])):
            state = one["state"]
            whole = (await desk.get(f"/v1/entries/{one['id']}")).raise_for_status().json()
            before = [earlier["fact"]["body"]["text"] for earlier in whole["earlier"]]
            status = state["delivery"] and state["delivery"]["status"]
            words = None if state["deleted_at"] else said(one)
            found.append((words, before, [each["symbol"] for each in state["reactions"]], status))
    return found


async def _spread(deliveries: Sequence[Any], post: Callable[[int, Any], Awaitable[int]]) -> None:
    """One after the other, each to the next replica; so that the order is the one meant."""
    for number, delivery in enumerate(deliveries):
        assert await post(number % 3, delivery) == 200


def _by_meta(
    client: httpx.AsyncClient, replicas: Sequence[Replica], channel: str, server: MetaServer
) -> Callable[[int, bytes], Awaitable[int]]:
    """Sends a body to a replica, signed; the status of the answer."""

    async def post(replica: int, body: bytes) -> int:
        headers = {"x-hub-signature-256": server.signature(body)}
        return (await client.post(replicas[replica].hook(channel), content=body, headers=headers)).status_code

    return post


# --- WhatsApp ---------------------------------------------------------------------------------------------------------


def _of_whatsapp(server: WhatsAppServer) -> list[bytes]:
    """What happened, as it did. Nobody listens yet: the bodies are only made."""

    def about(kind: str, **what: Any) -> bytes:
        return server.message({"type": kind, kind: what}, NUMBER)

    def ids(count: int) -> list[str]:
        return [f"wamid.{server.next_id()}" for _ in range(count)]

    asked, regretted, offered, asked_back = ids(4)
    text = {"type": "text", "text": {"body": "Where is my parcl?"}}
    corrected = {"type": "text", "text": {"body": "Where is my parcel?"}}
    oops = {"type": "text", "text": {"body": "Oops"}}
    return [
        server.message({**text, "id": asked}, NUMBER),
        about("edit", original_message_id=asked, message=corrected),
        server.message({**oops, "id": regretted}, NUMBER),
        about("revoke", original_message_id=regretted),
        _echo(server, offered, "On its way"),
        about("reaction", message_id=offered, emoji=THUMB),
        about("reaction", message_id=offered, emoji=HEART),
        *(server.status(offered, status, NUMBER) for status in STATUSES),
        _echo(server, asked_back, "Anything else?"),
        about("reaction", message_id=asked_back, emoji=THUMB),
        about("reaction", message_id=asked_back, emoji=""),
    ]


def _echo(server: WhatsAppServer, message: str, text: str) -> bytes:
    """Staff write in the app of the business."""
    said = {"from": server.number, "to": NUMBER, "id": message, "timestamp": server.tick()}
    return server.change("smb_message_echoes", message_echoes=[{**said, "type": "text", "text": {"body": text}}])


@in_several_orders
async def test_whatsapp_ends_the_same(each_house: House, order: Callable[[list[Any]], list[Any]]) -> None:
    house, server = each_house, WhatsAppServer()
    channel = house.takes_whatsapp(server)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, house.running(replicas=3) as replicas:
        await _spread(order(_of_whatsapp(server)), _by_meta(client, replicas, channel, server))
        assert await outcome(house) == [
            ("Where is my parcel?", ["Where is my parcl?"], [], None),
            (None, ["Oops"], [], None),
            ("On its way", [], [HEART], "read"),
            ("Anything else?", [], [], None),
        ]
    (conversation,) = await house.conversations()
    assert conversation["message_count"] == 4
    assert await house.letters() == 0


async def test_a_status_never_goes_backwards_whichever_comes_when(each_house: House) -> None:
    """All six orders of three statuses of one second, over three replicas; of each message one comes before the message."""
    house, server = each_house, WhatsAppServer()
    channel = house.takes_whatsapp(server)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, house.running(replicas=3) as replicas:

        async def of_one(number: int, statuses: Sequence[str]) -> None:
            message = f"wamid.OUT{number}"
            second = {"timestamp": server.tick(), "id": message, "recipient_id": NUMBER}
            first, *rest = (server.change(statuses=[{**second, "status": status}]) for status in statuses)
            for turn, body in enumerate((first, _echo(server, message, f"Number {number}"), *rest)):
                headers = {"x-hub-signature-256": server.signature(body)}
                hook = replicas[(number + turn) % 3].hook(channel)
                assert (await client.post(hook, content=body, headers=headers)).status_code == 200

        await asyncio.gather(*(of_one(number, statuses) for number, statuses in enumerate(permutations(STATUSES))))
        assert [status for *_, status in await outcome(house)] == ["read"] * 6


# --- Messenger --------------------------------------------------------------------------------------------------------


def _of_messenger(server: MessengerServer) -> list[bytes]:
    """Its receipts name no message, but a time: what the page wrote until then was delivered, or read."""
    server.fields = {"messages", "message_echoes", "message_reads", "message_deliveries"}
    asked = server.say("Where is my parcel?", PERSON)
    written = [server.echo(text, PERSON) for text in ("On its way", "Here is the number", "Anything else?")]
    times = [json.loads(body)["entry"][0]["messaging"][0]["timestamp"] for body in written]
    seen = [
        server.item(PERSON, **{kind: {"watermark": at}}) for kind, at in (("delivery", times[2]), ("read", times[1]))
    ]
    return [asked, *written, *seen]


@in_several_orders
async def test_messenger_ends_the_same(each_house: House, order: Callable[[list[Any]], list[Any]]) -> None:
    house, server = each_house, MessengerServer()
    channel = house.takes_messenger(server)
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, house.running(replicas=3) as replicas:
        await _spread(order(_of_messenger(server)), _by_meta(client, replicas, channel, server))
        assert await outcome(house) == [
            ("Where is my parcel?", [], [], None),
            ("On its way", [], [], "read"),
            ("Here is the number", [], [], "read"),
            ("Anything else?", [], [], "delivered"),
        ]
    (conversation,) = await house.conversations()
    assert conversation["message_count"] == 4


# --- Telegram ---------------------------------------------------------------------------------------------------------


def _of_telegram() -> list[dict[str, Any]]:
    chat = {"id": MIA["id"], "type": "private", "first_name": "Mia"}

    def reacts(number: int, message: int, old: str, new: str) -> dict[str, Any]:
        emojis = {"old_reaction": old, "new_reaction": new}
        changed = {name: [{"type": "emoji", "emoji": one} for one in some] for name, some in emojis.items()}
        about = {"chat": chat, "message_id": 5000 + message, "user": MIA, "date": 1772442000 + number, **changed}
        return {"update_id": 731_000_000 + number, "message_reaction": about}

    first = update(1, "Where is my parcl?")
    corrected = {**first["message"], "text": "Where is my parcel?", "edit_date": 1772442003}
    return [
        first,
        {"update_id": 731_000_003, "edited_message": corrected},
        update(4, "Hello?", date=1772442004),
        reacts(5, 4, "", THUMB),
        reacts(6, 4, THUMB, HEART),
        update(7, "Anybody?", date=1772442007),
        reacts(8, 7, "", THUMB),
        reacts(9, 7, THUMB, ""),
    ]


@in_several_orders
async def test_telegram_ends_the_same(each_house: House, order: Callable[[list[Any]], list[Any]]) -> None:
    house, bot = each_house, each_house.takes_telegram()
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, house.running(replicas=3) as replicas:
        await _spread(order(_of_telegram()), lambda replica, told: replicas[replica].takes(client, bot, told))
        assert await outcome(house) == [
            ("Where is my parcel?", ["Where is my parcl?"], [], None),
            ("Hello?", [], [HEART], None),
            ("Anybody?", [], [], None),
        ]
    assert len(await house.conversations()) == 1


# --- Slack ------------------------------------------------------------------------------------------------------------


async def _tells(slack: SlackServer, replicas: Sequence[Replica], channel: str, *what: Callable[[], Any]) -> None:
    for number, happens in enumerate(what):
        slack.request_url = replicas[number % 3].hook(channel)
        happens()
        await slack.confirmed(30)


@pytest.mark.parametrize(
    ("each_house", "told"),
    [("sqlite", "first"), ("sqlite", "last"), ("kafka_and_mongodb", "last")],
    indirect=["each_house"],
)
async def test_slack_ends_the_same(each_house: House, told: str) -> None:
    """`told`: when the messages come, before or after all that is about them."""
    house = each_house
    async with SlackServer(delay=lambda number: 0.02 * number, patience=30) as slack:
        channel = house.takes_slack(slack)

        def message(text: str) -> dict[str, Any]:
            ts = slack.next_ts()
            where = {"channel": "D0MIA", "channel_type": "im", "ts": ts, "event_ts": ts, "team": slack.team}
            return {"type": "message", "user": "U0MIA", "text": text, **where}

        asked, liked, regretted = message("Where is my parcl?"), message("Hello?"), message("Oops")
        messages = [lambda one=one: slack.happens(one) for one in (asked, liked, regretted)]
        about = [
            lambda: slack.edit(asked, "Where is my parcel?"),
            lambda: slack.react(liked, "U0MIA", "eyes"),
            lambda: slack.react(liked, "U0MIA", "thumbsup"),
            lambda: slack.react(liked, "U0MIA", "eyes", removed=True),
            lambda: slack.delete(regretted),
        ]
        async with house.running(replicas=3) as replicas:
            happenings = [*messages, *about] if told == "first" else [*about, *messages]
            await _tells(slack, replicas, channel, *happenings)
            assert await outcome(house) == [
                ("Where is my parcel?", ["Where is my parcl?"], [], None),
                ("Hello?", [], [":thumbsup:"], None),
                (None, ["Oops"], [], None),
            ]
        assert {delivery.status for delivery in slack.deliveries} == {200}
    assert len(await house.conversations()) == 1
