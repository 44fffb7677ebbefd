"""GET /v1/entries/{id} and what a timeline shows of a message that was edited, deleted, reacted to."""

from typing import Any

import pytest
from desk.said import Company, photo
from desk.site import READS, Site

from onethread.event import (
    Claim,
    Contact,
    Failure,
    Location,
    Message,
    MessageHidden,
    MessageRestored,
    Party,
    Place,
    Quote,
    SessionStarted,
    Unknown,
)

OUTER = {
    *("id", "kind", "conversation_id", "strand", "seq", "channel_id", "network", "direction", "echo", "history"),
    *("target", "moved", "reply_id", "place", "sender", "recipients", "sent_at", "received_at", "ingested_at"),
    *("summary", "fact", "state"),
}


async def _entry(site: Site, entry_id: str, *scopes: str) -> dict[str, Any]:
    async with await site.desk("acme", *scopes) as desk:
        answer = await desk.get(f"/v1/entries/{entry_id}")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_message_has_every_documented_field(site: Site, acme: Company) -> None:
    chat = acme.chat("c1", 1, "It broke  again\n\n", attachments=[photo(size_bytes=48211, width=800, height=600)])
    await site.tell(chat)
    found = await _entry(site, chat.id)
    assert set(found) == {*OUTER, "placement", "earlier"}
    assert (found["kind"], found["strand"], found["seq"], found["target"]) == (
        "message",
        found["conversation_id"],
        1,
        None,
    )
    assert found["summary"] == "It broke again, photo attached"
    assert found["sender"] == {
        "identity_id": found["sender"]["identity_id"],
        "customer_id": f"cus_{found['sender']['identity_id'].removeprefix('idn_')}",
        "address": "+15550123",
        "name": "Mia",
        "kind": "person",
        "strength": "verified",
    }
    assert found["place"] == {"kind": "direct", "name": None, "permalink": None}
    assert found["received_at"] == found["ingested_at"] == "2026-01-05T08:01:00.000Z"
    assert found["sent_at"] is None
    assert found["state"] == {"edited_at": None, "deleted_at": None, "hidden": False, "delivery": None, "reactions": []}
    assert found["fact"]["subject"] is None
    assert found["fact"]["body"]["text"] == "It broke  again\n\n"
    (attachment,) = found["fact"]["attachments"]
    assert attachment == {
        "id": attachment["id"],
        "kind": "image",
        "filename": "kettle.jpg",
        "media_type": "image/jpeg",
        "size_bytes": 48211,
        "sha256": None,
        "disposition": "attachment",
        "content_id": None,
        "status": "pending",
        "width": 800,
        "height": 600,
    }
    assert found["placement"] == {
        "rule": "opened",
        "reason": found["placement"]["reason"],
        "moved": None,
        "matched": None,
        "joined_by": [],
    }
    assert found["earlier"] is None


async def test_an_edited_message_shows_the_latest_text_and_a_deleted_one_none(site: Site, acme: Company) -> None:
    chat = acme.chat("c1", 0, "first words")
    # The later edit is stored first.
    await site.tell(chat, acme.edit(chat, 20, "third words"))
    await site.tell(acme.edit(chat, 10, "second words"))
    found = await _entry(site, chat.id)
    assert found["fact"]["body"]["text"] == found["summary"] == "third words"
    assert found["state"]["edited_at"] == "2026-01-05T08:20:00.000Z"
    async with await site.desk() as desk:
        path = f"/v1/conversations/{found['conversation_id']}/entries"
        assert "first words" not in (whole := (await desk.get(path)).text)
        assert "second words" not in whole
        await site.tell(acme.delete(chat, 30))
        gone = await desk.get(path)
        assert "words" not in gone.text
        await site.tell(acme.about(chat, MessageRestored(), 40))
        back = await _entry(site, chat.id)
    deleted = next(entry for entry in gone.json()["items"] if entry["kind"] == "message")
    assert deleted["state"]["deleted_at"] == "2026-01-05T08:30:00.000Z"
    assert deleted["fact"]["body"] is None
    assert deleted["summary"] == "Deleted message"
    assert back["state"]["deleted_at"] is None
    assert back["fact"]["body"]["text"] == "third words"


