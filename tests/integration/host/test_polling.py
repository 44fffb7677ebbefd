import asyncio
from collections.abc import AsyncIterator
from ipaddress import ip_network
from typing import Any

import pytest
from acme_ingest.connectors.acme_poll.connector import AcmePoll, Settings
from fastapi.responses import JSONResponse, Response
from hostkit import Kit, Replica, channel, item, served, until
from provider import Provider

from onethread.connector import Wake
from onethread.errors import Conflict
from onethread.host.channel import Channel
from onethread.log.topics import DEAD_LETTERS, MESSAGES
from onethread.state.channel_states import ChannelState, ChannelStates
from onethread.state.cursors import Cursors
from onethread.state.leases import Leases

LOOPBACK = (ip_network("127.0.0.0/8"),)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    scripted = Provider()
    async with served(scripted.app) as url:
        scripted.url = url
        yield scripted


def polled(provider: Provider, **settings: Any) -> Channel:
    connector = AcmePoll(Settings(url=provider.url, **settings))
    return channel(connector, id="chn_poll", allow_networks=LOOPBACK)


async def state(kit: Kit) -> ChannelState | None:
    return await ChannelStates(kit.state).get("chn_poll")


async def is_in(kit: Kit, name: str) -> bool:
    found = await state(kit)
    return found is not None and found.state == name


async def ids(kit: Kit) -> list[str]:
    return [event.external_id for event in await kit.events()]


async def has(kit: Kit, count: int) -> bool:
    return len(set(await ids(kit))) >= count


async def test_pages_are_read_to_the_end_in_order_and_the_cursor_is_saved(kit: Kit, provider: Provider) -> None:
    provider.items = [item(f"m{n}") for n in range(5)]
    kit.channels.add(polled(provider))
    async with Replica(kit, "a"):
        await until(lambda: has(kit, 5))
        await until(lambda: is_in(kit, "healthy"))
    assert await ids(kit) == [f"m{n}" for n in range(5)]
    assert await Cursors(kit.state).load("chn_poll", "") == "5"


async def test_the_cursor_is_never_ahead_of_the_log(kit: Kit, provider: Provider) -> None:
    provider.items = [item(f"m{n}") for n in range(4)]
    kit.channels.add(polled(provider))
    kit.log.gate.clear()
    replica = Replica(kit, "a", ttl=0.2)
    async with replica:
        await until(lambda: provider.requests)
        assert await Cursors(kit.state).load("chn_poll", "") is None
        kit.log.away.add(MESSAGES)  # the write under way fails when it is let go
        kit.log.gate.set()
        await until(lambda: len(provider.requests) >= 3)
        assert await Cursors(kit.state).load("chn_poll", "") is None
        assert {request["after"] for request in provider.requests} == {""}
        kit.log.away.clear()
        await until(lambda: has(kit, 4))
    assert await Cursors(kit.state).load("chn_poll", "") == "4"


async def test_killed_between_log_and_cursor_the_page_comes_again_as_the_same_events(
    kit: Kit, provider: Provider
) -> None:
    provider.items = [item("m0"), item("m1")]
    poll = polled(provider)
    # What is left of a process that was killed after the log confirmed and before the cursor was saved:
    lender = Replica(kit, "killed").lender
    page = await poll.connector.fetch(lender.lend(poll), "", None)
    await lender.close()
    first = await kit.ingest.records(poll, page.records)
    kit.channels.add(poll)
    async with Replica(kit, "b"):
        await until(lambda: is_in(kit, "healthy"))
        assert await Cursors(kit.state).load("chn_poll", "") == "2"
    events = await kit.events()
    assert [event.id for event in events] == [*first.events, *first.events]


async def test_one_bad_record_does_not_hold_up_its_page(kit: Kit, provider: Provider) -> None:
    provider.items = [item("m0"), {"id": 7}, item("m2")]
    kit.channels.add(polled(provider))
    async with Replica(kit, "a"):
        await until(lambda: has(kit, 2))
    assert (await ids(kit), len(await kit.letters())) == (["m0", "m2"], 1)


async def test_a_row_of_bugs_stops_the_pull_before_it_and_the_mended_connector_goes_on(
    kit: Kit, provider: Provider
) -> None:
    provider.page = 100
    provider.items = [item("m0"), *[item(f"b{n}", type="bug") for n in range(30)]]
    kit.channels.add(polled(provider))
    async with Replica(kit, "a"):
        await until(lambda: is_in(kit, "failing"))
        found = await state(kit)
        assert found is not None
        assert "20 records in a row" in found.reason.todo
        assert await Cursors(kit.state).load("chn_poll", "") is None
        assert await kit.letters() == []
        for each in provider.items[1:]:
            each["type"] = "message"
        await until(lambda: has(kit, 31))
        await until(lambda: is_in(kit, "healthy"))


