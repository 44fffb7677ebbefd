"""The application: routers, errors and the envelope around every request. It opens no store; who made them closes them."""

import secrets
from collections.abc import Callable, Sequence

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from onethread.blobs import Blobs
from onethread.errors import OnethreadError, Retryable
from onethread.logs import get_logger
from onethread.state.port import StateStore
from unifier.api import pages, problems
from unifier.api.auth import Authenticator
from unifier.api.cursors import Cursors
from unifier.api.document import title_and_version
from unifier.api.limits import Limits
from unifier.api.problems import Problem
from unifier.api.reading import Reader
from unifier.api.routes import ROUTERS
from unifier.api.services import Services
from unifier.api.views import ChannelInfo
from unifier.store.port import ConversationStore

__all__ = ["ChannelInfo", "create_app"]

MAX_BODY = 1 << 20
"""Bytes."""

_logger = get_logger(__name__)


def create_app(
    store: ConversationStore,
    state: StateStore,
    blobs: Blobs,
    channels: Sequence[ChannelInfo],
    *,
    cursor_keys: Sequence[bytes],
    now: Callable[[], int],
) -> FastAPI:
    """The API over opened stores. `cursor_keys`: newest first; `now`: Unix milliseconds. Raises Misconfigured for no key."""
    title, version = title_and_version()
    app = FastAPI(title=title, version=version, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = Services(
        store=store,
        state=state,
        blobs=blobs,
        channels=tuple(channels),
        cursors=Cursors(cursor_keys),
        limits=Limits(now),
        authenticator=Authenticator(state, now),
        reader=Reader(store),
        now=now,
    )
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(pages.router)
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(OnethreadError, _ours)
    app.add_middleware(Envelope)
    return app


# --- errors --------------------------------------------------------------------------------------------------------


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problems.response(request, error)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problems.response(request, problems.of_http(error))


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return problems.response(request, problems.of_validation(error))


async def _ours(request: Request, error: Exception) -> Response:
    """What works later is 503; anything else is our fault. What is wrong inside is logged, never told."""
    if isinstance(error, Retryable):
        after = max(round(error.after or 1), 1)
        _logger.warning("api.unavailable", request_id=request.state.request_id, reason=str(error))
        problem = Problem("unavailable", "A store cannot be reached.", headers={"Retry-After": str(after)})
        return problems.response(request, problem)
    return _failed(request, error)


def _failed(request: Request, error: Exception) -> Response:
    _logger.error("api.failed", request_id=request.state.request_id, exc_info=error)
    return problems.response(request, Problem("internal", "It was logged; nothing was changed."))


# --- around every request ------------------------------------------------------------------------------------------


class Envelope:
    """Gives each request an id, bounds its body, and answers also where nothing else did."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["request_id"] = f"req_{secrets.token_hex(12)}"
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                added = {"Request-Id": state["request_id"], **state.get("limit_headers", {})}
                message["headers"] = [
                    *message.get("headers", ()),
                    *((name.lower().encode(), value.encode()) for name, value in added.items()),
                ]
            await send(message)

        request = Request(scope)
        try:
            await self._app(scope, _bounded(receive, request), sending)
        except Exception as error:  # a bug of ours: it must not reach the server's log with what it holds
            if begun:  # the answer cannot be taken back: cut it off, so that it is not taken for whole
                _logger.exception("api.broke_off", request_id=state["request_id"])
                raise ConnectionAbortedError("the answer broke off") from None
            await _failed(request, error)(scope, receive, sending)


def _bounded(receive: Receive, request: Request) -> Receive:
    """Receives at most `MAX_BODY` bytes, whatever `Content-Length` says. Raises the problem `too-large`."""
    if request.method in ("GET", "HEAD"):  # nobody reads a body there; what streams an answer waits for the end only
        return receive
    seen = 0

    async def receiving() -> Message:
        nonlocal seen
        declared = request.headers.get("content-length", "0")
        if not declared.isdecimal() or len(declared) > 18 or int(declared) > MAX_BODY:
            raise _too_large()
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > MAX_BODY:
                raise _too_large()
        return message

    return receiving


def _too_large() -> Problem:
    return Problem("too-large", f"A body has at most {MAX_BODY} bytes.")
