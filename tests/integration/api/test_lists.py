"""Lists: order, filters and pages, also while others write and conversations join."""

from typing import Any

import httpx
import pytest
from desk.said import Company
from desk.site import START, Site

from onethread.event import Call, Claim, Party, Postback, Receipt, SessionStarted
from unifier.reading import moment


def _person(number: int) -> Party:
    return Party(claims=(Claim("phone", f"+1555020{number:02d}", evidence="network_phone"),), name=f"Person {number}")


async def _chats(site: Site, acme: Company, number: int, start: int = 0) -> None:
    """So many people write once, a minute apart."""
    people = range(start, start + number)
    await site.tell(*(acme.chat(f"c{n}", n, sender=_person(n), thread=f"chat-{n}") for n in people))


async def _all(desk: httpx.AsyncClient, path: str, **params: Any) -> list[dict[str, Any]]:
    """Every page of a list."""
    items: list[dict[str, Any]] = []
    answer = (await desk.get(path, params=params)).json()
    while True:
        items += answer["items"]
        if not answer["has_more"]:
            return items
        answer = (await desk.get(path, params={**params, "cursor": answer["next_cursor"]})).json()


async def test_by_activity_the_newest_comes_first_and_each_comes_once(site: Site, acme: Company) -> None:
    await _chats(site, acme, 7)
    await site.tell(acme.chat("again", 60, sender=_person(2), thread="chat-2"))
    async with await site.desk() as desk:
        items = await _all(desk, "/v1/conversations", limit=3)
    names = [item["last_active_at"][14:16] for item in items]
    assert names == ["00", "06", "05", "04", "03", "01", "00"]
    assert items[0]["last_active_at"] == "2026-01-05T09:00:00.000Z"


async def test_a_page_says_whether_there_is_more_and_links_to_it(site: Site, acme: Company) -> None:
    await _chats(site, acme, 3)
    async with await site.desk() as desk:
        first = await desk.get("/v1/conversations", params={"limit": 2, "network": "whatsapp"})
        assert set(first.json()) == {"items", "next_cursor", "has_more", "live_cursor"}
        assert (first.json()["has_more"], first.json()["live_cursor"]) == (True, None)
        link = first.headers["link"]
        assert link.endswith('; rel="next"')
        second = await desk.get(link[1 : link.index(">")])
    assert len(second.json()["items"]) == 1
    assert (second.json()["has_more"], second.json()["next_cursor"]) == (False, None)
    assert "link" not in second.headers


async def test_a_conversation_of_several_strands_is_listed_once_at_its_last_activity(site: Site, acme: Company) -> None:
    whole = acme.mia_on_whatsapp(acme.her_mail())
    await site.tell(acme.mail("a1", 0))
    await _chats(site, acme, 3)
    await site.tell(acme.chat("c-mia", 30, sender=whole))
    async with await site.desk() as desk:
        for sort in ("active", "created"):
            for limit in (1, 2, 10):
                items = await _all(desk, "/v1/conversations", limit=limit, sort=sort)
                ids = [item["id"] for item in items]
                assert len(ids) == len(set(ids)) == 4, (sort, limit)
                place = 0 if sort == "active" else min(range(4), key=lambda n: items[n]["id"])
                assert items[place]["networks"] == ["email", "whatsapp"]


async def test_by_birth_each_that_was_there_comes_once_while_others_write_and_join(site: Site, acme: Company) -> None:
    await _chats(site, acme, 6)
    mia = acme.mail("mia", 2.5)
    await site.tell(mia)
    async with await site.desk() as desk:
        page = (await desk.get("/v1/conversations", params={"sort": "created", "limit": 2})).json()
        there = {item["id"] for item in await _all(desk, "/v1/conversations", limit=100)}
        seen = [item["id"] for item in page["items"]]
        step = 0
        while page["has_more"]:
            step += 1
            # Newcomers, activity in what was shown and in what was not, and a join with what was not shown yet.
            await _chats(site, acme, 1, start=20 + step)
            await site.tell(acme.chat(f"again{step}", 100 + step, sender=_person(step), thread=f"chat-{step}"))
            if step == 1:
                await site.tell(acme.chat("c-mia", 40, sender=acme.mia_on_whatsapp(acme.her_mail())))
            params = {"sort": "created", "limit": 2, "cursor": page["next_cursor"]}
            page = (await desk.get("/v1/conversations", params=params)).json()
            seen += [item["id"] for item in page["items"]]
    assert len(seen) == len(set(seen))
    assert there <= set(seen)