async def test_it_backs_off_obeys_the_providers_wait_and_recovers(kit: Kit, provider: Provider) -> None:
    provider.items = [item("m0")]
    provider.failures.extend([Response(status_code=503)] * 4)
    provider.failures.append(Response(status_code=429, headers={"retry-after": "1"}))
    kit.channels.add(polled(provider))
    async with Replica(kit, "a"):
        await until(lambda: is_in(kit, "failing"))
        failing = await state(kit)
        assert failing is not None
        assert failing.reason.code == "unreachable"
        assert failing.next_try_at is not None
        await until(lambda: len(provider.requests) == 5)
        limited = asyncio.get_running_loop().time()
        await until(lambda: len(provider.requests) == 6)
        assert asyncio.get_running_loop().time() - limited >= 0.99
        await until(lambda: is_in(kit, "healthy"))
    assert await ids(kit) == ["m0"]


async def test_a_refusal_is_degraded_and_says_so(kit: Kit, provider: Provider) -> None:
    provider.failures.extend([Response(status_code=404)] * 1000)
    kit.channels.add(polled(provider))
    async with Replica(kit, "a"):
        await until(lambda: is_in(kit, "degraded"))


async def test_a_token_that_is_refused_is_renewed_at_once_and_nobody_notices(kit: Kit, provider: Provider) -> None:
    provider.items = [item("m0")]
    kit.channels.add(polled(provider, log_in=True))
    async with Replica(kit, "a") as replica:
        await until(lambda: has(kit, 1))
        provider.tokens = set()  # taken away before its time
        provider.items.append(item("m1"))
        poll = kit.channels.get("chn_poll")
        assert poll is not None
        await replica.polling.wake(poll, Wake())
        await until(lambda: has(kit, 2))
        assert await is_in(kit, "healthy")
    assert provider.refreshes == ["r0", "r1"]


async def test_three_refusals_in_a_row_are_auth_required_and_it_recovers(kit: Kit, provider: Provider) -> None:
    provider.failures.extend([Response(status_code=403)] * 4)
    kit.channels.add(polled(provider))
    async with Replica(kit, "a"):
        await until(lambda: is_in(kit, "auth_required"))
        found = await state(kit)
        assert found is not None
        assert "authorise" in found.reason.todo
        await until(lambda: is_in(kit, "healthy"))


async def test_a_revoked_grant_is_auth_required_within_one_round(kit: Kit, provider: Provider) -> None:
    provider.revoked = True
    kit.channels.add(polled(provider, log_in=True))
    async with Replica(kit, "a"):
        await until(lambda: is_in(kit, "auth_required"))
        assert provider.requests == []


async def test_an_address_of_our_own_network_is_refused_unless_a_setting_names_it(kit: Kit, provider: Provider) -> None:
    closed = polled(provider)
    kit.channels.add(channel(closed.connector, id="chn_poll"))
    async with Replica(kit, "a"):
        await until(lambda: is_in(kit, "failing"))
        found = await state(kit)
        assert found is not None
        assert "allow_networks" in found.reason.todo
    assert provider.requests == []


async def test_a_wake_fetches_at_once_with_its_hint(kit: Kit, provider: Provider) -> None:
    poll = polled(provider)
    kit.channels.add(poll)
    async with Replica(kit, "a") as replica:
        await until(lambda: provider.requests)
        provider.items.append(item("m0"))
        await replica.polling.wake(poll, Wake(hint="notice 7"))
        await until(lambda: has(kit, 1))
    assert [request["hint"] for request in provider.requests] == ["", "notice 7"]


async def test_a_wake_on_another_replica_reaches_the_one_that_holds_the_resource(kit: Kit, provider: Provider) -> None:
    poll = polled(provider)
    kit.channels.add(poll)
    async with Replica(kit, "a") as a, Replica(kit, "b") as b:
        await until(lambda: provider.requests)
        other = b if a.polling.holds("chn_poll", "") else a
        provider.items.append(item("m0"))
        await other.polling.wake(poll, Wake(hint="from afar"))
        await until(lambda: has(kit, 1))
    assert [request["hint"] for request in provider.requests] == ["", "from afar"]


