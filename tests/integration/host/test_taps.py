"""Somebody listens to a channel that is served: all is shown to them, secrets masked, and nothing else changes by it."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import hostkit
import httpx
import pytest
from acme_ingest.connectors.acme.connector import Acme
from acme_ingest.connectors.acme_poll.connector import AcmePoll
from acme_ingest.connectors.acme_poll.connector import Settings as AcmePollSettings
from acme_ingest.connectors.acme_stream.connector import AcmeStream
from acme_ingest.connectors.acme_stream.connector import Settings as AcmeStreamSettings
from hostkit import HOOK, SECRET, Kit, Replica, body, channel, item, signature, until
from provider import Provider
from tapsite import PATH, Away, Site

from onethread.connector import Connector, Host, Keys, Raw, Request
from onethread.errors import Conflict
from onethread.host.channel import Channel
from onethread.host.listeners import SIGHTINGS, SLOTS, TAPS
from onethread.host.taps import Taps
from onethread.host.tasks import cancelled
from onethread.host.webhook import WebhookApp
from onethread.log.topics import MESSAGES
from onethread.state.mongo import MongoState


async def wake(to: Channel, what: object) -> None:
    """Nobody is woken here."""


def no_host(channel: Channel) -> Host:
    return object()  # type: ignore[return-value]


@pytest.fixture(params=["sqlite", "mongo"])
async def store(kit: Kit, request: pytest.FixtureRequest) -> AsyncIterator[Away]:
    if request.param == "sqlite":
        yield Away(kit.state)
    else:
        server = request.getfixturevalue("mongo_server")
        async with MongoState(server.url, f"taps_{uuid.uuid4().hex}") as state:
            yield Away(state)


@pytest.fixture
async def site(kit: Kit, store: Away) -> AsyncIterator[Site]:
    kit.channels.add(channel())
    kit.clock.runs()
    app = WebhookApp(
        kit.ingest, public_url="https://hooks.example.com", lend=no_host, wake=wake, standing=kit.standing,
        body_limit=1024 * 1024,
    )  # fmt: skip
    async with hostkit.served(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        made = Site(kit, store, client)
        yield made
        await made.stop()
    await app.stop()


async def test_requests_are_shown_with_verdict_answer_and_what_became_of_them(site: Site) -> None:
    site.serves()
    tap, listening = await site.listens()
    await site.looked_at()
    bad = body(item("m2"), {"type": "message", "id": 7}, item("m3", text=SECRET))
    assert await site.post(body(item("m1"))) == 200
    assert await site.post(body(item("m1")), {"x-acme-signature": "00", "authorization": "Bearer other"}) == 401
    assert await site.post(bad) == 200
    assert await site.post(b"[", signature(b"[")) == 200
    assert await site.post(b"", path="/hooks/chn_acme/guessed-hook-secret") == 404
    assert (await site.client.get(PATH)).status_code == 405
    await until(lambda: len(site.seen) == 6)
    good, forged, mixed, broken, strayed, asked = site.seen
    assert (good["signature"], good["answer"]) == ("right", 200)
    assert [event["external_id"] for event in good["events"]] == ["m1"]
    assert good["events"][0]["id"] == (await site.kit.events())[0].id
    assert json.loads(good["request"]["body"])["items"][0]["id"] == "m1"
    assert forged["signature"].startswith("wrong: ")
    assert (forged["answer"], forged["events"], forged["request"]["headers"]["authorization"]) == (401, [], "***")
    letters = {letter.id: letter.stage for letter in await site.kit.letters()}
    assert [event.get("external_id") for event in mixed["events"]] == ["m2", None, "m3"]
    assert letters[mixed["events"][1]["dead_letter"]] == mixed["events"][1]["stage"] == "normalize"
    assert letters[broken["events"][0]["dead_letter"]] == broken["events"][0]["stage"] == "unpack"
    assert (strayed["answer"], strayed["events"]) == (404, [])
    assert "hook_secret" in strayed["refused"]
    assert (asked["signature"], asked["answer"]) == ("not needed: GET", 405)
    assert not [secret for secret in (SECRET, HOOK, "other", "guessed") if secret in str(site.seen)]
    assert len(await site.kit.events()) == 3  # what was shown went its way as ever
    listening.cancel()
    await tap.end()
    await until(site.is_empty)
    await until(lambda: not site.kit.ingest.taps)
    assert await site.post(body(item("m4"))) == 200
    assert await site.is_empty()


async def test_a_record_that_is_pulled_is_shown_with_its_events(site: Site) -> None:
    site.serves()
    await site.listens()
    await site.looked_at()
    (one,) = site.kit.channels
    records = [Raw(json.dumps(item("m1")).encode(), form="rest"), Raw(b"no record"), Raw(b"{}", account="shop9")]
    await Replica(site.kit, "a").lender.lend(one).emit(records)
    await until(lambda: len(site.seen) == 3)
    stray, bad, good = sorted(site.seen, key=lambda seen: str(seen["events"][0].get("stage", "n")), reverse=True)
    assert (stray["record"], stray["events"][0]["error"]) == ({"account": "shop9", "data": "{}"}, "no_channel")
    assert (good["record"]["form"], good["events"][0]["external_id"]) == ("rest", "m1")
    assert (bad["record"]["data"], bad["events"][0]["error"]) == ("no record", "poison")


async def test_who_listens_is_told_that_nothing_is_stored(site: Site) -> None:
    site.serves()
    await site.listens()
    await site.looked_at()
    site.kit.log.away = {MESSAGES}
    assert await site.post(body(item("m1"))) == 503
    await until(lambda: len(site.seen) == 1)
    assert (site.seen[0]["signature"], site.seen[0]["answer"]) == ("right", 503)
    assert "the log is away" in site.seen[0]["refused"]


@pytest.mark.parametrize("kind", ["polling", "stream"])
async def test_what_a_replica_pulls_is_shown(site: Site, kind: str) -> None:
    provider = Provider()
    async with hostkit.served(provider.app) as url:
        pulls: Connector[Any] = AcmePoll(AcmePollSettings(url=url))
        if kind == "stream":
            pulls = AcmeStream(AcmeStreamSettings(url=url.replace("http:", "ws:")))
        site.kit.channels.remove("chn_acme")
        site.kit.channels.add(channel(pulls, allow_networks=(ip_network("127.0.0.0/8"),)))
        site.serves()
        await site.listens()
        await site.looked_at()
        provider.items = [item("m1"), {"id": 7}]
        async with Replica(site.kit, "a"):
            await until(lambda: len(site.seen) == 2)
    assert [one["events"][0].get("external_id") for one in site.seen] == ["m1", None]
    assert json.loads(site.seen[1]["record"]["data"]) == {"id": 7}
    assert site.seen[1]["events"][0]["error"] == "poison"


class Breaks(Acme):
    """Its code has a mistake, which anybody's request brings out."""

    def authenticate(self, request: Request) -> None:
        raise KeyError(f"x-acme-{SECRET}")


