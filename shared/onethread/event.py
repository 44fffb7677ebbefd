"""The event: one normalised fact of any channel. It knows every kind and field, and nothing of wires or stores.

Who, where and when are said once, for every kind; `fact` is a tagged union whose tag is the kind. All of it is data:
immutable structs, decoded with their types checked. Every integer fits 64 bits, every text is valid Unicode.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that every store can hold."""

Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""A time with its zone; on the wire RFC 3339 in UTC, `Z`, milliseconds."""

Direction = Literal["inbound", "outbound"]


class Struct(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Base of all parts: immutable, keyword arguments, defaults not written."""


# --- who ---------------------------------------------------------------------------------------------------------


class Claim(msgspec.Struct, frozen=True, omit_defaults=True):
    """One address of a person, with what speaks for it.

    `type`: `email`, `phone`, `sip`, `website`, `external_user`, else network + the provider's word (`slack_user`).
    `value`: as the provider gave it; `canonical` is added by the host (`onethread.identity`).
    `scope`: page, team, corporation, app or site the value is unique in; "" is global.
    `evidence`: a name from `onethread.identity.STRENGTH`; it alone decides how far the claim is trusted.
    """

    type: str
    value: str
    scope: str = ""
    evidence: str = "provider"
    canonical: str = ""


PartyKind = Literal["person", "agent", "bot", "app", "anonymous"]
Role = Literal["to", "cc", "bcc", "delivered_to"]


class Party(Struct, frozen=True, kw_only=True):
    """Somebody in a message. The first claim is the address written from or to: the party's own identity."""

    claims: tuple[Claim, ...] = ()
    name: str = ""
    username: str = ""
    kind: PartyKind = "person"
    role: Role | None = None
    is_us: bool = False
    locale: str = ""
    timezone: str = ""
    country: str = ""
    organization: str = ""
    avatar: str = ""
    profile_url: str = ""


# --- where -------------------------------------------------------------------------------------------------------

PlaceKind = Literal["direct", "group", "channel", "post", "mailbox", "call"]


class Place(Struct, frozen=True, kw_only=True):
    """Where it was said. `direct` is a chat of two, whose provider id names a person, not a thread."""

    id: str = ""
    kind: PlaceKind = "direct"
    name: str = ""
    space: str = ""
    permalink: str = ""
    author: Party | None = None
    excerpt: str = ""


# --- parts of a message ------------------------------------------------------------------------------------------


class Body(Struct, frozen=True, kw_only=True):
    """`text`: the new words; `text_full`: with what was quoted, if that differs; `html`: as it came, not sanitised."""

    text: str = ""
    text_full: str = ""
    html: str = ""
    language: str = ""
    truncated: bool = False


AttachmentKind = Literal["image", "video", "audio", "voice", "file", "sticker"]
AttachmentStatus = Literal["pending", "stored", "failed", "reference"]


class Attachment(Struct, frozen=True, kw_only=True):
    """A file of a message.

    `locator` is what `Downloads` (or the host, for an https URL) fetches by; it is never served or logged.
    `content` carries bytes that came inside the message; the host moves them to the blob store before publishing and
    sets `sha256`, `size_bytes` and `status`.
    """

    kind: AttachmentKind = "file"
    filename: str = ""
    media_type: str = ""
    size_bytes: Whole | None = None
    sha256: str = ""
    disposition: Literal["attachment", "inline"] = "attachment"
    content_id: str = ""
    status: AttachmentStatus = "pending"
    external_id: str = ""
    locator: str = ""
    content: bytes | None = None
    description: str = ""
    width: Whole | None = None
    height: Whole | None = None
    duration_ms: Whole | None = None
    transcript: str = ""
    preview: str = ""
    expires_at: Moment | None = None


class Quote(Struct, frozen=True, kw_only=True):
    """What a message answers in a chat or under a post, in the provider's ids."""

    external_id: str = ""
    kind: Literal["message", "story", "product"] = "message"
    text: str = ""
    sender: Party | None = None


class Forwarded(Struct, frozen=True, kw_only=True):
    """Where forwarded words come from."""

    sender: Party | None = None
    sent_at: Moment | None = None