async def test_filters_name_channel_network_customer_and_times(site: Site, acme: Company) -> None:
    await site.tell(acme.mail("a1", 0))
    await site.tell(acme.chat("c-mia", 30, sender=acme.mia_on_whatsapp(acme.her_mail())))
    await _chats(site, acme, 3)
    async with await site.desk() as desk:
        (mia,) = await _all(desk, "/v1/conversations", network="email")

        async def count(**params: Any) -> int:
            return len(await _all(desk, "/v1/conversations", limit=1, **params))

        assert mia["networks"] == ["email", "whatsapp"]
        assert await count(channel_id="chn_acme_email") == 1
        assert await count(channel_id="chn_acme_whatsapp") == 4
        assert await count(channel_id="chn_other_email") == 0
        assert await count(customer_id=mia["customer_id"]) == 1
        assert await count(customer_id=mia["customer_id"], network="x") == 0
        assert await count(customer_id="cus_nobody") == 0
        assert await count(active_from="2026-01-05T08:02:00Z") == 2
        assert await count(active_from="2026-01-05T08:30:00.000Z") == 1
        # Her mail is old; her conversation is not.
        assert await count(active_until="2026-01-05T08:02:00Z") == 2
        assert await count(active_until="2026-01-05T08:02:00Z", sort="created") == 2
        assert await count(active_from="2026-01-05T08:30:00Z", sort="created") == 1


async def test_a_filter_takes_the_id_of_a_customer_that_was_merged(site: Site, acme: Company) -> None:
    await site.tell(acme.mail("a1", 0))
    await site.tell(acme.chat("c1", 30))
    async with await site.desk() as desk:
        before = await _all(desk, "/v1/conversations")
        ids = {item["customer_id"] for item in before}
        assert len(ids) == 2
        await site.tell(acme.chat("c2", 31, sender=acme.mia_on_whatsapp(acme.her_mail())))
        for old in ids:
            (found,) = await _all(desk, "/v1/conversations", customer_id=old)
            assert found["customer_id"] in ids


async def test_a_conversation_without_a_message_is_not_listed(site: Site, acme: Company) -> None:
    mail = acme.mail("a1", 0)
    await site.tell(mail)
    await site.tell(acme.move([mail], None, 10))
    async with await site.desk() as desk:
        items = await _all(desk, "/v1/conversations")
    assert [item["message_count"] for item in items] == [1]
    assert items[0]["customer_id"] is not None
    assert items[0]["created_at"] == items[0]["last_active_at"] == "2026-01-05T08:00:00.000Z"


async def test_a_missed_call_or_a_form_of_somebody_new_is_listed_and_an_opened_chat_is_not(
    site: Site, acme: Company
) -> None:
    """Who is called back is a customer too; whoever only opened the window has said nothing yet."""

    async def listed() -> list[tuple[str, int]]:
        async with await site.desk() as desk:
            items = await _all(desk, "/v1/conversations", expand="last_entry")
        return [(item["last_entry"]["kind"], item["message_count"]) for item in items]

    mia = acme.mia_on_whatsapp()
    await site.tell(acme.event("whatsapp", "opened", SessionStarted(), 0, sender=mia))
    assert await listed() == []
    await site.tell(acme.event("whatsapp", "read", Receipt(status="read", until=moment(START)), 1, sender=mia))
    assert await listed() == []
    await site.tell(acme.event("whatsapp", "called", Call(status="missed"), 2, sender=mia))
    assert await listed() == [("call", 0)]
    form = acme.event("x", "form", Postback(title="Call me back"), 3, sender=acme.mia())
    await site.tell(form)
    assert await listed() == [("postback", 0), ("call", 0)]
    await site.tell(acme.move([form], None, 10))
    assert await listed() == [("postback", 0), ("call", 0)]


# --- entries -------------------------------------------------------------------------------------------------------


async def test_entries_by_time_come_newest_first_over_all_strands(site: Site, acme: Company) -> None:
    whole = acme.mia_on_whatsapp(acme.her_mail())
    await site.tell(acme.mail("a1", 0), acme.chat("c1", 10, sender=whole), acme.mail("a2", 20, answers="a1"))
    async with await site.desk() as desk:
        (item,) = await _all(desk, "/v1/conversations")
        entries = await _all(desk, f"/v1/conversations/{item['id']}/entries", limit=1)
        messages = await _all(desk, f"/v1/conversations/{item['id']}/entries", kind="message")
    times = [(entry["received_at"], entry["id"]) for entry in entries]
    assert times == sorted(times, reverse=True)
    assert {entry["kind"] for entry in entries} == {"message", "joined"}
    assert [entry["summary"] for entry in messages] == ["mail a2", "chat c1", "mail a1"]


