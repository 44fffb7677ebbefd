"""The answers of an entrance that are no connector's: small `application/problem+json` (RFC 9457), and how ASGI sends them.

They say what the caller can do, and nothing that only the channel's owner should know.
"""

import json
from collections.abc import Awaitable, Mapping
from typing import Any

from onethread.connector import Answer

_NOT_SIGNED = (
    "The request is not signed as this channel expects, or too old. Check the secret and the clock on both sides."
)
_WHAT_TO_DO = {
    400: ("Bad request", "The request is not valid HTTP. Send one Content-Length, or chunks, not both."),
    401: ("Not authentic", _NOT_SIGNED),
    404: ("No such address", "No channel is here. Copy the channel's webhook URL again."),
    405: ("Method not allowed", "Send deliveries by POST."),
    408: ("Too slow", "The body did not arrive in time. Send it again."),
    413: ("Too large", "The body is over this entrance's limit. Send fewer records at a time."),
    500: ("Unexpected", "Something is wrong here; it has been counted. Send it again later."),
    503: ("Not stored", "The delivery is not stored yet. Send it again after the seconds in Retry-After."),
}


_REFUSED = {400: ("Not accepted", "The provider's request is not one this channel accepts.")}
"""Where a connector means something else by a status than the server does."""


def problem(status: int) -> Answer:
    """The answer for a status; unlisted ones speak like 401 below 500, else like 503."""
    return _answer(status, *(_WHAT_TO_DO.get(status) or _WHAT_TO_DO[401 if status < 500 else 503]))


def refusal(status: int) -> Answer:
    """The answer where a connector raised Rejected. Its reason is not in it: anybody may be asking."""
    return _answer(status, *_REFUSED[status]) if status in _REFUSED else problem(status)


def _answer(status: int, title: str, detail: str) -> Answer:
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return Answer(json.dumps(body).encode(), status, "application/problem+json")


async def send_answer(
    send: Any, answer: Answer, headers: Mapping[str, str] | None = None, meanwhile: Awaitable[None] | None = None
) -> None:
    """Send an answer over ASGI; nobody may cache it or guess its type. It is ended after `meanwhile`, but whole before."""
    given = {
        "content-type": answer.media_type,
        "content-length": str(len(answer.body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        **(headers or {}),
    }
    raw = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in given.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body, "more_body": meanwhile is not None})
    if meanwhile is not None:
        await meanwhile
        await send({"type": "http.response.body", "body": b""})