class Mention(Struct, frozen=True, kw_only=True):
    """Somebody named in the text."""

    party: Party = Party()
    is_us: bool = False


class Location(Struct, frozen=True, kw_only=True):
    """A point, in degrees (WGS 84)."""

    lat: float = 0.0
    lon: float = 0.0
    name: str = ""
    address: str = ""


class ContactCard(Struct, frozen=True, kw_only=True):
    """A card sent along; it says nothing about the sender unless the connector makes it a claim."""

    name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


class WebLink(Struct, frozen=True, kw_only=True):
    """A link with its preview title."""

    url: str = ""
    title: str = ""


class Group(Struct, frozen=True, kw_only=True):
    """An album: messages that were sent as one."""

    id: str = ""
    index: Whole | None = None
    total: Whole | None = None


class Referral(Struct, frozen=True, kw_only=True):
    """What brought the customer here: an advertisement, a deep link, a product."""

    ref: str = ""
    source: str = ""
    url: str = ""
    ad_id: str = ""
    title: str = ""


class MailFacts(Struct, frozen=True, kw_only=True):
    """What only mail has. `protection`: signed, encrypted; `calendar`: the iTIP method."""

    list_id: str = ""
    bounce: bool = False
    calendar: str = ""
    spam: bool = False
    protection: Literal["", "signed", "encrypted"] = ""


class Failure(Struct, frozen=True, kw_only=True):
    """A provider's error, in its words."""

    code: str = ""
    text: str = ""
    permanent: bool = False


# --- facts: the kinds --------------------------------------------------------------------------------------------


class Fact(Struct, tag_field="kind", frozen=True, kw_only=True):
    """Base of all kinds; the tag is the kind."""


class Content(Fact, frozen=True, kw_only=True):
    """What `message`, `message.edited` and `message.completed` hold. Mail ids in `in_reply_to`, `references` have no <>."""

    subject: str = ""
    body: Body = Body()
    attachments: tuple[Attachment, ...] = ()
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    reply_to: tuple[Party, ...] = ()
    quote: Quote | None = None
    forwarded: Forwarded | None = None
    mentions: tuple[Mention, ...] = ()
    location: Location | None = None
    contacts: tuple[ContactCard, ...] = ()
    links: tuple[WebLink, ...] = ()
    group: Group | None = None
    referral: Referral | None = None
    client_id: str = ""
    aliases: tuple[str, ...] = ()
    unsupported: str = ""
    auto_submitted: str = ""
    auth_results: dict[str, str] = {}
    mail: MailFacts | None = None
    degraded: str = ""


class Message(Content, tag="message", frozen=True, kw_only=True):
    """Somebody said something. For mail `external_id` is its Message-ID without <>."""


class MessageEdited(Content, tag="message.edited", frozen=True, kw_only=True):
    """The whole message, as it reads now."""


class MessageCompleted(Content, tag="message.completed", frozen=True, kw_only=True):
    """A lookup brought what the record lacked; nobody edited."""


FILES_REVISION = "files:"
"""Begins the revision by which the host says what became of files: of a `message.completed`, whose words are copies, or a `call.recording`."""


class MessageDeleted(Fact, tag="message.deleted", frozen=True, kw_only=True):
    """`erase`: the provider demands removal from storage; `by_sender` False: a moderator or the provider did it."""

    erase: bool = False
    by_sender: bool = True


class MessageRestored(Fact, tag="message.restored", frozen=True, kw_only=True):
    """A deleted message is back."""


class MessageHidden(Fact, tag="message.hidden", frozen=True, kw_only=True):
    """Still there, not shown by the provider."""


class MessageShown(Fact, tag="message.shown", frozen=True, kw_only=True):
    """No longer hidden."""


class ReactionAdded(Fact, tag="reaction.added", frozen=True, kw_only=True):
    """Reactions, likes, favourites, shares. `target`: the message's external id.

    `replaces`: the provider keeps one reaction of a person on a message, and tells only the new one: this sender's others are gone.
    """

    target: str
    symbol: str
    replaces: bool = False


