"""Golden examples: events of every kind that together fill every field a record can hold. They are data, made from nothing else."""

from datetime import timedelta

from onethread.event import (
    Attachment,
    Body,
    By,
    Call,
    CallRecording,
    CallTranscript,
    ChannelState,
    Contact,
    ContactCard,
    ContactSubscribed,
    ContactUnsubscribed,
    EntriesMove,
    Event,
    Failure,
    Forwarded,
    Group,
    IdentityChanged,
    LinkEnd,
    LinkSet,
    Location,
    MailFacts,
    Mention,
    Message,
    MessageCompleted,
    MessageDeleted,
    MessageEdited,
    MessageHidden,
    MessageRestored,
    MessageShown,
    ParticipantJoined,
    ParticipantLeft,
    Party,
    Postback,
    Quote,
    Rating,
    ReactionAdded,
    ReactionRemoved,
    Receipt,
    Referral,
    SessionEnded,
    SessionStarted,
    Source,
    System,
    ThreadLinked,
    Unknown,
    WebLink,
)
from onethread.schemas.people import (
    AGENT,
    CALLING,
    CHATTING,
    COPIED,
    GROUP,
    MIA,
    NOON,
    PHOTO,
    POST,
    US,
    VOICE,
    call,
    chat,
    claim,
    command,
    mail,
    social,
)

MINUTE = timedelta(minutes=1)


def examples() -> dict[str, Event]:
    """All examples by name: the kind, and `-something` for a second one of a kind."""
    return {**_messages(), **_about_messages(), **_calls(), **_people(), **_threads(), **_commands()}


def _messages() -> dict[str, Event]:
    html = '<p>Hello,</p><p>the lid is broken: <img src="cid:kettle@example.com"></p>'
    return {
        "message": mail(
            "CAF1@example.com",
            Message(
                subject="Broken lid",
                body=Body(text="Hello,\n\nthe lid is broken.", text_full="Hello,\n\nthe lid is broken.\n\n> On …", html=html, language="en"),
                attachments=(PHOTO,),
                in_reply_to=("order-17@example.com",),
                references=("order-1@example.com", "order-17@example.com"),
                reply_to=(Party(claims=(claim("email", "mia.home@example.net", evidence="unsigned_from"),)),),
                auto_submitted="auto-replied",
                auth_results={"dmarc": "pass", "spf": "pass"},
                mail=MailFacts(list_id="kettles.example.com", bounce=True, calendar="REQUEST", spam=True, protection="signed"),
                degraded="The third part has an unknown charset.",
            ),
            revision="mfrggzdfmztwq2lk",
            recipients=(US, COPIED),
            sent_at=NOON - MINUTE,
            channel_data={"thread_index": "AdZ1", "size": 52113, "labels": ["inbox"], "score": 0.5, "seen": False, "tls": None},
            answers="evt_" + "a" * 32,
            history=True,
            source=Source(blob="default/3f/3f79", about={"folder": "INBOX"}, media_type="message/rfc822"),
        ),
        "message-chat": chat(
            "1700000000.000100",
            Message(
                body=Body(text="@sam look", truncated=True),
                attachments=(VOICE,),
                quote=Quote(external_id="1699999999.000100", kind="product", text="Kettle, 1.7 l", sender=AGENT),
                forwarded=Forwarded(sender=CHATTING, sent_at=NOON - MINUTE),
                mentions=(Mention(party=AGENT, is_us=True),),
                location=Location(lat=52.52, lon=13.405, name="Office", address="1 Example Street"),
                contacts=(ContactCard(name="Ben", phones=("+1 555 0101",), emails=("ben@example.net",)),),
                links=(WebLink(url="https://example.com/kettle", title="Kettle"),),
                group=Group(id="album-1", index=0, total=2),
                referral=Referral(ref="spring", source="ad", url="https://example.com/ad", ad_id="99", title="Spring"),
                client_id="c-1",
                aliases=("urn:example:1",),
                unsupported="poll",
            ),
            place=GROUP,
            reply_context={"service_url": "https://chat.example.com/reply"},
            lookups=("user:U42",),
            standby=True,
            source=Source(text='{"ts":"1700000000.000100"}', form="message"),
        ),
        "message.edited": chat(
            "1700000000.000100",
            MessageEdited(body=Body(text="Sam, look")),
            revision="1700000060.000200",
            direction="outbound",
            echo=True,
            sender=AGENT,
            recipients=(CHATTING,),
            source=Source(data=b"\x00\x01", media_type="application/octet-stream"),
        ),
        "message.completed": social(
            "17_900", MessageCompleted(body=Body(text="What about @example.shop?")), revision="mzxw6ytboi"
        ),
    }  # fmt: skip


