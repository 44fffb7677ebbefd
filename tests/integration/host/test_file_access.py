"""What an admin sees while we may not fetch a channel's files, and when it is over."""

import json

import hostkit
import pytest
from shopkit import CONTENT, Provider, all_told, ended, fetching, none_left
from starlette.responses import Response

from onethread.host.standing import ENTRANCE
from onethread.state.channel_states import ChannelState, ChannelStates

REFUSED = Response(status_code=403)


async def _state(kit: hostkit.Kit, state: str) -> ChannelState | None:
    found = await ChannelStates(kit.state).get("chn_acme")
    return found if found is not None and found.state == state else None


@pytest.mark.parametrize(("name", "todo"), [("bill", "permission to read files"), ("unscoped", "files:read")])
async def test_a_channel_whose_files_are_refused_says_what_to_do_until_one_arrives(
    kit: hostkit.Kit, provider: Provider, name: str, todo: str
) -> None:
    provider.answers["bill"] = [REFUSED]
    provider.answers["note"] = [Response(CONTENT)]
    async with fetching(kit, provider) as tell:
        await kit.standing.report("chn_acme", ENTRANCE, "healthy")
        await tell(id="m1", files=[name])
        found = await hostkit.until(lambda: _state(kit, "degraded"))
        assert found.reason.code == "files_refused"
        assert todo in found.reason.todo
        await kit.standing.report("chn_acme", ENTRANCE, "starting")  # what the webhook says changes nothing of it
        await kit.standing.report("chn_acme", ENTRANCE, "healthy")
        assert await _state(kit, "degraded")
        await tell(id="m2", files=["note"])
        await hostkit.until(lambda: _state(kit, "healthy"))
        tries = len(provider.seen)
        await hostkit.until(lambda: len(provider.seen) > tries + 5 or name == "unscoped")
        assert await _state(kit, "healthy"), "one file that is forbidden among others is said once"


async def test_a_refused_token_is_renewed_and_tried_at_once(kit: hostkit.Kit, provider: Provider) -> None:
    provider.answers["token/bill"] = [REFUSED, Response(CONTENT)]
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["token/bill"])
        assert await ended(kit) == ["stored"]
    assert provider.seen == [("token/bill", "1"), ("token/bill", "2")]
    assert await ChannelStates(kit.state).get("chn_acme") is None


async def test_look_ups_that_are_refused_say_so_too(kit: hostkit.Kit, provider: Provider) -> None:
    provider.answers["mia"] = [REFUSED]
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=[], lookups=["mia"])
        found = await hostkit.until(lambda: _state(kit, "degraded"))
        assert found.reason.code == "profiles_refused"
        provider.answers["mia"] = [Response(json.dumps({"id": "p1", "from": "mia", "name": "Mia Lang"}))]
        await hostkit.until(lambda: _state(kit, "healthy"))


async def test_files_that_are_gone_say_nothing_about_access(kit: hostkit.Kit, provider: Provider) -> None:
    async with fetching(kit, provider) as tell:
        await tell(id="m1", files=["nothing", "gone"])
        await hostkit.until(lambda: len(provider.seen) > 5)
        kit.clock.advance(days=3)
        await hostkit.until(lambda: none_left(kit))
    assert await all_told(kit, 2)
    assert await ChannelStates(kit.state).get("chn_acme") is None


async def test_of_two_replicas_the_later_word_counts(kit: hostkit.Kit) -> None:
    one, two = hostkit.Replica(kit, "one").standing, hostkit.Replica(kit, "two").standing
    await two.settle("chn_acme", "(files)", "healthy")
    assert await ChannelStates(kit.state).get("chn_acme") is None, "nothing was wrong"
    for _ in range(2):
        await one.settle("chn_acme", "(files)", "degraded")
        assert await _state(kit, "degraded")
        await two.settle("chn_acme", "(files)", "healthy")
        assert await _state(kit, "healthy")
