import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import hostkit
import msgspec
import pytest
from acme_ingest.connectors.acme.connector import Acme
from hostkit import Kit, acme, channel, item
from pydantic import SecretStr

from onethread.connector import Raw
from onethread.errors import Misconfigured, Retryable
from onethread.event import (
    Attachment,
    Body,
    CallRecording,
    Claim,
    Content,
    EntriesMove,
    Event,
    IdentityChanged,
    Message,
    Party,
    System,
)
from onethread.host.batch import Streak
from onethread.host.ingest import BUGS_IN_A_ROW, Stopped
from onethread.identity import identity_id
from onethread.log.topics import DEAD_LETTERS

AT = datetime(2026, 2, 3, 4, 5, 6, 789_654, tzinfo=timezone(timedelta(hours=2)))


EMPTY = Raw(b"{}")


class Scripted(Acme):
    """Yields what the test wants."""

    def __init__(self, *events: Any) -> None:
        super().__init__(acme().settings)
        self.events = events

    def normalize(self, raw: Raw) -> Iterable[Event]:
        yield from self.events


async def published(kit: Kit, *events: Any, raw: Raw = EMPTY, **fields: Any) -> list[Event]:
    await kit.ingest.records(channel(Scripted(*events), **fields), [raw])
    return await kit.events()


def raw(*args: Any, **fields: Any) -> Raw:
    return Raw(json.dumps(item(*args, **fields)).encode())


async def test_an_event_carries_all_that_only_the_host_may_say(kit: Kit) -> None:
    outcome = await kit.ingest.records(channel(), [raw("m1")])
    (event,) = await kit.events()
    assert outcome.events == (event.id,)
    assert (event.tenant, event.channel_id, event.network, event.account) == ("t1", "chn_acme", "acme", "shop1")
    assert event.ingested_at == datetime(2026, 3, 1, 12, 0, 0, 123000, tzinfo=UTC)
    assert event.sender.claims[0].canonical == "mia"
    assert event.source is not None
    assert json.loads(event.source.text or "")["id"] == "m1"
    assert not event.history


async def test_the_same_record_has_the_same_id_again(kit: Kit) -> None:
    first = await kit.ingest.records(channel(), [raw("m1")])
    kit.clock.advance(days=3)
    assert (await kit.ingest.records(channel(), [raw("m1")])).events == first.events


async def test_times_are_cut_to_milliseconds_utc_wherever_they_are(kit: Kit) -> None:
    attachment = Attachment(locator="x", expires_at=AT)
    (event,) = await published(kit, Event("m1", Message(attachments=(attachment,)), sent_at=AT, received_at=AT))
    cut = datetime(2026, 2, 3, 2, 5, 6, 789_000, tzinfo=UTC)
    assert isinstance(event.fact, Message)
    assert (event.sent_at, event.received_at, event.fact.attachments[0].expires_at) == (cut, cut, cut)


async def test_without_the_channels_clock_it_was_received_when_ingested(kit: Kit) -> None:
    (event,) = await published(kit, Event("m1", System(text="x")))
    assert event.received_at == event.ingested_at


async def test_what_is_older_than_the_channel_is_history(kit: Kit) -> None:
    old = Event("m1", Message(), received_at=hostkit.CREATED - timedelta(seconds=1))
    new = Event("m2", Message(), received_at=hostkit.CREATED)
    assert [event.history for event in await published(kit, old, new)] == [True, False]


async def test_claims_that_hold_nothing_are_dropped(kit: Kit) -> None:
    sender = Party(claims=(Claim("email", " "), Claim("email", "Mia@Example.COM"), Claim("acme_user", "")))
    (event,) = await published(kit, Event("m1", Message(), sender=sender))
    assert event.sender.claims == (Claim("email", "Mia@Example.COM", canonical="mia@example.com"),)