def _about_messages() -> dict[str, Event]:
    failed = Failure(code="550 5.1.1", text="No such user", permanent=True)
    sent = {"direction": "outbound", "sender": US, "recipients": (MIA,)}
    return {
        "message.deleted": chat("1700000000.000100", MessageDeleted(erase=True, by_sender=False)),
        "message.restored": chat("1700000000.000100", MessageRestored(), revision="2"),
        "message.hidden": social("180_900", MessageHidden(), revision="1772452800"),
        "message.shown": social("180_900", MessageShown(), revision="1772452860"),
        "reaction.added": chat("1700000000.000100|U42|👍", ReactionAdded(target="1700000000.000100", symbol="👍", replaces=True), revision="E1"),
        "reaction.removed": chat("1700000000.000100|U42|👍", ReactionRemoved(target="1700000000.000100", symbol="👍"), revision="E2"),
        "receipt": mail("CAF2@example.com|mia.lang@example.com", Receipt(status="failed", target="CAF2@example.com", error=failed), **sent),
        "receipt-watermark": chat("C9|U42", Receipt(status="read", until=NOON, until_id="1700000000.000100"), revision="1772452800"),
        "postback": chat(
            "B1", Postback(payload="size", title="Large", target="1700000000.000100", values={"size": "l", "colour": "red"})
        ),
        "rating": chat("R1", Rating(score=4.0, scale=5.0, text="Quick!", target="1700000000.000100")),
    }  # fmt: skip


def _calls() -> dict[str, Event]:
    forwarding = Party(claims=(claim("phone", "+1 555 0102", evidence="unattested_caller"),))
    times = {"started_at": NOON, "answered_at": NOON + MINUTE / 6, "ended_at": NOON + 2 * MINUTE}
    sound = Attachment(
        kind="audio", media_type="audio/wav", locator="https://voice.example.com/RE1.wav", duration_ms=110_000
    )
    return {
        "call": call(
            "CA1",
            Call(status="completed", sequence=3, parent="CA0", duration_seconds=110, forwarded_from=forwarding, attestation="A", **times),
            revision="completed-3",
        ),
        "call.recording": call("RE1", CallRecording(call="CA1", attachment=sound, voicemail=True, track="inbound"), revision="completed"),
        "call.transcript": call(
            "TR1",
            CallTranscript(
                call="CA1", text="The lid is broken.", recording="RE1", language="en-US", confidence=0.93, final=False, track="inbound"
            ),
            revision="1",
        ),
    }  # fmt: skip


def _people() -> dict[str, Event]:
    new = claim("phone", "+1 555 0103", evidence="network_phone")
    return {
        "contact": social("4242", Contact(form="Newsletter", values={"city": "Example Town"}), revision="nbswy3dp"),
        "identity.changed": call("CH1", IdentityChanged(old=CALLING.claims[0], new=new)),
        "contact.subscribed": social("4242", ContactSubscribed(reason="opt_in"), revision="1772452800"),
        "contact.unsubscribed": social("4242", ContactUnsubscribed(reason="opt_out"), revision="1772452860"),
        "participant.joined": chat("J1", ParticipantJoined(party=CHATTING, reason="invited"), place=GROUP),
        "participant.left": chat("J2", ParticipantLeft(party=CHATTING, reason="left"), place=GROUP),
        "session.started": chat("S1", SessionStarted(ref="spring", agent="U7", reason="deep_link")),
        "session.ended": chat("S2", SessionEnded(ref="spring", agent="U7", reason="timeout")),
    }


def _threads() -> dict[str, Event]:
    return {
        "thread.linked": social("T2", ThreadLinked(thread="dm-4242", reason="private_reply"), place=POST),
        "channel.state": social(
            "X1", ChannelState(state="revoked", reason="The page removed the app."), sender=Party(kind="app")
        ),
        "system": chat("Y1", System(text="Mia Lang changed the topic."), place=GROUP),
        "unknown": chat("Z1", Unknown(label="workflow_step")),
    }


def _commands() -> dict[str, Event]:
    by = By(key_id="key_1", agent="Sam Reyes", program="desk")
    first, second = "evt_" + "b" * 32, "evt_" + "c" * 32
    ends = (LinkEnd(claim=MIA.claims[0]), LinkEnd(claim=CHATTING.claims[0]))
    return {
        "link.set": command("cmd-1", LinkSet(ends=ends, state="together", at=NOON, by=by)),
        "link.set-messages": command(
            "cmd-2", LinkSet(ends=(LinkEnd(entry_id=first), LinkEnd(entry_id=second)), state="apart", at=NOON, by=by)
        ),
        "entries.move": command("cmd-3", EntriesMove(entry_ids=(first,), at=NOON, to=second, by=by)),
    }
