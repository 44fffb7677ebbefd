"""When a channel's latest message came is in its state, where the API and people find it."""

import json

import hostkit

from onethread.connector import Raw
from onethread.host.latest import Latest
from onethread.state.channel_states import ChannelStates


async def test_the_latest_message_is_noted_and_nothing_else(kit: hostkit.Kit) -> None:
    channel = hostkit.channel()
    kit.channels.add(channel)
    states = ChannelStates(kit.state)
    latest = Latest(kit.ingest.came, states)
    await kit.ingest.records(channel, [])
    await latest.note()
    assert await states.get(channel.id) is None
    await kit.ingest.records(channel, [Raw(json.dumps(hostkit.item()).encode())])
    await latest.note()
    found = await states.get(channel.id)
    assert found is not None
    assert found.last_message_at == kit.ingest.came[channel.id]
