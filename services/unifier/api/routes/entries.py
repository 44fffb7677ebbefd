"""GET /v1/entries/{id}: one line of a timeline, with why it is where it is."""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from unifier.api import schemas
from unifier.api.answers import one
from unifier.api.entry_views import earlier, entry
from unifier.api.guard import Asking, Guarded, Parts, needs
from unifier.api.parameters import Id
from unifier.api.placements import placement

router = APIRouter(prefix="/v1/entries", tags=["entries"], route_class=Guarded)


@router.get("/{entry_id}", response_model=schemas.EntryDetail, openapi_extra=needs("conversations:read"))
async def get_entry(request: Request, caller: Asking, parts: Parts, entry_id: Id) -> Response:
    """One entry with its placement: the text as it stands now; with `entries:raw` also earlier and deleted texts."""
    line = await parts.reader.entry(caller.tenant, entry_id)
    scene = await parts.reader.scene([line])
    why = await parts.reader.why([line], scene)

    def shown() -> schemas.EntryDetail:
        return schemas.EntryDetail(
            **dict(entry(line, scene)) | {"placement": placement(line, why)},
            earlier=earlier(line, scene) if caller.may("entries:raw") else None,
        )

    return one(request, await run_in_threadpool(shown))
