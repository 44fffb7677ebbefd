"""GET /v1/me: whether a key is right, and what it may do."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from unifier.api import schemas
from unifier.api.answers import one
from unifier.api.guard import ANY, Asking, Guarded, Parts, needs
from unifier.api.limits import WINDOW

router = APIRouter(prefix="/v1", tags=["me"], route_class=Guarded)


@router.get("/me", response_model=schemas.Me, openapi_extra=needs(ANY))
async def get_me(request: Request, caller: Asking, parts: Parts) -> Response:
    """The key's tenant, scopes and limits, and how far back the feed of changes reaches."""
    document = schemas.Me(
        tenant=caller.tenant,
        key_id=caller.key_id,
        scopes=sorted(caller.scopes),
        limits={"read": schemas.Limit(requests=parts.limits.reads, window_seconds=WINDOW)},
        feed=schemas.Feed(epoch=await parts.store.epoch(), oldest_at=None),
    )
    return one(request, document)
