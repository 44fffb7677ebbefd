"""GET /v1/conversations: lists, one conversation, and its timeline over all its channels."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from unifier.api import conversation_lists, schemas, timelines
from unifier.api.answers import one, page
from unifier.api.auth import need
from unifier.api.conversation_lists import Filters
from unifier.api.guard import Asking, Guarded, Parts, needs
from unifier.api.parameters import PAGE, Cursor, EntryLimit, Expand, Id, Limit, moment, words
from unifier.model import plain

router = APIRouter(prefix="/v1/conversations", tags=["conversations"], route_class=Guarded)

_EXPANDS = frozenset({"customer", "last_entry"})


@router.get("", response_model=schemas.ConversationList, openapi_extra=needs("conversations:read"))
async def list_conversations(
    request: Request,
    caller: Asking,
    parts: Parts,
    sort: Annotated[
        Literal["active", "created"],
        Query(description="`active`: newest activity first. `created`: by birth; each there at page 1 comes once."),
    ] = "active",
    customer_id: Annotated[
        str | None, Query(description="Conversations of this customer, by any id it ever had.")
    ] = None,
    channel_id: Annotated[str | None, Query(description="Conversations that came over this channel too.")] = None,
    network: Annotated[str | None, Query(description="Conversations that came over this network too.")] = None,
    active_from: Annotated[str | None, Query(description="Last active at or after this time.")] = None,
    active_until: Annotated[str | None, Query(description="Last active before this time.")] = None,
    limit: Limit = PAGE,
    cursor: Cursor = None,
    expand: Expand = None,
) -> Response:
    """The tenant's conversations that have a message. `expand`: `customer` (takes customers:read), `last_entry`."""
    expands = words("expand", expand, _EXPANDS)
    if "customer" in expands:
        need(caller, "customers:read")
    filters = Filters(
        sort=sort,
        customer_id=customer_id,
        channel_id=channel_id,
        network=network,
        active_from=moment("active_from", active_from),
        active_until=moment("active_until", active_until),
    )
    found = await conversation_lists.page(parts, caller.tenant, filters, limit, cursor)
    items = await conversation_lists.documents(parts, found.conversations, expands)
    document = schemas.ConversationList(
        items=items, next_cursor=found.next_cursor, has_more=found.next_cursor is not None, live_cursor=None
    )
    return page(request, document, found.next_cursor)


@router.get("/{conversation_id}", response_model=schemas.Conversation, openapi_extra=needs("conversations:read"))
async def get_conversation(
    request: Request, caller: Asking, parts: Parts, conversation_id: Id, expand: Expand = None
) -> Response:
    """One conversation. An id that was joined with another answers with the survivor, named by `Content-Location`."""
    expands = words("expand", expand, _EXPANDS)
    if "customer" in expands:
        need(caller, "customers:read")
    found = await parts.reader.conversation(caller.tenant, conversation_id)
    (document,) = await conversation_lists.documents(parts, [found], expands)
    return one(request, document, version=document.version, location=f"/v1/conversations/{document.id}")


@router.get("/{conversation_id}/entries", response_model=schemas.EntryList, openapi_extra=needs("conversations:read"))
async def list_conversation_entries(
    request: Request,
    caller: Asking,
    parts: Parts,
    conversation_id: Id,
    sort: Annotated[
        Literal["time", "seq"],
        Query(description="`time`: newest first. `seq`: each strand 1, 2, 3 …, to copy and to resume."),
    ] = "time",
    kind: Annotated[str | None, Query(description="Only these kinds, separated by commas: `message,call`.")] = None,
    limit: EntryLimit = PAGE,
    cursor: Cursor = None,
    expand: Expand = None,
) -> Response:
    """The timeline over all channels. `expand`: `placement`.

    By `time`, an entry that a person moved is read where it was moved to. By `seq`, each strand is read as it was written,
    so that numbers have no gaps: `moved` and `conversation_id` say where an entry is now, and `next_cursor` is never null,
    since a strand can grow.
    """
    expands = words("expand", expand, frozenset({"placement"}))
    kinds = words("kind", kind)
    found = await parts.reader.conversation(caller.tenant, conversation_id)
    lines = await timelines.page(parts, caller.tenant, found, timelines.Wish(sort, kinds, limit, cursor))
    items = await timelines.documents(parts, found, lines.entries, with_placement="placement" in expands)
    document = schemas.EntryList(items=items, next_cursor=lines.next_cursor, has_more=lines.has_more, live_cursor=None)
    location = f"/v1/conversations/{plain(found.root)}/entries"
    return page(request, document, lines.next_cursor if lines.has_more else None, location=location)
