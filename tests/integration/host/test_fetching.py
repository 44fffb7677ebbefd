"""Files and look-ups of messages, by the running host against a provider on loopback: who gets what, and when it ends."""

import asyncio
import hashlib
import json
import sys
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import hostkit
import pytest
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from onethread import metrics
from onethread.connector import Connector, Downloads, Host, Lookups, Media, Raw
from onethread.envelope import recording_id
from onethread.errors import Poison, Retryable
from onethread.event import Attachment, CallRecording, Claim, Contact, Event, Message, MessageCompleted, Party
from onethread.host.errands import Errands
from onethread.host.fetched import Fetched
from onethread.host.fetching import Fetching
from onethread.host.jobs import Jobs
from onethread.host.media import Limits
from onethread.testing.serving import Loopback

CONTENT = b"%PDF-1.7 a bill"
LOOPBACK = (ip_network("127.0.0.0/8"),)


class Settings(BaseModel):
    """Where the shop's files are."""

    account: str = "shop1"
    url: str = ""


class Shop(Connector[Settings], Downloads, Lookups):
    """Its records name files and people; both are asked for later."""

    name = network = "shop"
    edges = ()

    def normalize(self, raw: Raw) -> Iterable[Event]:
        said = json.loads(raw.data)
        who = Party(claims=(Claim("shop_user", said["from"]),), name=said.get("name", ""))
        if "name" in said:
            yield Event(said["id"], Contact(), sender=who)
            return
        files = tuple(
            Attachment(
                locator=one,
                sha256=said.get("sha256", ""),
                expires_at=datetime.fromisoformat(said["until"]) if "until" in said else None,
            )
            for one in said["files"]
        )
        if "call" in said:
            yield Event(said["id"], CallRecording(call=said["call"], attachment=files[0]), "completed", sender=who)
            return
        yield Event(said["id"], Message(attachments=files), sender=who, lookups=tuple(said.get("lookups", ())))

    async def download(self, host: Host, locator: str) -> Media:
        if locator == "gone":
            raise Poison("the shop deleted it")
        return Media(f"{self.settings.url}/{locator}", {"authorization": "Bearer s3cret"}, ("text/html",))

    async def lookup(self, host: Host, locator: str) -> Sequence[Raw]:
        answer = await host.http.get(f"{self.settings.url}/{locator}")
        if answer.status_code == 202:
            raise Retryable("not yet")
        return [Raw(answer.content)]


class Provider:
    """Answers by path; `seen`: path and credentials of each request."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Response]] = {}
        self.seen: list[tuple[str, str]] = []
        self.served = Loopback(Starlette(routes=[Route("/{path:path}", self._answer)]))

    async def _answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        self.seen.append((path, request.headers.get("authorization", "")))
        queue = self.answers.get(path) or [Response(status_code=404)]
        return queue.pop(0) if len(queue) > 1 else queue[0]


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    async with made.served:
        yield made


Tell = Callable[..., Awaitable[None]]


@asynccontextmanager
async def fetching(
    kit: hostkit.Kit, provider: Provider, limits: Limits | None = None, *, parallel: int = 8, **fields: Any
) -> AsyncIterator[Tell]:
    """The running part; what is yielded takes a record as a provider's."""
    fields = {"allow_networks": LOOPBACK, **fields}
    channel = hostkit.channel(Shop(Settings(url=provider.served.url)), **fields)
    kit.channels.add(channel)
    kit.clock.runs()
    replica = hostkit.Replica(kit, "one")
    errands = Errands(replica.lender, kit.log, kit.blobs, limits or Limits(max_bytes=4096, seconds=2.0))
    part = Fetching(replica.lender, kit.log, Jobs(kit.state), errands, group="media", member="one", parallel=parallel)
    running = asyncio.create_task(part.run())

    async def tell(**record: Any) -> None:
        await kit.ingest.records(channel, [Raw(json.dumps({"from": "mia", **record}).encode())])

    try:
        yield tell
    finally:
        await part.stop()
        await running
        await replica.lender.close()


async def files(kit: hostkit.Kit) -> list[Attachment]:
    """As the latest word on them says; none while there is none."""
    told = [event.fact for event in await kit.events() if isinstance(event.fact, MessageCompleted)]
    return list(told[-1].attachments) if told else []


