"""Every way in which a store is damaged here, with the invariants that are broken by it. Each is done to a store at rest."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
from grouping.as_events import event_of
from grouping.driver import new_batch
from grouping.facts import Dialogue, Said
from grouping.inline import in_memory
from healing.site import OTHER, POLICIES, TENANT, entry_of, story

from onethread.event import By
from unifier.links import Evidence, LinkWish, Opinion
from unifier.model import ClockClaim, ClockId, Entry, Head, Joined, Placement
from unifier.reading import read
from unifier.store.port import ConversationStore
from unifier.threading import link_id, wish

replace = msgspec.structs.replace


async def entry(store: ConversationStore, number: int, tenant: str = TENANT) -> Entry:
    """A message of the story as it is stored."""
    found = await store.whole(entry_of(number, tenant))
    assert found
    return found


async def head(store: ConversationStore, number: int, tenant: str = TENANT) -> Head:
    """The head of its strand."""
    strand = (await entry(store, number, tenant)).strand
    return (await store.heads([strand]))[strand]


async def put_instead(store: ConversationStore, old: Entry, new: Entry) -> None:
    await store.audit.drop("entries", [old.id])
    await store.insert([new])


async def strand_link(store: ConversationStore) -> str:
    """The link between the chat and the mail of one customer."""
    return link_id("strand", (await entry(store, 20)).strand, (await entry(store, 21)).strand)


# --- I1, I3 ----------------------------------------------------------------------------------------------------------


async def an_event_is_there_twice(store: ConversationStore) -> None:
    one = await entry(store, 31)
    await store.insert([replace(one, id=f"{TENANT}/evt_copy", seq=one.seq + 1)])


async def an_event_was_altered(store: ConversationStore) -> None:
    one = await entry(store, 30)
    assert one.event
    await put_instead(store, one, replace(one, event=replace(one.event, revision="2")))


async def an_entry_in_the_middle_is_gone(store: ConversationStore) -> None:
    await store.audit.drop("entries", [entry_of(2)])


# --- I5 --------------------------------------------------------------------------------------------------------------


async def a_head_counts_wrong(store: ConversationStore) -> None:
    await store.audit.put_heads([replace(await head(store, 0), message_count=99)])


async def a_head_is_gone(store: ConversationStore) -> None:
    await store.audit.drop("heads", [(await head(store, 0)).id])


async def the_last_entry_is_gone(store: ConversationStore) -> None:
    await store.audit.drop("entries", [entry_of(31)])


# --- I6 --------------------------------------------------------------------------------------------------------------


async def a_strand_leads_to_a_younger_one(store: ConversationStore) -> None:
    await store.audit.put_heads([replace(await head(store, 10), root=(await head(store, 12)).id)])


async def a_person_leads_to_a_younger_one(store: ConversationStore) -> None:
    await store.set_customers({(await entry(store, 10)).own: (await entry(store, 20)).own})


async def an_old_worker_wrote_a_root_and_died(store: ConversationStore) -> None:
    """By an older look, when its successor had committed (`model.scenes.UNMENDED`): unfolded, unpublished, and wrong."""
    last, other = await head(store, 31), await head(store, 0)
    assert other.id < last.root  # elder, so that nothing but the look was wrong
    seq = last.through + 1
    await store.insert(
        [
            Entry(
                id=f"{last.id.replace('cnv_', 'evt_joined_')}_{seq}", strand=last.id, seq=seq, kind="joined",
                at=last.last_at, stored_at=last.last_at, placement=Placement(rule="joined"),
                joined=Joined(root=other.id, was=last.root),
            )
        ]
    )  # fmt: skip


# --- I7, I8 ----------------------------------------------------------------------------------------------------------


async def a_link_is_gone(store: ConversationStore) -> None:
    await store.audit.drop("links", [await strand_link(store)])


async def a_link_that_no_message_asks_for(store: ConversationStore) -> None:
    ends = (await entry(store, 0)).strand, (await entry(store, 10)).strand
    await store.wish([wish(*ends, Evidence(rule="shared_reference", entry_id=entry_of(10)))])


async def a_key_is_gone(store: ConversationStore) -> None:
    keys = await store.owned_keys((await entry(store, 12)).own)
    claims = await store.audit.claims_after(TENANT, "", 1000)
    await store.audit.drop("claims", [one.id for one in claims if one.owner == keys[0][0]])


async def a_clock_is_gone(store: ConversationStore) -> None:
    one = await entry(store, 12)
    claims = await store.audit.claims_after(TENANT, "", 1000)
    mine = [claim.id for claim in claims if claim.owner == one.own and claim.strands == (one.strand,)]
    assert mine
    await store.audit.drop("claims", mine)


async def a_person_is_gone(store: ConversationStore) -> None:
    await store.audit.drop("identities", [(await entry(store, 12)).own])


async def a_customer_is_split(store: ConversationStore) -> None:
    mail = (await entry(store, 21)).own
    await store.set_customers({mail: mail})


async def what_a_person_set_apart_is_together(store: ConversationStore) -> None:
    ends = sorted([(await entry(store, 20)).strand, (await entry(store, 21)).strand])
    await store.opine([Opinion(await strand_link(store), "strand", (ends[0], ends[1]), "apart", 1, By())])


# --- I9 --------------------------------------------------------------------------------------------------------------


async def more_counts_as_published_than_is(store: ConversationStore) -> None:
    await store.audit.put_heads([replace(await head(store, 0), published=99)])


async def a_message_was_published_nowhere(store: ConversationStore) -> None:
    said = Said(32, "chat", 12020, "phone:+15550100", thread="chat-a")
    async with in_memory() as elsewhere:
        event = event_of(said, Dialogue((*story()[TENANT], said)), TENANT)
        await new_batch(store, elsewhere.log).apply([read(event, POLICIES.default)])


async def a_whole_strand_is_gone(store: ConversationStore) -> None:
    strand = (await entry(store, 12)).strand
    await store.audit.drop("entries", [entry_of(12)])
    await store.audit.drop("heads", [strand])


# --- I10 -------------------------------------------------------------------------------------------------------------


async def a_key_names_a_stranger(store: ConversationStore) -> None:
    await store.claim({f"{TENANT}/id/stranger": (await entry(store, 40, OTHER)).strand}, [], [])


async def a_clock_names_a_stranger(store: ConversationStore) -> None:
    clock = ClockId((await entry(store, 10)).own, POLICIES.default.window, 7)
    await store.claim(
        {}, [ClockClaim(clock, (await entry(store, 40, OTHER)).strand, clock.bucket * clock.window, free=True)], []
    )


async def a_link_names_a_stranger(store: ConversationStore) -> None:
    ends = (await entry(store, 0)).strand, (await entry(store, 40, OTHER)).strand
    await store.wish([LinkWish(f"{TENANT}/lnk_stranger", "strand", ends, Evidence(rule="named", counts=False))])


async def an_entry_names_a_stranger(store: ConversationStore) -> None:
    one = await entry(store, 31)
    await put_instead(store, one, replace(one, own=(await entry(store, 40, OTHER)).own))


async def a_head_names_a_stranger(store: ConversationStore) -> None:
    await store.audit.put_heads([replace(await head(store, 12), root=(await entry(store, 40, OTHER)).strand)])


class Damaged(NamedTuple):
    """A damage, and what `verify` is to name."""

    do: Callable[[ConversationStore], Awaitable[None]]
    broken: set[str]


DAMAGES = (
    Damaged(an_event_is_there_twice, {"I1", "I5", "I9"}),
    Damaged(an_event_was_altered, {"I1"}),
    Damaged(an_entry_in_the_middle_is_gone, {"I3"}),
    Damaged(a_head_counts_wrong, {"I5"}),
    Damaged(a_head_is_gone, {"I5"}),
    Damaged(the_last_entry_is_gone, {"I5", "I9"}),
    Damaged(a_strand_leads_to_a_younger_one, {"I5", "I6"}),
    Damaged(a_person_leads_to_a_younger_one, {"I6"}),
    Damaged(an_old_worker_wrote_a_root_and_died, {"I5", "I9"}),
    Damaged(a_link_is_gone, {"I7"}),
    Damaged(a_link_that_no_message_asks_for, {"I7"}),
    Damaged(a_key_is_gone, {"I7"}),
    Damaged(a_clock_is_gone, {"I7"}),
    Damaged(a_person_is_gone, {"I7"}),
    Damaged(a_customer_is_split, {"I7"}),
    Damaged(what_a_person_set_apart_is_together, {"I7", "I8"}),
    Damaged(more_counts_as_published_than_is, {"I9"}),
    Damaged(a_message_was_published_nowhere, {"I9"}),
    Damaged(a_whole_strand_is_gone, {"I9"}),
    Damaged(a_key_names_a_stranger, {"I10"}),
    Damaged(a_clock_names_a_stranger, {"I10"}),
    Damaged(a_link_names_a_stranger, {"I10"}),
    Damaged(an_entry_names_a_stranger, {"I10"}),
    Damaged(a_head_names_a_stranger, {"I5", "I10"}),
)
"""An invariant is often not broken alone: a lost entry is also one that its head counts, and desks have."""