async def test_entries_by_time_come_once_while_others_write(site: Site, acme: Company) -> None:
    await site.tell(*(acme.mail(f"a{n}", n, answers="a0" if n else None) for n in range(6)))
    async with await site.desk() as desk:
        (item,) = await _all(desk, "/v1/conversations")
        path = f"/v1/conversations/{item['id']}/entries"
        there = {entry["id"] for entry in await _all(desk, path)}
        page = (await desk.get(path, params={"limit": 2})).json()
        seen = [entry["id"] for entry in page["items"]]
        number = 10
        while page["has_more"]:
            await site.tell(
                acme.mail(f"a{number}", number, answers="a0"), acme.mail(f"late{number}", 5.5, answers="a0")
            )
            number += 1
            page = (await desk.get(path, params={"limit": 2, "cursor": page["next_cursor"]})).json()
            seen += [entry["id"] for entry in page["items"]]
    assert len(seen) == len(set(seen))
    assert there <= set(seen)


async def test_entries_by_seq_are_dense_also_when_a_strand_joins_between_pages(site: Site, acme: Company) -> None:
    mails = [acme.mail(f"a{n}", n, answers="a0" if n else None) for n in range(4)]
    chats = [acme.chat(f"c{n}", 5 + n) for n in range(4)]
    await site.tell(*mails)
    await site.tell(*chats)
    async with await site.desk() as desk:
        (chat, mail) = await _all(desk, "/v1/conversations")
        # The younger one is read, and then it becomes a part of the elder.
        path = f"/v1/conversations/{chat['id']}/entries"
        page = (await desk.get(path, params={"sort": "seq", "limit": 3})).json()
        seen = [(entry["strand"], entry["seq"]) for entry in page["items"]]
        assert seen == [(chat["id"], 1), (chat["id"], 2), (chat["id"], 3)]
        await site.tell(acme.link(mails[0], chats[0], "together", 50))
        while True:
            page = (await desk.get(path, params={"sort": "seq", "limit": 2, "cursor": page["next_cursor"]})).json()
            seen += [(entry["strand"], entry["seq"]) for entry in page["items"]]
            if not page["has_more"]:
                break
        # The last cursor goes on where the strands grow.
        await site.tell(acme.mail("a9", 60, answers="a0"))
        rest = (await desk.get(path, params={"sort": "seq", "cursor": page["next_cursor"]})).json()
        seen += [(entry["strand"], entry["seq"]) for entry in rest["items"]]
    assert len(seen) == len(set(seen))
    for strand in (chat["id"], mail["id"]):
        assert [seq for one, seq in seen if one == strand] == list(range(1, 6))


async def test_a_moved_entry_is_read_where_it_was_moved_to(site: Site, acme: Company) -> None:
    kept, moved = acme.mail("a1", 0), acme.mail("a2", 5, answers="a1")
    await site.tell(kept, moved)
    async with await site.desk() as desk:
        (before,) = await _all(desk, "/v1/conversations")
        await site.tell(acme.move([moved], None, 10))
        items = await _all(desk, "/v1/conversations")
        new = next(item["id"] for item in items if item["id"] != before["id"])
        here = await _all(desk, f"/v1/conversations/{before['id']}/entries", kind="message")
        there = await _all(desk, f"/v1/conversations/{new}/entries", kind="message")
        record = await _all(desk, f"/v1/conversations/{before['id']}/entries", sort="seq")
        markers = await _all(desk, f"/v1/conversations/{new}/entries", kind="moved")
    assert [entry["id"] for entry in here] == [kept.id]
    assert [entry["id"] for entry in there] == [moved.id]
    assert there[0]["conversation_id"] == new
    assert (there[0]["strand"], there[0]["seq"]) == (before["id"], 2)
    assert there[0]["moved"] == {"to": new, "at": "2026-01-05T08:10:00.000Z", "by": None}
    assert [(entry["seq"], entry["conversation_id"]) for entry in record] == [
        (1, before["id"]),
        (2, new),
        (3, before["id"]),
    ]
    assert markers[0]["fact"] == {"entry_ids": [moved.id], "from": before["id"], "to": new, "by": None}


# --- cursors and limits of lists -----------------------------------------------------------------------------------


