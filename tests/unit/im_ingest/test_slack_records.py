"""What fixtures of Slack's records cannot say: that two of them are one event, and that none is another's."""

from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from im_ingest.connectors.slack.connector import Settings, Slack
from im_ingest.connectors.slack.entrance import COMMAND, EVENT, FORMS, INTERACTION, record, records
from im_ingest.connectors.slack.socket_mode import frame_of, record_of
from im_ingest.connectors.slack.web_api import WebApi, failure
from onethread.connector import Raw, Request, fingerprint, utc
from onethread.errors import Misconfigured, OnethreadError, Poison, Retryable
from onethread.event import Event
from onethread.testing import fixtures
from onethread.testing.recording_host import RecordingHost


def made(**settings: Any) -> Slack:
    given = {"account": "T0SHOP", "signing_secrets": ["sample"], "bot_token": "xoxb-t", "agents": ["U0ANNA"]}
    return Slack(Settings.model_validate({**given, **settings}))


def events(inner: dict[str, Any], **envelope: Any) -> list[Event]:
    seen = [{"team_id": "T0SHOP", "user_id": "U0BOT", "is_bot": True}]
    whole = {"type": "event_callback", "team_id": "T0SHOP", "event_id": "Ev1", "authorizations": seen, "event": inner}
    return list(made().normalize(record(EVENT, msgspec.json.encode({**whole, **envelope}))))


def message(**fields: Any) -> dict[str, Any]:
    base = {"type": "message", "channel": "C1", "channel_type": "channel", "user": "U0MIA", "text": "a"}
    return {**base, "ts": "1767225600.000200", "team": "T0SHOP", **fields}


def keys(found: list[Event]) -> list[tuple[str, str, str]]:
    return [(event.kind, event.external_id, event.revision) for event in found]


def test_a_mention_is_the_message_itself() -> None:
    (one,), (other,) = (
        events(message(text="<@U0BOT>")),
        events(message(type="app_mention", text="<@U0BOT>"), event_id="Ev2"),
    )
    assert one == other


def test_a_delivery_under_another_id_of_slacks_is_the_same_event() -> None:
    assert keys(events(message())) == keys(events(message(), event_id="Ev2", event_time=1767225999))


def test_messages_of_one_second_and_of_two_channels_are_told_apart() -> None:
    found = [
        events(message(ts=ts, channel=where))
        for ts in ("1767225600.000200", "1767225600.000201")
        for where in ("C1", "C2")
    ]
    assert len({keys(each)[0] for each in found}) == 4


def test_each_edit_is_one_and_counts_once_though_slack_tells_whole_seconds_of_it() -> None:
    def edit(ts: str, text: str) -> dict[str, Any]:
        inner = message(text=text, edited={"user": "U0MIA", "ts": "1767225700.000000"})
        about = {"message": inner, "previous_message": message(), "ts": ts, "event_ts": ts}
        return {"type": "message", "subtype": "message_changed", "channel": "C1", **about}

    first, again, second = (
        keys(events(edit(ts, text)))
        for ts, text in (("1767225700.000100", "b"), ("1767225700.000100", "b"), ("1767225700.000200", "c"))
    )
    assert first == again != second


def _request(form: str, data: bytes) -> Request:
    """A delivery to a URL."""
    if form == INTERACTION:
        data = urlencode({"payload": data.decode()}).encode()
    elif form == COMMAND:
        data = urlencode(msgspec.json.decode(data, type=dict[str, str])).encode()
    return Request("POST", "https://hooks.example.com/in", "", {}, {}, data, utc(1767225600))


def _delivered() -> list[Any]:
    """What fixtures hold of each form: its name at Slack, the form, the body."""
    raws = [
        (case.name, raw) for case in fixtures.cases(Slack) for raw in fixtures.records(case.instance(), case.input())
    ]
    kinds = {form: kind for kind, form in FORMS.items()}
    return [
        pytest.param(kinds[raw.form], raw, id=name) for name, raw in raws if raw.form in kinds and _is_json(raw.data)
    ]


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError:
        return False
    return True