class Fetches(Acme, Keys):
    """Its keys cannot be had, at an address that holds a token."""

    def key_names(self, request: Request) -> tuple[str, ...]:
        return ("key",)

    async def load_key(self, host: Host, name: str) -> bytes:
        asked = httpx.Request("GET", "https://api.example.com/keys?token=of-another-kind")
        raise httpx.HTTPStatusError(str(asked.url), request=asked, response=httpx.Response(500, request=asked))


@pytest.mark.parametrize(
    ("connector", "answer", "signature", "refused"),
    [
        (Breaks, 401, "wrong: authenticate failed (KeyError: 'x-acme-***')", None),
        (Fetches, 503, "not looked at", "api.example.com answers 500"),
    ],
)
async def test_a_mistake_is_told_from_a_provider_that_is_away(
    site: Site, connector: type[Acme], answer: int, signature: str, refused: str | None
) -> None:
    site.kit.channels.remove("chn_acme")
    site.kit.channels.add(channel(connector(hostkit.acme().settings)))
    site.serves()
    await site.listens()
    await site.looked_at()
    assert await site.post(body(item("m1"))) == answer
    await until(lambda: site.seen)
    assert (site.seen[0]["signature"], site.seen[0].get("refused")) == (signature, refused)
    assert site.seen[0]["answer"] == answer