async def test_earlier_and_deleted_texts_take_the_scope_entries_raw(site: Site, acme: Company) -> None:
    chat = acme.chat("c1", 0, "first words")
    edit = acme.edit(chat, 10, "second words")
    await site.tell(chat, edit, acme.delete(chat, 20))
    raw = await _entry(site, chat.id, *READS, "entries:raw")
    assert [(one["entry_id"], one["fact"]["body"]["text"]) for one in raw["earlier"]] == [
        (chat.id, "first words"),
        (edit.id, "second words"),
    ]
    assert (await _entry(site, chat.id))["earlier"] is None
    untouched = acme.chat("c2", 1)
    await site.tell(untouched)
    assert (await _entry(site, untouched.id, *READS, "entries:raw"))["earlier"] == []


@pytest.mark.parametrize("turned", [False, True])
async def test_a_receipt_up_to_a_time_is_about_every_message_before_it(
    site: Site, acme: Company, *, turned: bool
) -> None:
    """Whether it comes before or after them; only of its own thread; and it makes no conversation that anybody sees."""
    first, second, third = (acme.sent(f"out{number}", number) for number in (1, 2, 30))
    elsewhere = acme.sent("elsewhere", 1, thread="chat-of-another")
    delivered, read, again = (
        acme.up_to(second, 3, "delivered"),
        acme.up_to(second, 4, "read"),
        acme.up_to(second, 5, "read"),
    )
    told = [acme.chat("in", 0), first, second, delivered, read, again, third, elsewhere]
    for event in reversed(told) if turned else told:
        await site.tell(event)
    states = [(await _entry(site, one.id))["state"]["delivery"] for one in (first, second, third, elsewhere)]
    assert [state and (state["status"], state["at"]) for state in states] == [
        ("read", "2026-01-05T08:04:00.000Z"),
        ("read", "2026-01-05T08:04:00.000Z"),
        None,
        None,
    ]
    async with await site.desk("acme", *READS) as desk:
        (conversation,) = (await desk.get("/v1/conversations")).raise_for_status().json()["items"]
        shown = (await desk.get(f"/v1/conversations/{conversation['id']}/entries")).raise_for_status().json()["items"]
    said = {one["id"]: one["state"]["delivery"] for one in shown}
    assert [said[one.id] and said[one.id]["status"] for one in (first, second, third)] == ["read", "read", None]
    assert (await _entry(site, read.id))["target"] is None
    receipts = await site.store.entries([f"acme/{one.id}" for one in (delivered, read, again)])
    assert len({one.home for one in receipts.values()}) == 1


async def test_what_the_channel_demands_to_be_removed_is_shown_to_nobody(site: Site, acme: Company) -> None:
    chat = acme.chat("c1", 0, "first words")
    await site.tell(chat, acme.delete(chat, 20, erase=True))
    raw = await _entry(site, chat.id, *READS, "entries:raw")
    assert raw["earlier"] == []
    assert raw["fact"]["body"] is None


async def test_a_sender_without_a_name_is_shown_by_that_of_its_profile(site: Site, acme: Company) -> None:
    nameless = Party(claims=acme.mia_on_whatsapp().claims)
    chat = acme.chat("c1", 0, sender=nameless)
    await site.tell(chat)
    assert (await _entry(site, chat.id))["sender"]["name"] is None
    opened = acme.event("whatsapp", "opened", SessionStarted(), 1, sender=nameless)
    await site.tell(opened, acme.event("whatsapp", "card", Contact(), 5, sender=acme.mia_on_whatsapp()))
    assert (await _entry(site, chat.id))["sender"]["name"] == "Mia"
    assert (await _entry(site, opened.id))["summary"] == "Mia started a session"


