"""GET /v1/attachments/{id}/content: the bytes of a file, as inert as a response can make them."""

import re
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from onethread.blobs import Blobs
from onethread.errors import Poison, Retryable
from onethread.event import Attachment
from unifier.api.answers import matches
from unifier.api.guard import Asking, Guarded, Parts, needs
from unifier.api.parameters import Id
from unifier.api.problems import Problem, not_found

router = APIRouter(prefix="/v1/attachments", tags=["attachments"], route_class=Guarded)

CHUNK = 1 << 20
"""Bytes read of the blob store at a time."""
RETRY = 30
"""Seconds after which a file that is being fetched may be there."""

_MEDIA_TYPE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,126}/[a-zA-Z0-9][a-zA-Z0-9!#$&^_.+-]{0,126}")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_INERT = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-site",
    "Cache-Control": "private, no-cache",
    "Vary": "Authorization",
    "Accept-Ranges": "bytes",
}
_CONTENT = {
    200: {
        "description": "The bytes, always to be saved, never to be shown in place.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {
        "description": "The bytes of one range.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
    416: {"description": "The range is beyond the end."},
}


class Span(NamedTuple):
    """Bytes from `start` up to, not including, `end`."""

    start: int
    end: int


@router.get(
    "/{attachment_id}/content",
    response_class=StreamingResponse,
    responses=_CONTENT,  # type: ignore[arg-type]  # keys are status codes
    openapi_extra=needs("conversations:read"),
)
async def get_attachment_content(request: Request, caller: Asking, parts: Parts, attachment_id: Id) -> Response:
    """The bytes of a file. `Range` takes one range; the ETag is the file's SHA-256; 409 while it is being fetched."""
    line, file = await parts.reader.file(caller.tenant, attachment_id)
    state = (await parts.reader.scene([line])).state(line)
    if state.erased:
        raise Problem("erased", "The channel demanded that this message be removed.")
    if state.deleted_at and not caller.may("entries:raw"):
        raise not_found()
    file = state.file(file)
    if file.status == "pending":
        raise Problem("attachment-pending", "The file is being fetched.", headers={"Retry-After": str(RETRY)})
    if file.status != "stored" or not file.sha256:
        raise not_found()
    return await _answer(request, file, parts.blobs)


async def _answer(request: Request, file: Attachment, blobs: Blobs) -> Response:
    etag = f'"{file.sha256}"'
    headers = {**_INERT, "ETag": etag, "Content-Disposition": disposition(file.filename)}
    if matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    try:
        size = await blobs.size(file.sha256)
    except Poison as error:
        raise Retryable(str(error), after=60) from error
    span = wanted(request, etag, size)
    if span is not None:
        headers["Content-Range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    start, end = span or (0, size)
    headers["Content-Length"] = str(end - start)
    return StreamingResponse(
        _chunks(blobs, file.sha256, start, end),
        status_code=206 if span else 200,
        headers=headers,
        media_type=media_type(file.media_type),
    )


async def _chunks(blobs: Blobs, sha256: str, start: int, end: int) -> AsyncIterator[bytes]:
    for at in range(start, end, CHUNK):
        yield await blobs.get(sha256, at, min(at + CHUNK, end))


def wanted(request: Request, etag: str, size: int) -> Span | None:
    """The range asked for; None for the whole: no range, several (which may be ignored, RFC 9110 14.2), an old `If-Range`."""
    found = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if found is None or found[0] == "bytes=-" or request.headers.get("if-range", etag) != etag:
        return None
    first, last = found[1], found[2]
    if first and last and int(last) < int(first):
        return None
    start, end = (int(first), min(int(last) + 1, size) if last else size) if first else (max(size - int(last), 0), size)
    if start >= size or start == end:
        raise Problem(
            "range-not-satisfiable",
            f"The file has {size} bytes.",
            errors=[{"header": "Range", "detail": "beyond the end"}],
            headers={"Content-Range": f"bytes */{size}"},
        )
    return Span(start, end)


def media_type(given: str) -> str:
    """The type as the channel gave it, if it is one; parameters are left out."""
    kind = given.partition(";")[0].strip()
    return kind if _MEDIA_TYPE.fullmatch(kind) else "application/octet-stream"


def disposition(filename: str) -> str:
    """Always `attachment`; the name without path, controls or quotes (RFC 6266, RFC 8187)."""
    name = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", "", filename)
    name = name.replace("\\", "/").rpartition("/")[2].strip(" .")[:200]
    if not name:
        return "attachment"
    ascii_name = re.sub(r"[^A-Za-z0-9 ._()+=@-]", "_", name)
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"