async def ended(kit: hostkit.Kit) -> list[str]:
    """The statuses, once no file waits."""

    async def all_ended() -> bool:
        found = await files(kit)
        return bool(found) and all(file.status != "pending" for file in found)

    await hostkit.until(all_ended)
    return [file.status for file in await files(kit)]


def _outcomes(outcome: str) -> float:
    return metrics.MEDIA.value("chn_acme", outcome)


async def _all_told(kit: hostkit.Kit, number: int) -> bool:
    return sum(event.kind == "message.completed" for event in await kit.events()) == number


async def _recordings(kit: hostkit.Kit, status: str) -> bool:
    facts = [event.fact for event in await kit.events()]
    return any(isinstance(fact, CallRecording) and fact.attachment.status == status for fact in facts)


async def _none_left(kit: hostkit.Kit) -> bool:
    return not await kit.state.scan("fetches")


async def _rows(kit: hostkit.Kit) -> dict[str, int]:
    """Of the state store's table, traces of what was deleted included."""
    ours = (
        "SELECT collection, count(*) FROM documents WHERE collection IN ('fetches', 'looked_up', 'fetched') GROUP BY 1"
    )
    rows = await kit.state._database.read(lambda connection: connection.execute(ours).fetchall())
    return {str(name): int(number) for name, number in rows}


async def _failed(kit: hostkit.Kit, external_id: str) -> bool:
    told = [event.fact for event in await kit.events() if event.external_id == external_id]
    return any(isinstance(fact, MessageCompleted) and fact.attachments[0].status == "failed" for fact in told)


def _cut_short() -> StreamingResponse:
    """More is announced than comes."""

    async def half() -> AsyncIterator[bytes]:
        yield CONTENT[:5]
        raise ConnectionResetError("the provider's disk failed")

    return StreamingResponse(half(), headers={"content-length": str(len(CONTENT))})


# --- files ---------------------------------------------------------------------------------------------------------


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


async def test_what_is_too_large_or_too_slow_is_not_taken(kit: hostkit.Kit, provider: Provider) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(1024)
            await asyncio.sleep(0)

    async def silent() -> AsyncIterator[bytes]:
        yield b"beg"
        await asyncio.Event().wait()

    provider.answers["large"] = [StreamingResponse(endless())]
    provider.answers["slow"] = [StreamingResponse(silent()), Response(CONTENT)]
    async with fetching(kit, provider, Limits(max_bytes=4096, seconds=0.3)) as tell:
        await tell(id="m1", files=["large", "slow"])
        assert await ended(kit) == ["failed", "stored"]


async def test_files_on_their_way_are_not_held_in_memory(kit: hostkit.Kit, provider: Provider) -> None:
    size, part = 16 * 1024 * 1024, bytes(65536)

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(size // len(part)):
            yield part

    for name in "abcd":
        provider.answers[name] = [StreamingResponse(parts())]
    tracemalloc.start()
    try:
        async with fetching(kit, provider, Limits(max_bytes=size, seconds=60), parallel=16) as tell:
            for name in "abcd":
                await tell(id=name, files=[name])
            await hostkit.until(lambda: _all_told(kit, 4), seconds=60)
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()
    (stored,) = await files(kit)
    assert (stored.status, await kit.blobs.size(stored.sha256)) == ("stored", size)


async def test_what_is_not_what_the_provider_names_has_not_arrived(kit: hostkit.Kit, provider: Provider) -> None:
    broken = _outcomes("broken")
    provider.answers["bill"] = [Response(b"a login page"), Response(CONTENT)]
    provider.answers["forged"] = [Response(b"another bill")]
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["bill"], sha256=hashlib.sha256(CONTENT).hexdigest().upper())
        assert await ended(kit) == ["stored"]
        assert _outcomes("broken") == broken + 1
        await tell(id="m2", files=["forged"], sha256="0" * 64)
        await hostkit.until(lambda: _outcomes("broken") > broken + 2)
        kit.clock.advance(days=3)
        await hostkit.until(lambda: _failed(kit, "m2"))
    for never in (b"a login page", b"another bill"):
        with pytest.raises(Poison):
            await kit.blobs.get(hashlib.sha256(never).hexdigest())


async def test_a_file_cut_short_has_not_arrived(kit: hostkit.Kit, provider: Provider) -> None:
    broken = _outcomes("broken")
    provider.answers["bill"] = [_cut_short(), Response(CONTENT)]
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["bill"])
        assert await ended(kit) == ["stored"]
    assert (await files(kit))[0].size_bytes == len(CONTENT)
    assert _outcomes("broken") == broken + 1