async def test_reactions_and_receipts_are_folded_into_the_message(site: Site, acme: Company) -> None:
    answer = acme.answer("out", 5)
    failed = acme.receipt(answer, 9, "failed", error=Failure(code="550", text="no such box", permanent=True))
    await site.tell(answer, failed, acme.receipt(answer, 8, "delivered"), acme.react(answer, 7, "👍"))
    found = await _entry(site, answer.id)
    assert found["direction"] == "outbound"
    assert found["recipients"][0]["address"] == "mia@acme.example"
    assert found["state"]["delivery"] == {
        "status": "failed",
        "at": "2026-01-05T08:09:00.000Z",
        "error": {"code": "550", "text": "no such box", "permanent": True},
    }
    assert [one["symbol"] for one in found["state"]["reactions"]] == ["👍"]
    receipt = await _entry(site, failed.id)
    assert (receipt["target"], receipt["summary"]) == (answer.id, "Failed: no such box")
    assert receipt["fact"]["status"] == "failed"


async def test_a_hidden_message_says_so_and_keeps_its_words(site: Site, acme: Company) -> None:
    chat = acme.chat("c1", 0, "first words")
    await site.tell(chat, acme.about(chat, MessageHidden(), 10))
    found = await _entry(site, chat.id)
    assert (found["state"]["hidden"], found["summary"]) == (True, "first words")


async def test_the_placement_says_why_a_message_is_here(site: Site, acme: Company) -> None:
    mail, answer = acme.mail("a1", 0), acme.mail("a2", 5, answers="a1")
    chat = acme.chat("c1", 60, sender=acme.mia_on_whatsapp(acme.her_mail()))
    await site.tell(mail, answer)
    await site.tell(chat)
    named = (await _entry(site, answer.id))["placement"]
    assert named["rule"] == "shared_reference"
    assert named["reason"] == "Answers <a1@example.com>, which is in this conversation."
    assert named["matched"] == {"type": "message_id", "value": "a1@example.com", "entry_id": None}
    assert named["joined_by"] == []
    joined = (await _entry(site, chat.id))["placement"]
    (link,) = joined["joined_by"]
    assert set(link) == {"link_id", "rule", "reason"}
    assert link["rule"] == "idle_window"
    assert link["reason"].endswith("email and phone are one customer (own contact card).")


async def test_a_moved_message_says_who_moved_it(site: Site, acme: Company) -> None:
    mail, answer = acme.mail("a1", 0), acme.mail("a2", 5, answers="a1")
    await site.tell(mail, answer)
    await site.tell(acme.move([answer], None, 10))
    placement = (await _entry(site, answer.id))["placement"]
    assert placement["rule"] == "person"
    assert placement["moved"]["at"] == "2026-01-05T08:10:00.000Z"


async def test_placements_of_a_page_are_those_of_its_entries(site: Site, acme: Company) -> None:
    await site.tell(acme.mail("a1", 0), acme.mail("a2", 5, answers="a1"))
    await site.tell(acme.chat("c1", 60, sender=acme.mia_on_whatsapp(acme.her_mail())))
    async with await site.desk() as desk:
        (item,) = (await desk.get("/v1/conversations")).json()["items"]
        path = f"/v1/conversations/{item['id']}/entries"
        plain = (await desk.get(path)).json()["items"]
        entries = (await desk.get(path, params={"expand": "placement"})).json()["items"]
        assert all(set(entry) == OUTER for entry in plain)
        for entry in entries:
            single = (await desk.get(f"/v1/entries/{entry['id']}")).json()
            assert entry["placement"] == single["placement"]


