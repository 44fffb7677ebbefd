"""Whatever is asked of the API: an answer, or a problem that says what was wrong with the question; never a 5xx."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from desk.said import Company
from desk.site import READS, Site, fresh, opened
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unifier.api.document import document

ASKED = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

OPERATIONS = [
    (method.upper(), path, spec) for path, methods in document()["paths"].items() for method, spec in methods.items()
]
ODD = st.sampled_from(
    [
        *("", " ", "\0", "..", "$ne", '{"$gt":""}', "[]", "null", "-1", "0", "1e9", "9" * 40, "NaN", "٣", "ﬀ", "\ud7ff", "%00"),
        *("2026-01-31T12:00:00Z", "9999-12-31T23:59:59+23:59", "0000-00-00", "cnv_", "cus_" + "a" * 64, "evt_" + "a" * 32),
        *("time", "seq", "active", "created", "message", "customer", "placement", "a" * 5000),
    ]
)  # fmt: skip
TEXT = ODD | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[tuple[Site, httpx.AsyncClient]]:
    async with opened(fresh("sqlite", tmp_path, lambda: ""), tmp_path) as site:
        company = Company("acme")
        await site.tell(company.mail("a1", 0, "words"), company.chat("c1", 200, sender=company.mia_on_whatsapp()))
        async with await site.desk("acme", *READS, "entries:raw") as client:
            yield site, client


@ASKED
@given(data=st.data())
async def test_no_question_is_an_error_of_ours(desk: tuple[Site, httpx.AsyncClient], data: st.DataObject) -> None:
    site, client = desk
    site.now += 60_000  # a key may ask so often a minute
    method, path, spec = data.draw(st.sampled_from(OPERATIONS))
    url = re.sub(r"{\w+}", lambda _: quote(data.draw(TEXT), safe=""), path)
    known = [one["name"] for one in spec.get("parameters", ()) if one["in"] == "query"]
    names = st.sampled_from(known) if known else st.nothing()
    params = data.draw(st.lists(st.tuples(names | st.just("nonsense"), TEXT), max_size=3))
    headers = data.draw(st.dictionaries(st.sampled_from(["if-none-match", "accept", "range"]), ASCII, max_size=2))
    content = data.draw(BODIES) if "requestBody" in spec else None
    if data.draw(st.integers(0, 4)):
        headers["content-type"] = "application/json"
    answer = await client.request(method, url, params=params, headers=headers, content=content)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["status"] == answer.status_code
        assert problem["type"].startswith("/problems/")


ASCII = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30) | st.sampled_from(
    ['"x"', "*", 'W/"', "bytes=0-", "bytes=" + "0-," * 500, "application/xml;q=0"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["items", "type", "value", "scope"]), inner),
    max_leaves=8,
)  # fmt: skip
BODIES: st.SearchStrategy[Any] = st.binary(max_size=50) | JSON.map(
    lambda one: httpx.Request("POST", "http://x", json=one).content
)
