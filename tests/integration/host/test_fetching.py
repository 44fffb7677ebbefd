"""Files and look-ups of messages, by the running host against a provider on loopback: who gets what, and when it ends."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import hostkit
from shopkit import (
    CONTENT,
    LOOPBACK,
    Provider,
    Settings,
    Shop,
    all_told,
    ended,
    failed,
    fetching,
    files,
    none_left,
    recordings,
    rows,
)
from starlette.responses import Response, StreamingResponse

from onethread.connector import Raw
from onethread.envelope import recording_id
from onethread.event import CallRecording
from onethread.host.fetched import Fetched
from onethread.host.jobs import Jobs
from onethread.host.media import Limits


async def test_a_file_is_stored_and_told_once(kit: hostkit.Kit, provider: Provider) -> None:
    provider.answers["bill"] = [
        Response(status_code=503),
        Response(status_code=202),
        Response(CONTENT, media_type="a/b"),
    ]
    provider.answers["note"] = [Response("log in", media_type="text/html"), Response(b"hi", media_type="text/plain")]
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["bill", "note", "gone"])
        assert await ended(kit) == ["stored", "stored", "failed"]
    bill, note, _ = await files(kit)
    assert (bill.media_type, bill.size_bytes) == ("application/pdf", len(CONTENT))
    assert await kit.blobs.get(bill.sha256) == CONTENT
    assert note.media_type == "text/plain"
    message, *told = await kit.events()
    assert {event.external_id for event in told} == {message.external_id}
    assert not await kit.state.scan("fetches")


async def test_the_recording_of_a_call_is_fetched_too(kit: hostkit.Kit, provider: Provider) -> None:
    provider.answers["sound"] = [Response(b"ID3 sound", media_type="audio/mpeg")]
    async with fetching(kit, provider) as tell:
        await tell(id="r1", call="c1", files=["sound"])
        await hostkit.until(lambda: recordings(kit, "stored"))
        await hostkit.until(lambda: none_left(kit))
    first, second = await kit.events()
    assert recording_id(second) == first.id != second.id
    assert recording_id(first) == ""
    assert isinstance(second.fact, CallRecording)
    sound = second.fact.attachment
    assert (second.external_id, sound.media_type, sound.size_bytes) == ("r1", "audio/mpeg", 9)
    assert await kit.blobs.get(sound.sha256) == b"ID3 sound"


async def test_it_is_given_up_when_the_provider_keeps_it_no_longer(kit: hostkit.Kit, provider: Provider) -> None:
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["late"], until=(kit.clock() + timedelta(hours=1)).isoformat())
        await hostkit.until(lambda: len(provider.seen) > 2)
        assert not await files(kit)
        kit.clock.advance(hours=2)
        assert await ended(kit) == ["failed"]


async def test_a_job_outlives_its_process(kit: hostkit.Kit, provider: Provider) -> None:
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["bill"])
        await hostkit.until(lambda: provider.seen)
    kit.channels.remove("chn_acme")
    provider.answers["bill"] = [Response(CONTENT)]
    async with fetching(kit, provider):
        assert await ended(kit) == ["stored"]


async def test_a_message_delivered_again_completes_what_failed_and_fetches_nothing_twice(
    kit: hostkit.Kit, provider: Provider
) -> None:
    provider.answers["bill"] = [Response(CONTENT)]
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["bill"])
        await tell(id="m1", files=["bill"])
        await hostkit.until(lambda: all_told(kit, 1))
        await tell(id="m2", files=["gone", "bill"])
        await hostkit.until(lambda: failed(kit, "m2"))
        for _ in range(3):
            await tell(id="m1", files=["bill"])
        await tell(id="m3", files=["bill"])
        await hostkit.until(lambda: all_told(kit, 3))
        await hostkit.until(lambda: none_left(kit))
        assert [path for path, _ in provider.seen] == ["bill"] * 3
    kit.channels.remove("chn_acme")
    async with fetching(kit, provider) as tell:  # another process remembers it as well
        await tell(id="m1", files=["bill"])
        await tell(id="m2", files=["gone", "bill"])
        await hostkit.until(lambda: len(provider.seen) > 3)
        await hostkit.until(lambda: none_left(kit))
        assert [path for path, _ in provider.seen] == ["bill"] * 4
    told = [event.external_id for event in await kit.events() if event.kind == "message.completed"]
    assert sorted(set(told)) == ["m1", "m2", "m3"]


async def test_nothing_is_kept_of_what_is_done(kit: hostkit.Kit, provider: Provider) -> None:
    provider.answers["bill"] = [Response(CONTENT)]
    provider.answers["mia"] = [Response(json.dumps({"id": "p1", "from": "mia", "name": "Mia Lang"}))]
    fetched = Fetched(kit.state)
    async with fetching(kit, provider) as tell:
        for number in range(30):
            await tell(id=f"m{number}", files=["bill"], lookups=["mia"])
        await hostkit.until(lambda: all_told(kit, 30))
        await hostkit.until(lambda: none_left(kit))
        assert await rows(kit) == {"fetched": 30, "looked_up": 1}
        now = kit.clock().timestamp()
        event = (await kit.events())[0].id
        assert await fetched.has(event, now)
        assert await fetched.has(event, now + 7 * 86400)
        await Jobs(kit.state).forget(now + 15 * 86400)
    assert await rows(kit) == {}


async def test_a_thousand_events_of_one_week_are_few_documents(kit: hostkit.Kit) -> None:
    fetched, week = Fetched(kit.state), 7 * 86400.0
    await asyncio.gather(*[fetched.note(f"evt_{number}", 100 * week) for number in range(1000)])
    await asyncio.gather(*[fetched.note(f"evt_{number}", 100 * week) for number in range(1000)])
    documents = await kit.state.scan("fetched")
    assert sum(len(one.value) for one in documents) == 8 * 1000
    assert len(documents) < 1000
    assert all([await fetched.has(f"evt_{number}", 100 * week + 5) for number in range(0, 1000, 50)])
    assert not await fetched.has("evt_1000", 100 * week)
    await fetched.forget(101 * week)
    assert await fetched.has("evt_7", 101 * week)
    await fetched.forget(102 * week)
    assert not await kit.state.scan("fetched")


async def test_a_channel_whose_files_hang_stands_in_nobodys_way(kit: hostkit.Kit, provider: Provider) -> None:
    async def silent() -> AsyncIterator[bytes]:
        yield b"beg"
        await asyncio.Event().wait()

    provider.answers["hangs"] = [StreamingResponse(silent())]
    provider.answers["bill"] = [Response(CONTENT)]
    provider.answers["mia"] = [Response(json.dumps({"id": "p1", "from": "mia", "name": "Mia Lang"}))]
    other = hostkit.channel(
        Shop(Settings(account="shop2", url=provider.served.url)), id="chn_other", allow_networks=LOOPBACK
    )
    kit.channels.add(other)
    async with fetching(kit, provider, Limits(max_bytes=4096, seconds=600.0), parallel=4) as tell:
        for number in range(30):
            await tell(id=f"m{number}", files=["hangs"])
        await hostkit.until(lambda: provider.seen)
        await tell(id="m30", files=[], lookups=["mia"])
        for number in range(5):
            said = {"from": "mia", "id": f"o{number}", "files": ["bill"]}
            await kit.ingest.records(other, [Raw(json.dumps(said).encode())])
        await hostkit.until(lambda: all_told(kit, 5))
        await hostkit.until(lambda: ("mia", "") in provider.seen)
    assert [path for path, _ in provider.seen].count("hangs") == 1


PROGRAM = """
import asyncio, os, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import hostkit
from onethread.blobs import Blobs
from shopkit import Provider, fetching