async def test_joined_entries_and_unknown_records_have_a_summary(site: Site, acme: Company) -> None:
    await site.tell(acme.mail("a1", 0))
    await site.tell(acme.chat("c1", 60, sender=acme.mia_on_whatsapp(acme.her_mail())))
    unknown = acme.event(
        "whatsapp", "u1", Unknown(label="poll_v9"), 61, sender=acme.mia_on_whatsapp(), external_thread_id="chat-of-mia"
    )
    await site.tell(unknown)
    async with await site.desk() as desk:
        (item,) = (await desk.get("/v1/conversations")).json()["items"]
        entries = (await desk.get(f"/v1/conversations/{item['id']}/entries", params={"limit": 200})).json()["items"]
    assert all(entry["summary"] for entry in entries)
    joined = next(entry for entry in entries if entry["kind"] == "joined")
    assert joined["fact"]["root"] == item["id"]
    assert joined["fact"]["was"] == joined["strand"]
    assert (joined["sender"], joined["channel_id"], joined["place"], joined["direction"]) == (None, None, None, None)


async def test_html_is_sanitised_and_loads_nothing_from_elsewhere(site: Site, acme: Company) -> None:
    html = '<p onclick="x()">Hi<img src="https://spy.example/p.png"><img src="cid:1"></p><script>alert(1)</script>'
    mail = acme.mail("a1", 0, "Hi", html=html)
    await site.tell(mail)
    body = (await _entry(site, mail.id))["fact"]["body"]
    assert body["html"] == '<p>Hi<img><img src="cid:1"></p>'


async def test_a_claimed_sender_is_shown_as_claimed(site: Site, acme: Company) -> None:
    forged = Party(claims=(Claim("email", "mia@acme.example", evidence="unsigned_from"),), name="Mia Lang")
    mail = acme.mail("a1", 0, sender=forged)
    await site.tell(mail)
    assert (await _entry(site, mail.id))["sender"]["strength"] == "claimed"


async def test_facts_keep_what_desks_need_and_hide_what_is_the_providers(site: Site, acme: Company) -> None:
    fact = Message(location=Location(lat=52.5, lon=13.4, name="Shop"), client_id="c-1", aliases=("alias-1",))
    here = acme.event("whatsapp", "l1", fact, 0, sender=acme.mia_on_whatsapp(), place=Place(kind="direct"))
    await site.tell(here)
    found = await _entry(site, here.id)
    assert found["summary"] == "Location Shop"
    assert found["fact"]["location"] == {"lat": 52.5, "lon": 13.4, "name": "Shop", "address": None}
    assert {"client_id", "aliases", "auth_results"}.isdisjoint(found["fact"])
    assert "locator" not in str(found)


async def test_a_quote_names_the_entry_it_answers(site: Site, acme: Company) -> None:
    first = acme.chat("c1", 0, "which one?")
    quote = Quote(external_id="c1", text="which one?", sender=acme.mia_on_whatsapp())
    second = acme.chat("c2", 1, "the red one", content={"quote": quote})
    await site.tell(first, second)
    found = await _entry(site, second.id)
    shown = found["fact"]["quote"]
    assert (shown["entry_id"], shown["kind"], shown["text"]) == (first.id, "message", "which one?")
    assert shown["sender"]["customer_id"] == found["sender"]["customer_id"]
    assert found["placement"]["matched"] == {"type": "event", "value": None, "entry_id": first.id}


async def test_an_entry_has_an_etag_that_changes_with_its_state(site: Site, acme: Company) -> None:
    chat = acme.chat("c1", 0)
    await site.tell(chat)
    async with await site.desk() as desk:
        first = await desk.get(f"/v1/entries/{chat.id}")
        asked = {"If-None-Match": first.headers["etag"]}
        assert (await desk.get(f"/v1/entries/{chat.id}", headers=asked)).status_code == 304
        await site.tell(acme.react(chat, 5, "👍"))
        assert (await desk.get(f"/v1/entries/{chat.id}", headers=asked)).status_code == 200
