"""GET /v1/channels and /v1/me."""

from datetime import UTC, datetime

from desk.site import Site

from onethread.state.channel_states import ChannelStates, Reason

CHANNEL = {
    *("id", "name", "connector", "network", "account", "abilities", "desired", "state", "since", "next_try_at"),
    *("lag_seconds", "reason", "last_message_at", "ledger"),
}


async def test_a_channel_says_how_it_is_and_what_to_do(sqlite_site: Site) -> None:
    states = ChannelStates(sqlite_site.state)
    at = datetime(2026, 1, 5, 7, 0, 0, 123456, UTC)
    await states.saw_message("chn_acme_whatsapp", at)
    reason = Reason(code="token_revoked", text="The token was revoked.", todo="Make a new system-user token.")
    await states.report("chn_acme_whatsapp", "auth_required", now=at, reason=reason)
    async with await sqlite_site.desk() as desk:
        found = (await desk.get("/v1/channels/chn_acme_whatsapp")).json()
        quiet = (await desk.get("/v1/channels/chn_acme_x")).json()
    assert set(found) == set(quiet) == CHANNEL
    assert found == {
        "id": "chn_acme_whatsapp",
        "name": "whatsapp of acme",
        "connector": "whatsapp",
        "network": "whatsapp",
        "account": "whatsapp-account",
        "abilities": ["reply"],
        "desired": "running",
        "state": "auth_required",
        "since": "2026-01-05T07:00:00.123Z",
        "next_try_at": None,
        "lag_seconds": None,
        "reason": {"code": "token_revoked", "text": "The token was revoked.", "todo": "Make a new system-user token."},
        "last_message_at": "2026-01-05T07:00:00.123Z",
        "ledger": None,
    }
    assert (quiet["state"], quiet["since"], quiet["reason"], quiet["abilities"]) == (None, None, None, [])


async def test_channels_are_those_of_the_tenant_a_page_at_a_time(sqlite_site: Site) -> None:
    await ChannelStates(sqlite_site.state).report("chn_acme_x", "paused", now=datetime(2026, 1, 5, tzinfo=UTC))
    async with await sqlite_site.desk() as desk:
        first = (await desk.get("/v1/channels", params={"limit": 2})).json()
        second = (await desk.get("/v1/channels", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [item["id"] for item in first["items"]] == ["chn_acme_email", "chn_acme_whatsapp"]
    assert [(item["id"], item["desired"]) for item in second["items"]] == [("chn_acme_x", "paused")]
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)


async def test_me_says_what_the_key_is(sqlite_site: Site) -> None:
    async with await sqlite_site.desk("acme", "channels:read") as desk:
        answer = await desk.get("/v1/me")
    found = answer.json()
    assert found["key_id"].startswith("key_")
    assert {**found, "key_id": ""} == {
        "tenant": "acme",
        "key_id": "",
        "scopes": ["channels:read"],
        "limits": {"read": {"requests": 600, "window_seconds": 60}},
        "feed": {"epoch": 1, "oldest_at": None},
    }
