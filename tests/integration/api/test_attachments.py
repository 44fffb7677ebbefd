"""GET /v1/attachments/{id}/content: the bytes, inert."""

import hashlib
from typing import Any

import msgspec
import pytest
from desk.said import Company, photo
from desk.site import READS, Site

from onethread.event import FILES_REVISION, Attachment, CallRecording, MessageCompleted
from onethread.host.completing import completion
from onethread.host.media import Outcome
from unifier.api.routes.attachments import CHUNK
from unifier.reading import milliseconds, moment

BYTES = bytes(range(256)) * 40
SHA = hashlib.sha256(BYTES).hexdigest()


async def _path(site: Site, entry_id: str, index: int = 0) -> str:
    async with await site.desk() as desk:
        fact = (await desk.get(f"/v1/entries/{entry_id}")).json()["fact"]
    files = fact.get("attachments") or [fact["attachment"]]
    return f"/v1/attachments/{files[index]['id']}/content"


async def _stored(site: Site, acme: Company, data: bytes = BYTES, **fields: Any) -> str:
    sha = await site.blobs.put(data)
    file = photo(status="stored", sha256=sha, size_bytes=len(data), **fields)
    chat = acme.chat("c1", 0, attachments=[photo("first.jpg"), file])
    await site.tell(chat)
    return await _path(site, chat.id, 1)


async def test_the_bytes_come_as_an_attachment_that_runs_nothing(site: Site, acme: Company) -> None:
    path = await _stored(site, acme, name='../"Rechnung\r\n März".html')
    async with await site.desk() as desk:
        answer = await desk.get(path)
    assert (answer.status_code, answer.content) == (200, BYTES)
    assert answer.headers["etag"] == f'"{SHA}"'
    assert answer.headers["content-length"] == str(len(BYTES))
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"_Rechnung M_rz_.html\"; filename*=UTF-8''%22Rechnung%20M%C3%A4rz%22.html"
    )


@pytest.mark.parametrize(
    ("given", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=10-19", 10, 19), ("bytes=10000-", 10000, 10239), ("bytes=-5", 10235, 10239),
     ("bytes=10230-99999", 10230, 10239), ("bytes=-99999", 0, 10239)],
)  # fmt: skip
async def test_a_range_is_answered_with_that_part(
    sqlite_site: Site, acme: Company, given: str, first: int, last: int
) -> None:
    path = await _stored(sqlite_site, acme)
    async with await sqlite_site.desk() as desk:
        answer = await desk.get(path, headers={"Range": given})
        resumed = await desk.get(path, headers={"Range": given, "If-Range": f'"{SHA}"'})
        changed = await desk.get(path, headers={"Range": given, "If-Range": '"another"'})
    assert (answer.status_code, answer.content) == (206, BYTES[first : last + 1])
    assert answer.headers["content-range"] == f"bytes {first}-{last}/10240"
    assert resumed.status_code == 206
    assert (changed.status_code, changed.content) == (200, BYTES)


async def test_a_range_beyond_the_end_is_refused_and_nonsense_ignored(sqlite_site: Site, acme: Company) -> None:
    path = await _stored(sqlite_site, acme)
    async with await sqlite_site.desk() as desk:
        for given in ("bytes=10240-", "bytes=99999-100000", "bytes=-0"):
            answer = await desk.get(path, headers={"Range": given})
            assert (answer.status_code, answer.json()["type"]) == (416, "/problems/range-not-satisfiable")
            assert answer.headers["content-range"] == "bytes */10240"
        for given in ("bytes=5-1", "bytes=-", "lines=1-2", "bytes=" + "0-1," * 5000 + "0-1", "bytes=1-2,4-5"):
            assert (await desk.get(path, headers={"Range": given})).status_code == 200


async def test_a_file_of_several_chunks_comes_whole(sqlite_site: Site, acme: Company) -> None:
    data = BYTES * (CHUNK // len(BYTES) * 2 + 3)
    path = await _stored(sqlite_site, acme, data)
    async with await sqlite_site.desk() as desk:
        assert (await desk.get(path)).content == data
        part = await desk.get(path, headers={"Range": f"bytes={CHUNK - 2}-{CHUNK + 1}"})
    assert part.content == data[CHUNK - 2 : CHUNK + 2]


async def test_a_reader_that_declares_a_body_gets_the_file_all_the_same(sqlite_site: Site, acme: Company) -> None:
    path = await _stored(sqlite_site, acme)
    async with await sqlite_site.desk() as desk:
        answer = await desk.request("GET", path, content=b" " * (2 << 20))
    assert (answer.status_code, answer.content) == (200, BYTES)


async def test_who_has_the_file_gets_304(sqlite_site: Site, acme: Company) -> None:
    path = await _stored(sqlite_site, acme)
    async with await sqlite_site.desk() as desk:
        answer = await desk.get(path, headers={"If-None-Match": f'"{SHA}"'})
    assert (answer.status_code, answer.content) == (304, b"")


async def test_a_file_still_being_fetched_is_to_be_asked_for_again(site: Site, acme: Company) -> None:
    chat = acme.chat(
        "c1", 0, attachments=[photo(), photo("lost.jpg", status="failed"), photo("far.jpg", status="reference")]
    )
    await site.tell(chat)
    async with await site.desk() as desk:
        pending = await desk.get(await _path(site, chat.id))
        failed = await desk.get(await _path(site, chat.id, 1))
        reference = await desk.get(await _path(site, chat.id, 2))
    assert (pending.status_code, pending.json()["type"]) == (409, "/problems/attachment-pending")
    assert int(pending.headers["retry-after"]) > 0
    assert failed.status_code == reference.status_code == 404


async def test_files_of_a_deleted_message_are_for_those_who_may_read_it(site: Site, acme: Company) -> None:
    sha = await site.blobs.put(BYTES)
    chat = acme.chat("c1", 0, attachments=[photo(status="stored", sha256=sha)])
    await site.tell(chat)
    path = await _path(site, chat.id)
    await site.tell(acme.delete(chat, 5))
    async with await site.desk() as desk, await site.desk("acme", *READS, "entries:raw") as raw:
        assert (await desk.get(path)).status_code == 404
        assert (await raw.get(path)).status_code == 200
        await site.tell(acme.delete(chat, 6, erase=True))
        erased = await raw.get(path)
    assert (erased.status_code, erased.json()["type"]) == (410, "/problems/erased")


async def test_the_recording_of_a_call_is_an_attachment(site: Site, acme: Company) -> None:
    sha = await site.blobs.put(BYTES)
    sound = Attachment(kind="audio", media_type="audio/mpeg", status="stored", sha256=sha)
    call = acme.event(
        "whatsapp", "rec1", CallRecording(call="call-1", attachment=sound), 0, sender=acme.mia_on_whatsapp()
    )
    await site.tell(call)
    async with await site.desk() as desk:
        answer = await desk.get(await _path(site, call.id))
    assert (answer.status_code, answer.content) == (200, BYTES)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["first", "last"])