async def test_a_connector_cannot_prove_what_only_the_host_can(kit: Kit) -> None:
    forged = (
        Claim("acme_user", "mia"),
        Claim("email", "mia@example.com", evidence="link_nonce"),
        Claim("idn", "idn_x"),
    )
    sender = Party(claims=(*forged, Claim("phone", "+15550100", evidence="desk")))
    (event,) = await published(kit, Event("m1", Message(), sender=sender, answers="evt_x", tenant="t2", id="evt_y"))
    assert [(claim.type, claim.evidence) for claim in event.sender.claims] == [
        ("acme_user", "provider"), ("email", "deep_link"), ("phone", "deep_link"),
    ]  # fmt: skip
    assert (event.answers, event.tenant) == ("", "t1")
    assert event.id != "evt_y"


@pytest.mark.parametrize(
    "event",
    [
        Event("m1", Message(body=7)),
        Event("m1", Message(), external_thread_id=7),
        Event(7, Message()),
        Event("", Message()),
        Event("m1", Message(), sender="Mia"),
        Event("m1", Message(), sender=Party(claims=("mia",))),
        Event("m1", Message(attachments=("x",))),
        Event("m1", Message(attachments=(Attachment(content="x"),))),
        Event("m1", Message(body=Body(text="\ud800"))),
        Event("m1", Message(), received_at=datetime(2026, 1, 1)),  # noqa: DTZ001
        Event("m1", Message(), received_at="2026-01-01T00:00:00Z", sent_at=7),
        Event("m1", Message(), sent_at=datetime.max.replace(tzinfo=timezone(timedelta(hours=-2)))),
        Event("m1", Message(attachments=(Attachment(size_bytes=2**80),))),
        Event("m1", IdentityChanged(old=Claim("phone", ""), new=Claim("phone", "+15550100"))),
        Event("m1", EntriesMove(entry_ids=("evt_1",), at=AT)),
        Event("m1", Message(), channel_data={"a": object()}),
        {"external_id": "m1"},
        None,
    ],
)
async def test_an_event_of_wrong_types_is_a_dead_letter_and_publishes_nothing(kit: Kit, event: Any) -> None:
    good = Event("m0", Message())
    outcome = await kit.ingest.records(
        channel(Scripted(good, event)), [Raw(b"original", form="rest", about={"a": "b"})]
    )
    (letter,) = await kit.letters()
    assert outcome.dead_letters == (letter.id,)
    assert (letter.stage, letter.reason, letter.data, letter.form, letter.about) == (
        "encode", "poison", b"original", "rest", {"a": "b"},
    )  # fmt: skip
    assert await kit.events() == []


async def test_one_bad_record_is_set_aside_alone_and_the_others_keep_their_order(kit: Kit) -> None:
    records = [raw("m1"), Raw(b'{"type": 1'), raw("m2"), Raw(b"\xff"), raw("m3", type="bug"), raw("m4")]
    outcome = await kit.ingest.records(channel(), records)
    assert [event.external_id for event in await kit.events()] == ["m1", "m2", "m4"]
    assert [letter.reason for letter in await kit.letters()] == ["poison", "poison", "bug"]
    assert "LookupError" in outcome.degraded


async def test_the_same_dead_letter_has_the_same_id_and_is_listed_once(kit: Kit) -> None:
    await kit.ingest.records(channel(), [Raw(b"no json")])
    kit.clock.advance(hours=1)
    await kit.ingest.records(channel(), [Raw(b"no json")])
    assert len(await kit.letters()) == 1
    assert (await kit.log.extents(DEAD_LETTERS))[0].end == 2


async def test_an_unknown_kind_is_visible(kit: Kit) -> None:
    await kit.ingest.records(channel(), [raw("m1", type="hologram")])
    assert [event.kind for event in await kit.events()] == ["unknown"]


