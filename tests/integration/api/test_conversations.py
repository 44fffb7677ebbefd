"""GET /v1/conversations/{id}: one conversation over its channels, by any id it ever had."""

from desk.said import Company
from desk.site import READS, START, Site

from unifier.model import Entry, scoped

CONVERSATION = {
    *("id", "version", "customer_id", "subject", "place_kinds", "strands", "networks", "channel_ids", "participants"),
    *("status", "snoozed_until", "priority", "assignee", "desk", "message_count", "labels", "created_at"),
    *("last_active_at", "waiting_since"),
}


async def _mail_then_chat(site: Site, acme: Company) -> tuple[str, str]:
    """Two conversations that become one, when the chat tells whose it is; the ids of both strands, eldest first."""
    await site.tell(acme.mail("a1", 0))
    await site.tell(acme.chat("c1", 120, "It broke again"))
    async with await site.desk() as desk:
        items = (await desk.get("/v1/conversations", params={"sort": "created"})).json()["items"]
        eldest, younger = (item["id"] for item in items)
    await site.tell(acme.chat("c2", 121, "Still me", sender=acme.mia_on_whatsapp(acme.her_mail())))
    return eldest, younger


async def test_a_customer_who_mails_and_then_chats_has_one_conversation(site: Site, acme: Company) -> None:
    eldest, younger = await _mail_then_chat(site, acme)
    async with await site.desk() as desk:
        answer = await desk.get(f"/v1/conversations/{eldest}")
    assert answer.status_code == 200
    found = answer.json()
    assert set(found) == CONVERSATION
    assert found["id"] == eldest
    assert [strand["id"] for strand in found["strands"]] == [eldest, younger]
    assert found["strands"][0]["last_seq"] == 1
    assert found["networks"] == ["email", "whatsapp"]
    assert found["channel_ids"] == ["chn_acme_email", "chn_acme_whatsapp"]
    assert found["place_kinds"] == ["mailbox", "direct"]
    assert found["subject"] == "Kettle"
    assert found["message_count"] == 3
    assert found["created_at"] == "2026-01-05T08:00:00.000Z"
    assert found["last_active_at"] == "2026-01-05T10:01:00.000Z"
    assert found["waiting_since"] == "2026-01-05T08:00:00.000Z"
    assert found["customer_id"].startswith("cus_")
    assert {one["customer_id"] for one in found["participants"]} == {found["customer_id"]}
    assert (found["assignee"], found["labels"], found["status"]) == (None, {}, "open")


async def test_a_joined_id_answers_with_the_survivor_and_says_where_it_is(site: Site, acme: Company) -> None:
    eldest, younger = await _mail_then_chat(site, acme)
    async with await site.desk() as desk:
        answer = await desk.get(f"/v1/conversations/{younger}")
        entries = await desk.get(f"/v1/conversations/{younger}/entries")
        itself = await desk.get(f"/v1/conversations/{eldest}")
    assert answer.status_code == 200
    assert answer.json()["id"] == eldest
    assert answer.headers["content-location"] == f"/v1/conversations/{eldest}"
    assert {entry["conversation_id"] for entry in entries.json()["items"]} == {eldest}
    assert entries.headers["content-location"] == f"/v1/conversations/{eldest}/entries"
    assert "content-location" not in itself.headers


async def test_after_the_join_is_undone_the_old_id_is_itself_again(site: Site, acme: Company) -> None:
    mail, chat = acme.mail("a1", 0), acme.chat("c1", 60)
    await site.tell(mail, chat)
    await site.tell(acme.link(mail, chat, "together", 100))
    async with await site.desk() as desk:
        joined = (await desk.get("/v1/conversations")).json()["items"]
        assert len(joined) == 1
        eldest, younger = (strand["id"] for strand in joined[0]["strands"])
        await site.tell(acme.link(mail, chat, "apart", 101))
        again = await desk.get(f"/v1/conversations/{younger}")
        listed = (await desk.get("/v1/conversations")).json()["items"]
    assert again.json()["id"] == younger
    assert [item["id"] for item in listed] == [younger, eldest]


async def test_an_id_named_after_any_of_its_messages_leads_to_the_conversation(site: Site, acme: Company) -> None:
    first, second = acme.mail("a1", 0), acme.mail("a2", 5, answers="a1")
    await site.tell(first, second)
    unborn = f"cnv_{0:014d}{second.id.removeprefix('evt_')}"
    async with await site.desk() as desk:
        (listed,) = (await desk.get("/v1/conversations")).json()["items"]
        answer = await desk.get(f"/v1/conversations/{unborn}")
    assert answer.status_code == 200
    assert answer.json()["id"] == listed["id"]
    assert answer.headers["content-location"] == f"/v1/conversations/{listed['id']}"