class Dies(Blobs):
    async def put(self, data):
        await super().put(data)
        os._exit(9)

class Elsewhere:
    class served:
        url = sys.argv[4]

async def main():
    async with hostkit.kit(Path(sys.argv[3])) as parts:
        parts.blobs = Dies((Path(sys.argv[3]) / "blobs").as_uri())
        async with fetching(parts, Elsewhere()) as tell:
            await tell(id="m1", files=["bill"])
            await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_process_that_dies_between_download_and_log_completes_it_once(
    kit: hostkit.Kit, provider: Provider, tmp_path: Path
) -> None:
    provider.answers["bill"] = [Response(CONTENT)]
    here = Path(__file__).parent
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(here.parents[1] / "packages"), str(here), str(tmp_path), provider.served.url
    )
    assert await process.wait() == 9
    assert not await files(kit)
    kit.clock.advance(minutes=1)  # what it had taken falls due again
    async with fetching(kit, provider):
        assert await ended(kit) == ["stored"]
    assert [event.kind for event in await kit.events()] == ["message", "message.completed"]


# --- look-ups ------------------------------------------------------------------------------------------------------


async def test_a_look_up_becomes_events_once_a_day(kit: hostkit.Kit, provider: Provider) -> None:
    mia = Response(json.dumps({"id": "p1", "from": "mia", "name": "Mia Lang"}))
    provider.answers["mia"] = [Response(status_code=404), Response(status_code=202), mia]

    async def named() -> bool:
        return any(event.sender.name == "Mia Lang" for event in await kit.events())

    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=[], lookups=["mia"])
        await hostkit.until(named)
        await tell(id="m2", files=["bill"], lookups=["mia"])
        await hostkit.until(lambda: ("bill", "Bearer s3cret") in provider.seen)
        assert [path for path, _ in provider.seen].count("mia") == 3
        kit.clock.advance(days=1, seconds=1)
        await tell(id="m3", files=[], lookups=["mia"])
        await hostkit.until(lambda: [path for path, _ in provider.seen].count("mia") == 4)


async def test_a_look_up_is_given_up_after_two_days(kit: hostkit.Kit, provider: Provider) -> None:
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=[], lookups=["nobody"])
        await hostkit.until(lambda: len(provider.seen) > 2)
        kit.clock.advance(days=2, seconds=1)
        await hostkit.until(lambda: none_left(kit))
    assert [event.kind for event in await kit.events()] == ["message"]
