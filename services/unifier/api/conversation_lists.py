"""Pages of conversations. A conversation is listed by one of its strands, so that it comes once however many it has.

By activity that is the strand active last, by birth the eldest; of those that have a message and meet the filters. So a page
costs one query of heads and one of their conversations' strands, and some more only where filters hide much.
"""

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from starlette.concurrency import run_in_threadpool

from unifier.api import schemas, views
from unifier.api.cursors import List, Place
from unifier.api.entry_views import entry
from unifier.api.ids import identity_of_customer
from unifier.api.reading import Found
from unifier.api.services import Services
from unifier.folding import TALK
from unifier.model import Entry, Head, HeadFilter
from unifier.store.port import Position

ROUNDS = 8
"""Queries of heads a page makes at most; then it is short, and says that there is more."""
NEAR = 20
"""Newest entries of a strand among which its last talk is nearly always found."""


class Filters(NamedTuple):
    """What to list. Times in ms, half open, of the last activity in what the other filters name."""

    sort: Literal["active", "created"]
    customer_id: str | None
    channel_id: str | None
    network: str | None
    active_from: int | None
    active_until: int | None

    def named(self) -> tuple[tuple[str, str], ...]:
        """As a cursor is bound to them."""
        return tuple((name, str(value)) for name, value in self._asdict().items() if value is not None)


class Listed(NamedTuple):
    """A page."""

    conversations: list[Found]
    next_cursor: str | None


async def page(parts: Services, tenant: str, filters: Filters, limit: int, cursor: str | None) -> Listed:
    """One page. Raises the problems of a cursor that is not for it."""
    of = List(tenant, "conversations", filters.named())
    epoch = await parts.store.epoch()
    place = parts.cursors.open(of, cursor, epoch) if cursor else Place(epoch)
    only = await _only(parts, tenant, filters)
    if only.identities == ():
        return Listed([], None)
    after = Position(place.at, place.id) if place.id else None
    listed: list[Found] = []
    for _ in range(ROUNDS):
        heads = await parts.store.list_heads(tenant, filters.sort, after, limit + 1, only)
        strands = await parts.reader.strands_of({head.root for head in heads})
        for number, head in enumerate(heads):
            if len(listed) == limit or number == limit:
                break
            after = Position(head.last_at if filters.sort == "active" else 0, head.id)
            group = strands.get(head.root, [])
            if _represents(head, group, only, filters):
                listed.append(Found(head.root, tuple(group)))
        else:
            return Listed(listed, None)  # fewer heads than asked for: that was the end
        if len(listed) == limit:
            break
    following = parts.cursors.seal(of, Place(epoch, at=after.at, id=after.id)) if after else None
    return Listed(listed, following)


async def _only(parts: Services, tenant: str, filters: Filters) -> HeadFilter:
    """The part of the filters that a head can be searched by."""
    identities: tuple[str, ...] | None = None
    if filters.customer_id is not None:
        root = await parts.reader.customer(tenant, filters.customer_id)
        identities = await parts.reader.identities_of(root) if root else ()
    times = filters.sort == "active"  # by birth, the eldest strand stands for one that was active later
    return HeadFilter(
        channel_id=filters.channel_id or "",
        network=filters.network or "",
        identities=identities,
        active_from=filters.active_from if times else None,
        active_until=filters.active_until if times else None,
    )


def _represents(head: Head, group: Iterable[Head], only: HeadFilter, filters: Filters) -> bool:
    """Whether the conversation is listed by this strand."""
    matching = [one for one in group if one.talk_count and _meets(one, only)]
    if not matching:
        return False
    last = max(matching, key=lambda one: (one.last_at, one.id))
    if filters.active_from is not None and last.last_at < filters.active_from:
        return False
    if filters.active_until is not None and last.last_at >= filters.active_until:
        return False
    return head.id == (last.id if filters.sort == "active" else min(one.id for one in matching))


def _meets(head: Head, only: HeadFilter) -> bool:
    return (
        (not only.channel_id or only.channel_id in head.channel_ids)
        and (not only.network or only.network in head.networks)
        and (only.identities is None or head.identity in only.identities)
    )


# --- documents -----------------------------------------------------------------------------------------------------


async def documents(
    parts: Services, conversations: Sequence[Found], expands: Sequence[str]
) -> list[schemas.Conversation]:
    """The conversations as documents, with what is to be brought along: one query more a page for each."""
    people = await parts.reader.people_of(head for found in conversations for head in found.strands)
    items = [views.conversation(found.root, found.strands, people) for found in conversations]
    if "customer" in expands:
        items = await _with_customers(parts, conversations, items)
    if "last_entry" in expands:
        items = await _with_last_entries(parts, conversations, items)
    return items


async def _with_customers(
    parts: Services, conversations: Sequence[Found], items: Sequence[schemas.Conversation]
) -> list[schemas.Conversation]:
    roots = [
        identity_of_customer(found.root.partition("/")[0], item.customer_id or "")
        for found, item in zip(conversations, items, strict=True)
    ]
    customers = await parts.reader.customers({root for root in roots if root})
    return [
        item.model_copy(update={"customer": customers.get(root or "")}) for item, root in zip(items, roots, strict=True)
    ]


async def _with_last_entries(
    parts: Services, conversations: Sequence[Found], items: Sequence[schemas.Conversation]
) -> list[schemas.Conversation]:
    lasts = await last_entries(parts, conversations)
    heads = [head for found in conversations for head in found.strands]
    scene = await parts.reader.scene(list(lasts.values()), heads)

    def shown() -> list[schemas.Conversation]:
        return [
            item.model_copy(update={"last_entry": entry(lasts[found.root], scene) if found.root in lasts else None})
            for found, item in zip(conversations, items, strict=True)
        ]

    return await run_in_threadpool(shown)


async def last_entries(parts: Services, conversations: Sequence[Found]) -> dict[str, Entry]:
    """The newest talk of each conversation, by root: nearly always within the newest entries of its strands."""
    after = {head.id: max(head.through - NEAR, 0) for found in conversations for head in found.strands}
    near = await parts.store.runs(after, NEAR * len(after), TALK) if after else []
    lasts: dict[str, Entry] = {}
    for found in conversations:
        strands = {head.id for head in found.strands}
        wanted = max(head.last_at for head in found.strands)
        mine = [one for one in near if one.home in strands]
        newest = max(mine, key=lambda one: (one.at, one.id), default=None)
        if newest is None or newest.at < wanted:  # behind many receipts, or moved here from elsewhere
            newest = next(iter(await parts.store.timeline(strands, None, 1, TALK)), None)
        if newest:
            lasts[found.root] = newest
    return lasts