async def test_a_message_is_read_though_its_worker_died_before_it_summed_up(site: Site, acme: Company) -> None:
    mail, answer = acme.mail("a1", 0), acme.mail("a2", 5, answers="a1")
    lost = f"cnv_{START:014d}{mail.id.removeprefix('evt_')}"
    for seq, event in enumerate((mail, answer), start=1):
        line = Entry(
            id=scoped("acme", event.id),
            strand=scoped("acme", lost),
            seq=seq,
            kind="message",
            at=START + seq,
            event=event,
        )
        await site.store.insert([line])
    async with await site.desk() as desk:
        found = await desk.get(f"/v1/conversations/{lost}")
        entries = (await desk.get(f"/v1/conversations/{lost}/entries")).json()["items"]
    assert (found.json()["id"], found.json()["message_count"]) == (lost, 2)
    assert [entry["id"] for entry in entries] == [answer.id, mail.id]
    await site.tell(mail, answer)  # the redelivery ends what the crash left


async def test_the_etag_holds_until_something_happens(site: Site, acme: Company) -> None:
    await site.tell(acme.mail("a1", 0))
    async with await site.desk() as desk:
        (listed,) = (await desk.get("/v1/conversations")).json()["items"]
        path = f"/v1/conversations/{listed['id']}"
        first = await desk.get(path)
        assert first.headers["etag"] == f'"{first.json()["version"]}"'
        asked = {"If-None-Match": f'"else", W/{first.headers["etag"]}'}
        same = await desk.get(path, headers=asked)
        await site.tell(acme.mail("a2", 5, answers="a1"))
        changed = await desk.get(path, headers=asked)
        expanded = await desk.get(path, params={"expand": "last_entry"}, headers=asked)
    assert (same.status_code, same.content) == (304, b"")
    assert same.headers["etag"] == first.headers["etag"]
    assert changed.status_code == 200
    assert changed.headers["etag"] != first.headers["etag"]
    assert expanded.status_code == 200
    assert "etag" not in expanded.headers


async def test_an_answer_on_one_channel_ends_the_waiting_on_all(site: Site, acme: Company) -> None:
    whole = acme.mia_on_whatsapp(acme.her_mail())
    await site.tell(acme.mail("a1", 0), acme.chat("c1", 10, sender=whole))
    async with await site.desk() as desk:

        async def waiting() -> str | None:
            (item,) = (await desk.get("/v1/conversations")).json()["items"]
            since: str | None = item["waiting_since"]
            return since

        assert await waiting() == "2026-01-05T08:00:00.000Z"
        await site.tell(acme.chat("c2", 20, direction="outbound", recipients=(acme.mia_on_whatsapp(),)))
        assert await waiting() is None
        await site.tell(acme.mail("a2", 30, answers="a1"))
        assert await waiting() == "2026-01-05T08:30:00.000Z"


async def test_expand_brings_customer_and_last_entry_along(site: Site, acme: Company) -> None:
    eldest, _ = await _mail_then_chat(site, acme)
    async with await site.desk() as desk:
        params = {"expand": "customer,last_entry"}
        one = (await desk.get(f"/v1/conversations/{eldest}", params=params)).json()
        (listed,) = (await desk.get("/v1/conversations", params=params)).json()["items"]
    for found in (one, listed):
        assert set(found) == {*CONVERSATION, "customer", "last_entry"}
        assert found["customer"]["id"] == found["customer_id"]
        assert found["last_entry"]["summary"] == "Still me"
    async with await site.desk("acme", "conversations:read") as desk:
        refused = await desk.get("/v1/conversations", params={"expand": "customer"})
    assert refused.status_code == 403
    assert refused.json()["missing_scope"] == "customers:read"
    assert "customers:read" in READS


async def test_the_last_entry_is_found_behind_a_flood_of_receipts(site: Site, acme: Company) -> None:
    mail = acme.mail("a1", 0, "the last words")
    await site.tell(mail)
    await site.tell(*(acme.react(mail, 1 + number, f"r{number}") for number in range(25)))
    async with await site.desk() as desk:
        (listed,) = (await desk.get("/v1/conversations", params={"expand": "last_entry"})).json()["items"]
    assert listed["last_entry"]["summary"] == "the last words"


async def test_what_is_no_id_of_a_conversation_is_not_found(site: Site, acme: Company) -> None:
    await site.tell(acme.mail("a1", 0))
    async with await site.desk() as desk:
        for given in ("cnv_", "cnv_x", "evt_x", "cnv_" + "a" * 100, "CNV_A", "acme%2Fcnv_1", "cnv_1%00", "..", "$ne"):
            answer = await desk.get(f"/v1/conversations/{given}")
            assert answer.status_code == 404, given
            assert answer.json()["type"] == "/problems/not-found"
