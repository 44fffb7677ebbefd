import random
from datetime import UTC, datetime

import httpx
import msgspec
import pytest
import websockets.exceptions

from onethread.errors import Misconfigured, OnethreadError, Poison, Rejected, Retryable, Unauthorised
from onethread.host.backoff import Backoff, Pace
from onethread.host.faults import Bug, Refused, Unreadable, of_status, translated

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
REQUEST = httpx.Request("GET", "https://api.example/botcanary/x?key=canary")


def status(code: int, **headers: str) -> httpx.HTTPStatusError:
    return httpx.HTTPStatusError("canary", request=REQUEST, response=httpx.Response(code, headers=headers))


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (status(401), Unauthorised), (status(403), Unauthorised), (status(408), Retryable), (status(425), Retryable),
        (status(429), Retryable), (status(500), Retryable), (status(599), Retryable), (status(400), Refused),
        (status(404), Refused), (status(410), Refused), (httpx.ConnectError("canary", request=REQUEST), Retryable),
        (httpx.ReadTimeout("canary"), Retryable), (httpx.RemoteProtocolError("canary"), Retryable),
        (httpx.TooManyRedirects("canary", request=REQUEST), Retryable), (httpx.UnsupportedProtocol("canary"), Bug),
        (httpx.InvalidURL("canary"), Bug), (OSError("canary"), Retryable), (TimeoutError(), Retryable),
        (EOFError(), Retryable), (websockets.exceptions.ConnectionClosedError(None, None), Retryable),
        (KeyError("canary"), Bug), (ValueError("canary"), Bug), (msgspec.ValidationError("canary"), Unreadable),
        (UnicodeDecodeError("ascii", b"canary", 0, 1, "canary"), Unreadable), (Poison("ours"), Poison),
        (Misconfigured("ours"), Misconfigured), (Rejected("ours"), Rejected),
    ],
)  # fmt: skip
def test_each_foreign_error_has_one_meaning_and_tells_no_secret(error: Exception, kind: type[OnethreadError]) -> None:
    ours = translated(error, NOW)
    assert type(ours) is kind
    assert "canary" not in str(ours)


def test_every_error_of_httpx_has_a_meaning() -> None:
    for name in httpx.__all__:
        kind = getattr(httpx, name)
        if isinstance(kind, type) and issubclass(kind, httpx.RequestError):
            assert isinstance(translated(kind("x"), NOW), Retryable)


def test_of_a_group_what_most_needs_a_person_counts() -> None:
    group = ExceptionGroup("x", [OSError(), ExceptionGroup("y", [status(401), ValueError()])])
    assert type(translated(group, NOW)) is Unauthorised
    assert type(translated(ExceptionGroup("x", [OSError(), ValueError()]), NOW)) is Bug
    assert type(translated(ExceptionGroup("x", [status(401), Misconfigured("m")]), NOW)) is Misconfigured


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ("7", 7), (" 0 ", 0), ("Sun, 01 Mar 2026 12:00:30 GMT", 30), ("Sun, 01 Mar 2026 11:00:00 GMT", 0), ("soon", None),
        ("-5", None), ("", None), ("999999999999", 86400), ("\u0667", None),
    ],
)  # fmt: skip
def test_the_providers_wait_is_read_in_both_forms(given: str, seconds: float | None) -> None:
    error = of_status(429, {"retry-after": given}, "api.example", NOW)
    assert isinstance(error, Retryable)
    assert error.after == seconds


def test_waits_double_up_to_the_longest_and_are_spread() -> None:
    backoff = Backoff(Pace(first=1.0, longest=60.0), random.Random(1))
    for attempt in range(20):
        assert 0 <= backoff.failed(Retryable("x")) <= min(60.0, 2.0**attempt)
    spread = {round(backoff.failed(Retryable("x"))) for _ in range(50)}
    assert len(spread) > 20
    backoff.worked()
    assert backoff.failed(Retryable("x")) <= 1.0


def test_the_providers_wait_is_never_cut_short_and_a_person_has_time() -> None:
    backoff = Backoff(Pace(), random.Random(1))
    assert all(30 <= backoff.failed(Retryable("x", after=30)) <= 33 for _ in range(50))
    assert backoff.failed(Misconfigured("x")) == 300.0
