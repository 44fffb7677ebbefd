"""What can go wrong for a caller, as RFC 9457 problem documents: each slug once, with what the caller should do.

`type` is the same string in every deployment (`/problems/<slug>`), so that programs can branch on it; it is also a page.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

MEDIA_TYPE = "application/problem+json"


class Kind(NamedTuple):
    """`title`: the same for every occurrence; `todo`: what the caller should do."""

    status: int
    title: str
    todo: str


KINDS: dict[str, Kind] = {
    "malformed-request": Kind(400, "The request is malformed", "Mend what `errors` says, then send it again."),
    "invalid-cursor": Kind(
        400, "The cursor is not one for this list", "Begin the list again, without a cursor, with the filters you want."
    ),
    "unauthenticated": Kind(401, "No valid API key", "Send `Authorization: Bearer otk_…` with a key that works."),
    "insufficient-scope": Kind(403, "The key may not do this", "Ask an administrator for `missing_scope`."),
    "not-found": Kind(404, "There is nothing here", "Forget the id: it is unknown, or not yours."),
    "method-not-allowed": Kind(405, "This cannot be done here", "Use a method that `Allow` names."),
    "attachment-pending": Kind(
        409, "The file is not here yet", "Send the same again after `Retry-After`: it is being fetched."
    ),
    "erased": Kind(410, "This was erased", "Delete your copy."),
    "cursor-expired": Kind(
        410, "The cursor is from before a restore", "List again from the start; `epoch` is the one in force."
    ),
    "too-large": Kind(413, "The body is too large", "Send less at a time: a body has at most 1 MB."),
    "unsupported-media-type": Kind(415, "The body is not JSON", "Send JSON with `Content-Type: application/json`."),
    "range-not-satisfiable": Kind(416, "The range is beyond the end", "Ask for a range within `Content-Range`."),
    "invalid-fields": Kind(422, "Fields of the body are wrong", "Mend what `errors` points at, then send it again."),
    "rate-limited": Kind(429, "Too many requests", "Send the same again after `Retry-After`, with back-off."),
    "internal": Kind(500, "We failed", "Send the same again with back-off; if it stays, tell us the `request_id`."),
    "unavailable": Kind(503, "Not available now", "Send the same again after `Retry-After`, with back-off."),
}
"""Every problem of these operations. The set grows within v1: branch on `type`, treat others by their status."""

_OF_STATUS = {404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "unsupported-media-type"}


class Problem(HTTPException):
    """An answer that is a problem. `more`: members of this slug; `errors`: where in the request it is."""

    def __init__(
        self,
        slug: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **more: Any,
    ) -> None:
        super().__init__(KINDS[slug].status, detail, dict(headers or {}))
        self.slug = slug
        self.errors = [dict(error) for error in errors]
        self.more = more


def not_found() -> Problem:
    """The same for what never was and for what is another tenant's."""
    return Problem("not-found", "There is nothing with this id, or it is not yours.")


def wrong_parameter(name: str, detail: str) -> Problem:
    """A query parameter that cannot be taken as it is."""
    return Problem("malformed-request", f"Parameter {name}: {detail}", errors=[{"parameter": name, "detail": detail}])


def response(request: Request, problem: Problem) -> Response:
    """The problem on the wire."""
    kind = KINDS[problem.slug]
    body: dict[str, Any] = {
        "type": f"/problems/{problem.slug}",
        "title": kind.title,
        "status": kind.status,
        "detail": problem.detail,
        "instance": request.url.path,
        "request_id": request.state.request_id,
        "errors": problem.errors,
        **problem.more,
    }
    headers = {**(problem.headers or {}), "Cache-Control": "no-store"}
    return JSONResponse(body, kind.status, headers, MEDIA_TYPE)


# --- problems that others raise ------------------------------------------------------------------------------------


def of_http(error: HTTPException) -> Problem:
    """What the framework refuses by itself: no such path, no such method."""
    if error.status_code == HTTPStatus.NOT_FOUND:
        return not_found()
    slug = _OF_STATUS.get(error.status_code, "malformed-request" if error.status_code < 500 else "internal")
    return Problem(slug, KINDS[slug].todo, headers=error.headers)


def of_validation(error: RequestValidationError) -> Problem:
    """What does not fit the documented parameters (400) or body fields (422). Values are never repeated."""
    found = list(error.errors())
    if any(item["type"] == "json_invalid" for item in found):
        return Problem("malformed-request", "The body is not JSON.", errors=[{"pointer": "", "detail": "not JSON"}])
    errors = [_located(item) for item in found]
    slug = "invalid-fields" if any("pointer" in item for item in errors) else "malformed-request"
    return Problem(slug, KINDS[slug].todo, errors=errors)


def _located(item: Mapping[str, Any]) -> dict[str, str]:
    where, *path = [str(part) for part in item["loc"]]
    detail = "there is no such field" if item["type"] == "extra_forbidden" else str(item["msg"])
    match where:
        case "body":
            escaped = (part.replace("~", "~0").replace("/", "~1") for part in path)
            return {"pointer": "".join(f"/{part}" for part in escaped), "detail": detail}
        case "header":
            return {"header": ".".join(path), "detail": detail}
        case _:
            return {"parameter": ".".join(path), "detail": detail}