async def test_a_wake_may_name_what_no_list_does(kit: Kit, provider: Provider) -> None:
    poll = polled(provider, resources=())
    kit.channels.add(poll)
    provider.items = [item(f"m{n}") for n in range(5)]
    async with Replica(kit, "a") as replica:
        await until(lambda: "chn_poll" in replica.polling._listed)
        await replica.polling.wake(poll, Wake("topic", "https://example.com/confirm"))
        await until(lambda: has(kit, 5))
        await until(lambda: not replica.polling._once)
    assert [request["resource"] for request in provider.requests] == ["topic"] * 3
    assert {request["hint"] for request in provider.requests} == {"https://example.com/confirm"}, "each page gets it"


async def test_each_resource_has_a_cursor_and_a_back_off_of_its_own(kit: Kit, provider: Provider) -> None:
    provider.items = [item("m0")]
    kit.channels.add(polled(provider, resources=("one", "two")))
    async with Replica(kit, "a"):
        await until(lambda: {request["resource"] for request in provider.requests} == {"one", "two"})
        await until(lambda: is_in(kit, "healthy"))
    cursors = Cursors(kit.state)
    assert [await cursors.load("chn_poll", name) for name in ("one", "two")] == ["1", "1"]


async def test_another_replica_takes_over_when_the_holder_is_gone(kit: Kit, provider: Provider) -> None:
    provider.items = [item("m0")]
    kit.channels.add(polled(provider))
    dead = await Leases(kit.state, "killed", ttl=0.3).acquire("chn_poll", "")
    assert dead is not None
    await Cursors(kit.state).take("chn_poll", "", dead.fence)
    async with Replica(kit, "b", ttl=0.3):
        await until(lambda: has(kit, 1))
    with pytest.raises(Conflict):
        await Cursors(kit.state).save("chn_poll", "", "0", dead.fence)


async def test_two_replicas_do_not_pull_the_same_resource(kit: Kit, provider: Provider) -> None:
    provider.items = [item(f"m{n}") for n in range(6)]
    kit.channels.add(polled(provider))
    async with Replica(kit, "a") as a, Replica(kit, "b") as b:
        await until(lambda: has(kit, 6))
        await until(lambda: is_in(kit, "healthy"))
        assert a.polling.holds("chn_poll", "") != b.polling.holds("chn_poll", "")
    assert sorted(await ids(kit)) == [f"m{n}" for n in range(6)]


async def test_a_clean_stop_lets_the_next_one_begin_at_once(kit: Kit, provider: Provider) -> None:
    kit.channels.add(polled(provider))
    async with Replica(kit, "a", ttl=60):
        await until(lambda: provider.requests)
    async with Replica(kit, "b", ttl=60):
        await until(lambda: len(provider.requests) == 2)


async def test_a_paused_channel_is_left_alone_until_it_is_resumed(kit: Kit, provider: Provider) -> None:
    poll = polled(provider)
    kit.channels.add(poll)
    await kit.standing.pause("chn_poll")
    async with Replica(kit, "a"):
        await until(lambda: is_in(kit, "paused"))
        assert provider.requests == []
        await kit.standing.resume("chn_poll")
        await until(lambda: provider.requests)
        await until(lambda: is_in(kit, "healthy"))


async def test_a_channel_can_be_added_changed_and_removed_while_it_runs(kit: Kit, provider: Provider) -> None:
    async with Replica(kit, "a") as replica:
        kit.channels.add(polled(provider))
        await until(lambda: provider.requests)
        kit.channels.remove("chn_poll")
        kit.channels.add(polled(provider, resources=("new",)))
        await until(lambda: provider.requests[-1]["resource"] == "new")
        kit.channels.remove("chn_poll")
        await until(lambda: not replica.polling.holds("chn_poll", "new"))


async def test_what_breaks_is_logged_once_and_so_is_its_recovery(
    kit: Kit, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.failures.extend([JSONResponse({}, status_code=500)] * 12)
    kit.channels.add(polled(provider))
    with caplog.at_level("INFO"):
        async with Replica(kit, "a"):
            await until(lambda: is_in(kit, "failing"))
            await until(lambda: is_in(kit, "healthy"))
    lines = [record.getMessage() for record in caplog.records]
    assert sum("needs attention" in line for line in lines) == 1
    assert sum("works again" in line for line in lines) == 1


async def test_a_dead_letter_that_cannot_be_written_keeps_the_cursor(kit: Kit, provider: Provider) -> None:
    provider.items = [{"id": 7}]
    kit.log.away.add(DEAD_LETTERS)
    kit.channels.add(polled(provider))
    async with Replica(kit, "a"):
        await until(lambda: len(provider.requests) > 3)
        assert await Cursors(kit.state).load("chn_poll", "") is None
        kit.log.away.clear()
        await until(kit.letters)
