"""What is answered is what the OpenAPI document says, and what it costs does not grow with a page."""

from typing import Any

import pytest
from desk.said import Company, photo
from desk.site import Site, fresh, opened
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it has no types

from onethread.event import Claim, Party
from unifier.api.document import document


class Counting:
    """A store that counts what it is asked."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return getattr(self._store, name)


def _wrong(path: str, status: str, body: Any) -> list[str]:
    """What of a body is not as the document says."""
    whole = document()
    answer = whole["paths"][path]["get"]["responses"][status]
    if "$ref" in answer:
        answer = whole["components"]["responses"]["Problem"]
    ((_, content),) = answer["content"].items()
    schema = {**content["schema"], "components": whole["components"]}
    validator = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(body)]


async def test_every_answer_is_as_documented(site: Site, acme: Company) -> None:
    mail = acme.mail("a1", 0, html="<p>Hi</p>", attachments=[photo()])
    answer = acme.answer("out", 3, answers="a1")
    chat = acme.chat("c1", 10, sender=acme.mia_on_whatsapp(acme.her_mail()))
    await site.tell(
        mail, answer, acme.receipt(answer, 4, "read"), acme.react(mail, 5, "👍"), acme.edit(mail, 6, "Hello")
    )
    await site.tell(chat)
    await site.tell(acme.move([answer], None, 20))
    async with await site.desk() as desk:
        listed = (await desk.get("/v1/conversations", params={"expand": "customer,last_entry"})).json()
        item = listed["items"][0]
        bodies = [
            ("/v1/conversations", listed),
            ("/v1/conversations/{conversation_id}", (await desk.get(f"/v1/conversations/{item['id']}")).json()),
            ("/v1/customers/{customer_id}", (await desk.get(f"/v1/customers/{item['customer_id']}")).json()),
            ("/v1/channels", (await desk.get("/v1/channels")).json()),
            ("/v1/channels/{channel_id}", (await desk.get("/v1/channels/chn_acme_email")).json()),
            ("/v1/me", (await desk.get("/v1/me")).json()),
        ]
        path = "/v1/conversations/{conversation_id}/entries"
        for one in listed["items"]:
            for params in ({"sort": "seq"}, {"expand": "placement", "limit": "200"}):
                page = (await desk.get(path.format(conversation_id=one["id"]), params=params)).json()
                bodies.append((path, page))
                for entry in page["items"]:
                    detail = (await desk.get(f"/v1/entries/{entry['id']}")).json()
                    bodies.append(("/v1/entries/{entry_id}", detail))
        problem = (await desk.get("/v1/entries/evt_none")).json()
    assert len(bodies) > 15
    for documented, body in bodies:
        assert _wrong(documented, "200", body) == [], documented
    assert _wrong("/v1/me", "default", problem) == []


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/v1/conversations", {"expand": "customer,last_entry"}),
        ("/v1/conversations", {"sort": "created"}),
        ("/v1/conversations/{id}/entries", {"expand": "placement"}),
        ("/v1/conversations/{id}/entries", {"sort": "seq"}),
    ],
)
async def test_a_page_of_forty_costs_as_many_queries_as_a_page_of_two(
    tmp_path: Any, acme: Company, path: str, params: dict[str, str]
) -> None:
    store = Counting(fresh("sqlite", tmp_path, lambda: ""))
    async with opened(store.__dict__["_store"], tmp_path) as plain:
        people = [Party(claims=(Claim("phone", f"+15550200{n:02d}", evidence="network_phone"),)) for n in range(45)]
        await plain.tell(*(acme.chat(f"c{n}", n, sender=who, thread=f"t{n}") for n, who in enumerate(people)))
        await plain.tell(*(acme.mail(f"a{n}", 100 + n, answers="a0" if n else None) for n in range(45)))
        site = Site(store, plain.log, plain.state, plain.blobs)  # type: ignore[arg-type]  # it answers as its store does
        async with await site.desk() as desk:
            (mail,) = (await desk.get("/v1/conversations", params={"network": "email"})).json()["items"]
            asked = []
            for limit in (2, 40):
                store.asked.clear()
                answer = await desk.get(path.format(id=mail["id"]), params={**params, "limit": str(limit)})
                assert len(answer.json()["items"]) == limit
                asked.append(list(store.asked))
    assert asked[0] == asked[1]
    assert len(asked[1]) <= 10
