"""What customers say while servers are killed: a seeded list of messages, and what must be the same whoever was killed when.

A customer writes mails and chats; some prove that an address and a number are theirs, so that conversations join.
"""

import random
from collections.abc import Sequence

import msgspec
from grouping.as_events import event_of
from grouping.facts import WINDOW_HOURS, Dialogue, Said

from onethread.event import Event, Message
from onethread.identity import digest
from unifier.model import Entry, HeadFilter, scoped
from unifier.policy import HOUR, Policies, Policy
from unifier.store.port import ConversationStore, Position

TENANT = "acme"
CUSTOMERS = 60
POLICIES = Policies(Policy(window=WINDOW_HOURS * HOUR))


def messages(count: int, seed: int) -> list[Event]:
    """So many messages, in the order in which they are sent."""
    chance = random.Random(seed)
    mails: dict[int, list[int]] = {}
    said: list[Said] = []
    for number in range(count):
        who = chance.randrange(CUSTOMERS)
        address, phone = f"email:c{who}@example.com", f"phone:+1555{who:04d}"
        minutes = number * 3 + chance.randrange(-60, 60)
        if chance.random() < 0.3:
            earlier = mails.setdefault(who, [])
            references = (chance.choice(earlier),) if earlier and chance.random() < 0.5 else ()
            earlier.append(number)
            said.append(Said(number, "mail", minutes, address, references=references))
        else:
            also = (address, "own_contact") if chance.random() < 0.03 else None
            said.append(Said(number, "chat", minutes, phone, thread=f"chat-{phone}", also=also))
    dialogue = Dialogue(tuple(said))
    return [event_of(one, dialogue, TENANT) for one in said]


class Seen(msgspec.Struct):
    """What a store holds at the end."""

    ids: list[str]
    """Of every entry that is an event, each as often as it is there."""
    hash: str
    """Of conversations and customers, without what may differ: strands, numbers, who came first."""
    orders: dict[str, list[list[int]]]
    """By sender: the numbers of the messages, as they follow one another in each strand."""
    ends: dict[str, int]
    """How many entries each strand has, of any kind."""


async def seen(store: ConversationStore) -> Seen:
    """Read everything."""
    heads = []
    after: Position | None = None
    while page := await store.list_heads(TENANT, "created", after, 500, HeadFilter()):
        heads += page
        after = Position(0, page[-1].id)
    entries: list[Entry] = []
    conversations: dict[str, list[Entry]] = {}
    orders: dict[str, list[list[int]]] = {}
    ends: dict[str, int] = {}
    for head in heads:
        whole_run = await store.run(head.id, 0, 100_000)
        ends[head.id] = len(whole_run)
        run = [entry for entry in whole_run if entry.event]
        entries += run
        conversations.setdefault(head.root, []).extend(run)
        for sender in {entry.sender for entry in run}:
            orders.setdefault(sender, []).append([said(entry) for entry in run if entry.sender == sender])
    people = await store.identities({entry.sender for entry in entries})
    customers: dict[str, list[str]] = {}
    for person in people.values():
        customers.setdefault(person.customer, []).append(f"{person.type}:{person.value}")
    grouped = sorted(sorted((entry.at, entry.id) for entry in group) for group in conversations.values())
    facts = sorted((entry.id, entry.kind, entry.at, entry.sender, entry.own) for entry in entries)
    whole = (grouped, facts, sorted(map(sorted, customers.values())))
    return Seen([entry.id for entry in entries], digest(msgspec.json.encode(whole).decode()), orders, ends)


def said(entry: Entry) -> int:
    """The number of a message, which its text ends with."""
    assert entry.event is not None
    assert isinstance(entry.event.fact, Message)
    return int(entry.event.fact.body.text.rsplit(" ", 1)[1])


def ids(events: Sequence[Event]) -> list[str]:
    """As the store knows them."""
    return [scoped(TENANT, event.id) for event in events]
