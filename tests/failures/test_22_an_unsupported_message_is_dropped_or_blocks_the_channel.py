"""What users saw: a poll, a view-once photo, "Get started" or something new is dropped, or blocks all that comes after it.

zammad/zammad#5439, chatwoot/chatwoot#13464 (PR 14547), chatwoot/chatwoot#5316, chatwoot/chatwoot#12814. Here each is an entry
that says what it was, by the provider's own word for it; the channel stays healthy, and the next text arrives.
"""

import httpx
from failures.house import House, said, update

POLL = {"id": "55", "question": "When?", "options": [], "total_voter_count": 0, "is_closed": False,
        "is_anonymous": True, "type": "regular", "allows_multiple_answers": False}  # fmt: skip
GIVEAWAY = {"chats": [], "winners_selection_date": 1772442000, "winner_count": 1}
START = [{"type": "bot_command", "offset": 0, "length": 6}]


async def test_each_leaves_an_entry_and_the_channel_goes_on(each_house: House) -> None:
    house, bot = each_house, each_house.takes_telegram()
    odd = [
        update(0, "/start", entities=START),
        update(1, "", poll=POLL),
        update(2, "", giveaway=GIVEAWAY),
        update(3, "", hologram={"file_id": "X"}),
        {"update_id": 731_000_004, "hologram_query": {"id": "1"}},
        update(5, "", paid_media={"star_count": 3, "paid_media": [{"type": "preview", "width": 1}]}),
    ]
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client, house.running(replicas=3) as replicas:
        all_seven = enumerate([*odd, update(6, "Hello?")])
        assert [await replicas[n % 3].takes(client, bot, one) for n, one in all_seven] == [200] * 7
        await house.quiet()
    (conversation,) = await house.conversations()
    entries = (await house.get(f"/v1/conversations/{conversation['id']}/entries", sort="seq"))["items"]
    assert [one["kind"] for one in entries] == ["session.started", *["message"] * 5]
    *strange, text = entries[1:]
    assert [one["fact"]["unsupported"] for one in strange] == ["poll", "giveaway", "hologram", "paid_media"]
    assert all(one["summary"] for one in entries)
    assert said(text) == "Hello?"
    (channel,) = (await house.get("/v1/channels"))["items"]
    assert channel["state"] == "healthy"
    assert await house.letters() == 0