async def test_many_bugs_in_a_row_stop_a_pull_and_good_ones_before_them_are_durable(kit: Kit) -> None:
    streak = Streak()
    page = [raw("good")] + [raw(f"m{n}", type="bug") for n in range(BUGS_IN_A_ROW + 5)]
    with pytest.raises(Stopped, match="20 records in a row"):
        await kit.ingest.records(channel(), page, streak)
    assert [event.external_id for event in await kit.events()] == ["good"]
    assert await kit.letters() == []


async def test_bugs_in_a_row_are_counted_over_pages_and_forgotten_after_a_good_record(kit: Kit) -> None:
    streak = Streak()
    for n in range(BUGS_IN_A_ROW - 1):
        await kit.ingest.records(channel(), [raw(f"m{n}", type="bug")], streak)
    await kit.ingest.records(channel(), [raw("good")], streak)
    assert streak.length == 0
    streak.length = BUGS_IN_A_ROW - 1
    with pytest.raises(Stopped):
        await kit.ingest.records(channel(), [raw("m", type="bug")], streak)


async def test_a_webhook_is_not_stopped_by_bugs(kit: Kit) -> None:
    await kit.ingest.records(channel(), [raw(f"m{n}", type="bug") for n in range(BUGS_IN_A_ROW + 5)])
    assert len(await kit.letters()) == BUGS_IN_A_ROW + 5


async def test_bytes_of_attachments_move_to_the_blob_store(kit: Kit) -> None:
    message = Event("m1", Message(attachments=(Attachment(filename="a.txt", content=b"hello"),)))
    recording = Event("r1", CallRecording(call="c1", attachment=Attachment(content=b"sound")))
    first, second = await published(kit, message, recording)
    assert isinstance(first.fact, Message)
    assert isinstance(second.fact, CallRecording)
    for attachment, content in ((first.fact.attachments[0], b"hello"), (second.fact.attachment, b"sound")):
        assert (attachment.content, attachment.status, attachment.size_bytes) == (None, "stored", 5)
        assert await kit.blobs.get(attachment.sha256) == content


async def test_a_connector_cannot_name_a_blob_it_did_not_bring(kit: Kit) -> None:
    forged = Attachment(filename="a", status="stored", sha256="0" * 64)
    (event,) = await published(kit, Event("m1", Message(attachments=(forged,))))
    assert isinstance(event.fact, Message)
    assert (event.fact.attachments[0].status, event.fact.attachments[0].sha256) == ("pending", "")


async def test_large_originals_are_kept_by_reference(kit: Kit) -> None:
    large = b"x" * 65_537
    (event,) = await published(kit, Event("m1", Message()), raw=Raw(large))
    assert event.source is not None
    assert event.source.text is None
    assert await kit.blobs.get(event.source.blob) == large
    await kit.ingest.records(channel(), [Raw(large)])
    (letter,) = await kit.letters()
    assert (letter.data, await kit.blobs.get(letter.blob)) == (b"", large)


async def test_an_original_that_is_no_text_is_kept_as_bytes(kit: Kit) -> None:
    (event,) = await published(kit, Event("m1", Message()), raw=Raw(b"\xff\x00", media_type="message/rfc822"))
    assert event.source is not None
    assert (event.source.data, event.source.media_type) == (b"\xff\x00", "message/rfc822")


async def test_a_message_over_the_logs_limit_is_cut_and_its_original_kept(kit: Kit) -> None:
    text = "Grüße " * 100_000
    huge = Event("m1", Message(body=Body(text=text, html=f"<p>{text}", text_full=text), subject="kept"))
    (event,) = await published(kit, huge, raw=Raw(b"the original"))
    assert isinstance(event.fact, Content)
    assert event.fact.body.truncated
    assert text.startswith(event.fact.body.text)
    assert len(event.fact.body.text) >= 10_000
    assert (event.fact.subject, "limit" in event.fact.degraded) == ("kept", True)
    assert event.source is not None
    assert await kit.blobs.get(event.source.blob) == b"the original"


async def test_what_no_cutting_makes_small_enough_is_a_dead_letter(kit: Kit) -> None:
    await published(kit, Event("m1", Message(), external_thread_id="x" * 800_000))
    (letter,) = await kit.letters()
    assert "log takes" in letter.detail