class ReactionRemoved(Fact, tag="reaction.removed", frozen=True, kw_only=True):
    """`symbol` "": all of this sender's."""

    target: str
    symbol: str = ""


class Receipt(Fact, tag="receipt", frozen=True, kw_only=True):
    """About one message (`target`), or all up to a time or a message."""

    status: Literal["sent", "delayed", "delivered", "read", "failed"]
    target: str = ""
    until: Moment | None = None
    until_id: str = ""
    error: Failure | None = None


class Postback(Fact, tag="postback", frozen=True, kw_only=True):
    """A button, list, form, card or command that somebody used."""

    payload: str = ""
    title: str = ""
    target: str = ""
    values: dict[str, str] = {}


class Call(Fact, tag="call", frozen=True, kw_only=True):
    """One state of a call; its states share `external_id` and differ in revision."""

    status: Literal["ringing", "in_progress", "completed", "missed", "failed"]
    sequence: Whole | None = None
    parent: str = ""
    started_at: Moment | None = None
    answered_at: Moment | None = None
    ended_at: Moment | None = None
    duration_seconds: Whole | None = None
    forwarded_from: Party | None = None
    attestation: str = ""


class CallRecording(Fact, tag="call.recording", frozen=True, kw_only=True):
    """Sound of a call."""

    call: str
    attachment: Attachment = Attachment()
    voicemail: bool = False
    track: str = ""


class CallTranscript(Fact, tag="call.transcript", frozen=True, kw_only=True):
    """Words of a call. `final` False: more, or better, follows."""

    call: str
    text: str = ""
    recording: str = ""
    language: str = ""
    confidence: float | None = None
    final: bool = True
    track: str = ""


class Contact(Fact, tag="contact", frozen=True, kw_only=True):
    """Facts about the sender (a lookup, a card, a form): the sender's own fields, and what the form was called."""

    form: str = ""
    values: dict[str, str] = {}


class IdentityChanged(Fact, tag="identity.changed", frozen=True, kw_only=True):
    """Old and new claim of one person: a new number, a moved account."""

    old: Claim
    new: Claim


class ContactSubscribed(Fact, tag="contact.subscribed", frozen=True, kw_only=True):
    """The sender follows, unblocked or opted in."""

    reason: Literal["follow", "block", "opt_in", "opt_out"] = "follow"


class ContactUnsubscribed(Fact, tag="contact.unsubscribed", frozen=True, kw_only=True):
    """The sender left, blocked or opted out."""

    reason: Literal["follow", "block", "opt_in", "opt_out"] = "block"


class ParticipantJoined(Fact, tag="participant.joined", frozen=True, kw_only=True):
    """Somebody came into a group or channel."""

    party: Party = Party()
    reason: str = ""


class ParticipantLeft(Fact, tag="participant.left", frozen=True, kw_only=True):
    """Somebody went."""

    party: Party = Party()
    reason: str = ""


class SessionStarted(Fact, tag="session.started", frozen=True, kw_only=True):
    """The customer opened the channel: a deep link (`ref`), a scene, a chat window."""

    ref: str = ""
    agent: str = ""
    reason: str = ""


class SessionEnded(Fact, tag="session.ended", frozen=True, kw_only=True):
    """The channel closed the session."""

    ref: str = ""
    agent: str = ""
    reason: str = ""


class Rating(Fact, tag="rating", frozen=True, kw_only=True):
    """What the customer thought of it: `score` of `scale`."""

    score: float
    scale: float
    text: str = ""
    target: str = ""


class ThreadLinked(Fact, tag="thread.linked", frozen=True, kw_only=True):
    """The provider says that another thread is this one: a group upgraded, an alias, a private reply."""

    thread: str
    reason: str = ""


class ChannelState(Fact, tag="channel.state", frozen=True, kw_only=True):
    """What the provider says of our account there (revoked, suspended)."""

    state: str
    reason: str = ""


class System(Fact, tag="system", frozen=True, kw_only=True):
    """A line the provider wrote into the chat by itself."""

    text: str = ""


class Unknown(Fact, tag="unknown", frozen=True, kw_only=True):
    """A record of a kind the connector does not know; visible when it has sender and thread. `label`: its raw type."""

    label: str = ""


