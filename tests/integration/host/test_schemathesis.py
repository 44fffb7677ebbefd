"""Every entrance, asked by schemathesis: bodies of the shapes that are recorded, and against them. No 5xx, whatever is in them.

No provider gives a document of what it sends, so each connector's is made here, of its recorded deliveries: their fields, at
every depth, with the words that were seen in them. Each request is signed anew where the test kit knows how.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, cast
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import httpx
import msgspec
import pytest
import requests
from hostkit import HOOK, Kit, channel
from hypothesis import HealthCheck, Phase, given, settings
from recorded_requests import ENTRANCES, SEALED, asked, of
from schemathesis import openapi

from onethread.connector import Connector, Host, Request
from onethread.errors import OnethreadError
from onethread.host.channel import Channel
from onethread.host.webhook import WebhookApp
from onethread.testing.fixtures import Case, cases, with_keys
from onethread.testing.serving import Loopback
from onethread.testing.signing import signed_anew
from onethread.testing.weixin_server import xml

ASKED = settings(
    max_examples=40, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
)
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


def shape(samples: list[Any]) -> dict[str, Any]:
    """A JSON Schema of these: what was seen at each place, and anything of its kind."""
    parts: list[dict[str, Any]] = []
    objects = [one for one in samples if isinstance(one, dict)]
    if objects:
        names = sorted({name for one in objects for name in one})
        fields = {name: shape([one[name] for one in objects if name in one]) for name in names}
        needed = [name for name in names if all(name in one for one in objects)]
        parts.append({"type": "object", "properties": fields, "required": needed})
    lists = [one for one in samples if isinstance(one, list)]
    if lists:
        parts.append({"type": "array", "items": shape([each for one in lists for each in one]), "maxItems": 3})
    plain = [one for one in samples if not isinstance(one, dict | list)]
    if plain:
        seen = list({json.dumps(one): one for one in plain}.values())
        if len(seen) == 1 and len(plain) > 2:  # whatever the delivery is, as its address of the provider
            return {"const": seen[0]}
        kinds = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
        parts += [{"enum": seen}, {"type": sorted({kinds[type(one)] for one in plain})}]
    return parts[0] if len(parts) == 1 else {"anyOf": parts} if parts else {}


def bodies(kind: type[Connector[Any]]) -> Iterator[tuple[str, Any]]:
    """Media type and value of each recorded delivery."""
    for body in (*(asked(case).body for case in of(kind)), *_records(kind)):
        with suppress(ValueError, ET.ParseError):
            if body.startswith(b"{"):
                yield JSON, json.loads(body)
            elif body.startswith(b"<"):
                yield JSON, {part.tag: part.text or "" for part in ET.fromstring(body)}
            elif pairs := parse_qsl(body.decode("latin-1")):
                yield FORM, dict(pairs)


def _records(kind: type[Connector[Any]]) -> Iterator[bytes]:
    """Recorded records, where a delivery is one as it is, or is one that was sealed."""
    for case in of(kind) if kind.name not in SEALED else ():
        connector: Any = case.instance()
        with suppress(OnethreadError, msgspec.MsgspecError):
            if [getattr(part, "data", b"") for part in connector.unpack(asked(case))] != [asked(case).body]:
                return
    for case in cases(kind):
        if case.input().raw is not None:
            yield case.input().raw.record().data


def operation(kind: type[Connector[Any]]) -> Any:
    """The connector's entrance, as OpenAPI would describe it."""
    found = list(bodies(kind))
    content = {media: {"schema": shape([value for given, value in found if given == media])} for media, _ in found}
    post = {"requestBody": {"required": True, "content": content}, "responses": {"default": {"description": "any"}}}
    paths = {f"/hooks/chn_case/{HOOK}": {"post": post}}
    document = {"openapi": "3.1.0", "info": {"title": kind.name, "version": "1"}, "paths": paths}
    (made,) = openapi.from_dict(document).get_all_operations()
    return made.ok()


@pytest.mark.parametrize("kind", ENTRANCES, ids=lambda kind: kind.name)
async def test_no_body_is_an_error_of_ours(kit: Kit, kind: type[Connector[Any]]) -> None:
    case = of(kind)[0]
    recorded = asked(case)
    kit.channels.add(channel(with_keys(case.instance(), dict(recorded.keys)), id="chn_case"))
    kit.clock.time = recorded.arrived_at

    async def wake(_to: Channel, _what: Any) -> None:
        return

    where = "https://hooks.example"
    app = WebhookApp(kit.ingest, public_url=where, lend=_nobody, wake=wake, standing=kit.standing)
    async with Loopback(app) as served:
        answers = await asyncio.to_thread(_ask, operation(kind), case, served.url)
    await app.stop()
    assert answers.keys() <= {200, 400, 401}
    assert answers[200] > sum(answers.values()) / 2, (
        "most were not let in: nothing was tried of what is behind the signature"
    )


def _ask(entrance: Any, case: Case, url: str) -> Counter[int]:
    """Its client blocks: beside the loop that answers. Returns how often each status was answered."""
    answers: Counter[int] = Counter()
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:

        @ASKED
        @given(made=entrance.as_strategy())
        def ask(made: Any) -> None:
            request = requests.Request(**made.as_transport_kwargs(base_url=url)).prepare()
            sent = _signed(case, _content(request.body))
            kind = {"content-type": request.headers.get("content-type", JSON)}
            answer = client.post(
                request.path_url, params=sent.query, headers={**sent.headers, **kind}, content=sent.body
            )
            answers[answer.status_code] += 1
            assert answer.status_code < 500, answer.text

        ask()
    return answers


def _content(body: bytes | str | None) -> bytes:
    return body if isinstance(body, bytes) else (body or "").encode("utf-8", "replace")


def _signed(case: Case, body: bytes) -> Request:
    recorded, ours = asked(case), case.instance().settings
    server = SEALED.get(case.connector.name)
    if server is None:
        sent, _ = signed_anew(recorded, ours, ours, recorded.arrived_at, body)
    else:
        server.now = recorded.arrived_at.timestamp
        query, sealed = server._delivery(_as_xml(json.loads(body)))
        sent = msgspec.structs.replace(recorded, query=query, body=sealed.encode())
    dropped = {"content-type", "content-length", "host"}
    headers = {name: value for name, value in sent.headers.items() if name.lower() not in dropped}
    return msgspec.structs.replace(sent, headers=headers)


def _as_xml(document: Any) -> str:
    """Whatever it is, as the provider would write it: names that are none in XML are written all the same."""
    if not isinstance(document, dict):
        return json.dumps(document)
    return xml(**{name: value if isinstance(value, str) else json.dumps(value) for name, value in document.items()})


def _nobody(channel: Channel) -> Host:
    return cast("Host", channel)  # nobody asks it: the keys are recorded