async def taken(site: Site, content: bytes) -> bool:
    """As a provider delivers: again, where the log took too long on a busy machine."""
    for _ in range(3):
        if await site.post(content) == 200:
            return True
    return False


async def test_a_store_that_is_away_keeps_nobody_from_delivering(site: Site) -> None:
    site.serves()
    await site.listens()
    await site.looked_at()
    site.store.away = True
    for number in range(100):
        assert await taken(site, body(item(f"m{number}")))
    assert len({event.external_id for event in await site.kit.events()}) == 100
    await until(lambda: site.told)
    site.store.away = False
    await until(lambda: [one for one in site.seen if "missed" in one] or site.kit.ingest.taps.strayed(PATH))
    assert site.told == ["store.url: the state is away. What comes meanwhile may not be shown."]


async def test_what_nobody_takes_is_bounded_and_goes_with_its_tap(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.serves()
    _, listening = await site.listens()
    await site.looked_at()
    await cancelled([listening])  # it died, and could not take its tap away
    await site.post(body(item("m0", text="a word of theirs")))
    for number in range(3 * SLOTS):
        site.kit.ingest.taps.strayed(f"/hooks/chn_acme/{number}")
        await asyncio.sleep(0)
    await until(lambda: site.kit.ingest.taps._missed.get("chn_acme"))
    await until(lambda: _left(site, SLOTS // 2))
    site.clock.seconds += 14.9
    await asyncio.sleep(0)
    assert not await site.is_empty()
    site.clock.seconds += 0.2
    await until(site.is_empty)
    assert not site.kit.ingest.taps
    assert "theirs" not in caplog.text


async def _left(site: Site, least: int) -> bool:
    found = len(await site.store.scan(SIGHTINGS))
    assert found <= SLOTS
    return found >= least


async def test_what_a_killed_process_left_is_removed_by_the_next_one(site: Site) -> None:
    await site.store.put(SIGHTINGS, "chn_acme/03", b"{}", 0)
    await site.store.put(SIGHTINGS, "chn_other/03", b"{}", 0)
    await site.store.put(TAPS, "chn_other", b"somebody", 0)
    site.serves()
    await until(lambda: _only(site, "chn_other"))
    site.clock.seconds += 15.1
    await until(site.is_empty)


async def _only(site: Site, channel_id: str) -> bool:
    return {one.id.partition("/")[0] for one in await site.store.scan(SIGHTINGS)} == {channel_id}


async def test_who_comes_last_listens_and_who_was_there_is_told(site: Site) -> None:
    site.serves()
    tap, first = await site.listens()
    await site.looked_at()
    tap._renewed = -1e9  # its next renewal is due
    second, _ = await site.listens()
    with pytest.raises(Conflict, match="another `onethread listen`"):
        await first
    await tap.end()  # takes nothing from the other
    await site.looked_at()
    assert await site.post(body(item("m1"))) == 200
    await until(lambda: len(site.seen) == 1)
    await second.end()


async def test_all_replicas_show_what_they_see_and_leave_nothing(site: Site) -> None:
    other = Taps("another", site.kit.clock)
    site.serves()
    site.serves(other)
    tap, listening = await site.listens()
    await until(lambda: {one.get("service") for one in site.seen} >= {"", "another"})
    for number in range(10):
        for taps in (site.kit.ingest.taps, other):
            taps.strayed(f"/hooks/chn_acme/{number}")
    await until(lambda: len([one for one in site.seen if one.get("answer") == 404]) == 20)
    listening.cancel()
    await tap.end()
    await until(lambda: not site.kit.ingest.taps and not other)
    await until(site.is_empty)


async def test_without_a_service_it_is_said_what_to_start(site: Site) -> None:
    await site.listens(patience=0.0)
    await until(lambda: site.told)
    assert "onethread up" in site.told[0]
    assert "--port" in site.told[0]
