"""From documents to responses: bodies, ETags, survivors' locations, links to the next page. It knows no operation."""

from urllib.parse import urlencode

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from onethread.identity import digest
from unifier.api.schemas import dumped

_PRIVATE = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


def one(request: Request, document: BaseModel, *, version: str | None = None, location: str | None = None) -> Response:
    """One thing. `version`: its own, else a hash of the document; `location`: where it is, if it was asked for elsewhere.

    With `expand` there is no ETag: what it brings has versions of its own.
    """
    body = dumped(document)
    headers = dict(_PRIVATE)
    if location and location != request.url.path:
        headers["Content-Location"] = location
    if "expand" not in request.query_params:
        etag = f'"{version or digest(body.decode())[:16]}"'
        headers["ETag"] = etag
        if matches(request.headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def page(request: Request, document: BaseModel, next_cursor: str | None, *, location: str | None = None) -> Response:
    """One page of a list. `next_cursor`: None where there is no further page."""
    headers = dict(_PRIVATE)
    path = location or request.url.path
    if path != request.url.path:
        headers["Content-Location"] = f"{path}?{request.url.query}" if request.url.query else path
    if next_cursor:
        query = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        headers["Link"] = f'<{path}?{urlencode([*query, ("cursor", next_cursor)])}>; rel="next"'
    return Response(dumped(document), media_type="application/json", headers=headers)


def matches(given: str, etag: str) -> bool:
    """Whether `If-None-Match` names this ETag, by weak comparison (RFC 9110, 13.1.2)."""
    names = {name.strip().removeprefix("W/") for name in given.split(",")}
    return "*" in names or etag in names
