"""What refusals of the Graph API mean, and who may see the token."""

from typing import Any

import pytest

from im_ingest.graph_api import DEFAULT_URL, GraphApi, GraphError, Refusal, failure
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable


@pytest.mark.parametrize(
    ("status", "refusal", "error", "words"),
    [
        (
            401,
            {"code": 190, "message": "Invalid token."},
            Misconfigured,
            "Invalid token. Make a new `access_token`, at Users.",
        ),
        (401, {}, Misconfigured, "no message. Make a new `access_token`, at Users."),
        (403, {"code": 10}, Misconfigured, "with that permission too, at Users."),
        (403, {"code": 200}, Misconfigured, "with that permission too, at Users."),
        (400, {"code": 4}, Retryable, "code 4"),
        (400, {"code": 80007}, Retryable, "80007"),
        (429, {}, Retryable, "429"),
        (500, {"code": 2}, Retryable, "500"),
        (502, {}, Retryable, "no message"),
        (400, {"code": 100, "is_transient": True}, Retryable, "code 100"),
        (400, {"code": 100, "error_subcode": 33}, Poison, "code 100"),
        (404, {}, Poison, "404"),
    ],
)
def test_a_refusal_is_translated(status: int, refusal: dict[str, Any], error: type[OnethreadError], words: str) -> None:
    made = failure("GET 65463453", status, Refusal(**refusal), "Users")
    assert isinstance(made, error)
    assert words in str(made)


def test_a_refusal_for_good_keeps_its_codes() -> None:
    made = failure("GET 1", 400, Refusal(code=100, error_subcode=2018218), "Users")
    assert isinstance(made, GraphError)
    assert (made.code, made.subcode) == (100, 2018218)


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1", True),
        ("https://graph.facebook.com/1", True),
        ("https://scontent.xx.fbcdn.net/v/1", True),
        ("http://lookaside.fbsbx.com/1", False),
        ("https://fbsbx.com.example.com/1", False),
        ("https://evilfbsbx.com/1", False),
        ("https://user@example.com/.fbsbx.com", False),
        ("https://127.0.0.1/1", False),
        ("", False),
    ],
)
def test_only_meta_sees_the_token(url: str, *, trusted: bool) -> None:
    class Lent:
        http: Any = None

    assert GraphApi(Lent(), DEFAULT_URL, "token", "Users").trusts(url) is trusted  # type: ignore[arg-type]
