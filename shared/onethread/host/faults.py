"""What a foreign exception means to the host: the one table of contract words for httpx, sockets and groups. No I/O.

401, 403                                 Unauthorised: the token is dropped, three in a row are `auth_required`
408, 425, 429, 5xx, network, time-outs   Retryable, with the provider's own wait
other 4xx                                Refused: tried again, but the channel is `degraded`
an answer that msgspec cannot read       Unreadable: works later, as after an outage that answers with a page
ours                                     as they are
anything else                            Bug: a mistake in a connector's code
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import msgspec
import websockets.exceptions

from onethread.errors import Misconfigured, OnethreadError, Poison, Rejected, Retryable, Unauthorised

_WORKS_LATER = frozenset({408, 425, 429})
_UNAUTHORISED = frozenset({401, 403})
_LONGEST_WAIT = 24 * 3600.0


class AccessRevoked(Unauthorised):
    """The provider does not even renew the token: only a person can get access again."""


class Refused(Retryable):
    """The provider answers with a 4xx that names us as the cause."""


class Bug(Retryable):
    """A connector raised what it should not have; tried again, since the next record may be another."""


class Unreadable(Retryable):
    """The provider answers what the connector cannot read: a page of maintenance, half a document, another shape."""


class AddressRefused(Poison):
    """The address guard: a private address that no setting allows."""


_RANK: tuple[type[OnethreadError], ...] = (
    Misconfigured, Unauthorised, Bug, Refused, AddressRefused, Poison, Rejected, Retryable, OnethreadError,
)  # fmt: skip


def translated(error: BaseException, now: datetime) -> OnethreadError:
    """Ours for any exception of a connector. Of a group, what most needs a person. Messages hold no URL and no body."""
    if isinstance(error, OnethreadError):
        return error
    if isinstance(error, BaseExceptionGroup):
        return min((translated(each, now) for each in error.exceptions), key=_rank)
    if isinstance(error, httpx.HTTPStatusError):
        return of_status(error.response.status_code, error.response.headers, error.request.url.host, now)
    if isinstance(error, websockets.exceptions.InvalidStatus):
        return of_status(error.response.status_code, error.response.headers, "the server", now)
    return _without_answer(error)


def _without_answer(error: BaseException) -> OnethreadError:
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.LocalProtocolError):
        return Bug(f"the connector made a request that HTTP does not allow ({type(error).__name__})")
    if isinstance(error, httpx.HTTPError):
        return Retryable(f"{_host_of(error)} cannot be reached ({type(error).__name__})")
    if isinstance(error, websockets.exceptions.WebSocketException):
        return Retryable(f"the connection ended ({type(error).__name__})")
    if isinstance(error, msgspec.MsgspecError | UnicodeError | json.JSONDecodeError):
        return Unreadable(f"the provider's answer cannot be read ({type(error).__name__})")
    if isinstance(error, OSError | TimeoutError | EOFError):
        return Retryable(f"the connection failed ({type(error).__name__})")
    return Bug(f"the connector raised {type(error).__name__}; this is a mistake in its code")


def of_status(status: int, headers: Mapping[str, str], host: str, now: datetime) -> OnethreadError:
    """What an HTTP status of 400 and above means."""
    reason = f"{host} answers {status}"
    if status in _UNAUTHORISED:
        return Unauthorised(f"{reason}: the access we hold is not, or no longer, enough")
    if status in _WORKS_LATER or status >= 500:
        return Retryable(reason, after=_wait(headers.get("retry-after", ""), now))
    return Refused(reason)


def _wait(text: str, now: datetime) -> float | None:
    """Seconds of a Retry-After header (RFC 9110 section 10.2.3): a number, or a date."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        return min(float(text), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
        seconds = ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def _rank(error: OnethreadError) -> int:
    return next(place for place, kind in enumerate(_RANK) if isinstance(error, kind))


def _host_of(error: httpx.HTTPError) -> str:
    request: Any = getattr(error, "_request", None)  # `error.request` raises where there is none
    return str(request.url.host) if request is not None else "the provider"