async def test_a_cursor_opens_only_the_list_it_was_given_for(site: Site, acme: Company) -> None:
    await _chats(site, acme, 3)
    await site.tell(acme.mail("a1", 0), acme.mail("a2", 1, answers="a1"))
    async with await site.desk() as desk, await site.desk("other") as stranger:
        cursor = (await desk.get("/v1/conversations", params={"limit": 1})).json()["next_cursor"]
        tampered = f"{cursor[:-2]}{'A' if cursor[-2] != 'A' else 'B'}{cursor[-1]}"
        (mail,) = await _all(desk, "/v1/conversations", network="email")
        entries = f"/v1/conversations/{mail['id']}/entries"
        of_entries = (await desk.get(entries, params={"limit": 1})).json()["next_cursor"]
        chats = (await _all(desk, "/v1/conversations", network="whatsapp"))[0]["id"]
        wrong = [
            (desk, "/v1/conversations", {"cursor": tampered}),
            (desk, "/v1/conversations", {"cursor": cursor, "sort": "created"}),
            (desk, "/v1/conversations", {"cursor": cursor, "network": "email"}),
            (desk, "/v1/conversations", {"cursor": "!"}),
            (desk, "/v1/conversations", {"cursor": "ünsealed"}),
            (desk, "/v1/channels", {"cursor": cursor}),
            (desk, entries, {"cursor": cursor}),
            (desk, entries, {"cursor": of_entries, "sort": "seq"}),
            (desk, entries, {"cursor": of_entries, "kind": "call"}),
            (desk, f"/v1/conversations/{chats}/entries", {"cursor": of_entries}),
            (stranger, "/v1/conversations", {"cursor": cursor}),
        ]
        for client, path, params in wrong:
            answer = await client.get(path, params=params)
            assert (answer.status_code, answer.json()["type"]) == (400, "/problems/invalid-cursor"), (path, params)
        good = await desk.get("/v1/conversations", params={"cursor": cursor, "limit": 2})
    assert good.status_code == 200


@pytest.mark.parametrize(
    ("path", "params", "wrong"),
    [
        ("/v1/conversations", {"limit": "0"}, "limit"),
        ("/v1/conversations", {"limit": "101"}, "limit"),
        ("/v1/conversations", {"limit": "ten"}, "limit"),
        ("/v1/conversations", {"sort": "newest"}, "sort"),
        ("/v1/conversations", {"expand": "placement"}, "expand"),
        ("/v1/conversations", {"expand": ""}, "expand"),
        ("/v1/conversations", {"active_from": "yesterday"}, "active_from"),
        ("/v1/conversations", {"active_from": "2026-01-05T08:00:00"}, "active_from"),
        ("/v1/conversations", {"active_until": "2026-13-05T08:00:00Z"}, "active_until"),
        ("/v1/conversations", {"chanel_id": "chn_1"}, "chanel_id"),
        ("/v1/conversations", {"network[$ne]": "x"}, "network[$ne]"),
        ("/v1/conversations", [("network", "x"), ("network", "email")], "network"),
        ("/v1/conversations/cnv_x/entries", {"limit": "201"}, "limit"),
        ("/v1/conversations/cnv_x/entries", {"kind": "message,"}, "kind"),
        ("/v1/me", {"verbose": "1"}, "verbose"),
        ("/v1/entries/evt_1", {"expand": "placement"}, "expand"),
    ],
)
async def test_a_parameter_that_is_unknown_or_wrong_is_refused(
    sqlite_site: Site, path: str, params: Any, wrong: str
) -> None:
    async with await sqlite_site.desk() as desk:
        answer = await desk.get(path, params=params)
    assert answer.status_code == 400
    problem = answer.json()
    assert problem["type"] == "/problems/malformed-request"
    assert [error["parameter"] for error in problem["errors"]] == [wrong]


async def test_entries_come_to_200_a_page_and_conversations_to_100(sqlite_site: Site, acme: Company) -> None:
    await sqlite_site.tell(*(acme.mail(f"a{n}", n, answers="a0" if n else None) for n in range(230)))
    async with await sqlite_site.desk() as desk:
        (item,) = (await desk.get("/v1/conversations", params={"limit": 100})).json()["items"]
        path = f"/v1/conversations/{item['id']}/entries"
        assert len((await desk.get(path)).json()["items"]) == 25
        assert len((await desk.get(path, params={"limit": 200})).json()["items"]) == 200
        assert len(await _all(desk, path, limit=200, sort="seq")) == 230