async def test_a_shared_entrance_hands_each_record_to_the_channels_of_its_account(kit: Kit) -> None:
    one, two = channel(acme("shop1")), channel(acme("shop2"), id="chn_two", tenant="t2")
    also = channel(acme("shop2"), id="chn_also", tenant="t3")
    for each in (one, two, also, channel(acme("shop3", ["another secret"]), id="chn_three")):
        kit.channels.add(each)
    records = [Raw(raw(f"m{n}").data, account=account) for n, account in enumerate(["shop1", "shop2", "shop3", ""])]
    await kit.ingest.records(one, records)
    assert {(event.channel_id, event.tenant, event.external_id, event.account) for event in await kit.events()} == {
        ("chn_acme", "t1", "m0", "shop1"), ("chn_two", "t2", "m1", "shop2"), ("chn_also", "t3", "m1", "shop2"),
        ("chn_acme", "t1", "m3", "shop1"),
    }  # fmt: skip
    (letter,) = await kit.letters()
    assert (letter.reason, letter.account) == ("no_channel", "shop3")


async def test_a_link_token_becomes_a_claim_and_is_emptied(kit: Kit) -> None:
    mail = Claim("email", "mia@example.com")
    token = kit.tokens.issue(mail, "t1", "acme", kit.clock())
    await kit.ingest.records(channel(), [raw("m1", ref=token), raw("m2", ref="sommer-sale")])
    first, second = await kit.events()
    claim = first.sender.claims[1]
    assert (first.tokens, second.tokens, len(second.sender.claims)) == ((), (), 1)
    assert (claim.evidence, identity_id("t1", claim)) == ("link_nonce", identity_id("t1", mail))


async def test_a_reply_token_names_the_event_answered(kit: Kit) -> None:
    asked = (await kit.ingest.records(channel(), [raw("m1")])).events[0]
    token = kit.tokens.issue_reply(asked, "t1", "acme", kit.clock())
    await kit.ingest.records(channel(), [raw("m2", ref=token)])
    assert [event.answers for event in await kit.events()] == ["", asked]


async def test_a_token_on_our_own_message_going_out_proves_nothing(kit: Kit) -> None:
    token = kit.tokens.issue(Claim("email", "mia@example.com"), "t1", "acme", kit.clock())
    sender = Party(claims=(Claim("acme_user", "agent"),), is_us=True)
    (event,) = await published(kit, Event("m1", Message(), direction="outbound", sender=sender, tokens=(token,)))
    assert (event.tokens, len(event.sender.claims)) == ((), 1)


async def test_if_even_the_dead_letter_cannot_be_written_nothing_is(kit: Kit) -> None:
    kit.log.away.add(DEAD_LETTERS)
    with pytest.raises(Retryable, match="away"):
        await kit.ingest.records(channel(), [raw("m1"), Raw(b"bad")])
    assert await kit.events() == []


def test_a_channel_says_what_is_wrong_with_it() -> None:
    for wrong in (
        {"id": "x"},
        {"tenant": ""},
        {"hook_secret": SecretStr("short")},
        {"created_at": AT.replace(tzinfo=None)},
    ):
        with pytest.raises(Misconfigured):
            channel(**wrong)


async def test_two_channels_cannot_have_one_id(kit: Kit) -> None:
    kit.channels.add(channel())
    with pytest.raises(Misconfigured, match="chn_acme"):
        kit.channels.add(channel())


async def test_a_source_makes_the_same_event_again(kit: Kit) -> None:
    await kit.ingest.records(channel(), [raw("m1")])
    (event,) = await kit.events()
    assert event.source is not None
    again = Raw((event.source.text or "").encode(), form=event.source.form, about=event.source.about)
    await kit.ingest.records(channel(), [msgspec.structs.replace(again, ingested_at=event.ingested_at)])
    assert await kit.events() == [event, event]
