"""Keys, scopes, limits, tenants: for every operation there is, taken from the OpenAPI document, so that new ones join by themselves."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from desk.said import Company, photo
from desk.site import READS, Site, opened

from onethread.state.api_keys import ApiKeys
from onethread.testing.servers.mongodb import MongoServer
from unifier.api.document import document
from unifier.api.guard import SCHEME
from unifier.reading import moment
from unifier.store.mongo import MongoConversations


class Operation(NamedTuple):
    method: str
    path: str
    spec: dict[str, Any]

    @property
    def scopes(self) -> list[str]:
        return [scope for each in self.spec["security"] for scope in each[SCHEME]]

    @property
    def parameters(self) -> list[dict[str, Any]]:
        return [one for one in self.spec.get("parameters", ()) if one["in"] in ("path", "query")]

    def url(self, ids: dict[str, str]) -> str:
        return re.sub(r"{(\w+)}", lambda found: ids[found[1]], self.path)

    def body(self, ids: dict[str, str]) -> Any:
        """A body that names what is asked for; a new operation with a body says here which."""
        if "requestBody" not in self.spec:
            return None
        return {"/v1/customers/lookup": {"items": [{"type": "email", "value": ids["address"]}]}}[self.path]


def operations() -> Iterator[Operation]:
    for path, methods in document()["paths"].items():
        for method, spec in methods.items():
            yield Operation(method.upper(), path, spec)


OPERATIONS = list(operations())
NAMES = [f"{one.method} {one.path}" for one in OPERATIONS]
WRONG_KEYS = [
    "otk_0000000000000000_0000000000000000000000000000000000000000000_00000000",
    "",
    "x",
    "otk_",
    "ünsigned",
]


async def _ask(client: httpx.AsyncClient, operation: Operation, ids: dict[str, str], **params: str) -> httpx.Response:
    body = operation.body(ids)
    return await client.request(operation.method, operation.url(ids), params=params, json=body)


class Known(NamedTuple):
    """What a tenant has: ids by the names of parameters, and texts that nobody else may ever read."""

    ids: dict[str, str]
    secrets: set[str]
    cursors: dict[str, str]


async def _company(site: Site, tenant: str) -> Known:
    """A company with one of everything, and a cursor of each of its lists."""
    company = Company(tenant)
    sha = await site.blobs.put(f"file of {tenant}".encode())
    file = photo(f"{tenant}.jpg", status="stored", sha256=sha)
    mail = company.mail("a1", 0, f"canary of {tenant}", attachments=[file], subject=f"subject of {tenant}")
    await site.tell(mail, company.mail("a2", 1, f"second canary of {tenant}", answers="a1"))
    other = company.chat("c1", 200, sender=company.mia_on_whatsapp())
    await site.tell(other)
    async with await site.desk(tenant) as desk:
        entry = (await desk.get(f"/v1/entries/{mail.id}")).json()
        ids = {
            "conversation_id": entry["conversation_id"],
            "entry_id": entry["id"],
            "customer_id": entry["sender"]["customer_id"],
            "attachment_id": entry["fact"]["attachments"][0]["id"],
            "channel_id": f"chn_{tenant}_email",
            "network": "email",
            "address": f"mia@{tenant}.example",
        }
        cursors = {}
        for operation in OPERATIONS:
            if any(one["name"] == "cursor" for one in operation.parameters):
                page = (await _ask(desk, operation, ids, limit="1")).json()
                assert page["has_more"], operation.path
                cursors[operation.path] = page["next_cursor"]
    secrets = {value for name, value in ids.items() if name != "network"} | {f"canary of {tenant}", f"{tenant}.jpg"}
    return Known(ids, secrets, cursors)


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
async def test_no_operation_answers_without_a_key_that_works(sqlite_site: Site, operation: Operation) -> None:
    ids = dict.fromkeys(("conversation_id", "entry_id", "customer_id", "attachment_id", "channel_id", "address"), "x")
    for key in [None, *WRONG_KEYS]:
        headers = [] if key is None else [(b"Authorization", f"Bearer {key}".encode())]
        async with sqlite_site.client() as client:
            client.headers.update(headers)
            answer = await _ask(client, operation, ids, nonsense="1")
        assert answer.status_code == 401, (operation.path, key)
        assert answer.json()["type"] == "/problems/unauthenticated"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert WRONG_KEYS[0] not in answer.text


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
async def test_no_operation_answers_a_key_without_its_scope(sqlite_site: Site, operation: Operation) -> None:
    ids = dict.fromkeys(("conversation_id", "entry_id", "customer_id", "attachment_id", "channel_id", "address"), "x")
    all_scopes = {scope for one in OPERATIONS for scope in one.scopes}
    async with await sqlite_site.desk("acme", "none", *sorted(all_scopes - set(operation.scopes))) as desk:
        answer = await _ask(desk, operation, ids)
    if operation.scopes:
        assert (answer.status_code, answer.json()["type"]) == (403, "/problems/insufficient-scope")
        assert answer.json()["missing_scope"] == operation.scopes[0]
    else:
        assert answer.status_code == 200


async def test_no_id_or_cursor_of_another_tenant_opens_anything(site: Site) -> None:
    """Every operation, every parameter that could name a thing, one at a time and all at once."""
    acme, other = await _company(site, "acme"), await _company(site, "other")
    scopes = sorted({scope for one in OPERATIONS for scope in one.scopes} | {*READS, "entries:raw"})
    tried = 0
    async with await site.desk("other", *scopes) as desk:
        for operation in OPERATIONS:
            plain = {"sort", "limit", "kind", "expand", "active_from", "active_until", "cursor"}
            named = {one["name"] for one in operation.parameters} - plain
            unknown = named - acme.ids.keys()
            assert not unknown, f"{operation.path}: say in `_company` what the parameters {unknown} name"
            in_path = {one["name"] for one in operation.parameters if one["in"] == "path"}
            for foreign in sorted(named):
                params = {} if foreign in in_path else {foreign: acme.ids[foreign]}
                answer = await _ask(desk, operation, {**other.ids, foreign: acme.ids[foreign]}, **params)
                tried += 1
                if foreign in in_path:
                    assert answer.status_code == 404, (operation.path, foreign)
                    unheard = await _ask(desk, operation, {**other.ids, foreign: "zzz_unheard"})
                    assert _without_names(answer) == _without_names(unheard)
                _assert_nothing_of(acme, answer, but=acme.ids[foreign])
            if "requestBody" in operation.spec:
                answer = await _ask(desk, operation, {**other.ids, "address": acme.ids["address"]})
                tried += 1
                _assert_nothing_of(acme, answer)
            if operation.path in acme.cursors:
                answer = await _ask(desk, operation, other.ids, limit="1", cursor=acme.cursors[operation.path])
                tried += 1
                assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-cursor")
                own = await _ask(desk, operation, other.ids, limit="1", cursor=other.cursors[operation.path])
                assert own.status_code == 200
            answer = await _ask(desk, operation, other.ids)
            assert answer.status_code == 200, operation.path
            _assert_nothing_of(acme, answer)
    assert tried >= 12


def _assert_nothing_of(known: Known, answer: httpx.Response, but: str = "") -> None:
    for secret in known.secrets - {but}:
        assert secret not in answer.text, answer.request.url
        assert secret not in str(answer.headers)


def _without_names(answer: httpx.Response) -> dict[str, Any]:
    problem: dict[str, Any] = answer.json()
    return {name: value for name, value in problem.items() if name not in ("instance", "request_id")}


async def test_a_revoked_or_expired_key_is_refused_within_a_minute(sqlite_site: Site) -> None:
    keys = ApiKeys(sqlite_site.state)
    text, key = await keys.create("acme", "one", READS, now=moment(sqlite_site.now))
    ends = moment(sqlite_site.now + 5_000)
    short, _ = await keys.create("acme", "two", READS, now=moment(sqlite_site.now), expires_at=ends)
    async with sqlite_site.client(text) as desk, sqlite_site.client(short) as brief:
        assert (await desk.get("/v1/me")).status_code == 200
        assert (await brief.get("/v1/me")).status_code == 200
        await keys.revoke("acme", key.id, moment(sqlite_site.now))
        sqlite_site.now += 5_000
        assert (await brief.get("/v1/me")).status_code == 401
        sqlite_site.now += 55_000
        assert (await desk.get("/v1/me")).status_code == 401


async def test_a_key_may_ask_600_times_a_minute(sqlite_site: Site) -> None:
    async with await sqlite_site.desk() as desk, await sqlite_site.desk() as another:
        first = await desk.get("/v1/me")
        assert first.headers["ratelimit-policy"] == '"read";q=600;w=60'
        assert first.headers["ratelimit"] == '"read";r=599;t=1'
        for _ in range(599):
            last = await desk.get("/v1/me")
        assert (last.status_code, last.headers["ratelimit"]) == (200, '"read";r=0;t=60')
        refused = await desk.get("/v1/me")
        assert (refused.status_code, refused.json()["type"]) == (429, "/problems/rate-limited")
        assert refused.headers["retry-after"] == "1"
        assert refused.headers["ratelimit"] == '"read";r=0;t=60'
        assert (await another.get("/v1/me")).status_code == 200
        sqlite_site.now += 1_000
        assert (await desk.get("/v1/me")).headers["ratelimit"] == '"read";r=9;t=60'


async def test_every_answer_names_its_request(sqlite_site: Site) -> None:
    async with await sqlite_site.desk() as desk, sqlite_site.client() as nobody:
        answers = [
            await desk.get("/v1/me"),
            await desk.get("/v1/nothing"),
            await desk.get("/v1/entries/evt_1"),
            await nobody.get("/v1/me"),
            await desk.delete("/v1/me"),
        ]
    ids = {answer.headers["request-id"] for answer in answers}
    assert len(ids) == len(answers)
    assert all(name.startswith("req_") for name in ids)
    assert [answer.status_code for answer in answers] == [200, 404, 404, 401, 405]
    for answer in answers[1:]:
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert set(problem) >= {"type", "title", "status", "detail", "instance", "request_id", "errors"}
        assert problem["request_id"] == answer.headers["request-id"]
        assert problem["status"] == answer.status_code


async def test_a_store_that_is_away_is_503_and_tells_nothing_of_itself(
    new_mongo_server: Callable[[], MongoServer], tmp_path: Path
) -> None:
    server = new_mongo_server()
    async with opened(MongoConversations(server.url, "api", deadline=1.0), tmp_path) as site, await site.desk() as desk:
        assert (await desk.get("/v1/conversations")).status_code == 200
        server.kill()
        answer = await desk.get("/v1/conversations")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert "mongo" not in answer.text


async def test_a_bug_of_ours_is_500_and_tells_nothing(sqlite_site: Site) -> None:
    async with await sqlite_site.desk() as desk:
        await desk.get("/v1/me")
        await sqlite_site.store.close()  # nobody may ask a closed store
        answer = await desk.get("/v1/conversations")
        await sqlite_site.store.open()
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    assert answer.headers["request-id"] == answer.json()["request_id"]
    assert {"sqlite", "RuntimeError", "Traceback"}.isdisjoint(answer.text.split())