# --- commands of persons (`onethread link` and the API write them; no connector does) -------------------------------


class LinkEnd(Struct, frozen=True, kw_only=True):
    """An identity by its claim (it may not have written yet), or a strand by the event id of a message in it."""

    claim: Claim | None = None
    entry_id: str = ""


class By(Struct, frozen=True, kw_only=True):
    """Who gave a command: an API key, the person behind it, or a program ("cli")."""

    key_id: str = ""
    agent: str = ""
    program: str = ""


class LinkSet(Fact, tag="link.set", frozen=True, kw_only=True):
    """A person's word on two ends of one kind: together, apart, or the opinion taken back (auto)."""

    ends: tuple[LinkEnd, LinkEnd]
    state: Literal["together", "apart", "auto"]
    at: Moment
    by: By = By()


class EntriesMove(Fact, tag="entries.move", frozen=True, kw_only=True):
    """Messages that a person puts elsewhere. `to`: an event id whose strand takes them; "" splits off a new strand."""

    entry_ids: tuple[str, ...]
    at: Moment
    to: str = ""
    by: By = By()


AnyFact = (
    Message | MessageEdited | MessageCompleted | MessageDeleted | MessageRestored | MessageHidden | MessageShown
    | ReactionAdded | ReactionRemoved | Receipt | Postback | Call | CallRecording | CallTranscript | Contact
    | IdentityChanged | ContactSubscribed | ContactUnsubscribed | ParticipantJoined | ParticipantLeft
    | SessionStarted | SessionEnded | Rating | ThreadLinked | ChannelState | System | Unknown | LinkSet | EntriesMove
)  # fmt: skip


class Foreign(Fact, tag="foreign", frozen=True):
    """A fact of a kind this version does not know, kept byte for byte; only decoding makes one. On a wire its own bytes stand."""

    name: str
    json: bytes

    @property
    def kind(self) -> str:
        """The kind that its own JSON says."""
        return self.name


# --- the event ---------------------------------------------------------------------------------------------------


class Source(Struct, frozen=True, kw_only=True):
    """The provider's record an event was made from, to be normalised again. One of `text`, `data`, `blob` is set.

    `text`: the record as UTF-8; `data`: bytes that are none; `blob`: key in the blob store, for large ones.
    """

    text: str | None = None
    data: bytes | None = None
    blob: str = ""
    form: str = ""
    about: dict[str, str] = {}
    media_type: str = "application/json"


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One normalised fact. A connector fills the first part; the host the second, and no connector may.

    `external_id`: what it is about, unique in the account; `revision`: what tells it from others of its kind about that.
    `sent_at` is the sender's clock, `received_at` the channel's (None where it has none), `ingested_at` ours.
    `tokens`: strings that may be ours (a deep link's parameter, a plus address); the host replaces them by what they prove.
    `answers`: event id of our message that this one answers by a signed token.
    """

    external_id: str
    fact: AnyFact | Foreign
    revision: str = ""
    external_thread_id: str = ""
    place: Place = Place()
    direction: Direction = "inbound"
    echo: bool = False
    sender: Party = Party()
    recipients: tuple[Party, ...] = ()
    sent_at: Moment | None = None
    received_at: Moment | None = None
    reply_context: dict[str, str] = {}
    lookups: tuple[str, ...] = ()
    standby: bool = False
    tokens: tuple[str, ...] = ()
    channel_data: dict[str, Any] = {}
    # By the host:
    id: str = ""
    tenant: str = ""
    channel_id: str = ""
    network: str = ""
    account: str = ""
    ingested_at: Moment | None = None
    history: bool = False
    answers: str = ""
    source: Source | None = None

    @property
    def kind(self) -> str:
        """The kind: the tag of the fact."""
        return kind_of(self.fact)


def kind_of(fact: AnyFact | Foreign) -> str:
    """The tag of a fact."""
    return fact.kind if isinstance(fact, Foreign) else str(type(fact).__struct_config__.tag)


KINDS: frozenset[str] = frozenset(str(fact.__struct_config__.tag) for fact in AnyFact.__args__)
"""All kinds this version knows."""
