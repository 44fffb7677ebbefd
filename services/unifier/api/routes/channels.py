"""GET /v1/channels: the configured channels, how each is doing, and what to do."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from onethread.state.channel_states import ChannelStates
from unifier.api import schemas, views
from unifier.api.answers import one, page
from unifier.api.cursors import List, Place
from unifier.api.guard import Asking, Guarded, Parts, needs
from unifier.api.parameters import PAGE, Cursor, Limit
from unifier.api.problems import not_found

router = APIRouter(prefix="/v1/channels", tags=["channels"], route_class=Guarded)


@router.get("", response_model=schemas.ChannelList, openapi_extra=needs("channels:read"))
async def list_channels(
    request: Request, caller: Asking, parts: Parts, limit: Limit = PAGE, cursor: Cursor = None
) -> Response:
    """The tenant's channels, in order of id."""
    of = List(caller.tenant, "channels")
    epoch = await parts.store.epoch()
    after = parts.cursors.open(of, cursor, epoch).id if cursor else ""
    mine = sorted((info for info in parts.channels if info.tenant == caller.tenant), key=lambda info: info.id)
    rest = [info for info in mine if info.id > after]
    shown = rest[:limit]
    states = {state.channel: state for state in await ChannelStates(parts.state).list()} if shown else {}
    more = len(rest) > limit
    following = parts.cursors.seal(of, Place(epoch, id=shown[-1].id)) if more else None
    document = schemas.ChannelList(
        items=[views.channel(info, states.get(info.id)) for info in shown],
        next_cursor=following,
        has_more=more,
        live_cursor=None,
    )
    return page(request, document, following)


@router.get("/{channel_id}", response_model=schemas.Channel, openapi_extra=needs("channels:read"))
async def get_channel(request: Request, caller: Asking, parts: Parts, channel_id: str) -> Response:
    """One channel: its state and, where a person must act, what to do."""
    info = next((info for info in parts.channels if (info.tenant, info.id) == (caller.tenant, channel_id)), None)
    if info is None:
        raise not_found()
    return one(request, views.channel(info, await ChannelStates(parts.state).get(info.id)))
