"""Whatever a stranger, or a provider gone mad, sends to an entrance: an answer of the 2xx or 4xx kind, never a crash.

What is authentic is stored or set aside; what is not stores nothing.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hostkit import HOOK, Kit, acme, channel, item, signature
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from im_ingest.connectors.telegram.connector import Telegram
from onethread.connector import Host
from onethread.host.channel import Channel
from onethread.host.webhook import WebhookApp
from onethread.log.topics import DEAD_LETTERS, MESSAGES
from onethread.testing.fixtures import cases, records
from onethread.testing.mutations import DEEP, WRONG

HAPPENS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(list(WRONG.values())),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)
"""JSON of any shape."""

CASES = cases(Telegram)
UPDATES = [
    json.loads(raw.data)
    for case in CASES
    for raw in records(case.instance(), case.input())
    if raw.data.startswith(b"{") and raw.data.endswith(b"}")
]


@st.composite
def damaged(draw: st.DrawFn, wholes: list[Any]) -> bytes:
    """A body like one of these, with a few things changed at any depth; or bytes of any kind."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.binary(max_size=200) | st.sampled_from([DEEP, b"", b"null", b"\xff\xfe", b"[" * 100_000]))
    whole = json.loads(json.dumps(draw(st.sampled_from(wholes))))
    for _ in range(draw(st.integers(1, 3))):
        whole = _changed(draw, whole)
    return json.dumps(whole).encode()


def _changed(draw: st.DrawFn, node: Any) -> Any:
    inner = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    if not inner or draw(st.integers(0, 3)) == 0:
        return draw(anything)
    key = draw(st.sampled_from(inner))
    if isinstance(node, dict) and draw(st.booleans()):
        node = {**node, draw(st.text(max_size=8)): node[key]}
    node[key] = _changed(draw, node[key])
    return node


@pytest.fixture
async def client(kit: Kit) -> AsyncIterator[httpx.AsyncClient]:
    kit.channels.add(channel(acme(), id="chn_acme"))
    kit.channels.add(channel(CASES[0].instance(), id="chn_bot"))

    async def wake(to: Channel, what: Any) -> None:
        raise AssertionError(f"{to.id} wakes nothing, but said {what}")

    app = WebhookApp(kit.ingest, public_url="https://hooks.example", lend=_nobody, wake=wake, standing=kit.standing)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://hooks.example") as found:
        yield found
    await app.stop()


def _nobody(channel: Channel) -> Host:
    raise AssertionError(f"{channel.id} fetches no keys")


async def _count(kit: Kit, topic: str) -> int:
    return sum(extent.end for extent in (await kit.log.extents(topic)).values())


@HAPPENS
@given(content=damaged([{"items": [item("m1"), item("m2", type="edit")]}]))
async def test_an_authentic_body_of_any_shape_is_stored_or_set_aside(
    kit: Kit, client: httpx.AsyncClient, content: bytes
) -> None:
    answer = await client.post(f"/hooks/chn_acme/{HOOK}", content=content, headers=signature(content))
    assert answer.status_code == 200, answer.text


@HAPPENS
@given(content=damaged(UPDATES))
async def test_an_update_of_any_shape_is_stored_or_set_aside(
    kit: Kit, client: httpx.AsyncClient, content: bytes
) -> None:
    before = await _count(kit, MESSAGES) + await _count(kit, DEAD_LETTERS)
    headers = {"x-telegram-bot-api-secret-token": "hook-secret_1"}
    answer = await client.post(f"/hooks/chn_bot/{HOOK}", content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    if not content.lstrip().startswith(b"{"):  # no update at all
        assert await _count(kit, MESSAGES) + await _count(kit, DEAD_LETTERS) == before + 1


@HAPPENS
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"]),
    path=st.sampled_from([f"/hooks/chn_acme/{HOOK}", f"/hooks/chn_bot/{HOOK}", "/hooks/", "/"]),
    rest=st.text(max_size=30) | st.sampled_from(["/..", "/%2e%2e/", "//", "/%00", "/%ff", "?a=1&a=2&=&%ff=%fe", "/" * 500]),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "x-acme-signature", "x-telegram-bot-api-secret-token", "content-length", "accept"]),
        st.binary(max_size=60),
        max_size=4,
    ),
    content=st.binary(max_size=100),
)  # fmt: skip
async def test_a_request_of_any_kind_that_proves_nothing_is_refused_and_stores_nothing(
    kit: Kit, client: httpx.AsyncClient, method: str, path: str, rest: str, headers: dict[str, bytes], content: bytes
) -> None:
    try:
        request = client.build_request(method, path + rest, headers=headers, content=content)
    except (httpx.InvalidURL, UnicodeError):
        return
    answer = await client.send(request)
    assert 200 <= answer.status_code < 500
    assert answer.status_code != 200 or method == "GET"
    assert await _count(kit, MESSAGES) == await _count(kit, DEAD_LETTERS) == 0
