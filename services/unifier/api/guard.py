"""What stands before every operation: key, scope, limit, known parameters. It knows no operation.

The scope is declared once, in the operation's OpenAPI `security`, and enforced from there.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from unifier.api.auth import Caller, need
from unifier.api.problems import Problem
from unifier.api.services import Services, services_of

SCHEME = "apiKey"
ANY = ""
"""No scope of its own: any key will do."""


def needs(scope: str) -> dict[str, Any]:
    """`openapi_extra` of an operation that takes this scope."""
    return {"security": [{SCHEME: [scope] if scope else []}]}


async def caller_of(request: Request) -> Caller:
    """The caller, as the guard let them in. FastAPI gives what is not `async` a thread's turn, which costs more."""
    caller = request.state.caller
    assert isinstance(caller, Caller)
    return caller


async def parts_of(request: Request) -> Services:
    """The parts of the API that the request came to."""
    return services_of(request)


Asking = Annotated[Caller, Depends(caller_of)]
Parts = Annotated[Services, Depends(parts_of)]


class Guarded(APIRoute):
    """A route that lets in whom its `security` names."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler behind the guard. What it refuses, it refuses before reading a body or a parameter."""
        handler = super().get_route_handler()
        scopes = _scopes(self.openapi_extra)
        known = {field.alias for field in self.dependant.query_params}
        takes_body = self.body_field is not None

        async def guarded(request: Request) -> Response:
            services = services_of(request)
            caller = await services.authenticator.caller(request)
            request.state.caller = caller
            _count(request, services, caller)
            for scope in scopes:
                need(caller, scope)
            _check_parameters(request, known)
            if takes_body:
                _check_media_type(request)
            return await _run(handler, request)

        return guarded


def _scopes(extra: dict[str, Any] | None) -> list[str]:
    if not extra or "security" not in extra:
        raise AssertionError("an operation says which scope it takes: openapi_extra=needs(…)")
    return [scope for each in extra["security"] for scope in each[SCHEME]]


async def _run(handler: Callable[[Request], Awaitable[Response]], request: Request) -> Response:
    return await handler(request)


def _count(request: Request, services: Services, caller: Caller) -> None:
    taken = services.limits.take(caller.key_id)
    request.state.limit_headers = {
        "RateLimit-Policy": services.limits.policy,
        "RateLimit": f'"read";r={taken.left};t={taken.full_in}',
    }
    if not taken.allowed:
        raise Problem(
            "rate-limited",
            f"A key may ask {services.limits.reads} times a minute.",
            headers={"Retry-After": str(max(taken.wait, 1))},
        )


def _check_parameters(request: Request, known: set[str]) -> None:
    counted = Counter(name for name, _ in request.query_params.multi_items())
    unknown = sorted(counted.keys() - known)
    errors = [{"parameter": name, "detail": "there is no such parameter"} for name in unknown]
    errors += [
        {"parameter": name, "detail": "given more than once"} for name in sorted(known) if counted.get(name, 0) > 1
    ]
    if errors:
        names = ", ".join(sorted(known)) or "none"
        raise Problem("malformed-request", f"The parameters of this operation: {names}; each once.", errors=errors)


def _check_media_type(request: Request) -> None:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise Problem("unsupported-media-type", "Send the body as `Content-Type: application/json`.")