async def test_what_says_that_it_is_too_large_is_not_read(kit: hostkit.Kit, provider: Provider) -> None:
    async def silent() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    provider.answers["large"] = [StreamingResponse(silent(), headers={"content-length": "4097"})]
    async with fetching(kit, provider, Limits(max_bytes=4096, seconds=60)) as tell:
        await tell(id="m1", files=["large"])
        assert await ended(kit) == ["failed"]


async def test_the_recording_of_a_call_is_fetched_too(kit: hostkit.Kit, provider: Provider) -> None:
    provider.answers["sound"] = [Response(b"ID3 sound", media_type="audio/mpeg")]
    async with fetching(kit, provider) as tell:
        await tell(id="r1", call="c1", files=["sound"])
        await hostkit.until(lambda: _recordings(kit, "stored"))
        await hostkit.until(lambda: _none_left(kit))
    first, second = await kit.events()
    assert recording_id(second) == first.id != second.id
    assert recording_id(first) == ""
    assert isinstance(second.fact, CallRecording)
    sound = second.fact.attachment
    assert (second.external_id, sound.media_type, sound.size_bytes) == ("r1", "audio/mpeg", 9)
    assert await kit.blobs.get(sound.sha256) == b"ID3 sound"


async def test_a_redirect_takes_no_credentials_along(kit: hostkit.Kit, provider: Provider) -> None:
    other = Provider()
    other.answers["there"] = [Response(CONTENT)]
    async with other.served:
        provider.answers["here"] = [RedirectResponse(f"{other.served.url}/there")]
        async with fetching(kit, provider) as tell:
            await tell(id="m1", files=["here"])
            assert await ended(kit) == ["stored"]
    assert provider.seen == [("here", "Bearer s3cret")]
    assert other.seen == [("there", "")]


@pytest.mark.parametrize("target", ["http://10.0.0.7/secrets", "http://[::1]/secrets", "http://169.254.169.254/latest"])
async def test_a_redirect_to_a_private_address_is_refused(kit: hostkit.Kit, provider: Provider, target: str) -> None:
    provider.answers["here"] = [RedirectResponse(target)]
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["here"])
        assert await ended(kit) == ["failed"]
    assert provider.seen == [("here", "Bearer s3cret")]


async def test_a_url_in_a_message_reaches_no_private_address(kit: hostkit.Kit, provider: Provider) -> None:
    async with fetching(kit, provider, allow_networks=()) as tell:
        await tell(id="m1", files=["https://127.0.0.1/secrets", "https://localhost/secrets"])
        assert await ended(kit) == ["failed", "failed"]


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
        await hostkit.until(lambda: _all_told(kit, 1))
        await tell(id="m2", files=["gone", "bill"])
        await hostkit.until(lambda: _failed(kit, "m2"))
        for _ in range(3):
            await tell(id="m1", files=["bill"])
        await tell(id="m3", files=["bill"])
        await hostkit.until(lambda: _all_told(kit, 3))
        assert [path for path, _ in provider.seen] == ["bill"] * 3
    kit.channels.remove("chn_acme")
    async with fetching(kit, provider) as tell:  # another process remembers it as well
        await tell(id="m1", files=["bill"])
        await tell(id="m2", files=["gone", "bill"])
        await hostkit.until(lambda: len(provider.seen) > 3)
        await hostkit.until(lambda: _none_left(kit))
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
        await hostkit.until(lambda: _all_told(kit, 30))
        await hostkit.until(lambda: _none_left(kit))
        assert await _rows(kit) == {"fetched": 30, "looked_up": 1}
        now = kit.clock().timestamp()
        event = (await kit.events())[0].id
        assert await fetched.has(event, now)
        assert await fetched.has(event, now + 7 * 86400)
        await Jobs(kit.state).forget(now + 15 * 86400)
    assert await _rows(kit) == {}


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
        await hostkit.until(lambda: _all_told(kit, 5))
        await hostkit.until(lambda: ("mia", "") in provider.seen)
    assert [path for path, _ in provider.seen].count("hangs") == 1


PROGRAM = """
import asyncio, os, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[2]]
import hostkit
from onethread.blobs import Blobs
from test_fetching import Provider, fetching

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
        await hostkit.until(lambda: _none_left(kit))
    assert [event.kind for event in await kit.events()] == ["message"]