@pytest.mark.parametrize(("kind", "raw"), _delivered())
def test_by_url_and_by_socket_comes_the_same(kind: str, raw: Raw) -> None:
    """All but secrets and the trigger, which a fixture no longer has."""
    frame = b'{"type":"%s","envelope_id":"e","payload":%s}' % (kind.encode(), raw.data)
    (by_url,) = records(_request(raw.form, raw.data))
    assert by_url == record_of(frame_of(frame))
    connector = made()
    assert fixtures.events_of(connector, by_url) == fixtures.events_of(connector, record_of(frame_of(frame)))


def test_a_time_keeps_all_its_digits() -> None:
    (event,) = events(message(ts="1767225600.999999"))
    assert event.received_at is not None
    assert (event.external_id, event.received_at.microsecond) == ("C1:1767225600.999999", 999999)


def test_two_equal_commands_are_two_and_their_triggers_are_not_kept() -> None:
    def command(trigger: str) -> Raw:
        form = {"command": "/order", "user_id": "U0MIA", "text": "7", "trigger_id": trigger, "team_id": "T0SHOP"}
        return record(COMMAND, msgspec.json.encode(form))

    raws = [command(trigger) for trigger in ("1.2.a", "1.2.b", "1.2.a")]
    (one,), (two,), (again,) = (list(made().normalize(raw)) for raw in raws)
    assert keys([one]) == keys([again]) != keys([two])
    assert not any("1.2." in str(raw) for raw in raws)


def test_no_secret_of_a_record_is_kept() -> None:
    secret = "must-not-stay"
    inner = message(
        bot_access_token=secret, token=secret, assistant_thread={"action_token": secret, "deep": [secret[:4]]}
    )
    outer = {"token": secret, "trigger_id": secret, "response_url": secret, "response_urls": [secret]}
    raw = record(EVENT, msgspec.json.encode({"type": "event_callback", "event": inner, **outer}))
    assert secret.encode() not in raw.data


@pytest.mark.parametrize(
    ("whose", "expected"),
    [
        ({"team_id": "T1"}, "T1"),
        ({"team_id": "T1", "context_team_id": "T2"}, "T2"),
        ({"team_id": "T1", "authorizations": [{"team_id": "T3"}]}, "T3"),
        ({"team_id": "T1", "authorizations": [{"team_id": None, "is_enterprise_install": True}]}, "T1"),
        ({"team": {"id": "T4"}, "user": {"id": "U1", "team_id": "T5"}}, "T4"),
        ({"team": None, "user": {"id": "U1", "team_id": "T5"}}, "T5"),
        ({"team": {"id": "T4"}, "view": {"app_installed_team_id": "T6"}}, "T6"),
        ({}, ""),
        ({"team_id": 7}, ""),
        ({"team_id": 7, "authorizations": [None, {"team_id": "T3"}]}, "T3"),
    ],
)
def test_a_record_is_for_the_workspace_through_which_we_get_it(whose: dict[str, Any], expected: str) -> None:
    assert record(EVENT, msgspec.json.encode(whose)).account == expected


@pytest.mark.parametrize("agents", [["@anna"], ["anna@example.com"], ["C0SUPPORT"]])
def test_staff_is_named_by_ids(agents: list[str]) -> None:
    with pytest.raises(ValueError, match="agents"):
        made(agents=agents)


def test_an_app_of_the_socket_alone_is_known_by_its_token() -> None:
    lent = made(edge="socket", app_token="xapp-t", signing_secrets=[])
    assert lent.app == fingerprint(lent.settings.app_token)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("missing_scope", Misconfigured), ("token_revoked", Misconfigured), ("ratelimited", Retryable), ("user_not_found", Poison)],
)  # fmt: skip
def test_what_a_refusal_means(code: str, kind: type[OnethreadError]) -> None:
    assert isinstance(failure("users.info", code, "`bot_token`", "users:read"), kind)


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://files.slack.com/files-pri/x", True),
        ("https://slack-files.com/x", True),
        ("http://files.slack.com/x", False),
        ("https://files.slack.com.example.com/x", False),
        ("https://notslack.com/x", False),
        ("https://slack.com@example.com/x", False),
        ("https://api.example.com/files/x", True),
        ("https://api.example.com:444/files/x", False),
    ],
)
async def test_only_slack_sees_a_token(url: str, trusted: bool) -> None:
    async with RecordingHost(made()) as host:
        assert WebApi(host, "https://api.example.com/api", "t", "`bot_token`").trusts(url) is trusted