async def test_a_recording_that_came_later_is_the_same_recording(
    site: Site, acme: Company, order: tuple[int, int]
) -> None:
    sha = await site.blobs.put(BYTES)
    sound = Attachment(kind="audio", locator="sound-1")
    pending = acme.event(
        "whatsapp", "rec1", CallRecording(call="call-1", attachment=sound), 0, revision="completed", sender=acme.mia_on_whatsapp()
    )  # fmt: skip
    far = moment(milliseconds(pending.received_at) + 30 * 86_400_000) if pending.received_at else None
    assert far is not None
    come = completion(pending, {"0": Outcome("stored", sha, len(BYTES), "audio/mpeg")}, far)
    for which in order:
        await site.tell((pending, come)[which])
    path = await _path(site, pending.id)
    async with await site.desk() as desk:
        (conversation,) = (await desk.get("/v1/conversations")).json()["items"]
        shown, told = [(await desk.get(f"/v1/entries/{one.id}")).json() for one in (pending, come)]
        answer = await desk.get(path)
    assert (shown["fact"]["attachment"]["status"], shown["fact"]["attachment"]["media_type"]) == (
        "stored",
        "audio/mpeg",
    )
    assert (shown["target"], told["target"]) == (None, pending.id)
    assert shown["conversation_id"] == told["conversation_id"] == conversation["id"]
    assert conversation["last_active_at"] == shown["received_at"], "nobody said anything new"
    (head,) = (await site.store.heads([f"acme/{shown['strand']}"])).values()
    assert (head.talk_count, head.through) == (1, 2)
    assert (answer.status_code, answer.content) == (200, BYTES)


async def test_bytes_that_the_blob_store_lost_are_unavailable_not_forgotten(sqlite_site: Site, acme: Company) -> None:
    chat = acme.chat("c1", 0, attachments=[photo(status="stored", sha256="0" * 64)])
    await sqlite_site.tell(chat)
    async with await sqlite_site.desk() as desk:
        answer = await desk.get(await _path(sqlite_site, chat.id))
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert "blob" not in answer.text.replace("/v1/attachments", "")


async def test_an_id_of_no_attachment_is_not_found(site: Site, acme: Company) -> None:
    chat = acme.chat("c1", 0, attachments=[photo()])
    await site.tell(chat)
    path = await _path(site, chat.id)
    name = path.split("/")[3]
    async with await site.desk() as desk:
        for given in ("att_", "att_1", name[:-1] + "_", chat.id, f"att_{chat.id[4:]}", f"att_{chat.id[4:]}aaaaaaaa"):
            assert (await desk.get(f"/v1/attachments/{given}/content")).status_code == 404


async def test_a_file_that_came_later_is_served_under_the_id_it_had_while_it_was_pending(
    site: Site, acme: Company
) -> None:
    sha = await site.blobs.put(BYTES)
    file = photo(locator="a")
    chat = acme.chat("c1", 0, attachments=[file])
    await site.tell(chat)
    path = await _path(site, chat.id)
    stored = Outcome("stored", sha, len(BYTES), "image/png").on(file)
    come = acme.about(chat, MessageCompleted(attachments=(stored,)), 5)
    await site.tell(msgspec.structs.replace(come, revision=f"{FILES_REVISION}1"))
    async with await site.desk() as desk:
        entry = (await desk.get(f"/v1/entries/{chat.id}")).json()
        answer = await desk.get(path)
    assert entry["fact"]["body"]["text"] == chat.fact.body.text  # type: ignore[union-attr]
    assert [one["status"] for one in entry["fact"]["attachments"]] == ["stored"]
    assert (answer.content, answer.headers["content-type"]) == (BYTES, "image/png")
    edit = acme.edit(chat, 9, "new words", attachments=(file,))
    await site.tell(edit)
    async with await site.desk() as desk:
        edited = (await desk.get(f"/v1/entries/{chat.id}")).json()
        (shown,) = edited["fact"]["attachments"]
        assert (edited["fact"]["body"]["text"], shown["status"]) == ("new words", "stored")
        assert (await desk.get(f"/v1/attachments/{shown['id']}/content")).content == BYTES
        assert (await desk.get(path)).content == BYTES
    await site.tell(acme.delete(chat, 12, erase=True))
    async with await site.desk() as desk:
        assert (await desk.get(path)).status_code == 410
