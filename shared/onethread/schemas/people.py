"""The people and places of the golden examples, and how the host finishes their events. It knows reserved names and numbers."""

from datetime import UTC, datetime, timedelta

import msgspec

from onethread.envelope import event_id
from onethread.event import AnyFact, Attachment, Claim, Event, Party, Place
from onethread.identity import canonicalised

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def claim(kind: str, value: str, scope: str = "", evidence: str = "provider") -> Claim:
    """A claim with its canonical form, as the host leaves it."""
    return canonicalised(Claim(kind, value, scope, evidence))


MIA = Party(
    claims=(
        claim("email", "Mia.Lang@Example.com", evidence="dmarc"),
        claim("phone", "+1 555 0100", evidence="signature"),
    ),
    name="Mia Lang",
)
US = Party(claims=(claim("email", "support@example.com"),), name="Support", role="to", is_us=True)
COPIED = Party(claims=(claim("email", "ben@example.net", evidence="unsigned_from"),), role="cc")

CHATTING = Party(
    claims=(claim("acme_user", "U42", scope="T1"), claim("phone", "+1 555 0100", evidence="own_contact")),
    name="Mia Lang",
    username="mia",
    locale="de-DE",
    timezone="Europe/Berlin",
    country="DE",
    organization="Example Ltd",
    avatar="https://chat.example.com/avatars/U42.png",
    profile_url="https://chat.example.com/people/mia",
)
AGENT = Party(claims=(claim("acme_user", "U7", scope="T1"),), name="Sam Reyes", kind="agent", is_us=True)
CALLING = Party(claims=(claim("phone", "+1 555 0100", evidence="network_phone"),))

CHAT = Place(id="C9", kind="direct")
GROUP = Place(id="C10", kind="group", name="Launch", space="T1", permalink="https://chat.example.com/C10")
POST = Place(
    id="180",
    kind="post",
    permalink="https://social.example.com/p/180",
    author=Party(claims=(claim("social_user", "17"),), name="Example Shop", is_us=True),
    excerpt="Our new kettle is here.",
)

PHOTO = Attachment(
    kind="image",
    filename="kettle.jpg",
    media_type="image/jpeg",
    size_bytes=48_213,
    sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    disposition="inline",
    content_id="kettle@example.com",
    status="stored",
    description="A kettle with a crack in its lid",
    width=1280,
    height=960,
)
VOICE = Attachment(
    kind="voice",
    media_type="audio/ogg",
    external_id="F5",
    locator="https://chat.example.com/files/F5",
    duration_ms=4_200,
    transcript="The lid is broken.",
    preview="data:image/png;base64,iVBORw0KGgo=",
    expires_at=NOON + timedelta(days=14),
)


def mail(external_id: str, fact: AnyFact, **more: object) -> Event:
    """A mail to our desk."""
    return _finished(
        external_id, fact, "email", "support@example.com", {"place": Place(kind="mailbox"), "sender": MIA} | more
    )


def chat(external_id: str, fact: AnyFact, **more: object) -> Event:
    """Something in a chat."""
    where = {"external_thread_id": "C9", "place": CHAT, "sender": CHATTING}
    return _finished(external_id, fact, "acme", "T1", where | more)


def social(external_id: str, fact: AnyFact, **more: object) -> Event:
    """Something under a post."""
    commenting = Party(claims=(claim("social_user", "4242", scope="17"),), username="mia.lang")
    return _finished(
        external_id, fact, "social", "17", {"external_thread_id": "180", "place": POST, "sender": commenting} | more
    )


def call(external_id: str, fact: AnyFact, **more: object) -> Event:
    """Something of a telephone call."""
    where = {"place": Place(id=external_id, kind="call"), "sender": CALLING}
    return _finished(external_id, fact, "voice", "+15550199", where | more)


def command(external_id: str, fact: AnyFact) -> Event:
    """A person's command; `external_id` is its idempotency key."""
    return _finished(external_id, fact, "api", "", {"channel_id": ""})


def _finished(external_id: str, fact: AnyFact, network: str, account: str, more: dict[str, object]) -> Event:
    event: Event = msgspec.structs.replace(Event(external_id, fact), **more)
    return msgspec.structs.replace(
        event,
        id=event_id("default", network, account, event.kind, external_id, event.revision),
        tenant="default",
        channel_id=str(more.get("channel_id", f"chn_{network}")),
        network=network,
        account=account,
        received_at=event.received_at or NOON,
        ingested_at=NOON + timedelta(milliseconds=250),
    )
