from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import httpx
import pytest
from acme_ingest.connectors.acme_stream.connector import AcmeStream, Settings
from hostkit import Kit, Replica, channel, item, served, until
from provider import Provider

from onethread.connector import Connector, Host, Mounted, Raw
from onethread.event import Event, System
from onethread.host.channel import Channel
from onethread.host.mounted import MountedApps
from onethread.log.topics import MESSAGES
from onethread.state.channel_states import ChannelStates
from onethread.state.cursors import Cursors

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    scripted = Provider()
    async with served(scripted.app) as url:
        scripted.url = url.replace("http:", "ws:")
        yield scripted


def live(provider: Provider, kind: type[Connector[Any]] = AcmeStream) -> Channel:
    return channel(kind(Settings(url=provider.url)), id="chn_live", allow_networks=LOOPBACK)


async def is_in(kit: Kit, name: str) -> bool:
    found = await ChannelStates(kit.state).get("chn_live")
    return found is not None and found.state == name


async def ids(kit: Kit) -> list[str]:
    return [event.external_id for event in await kit.events()]


async def has(kit: Kit, count: int) -> bool:
    return len(set(await ids(kit))) >= count


async def test_what_is_pushed_is_acknowledged_once_it_is_durable(kit: Kit, provider: Provider) -> None:
    provider.items = [item(f"m{n}") for n in range(3)]
    kit.log.gate.clear()
    kit.channels.add(live(provider))
    async with Replica(kit, "a"):
        await until(lambda: is_in(kit, "healthy"))  # a slow log is no reason to hang up
        assert (provider.acks, await Cursors(kit.state).load("chn_live", "")) == ([], None)
        kit.log.gate.set()
        await until(lambda: provider.acks == ["1", "2", "3"])
    assert await ids(kit) == ["m0", "m1", "m2"]
    assert await Cursors(kit.state).load("chn_live", "") == "3"


async def test_a_session_that_ends_is_opened_again_where_it_stopped(kit: Kit, provider: Provider) -> None:
    provider.items = [item(f"m{n}") for n in range(6)]
    provider.hang_up_after = 2
    kit.channels.add(live(provider))
    async with Replica(kit, "a"):
        await until(lambda: has(kit, 6))
        assert provider.sessions >= 3
    found = await ids(kit)
    assert list(dict.fromkeys(found)) == [f"m{n}" for n in range(6)]


async def test_while_the_log_is_away_emit_waits_and_the_session_lives(kit: Kit, provider: Provider) -> None:
    provider.items = [item("m0")]
    kit.log.away.add(MESSAGES)
    kit.channels.add(live(provider))
    async with Replica(kit, "a"):
        await until(lambda: is_in(kit, "healthy"))
        assert provider.acks == []
        kit.log.away.clear()
        await until(lambda: provider.acks == ["1"])
    assert provider.sessions == 1


async def test_a_provider_that_is_away_is_failing_and_recovers(kit: Kit, provider: Provider) -> None:
    gone = channel(AcmeStream(Settings(url="ws://127.0.0.1:9")), id="chn_live", allow_networks=LOOPBACK)
    kit.channels.add(gone)
    async with Replica(kit, "a"):
        await until(lambda: is_in(kit, "failing"))
        kit.channels.remove("chn_live")
        kit.channels.add(live(provider))
        await until(lambda: is_in(kit, "healthy"))


async def test_after_a_take_over_a_late_cursor_is_refused_and_the_session_ends(kit: Kit, provider: Provider) -> None:
    kit.channels.add(live(provider))
    async with Replica(kit, "a", ttl=60) as replica:
        await until(lambda: provider.sessions == 1)
        await Cursors(kit.state).take("chn_live", "", 1000)  # another took the lease over while this one slept
        provider.items.append(item("m0"))
        await until(lambda: not replica.stream.holds("chn_live", ""))
        assert await Cursors(kit.state).load("chn_live", "") is None
        assert provider.acks == []
    assert await ids(kit) == ["m0"]


async def test_a_paused_session_is_closed(kit: Kit, provider: Provider) -> None:
    await kit.standing.pause("chn_live")
    kit.channels.add(live(provider))
    async with Replica(kit, "a"):
        await until(lambda: is_in(kit, "paused"))
        assert provider.sessions == 0
        await kit.standing.resume("chn_live")
        await until(lambda: provider.sessions == 1)
        await until(lambda: is_in(kit, "healthy"))
        await kit.standing.pause("chn_live")
        await until(lambda: provider.open == 0)
        assert provider.sessions == 1


class Broken(AcmeStream):
    async def resources(self, host: Host) -> list[str]:
        return ["one", "two"]

    async def session(self, host: Host, resource: str, cursor: str | None) -> None:
        if resource == "one":
            raise ExceptionGroup("both", [ValueError("a bug"), ConnectionResetError()])
        await super().session(host, resource, cursor)


async def test_one_broken_resource_does_not_stop_the_others(kit: Kit, provider: Provider) -> None:
    provider.items = [item("m0")]
    kit.channels.add(live(provider, Broken))
    async with Replica(kit, "a"):
        await until(lambda: has(kit, 1))
        await until(lambda: is_in(kit, "failing"))


class Widget(Connector[Settings], Mounted):
    name = network = "widget"

    def asgi(self, host: Host) -> Any:
        async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
            request = await receive()
            await host.emit([Raw(request["body"], about={"path": scope["path"].removeprefix(scope["root_path"])})])
            await send({"type": "http.response.start", "status": 202, "headers": []})
            await send({"type": "http.response.body", "body": b""})

        return app

    def normalize(self, raw: Raw) -> Any:
        yield Event(raw.data.decode(), System(text=raw.about["path"]))


async def test_a_mounted_application_says_202_once_it_is_durable(kit: Kit, provider: Provider) -> None:
    kit.channels.add(channel(Widget(Settings(url="")), id="chn_site"))
    kit.channels.add(live(provider))
    replica = Replica(kit, "a")
    async with served(MountedApps(kit.channels, replica.lender)) as url:
        client = replica.lender.client(live(provider))
        response = await client.post(f"{url}/apps/chn_site/messages", content=b"m1")
        assert response.status_code == 202
        for path in ("/apps/chn_live/x", "/apps/chn_none", "/"):
            with pytest.raises(httpx.HTTPStatusError, match="404"):
                await client.get(url + path)
    (event,) = await kit.events()
    assert (event.external_id, event.fact.text) == ("m1", "/messages")  # type: ignore[union-attr]
    await replica.lender.close()
