"""GET /v1/customers/{id} and POST /v1/customers/lookup."""

from typing import Any

from desk.said import Company, party
from desk.site import Site

from onethread.event import Claim

CUSTOMER = {"id", "version", "former_ids", "name", "locale", "since", "identities", "suggestions", "links"}


async def _known_by(site: Site, kind: str, value: str) -> dict[str, Any] | None:
    async with await site.desk() as desk:
        answer = await desk.post("/v1/customers/lookup", json={"items": [{"type": kind, "value": value}]})
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["items"]
    customer: dict[str, Any] | None = found
    return customer


async def test_a_merged_customer_answers_under_both_ids_with_evidence(site: Site, acme: Company) -> None:
    await site.tell(acme.mail("a1", 0))
    await site.tell(acme.chat("c1", 10))
    mail, phone = await _known_by(site, "email", "MIA@acme.example"), await _known_by(site, "phone", "+1 555 0123")
    assert mail is not None
    assert phone is not None
    assert mail["id"] != phone["id"]
    await site.tell(acme.chat("c2", 20, sender=acme.mia_on_whatsapp(acme.her_mail())))
    async with await site.desk() as desk:
        new, old = await desk.get(f"/v1/customers/{mail['id']}"), await desk.get(f"/v1/customers/{phone['id']}")
    found = new.json()
    assert set(found) == CUSTOMER
    assert old.json() == found
    assert old.headers["content-location"] == f"/v1/customers/{mail['id']}"
    assert found["former_ids"] == [phone["id"]]
    assert (found["name"], found["since"], found["suggestions"]) == ("Mia Lang", "2026-01-05T08:00:00.000Z", 0)
    assert [(one["type"], one["value"], one["strength"]) for one in found["identities"]] == [
        ("email", "mia@acme.example", "verified"),
        ("phone", "+15550123", "verified"),
    ]
    assert {one["by"] for one in found["identities"][0]["evidence"]} == {"dmarc", "own_contact"}
    (link,) = found["links"]
    assert sorted(link["ends"]) == sorted(one["id"] for one in found["identities"])
    assert (link["state"], [one["by"] for one in link["evidence"]]) == ("auto", ["own_contact"])


async def test_a_claim_that_nobody_proved_is_a_suggestion(site: Site, acme: Company) -> None:
    await site.tell(acme.mail("a1", 0))
    await site.tell(acme.chat("c1", 10, sender=acme.mia_on_whatsapp(acme.her_mail("profile"))))
    mail, phone = await _known_by(site, "email", "mia@acme.example"), await _known_by(site, "phone", "+15550123")
    assert mail is not None
    assert phone is not None
    assert mail["id"] != phone["id"]
    assert (mail["suggestions"], phone["suggestions"]) == (1, 1)


async def test_the_etag_of_a_customer_changes_with_what_is_known(site: Site, acme: Company) -> None:
    await site.tell(acme.mail("a1", 0))
    known = await _known_by(site, "email", "mia@acme.example")
    assert known is not None
    async with await site.desk() as desk:
        path = f"/v1/customers/{known['id']}"
        first = await desk.get(path)
        assert first.headers["etag"] == f'"{known["version"]}"'
        asked = {"If-None-Match": first.headers["etag"]}
        assert (await desk.get(path, headers=asked)).status_code == 304
        await site.tell(acme.mail("a2", 5, sender=acme.mia(name="Mia Long"), answers="a1"))
        assert (await desk.get(path, headers=asked)).json()["name"] == "Mia Long"


async def test_lookup_answers_in_the_order_asked_with_null_for_strangers(site: Site, acme: Company) -> None:
    page = party(Claim("facebook_user", "77", scope="page-1"), name="Ann")
    await site.tell(acme.mail("a1", 0), acme.chat("c1", 1, sender=page, thread="t"))
    asked = [
        {"type": "email", "value": "nobody@acme.example"},
        {"type": "email", "value": "Mia@ACME.example"},
        {"type": "facebook_user", "value": "77", "scope": "page-1"},
        {"type": "facebook_user", "value": "77", "scope": "page-2"},
        {"type": "email", "value": "no address"},
        {"type": "idn", "value": "idn_x"},
    ]
    async with await site.desk() as desk:
        items = (await desk.post("/v1/customers/lookup", json={"items": asked})).json()["items"]
    assert [item and item["name"] for item in items] == [None, "Mia Lang", "Ann", None, None, None]


async def test_lookup_says_what_is_wrong_with_a_body(sqlite_site: Site) -> None:
    one = {"type": "email", "value": "a@example.com"}
    wrong: list[tuple[Any, int, str, str]] = [
        ({"items": [{**one, "valeu": "x"}]}, 422, "invalid-fields", "/items/0/valeu"),
        ({"items": [{**one, "type": 5}]}, 422, "invalid-fields", "/items/0/type"),
        ({"items": [{"type": "email", "value": {"$ne": ""}}]}, 422, "invalid-fields", "/items/0/value"),
        ({"items": []}, 422, "invalid-fields", "/items"),
        ({"items": [one] * 101}, 422, "invalid-fields", "/items"),
        ({"items": [one], "tenant": "other"}, 422, "invalid-fields", "/tenant"),
        ([one], 422, "invalid-fields", ""),
    ]
    async with await sqlite_site.desk() as desk:
        for body, status, slug, pointer in wrong:
            answer = await desk.post("/v1/customers/lookup", json=body)
            problem = answer.json()
            assert (answer.status_code, problem["type"]) == (status, f"/problems/{slug}"), body
            assert [error["pointer"] for error in problem["errors"]] == [pointer], body
        json = {"Content-Type": "application/json"}
        broken = await desk.post("/v1/customers/lookup", content=b'{"items": [', headers=json)
        deep = await desk.post("/v1/customers/lookup", content=b"[" * 100_000, headers=json)
        large = await desk.post("/v1/customers/lookup", content=b" " * (1 << 20) + b"{}", headers=json)
        form = await desk.post("/v1/customers/lookup", data={"type": "email"})
        none = await desk.post("/v1/customers/lookup")
    assert (broken.status_code, broken.json()["type"]) == (400, "/problems/malformed-request")
    assert (deep.status_code, deep.json()["type"]) == (400, "/problems/malformed-request")
    assert (large.status_code, large.json()["type"]) == (413, "/problems/too-large")
    assert (form.status_code, form.json()["type"]) == (415, "/problems/unsupported-media-type")
    assert none.status_code == 415


async def test_a_body_without_a_declared_length_is_bounded_too(sqlite_site: Site) -> None:
    async def endless() -> Any:
        for _ in range(40):
            yield b" " * 65536

    async with await sqlite_site.desk() as desk:
        answer = await desk.post(
            "/v1/customers/lookup", content=endless(), headers={"Content-Type": "application/json"}
        )
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")


async def test_an_unknown_customer_is_not_found(site: Site, acme: Company) -> None:
    await site.tell(acme.mail("a1", 0))
    async with await site.desk() as desk:
        for given in ("cus_", "cus_x", "idn_x", "cus_" + "a" * 90):
            assert (await desk.get(f"/v1/customers/{given}")).status_code == 404
