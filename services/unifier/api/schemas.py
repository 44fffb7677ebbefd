"""The documents the API answers with. Shapes only; they are filled in `views`, and what each means is said in its fields.

Every field is always there: unknown is null, none is [] or {}. Only what `expand` brings may be absent.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"}, description="RFC 3339, UTC, milliseconds, `Z`.")]


class Document(BaseModel):
    """Base: immutable, nothing beyond what is written here."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FactDocument(Document):
    """What a kind says beyond who, where and when. The kind decides its fields; treat kinds you do not know as "other"."""


class List(Document):
    """One page. Only `has_more: false` ends a list: a page may be short."""

    next_cursor: str | None = Field(description="For the next page; null where a list ends and cannot grow.")
    has_more: bool
    live_cursor: str | None = Field(description="Where the feed of changes takes over; null until there is one.")


# --- conversations -------------------------------------------------------------------------------------------------


class Strand(Document):
    """A run of entries, numbered 1, 2, 3 …; a conversation is one or more of them."""

    id: str
    last_seq: int


class Participant(Document):
    """Somebody in a conversation."""

    identity_id: str
    customer_id: str | None = Field(description="Null for us.")
    role: str = Field(description="`customer`, `us`, `other`; treat others as `other`.")


class Label(Document):
    """Who put a label on, and when."""

    by: str
    at: Time


class By(Document):
    """Who gave a command: an API key, and the person behind it."""

    key_id: str | None
    agent: str | None


class Conversation(Document):
    """What belongs together, across channels, read as one timeline."""

    id: str
    version: str = Field(description="Changes with every change; quoted, it is the ETag.")
    customer_id: str | None
    subject: str | None
    place_kinds: list[str]
    strands: list[Strand] = Field(description="Eldest first; each of their ids resolves to this conversation.")
    networks: list[str]
    channel_ids: list[str]
    participants: list[Participant]
    status: str
    snoozed_until: Time | None
    priority: str | None
    assignee: str | None
    desk: str | None
    message_count: int
    labels: dict[str, Label]
    created_at: Time | None
    last_active_at: Time | None
    waiting_since: Time | None = Field(description="Since when the customer has had no answer.")
    customer: "Customer | None" = Field(default=None, description="With `expand=customer`.")
    last_entry: "Entry | None" = Field(default=None, description="With `expand=last_entry`: the newest that is talk.")


class ConversationList(List):
    """A page of conversations."""

    items: list[Conversation]


# --- entries -------------------------------------------------------------------------------------------------------


class Attachment(Document):
    """A file. `status`: `pending`, `stored`, `failed`, `reference`; its bytes: GET /v1/attachments/{id}/content."""

    id: str
    kind: str
    filename: str | None
    media_type: str | None
    size_bytes: int | None
    sha256: str | None
    disposition: str
    content_id: str | None
    status: str
    width: int | None
    height: int | None


class Person(Document):
    """Somebody, as this entry's channel names them. `strength`: `verified`, `claimed`, `hint`; a claimed sender may be anyone."""

    identity_id: str | None
    customer_id: str | None
    address: str | None
    name: str | None
    kind: str
    strength: str | None


class Recipient(Person):
    """Whom it was for. `role`: `to`, `cc`, `bcc`, `delivered_to`."""

    role: str | None
    is_us: bool


class Address(Document):
    """One address of a person."""

    type: str
    value: str
    scope: str


class Body(Document):
    """`text`: the new words; `text_full`: with what was quoted, where that differs; `html`: sanitised, remote images off."""

    text: str | None
    text_full: str | None
    html: str | None
    language: str | None
    truncated: bool


class Failure(Document):
    """A provider's error, in its words."""

    code: str | None
    text: str | None
    permanent: bool


class Quote(Document):
    """What a message answers in a chat or under a post. `entry_id`: the entry, if that message was ever received."""

    entry_id: str | None
    kind: str
    text: str | None
    sender: Person | None


class Place(Document):
    """Where it was said. `kind`: `direct`, `group`, `channel`, `post`, `mailbox`, `call`."""

    kind: str
    name: str | None
    permalink: str | None


class Moved(Document):
    """A person put the entry into the conversation of another strand."""

    to: str
    at: Time
    by: By | None


class Reaction(Document):
    """A reaction that still stands."""

    symbol: str
    identity_id: str | None
    at: Time


class Delivery(Document):
    """How far an outbound message came. `status`: `sent`, `delayed`, `delivered`, `read`, `failed`."""

    status: str
    at: Time
    error: Failure | None


class State(Document):
    """What became of a message: folded from the entries about it, the same in whatever order they came."""

    edited_at: Time | None
    deleted_at: Time | None
    hidden: bool
    delivery: Delivery | None
    reactions: list[Reaction]


class Matched(Document):
    """What a rule found."""

    type: str
    value: str | None
    entry_id: str | None


class JoinedBy(Document):
    """A link between the entry's strand and the conversation's eldest one."""

    link_id: str
    rule: str
    reason: str


class Placement(Document):
    """Why an entry is where it is."""

    rule: str
    reason: str
    moved: Moved | None
    matched: Matched | None
    joined_by: list[JoinedBy]


class Entry(Document):
    """One line of a timeline. `(strand, seq)` is its place for ever; `conversation_id` is where it is read now."""

    id: str
    kind: str
    conversation_id: str
    strand: str
    seq: int
    channel_id: str | None
    network: str | None
    direction: str | None
    echo: bool
    history: bool
    target: str | None = Field(description="The entry this one is about.")
    moved: Moved | None
    reply_id: str | None
    place: Place | None
    sender: Person | None
    recipients: list[Recipient]
    sent_at: Time | None = Field(description="By the sender's clock.")
    received_at: Time = Field(description="By the channel's clock: people read by this, then by `id`.")
    ingested_at: Time | None = Field(description="By our clock.")
    summary: str = Field(description="One plain line; show it for kinds you do not know.")
    fact: SerializeAsAny[FactDocument]
    state: State
    placement: Placement | None = Field(default=None, description="With `expand=placement`, and of a single entry.")


class Earlier(Document):
    """A text that a message had before: edited since, or deleted."""

    entry_id: str
    at: Time
    fact: SerializeAsAny[FactDocument]


class EntryDetail(Entry):
    """An entry with its placement and, for keys with `entries:raw`, its earlier and deleted texts (else null)."""

    earlier: list[Earlier] | None = Field(description="Eldest first; null without the scope `entries:raw`.")


class EntryList(List):
    """A page of entries."""

    items: list[Entry]


# --- customers -----------------------------------------------------------------------------------------------------


class IdentityEvidence(Document):
    """What speaks for an address."""

    by: str
    channel_id: str | None
    entry_id: str | None
    at: Time | None


class Identity(Document):
    """One address of a customer. `strength`: `verified`, `claimed`, `hint`."""

    id: str
    type: str
    scope: str
    value: str
    strength: str
    blocked: bool
    evidence: list[IdentityEvidence]


class LinkEvidence(Document):
    """What speaks for a link."""

    by: str
    at: Time | None


class Link(Document):
    """Two identities that belong together. `state`: `auto` by evidence, `together` or `apart` by a person's word."""

    id: str
    ends: list[str]
    state: str
    evidence: list[LinkEvidence]


class Customer(Document):
    """A person: identities that belong together."""

    id: str
    version: str = Field(description="Changes with every change; quoted, it is the ETag.")
    former_ids: list[str] = Field(description="Ids of customers that became this one; they resolve to it.")
    name: str | None
    locale: str | None
    since: Time
    identities: list[Identity]
    suggestions: int = Field(description="Links in `auto` whose evidence does not count: for a person to decide.")
    links: list[Link]


class AddressAsked(Document):
    """An address to look up, as people write it."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    type: str = Field(min_length=1, max_length=64, description="`email`, `phone`, `telegram_user`, …")
    value: str = Field(min_length=1, max_length=1000)
    scope: str = Field(default="", max_length=1000, description='Page, team or app it is unique in; "" is global.')


class Lookup(Document):
    """Addresses whose customers are wanted. They are in a body, since URLs get logged."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    items: list[AddressAsked] = Field(min_length=1, max_length=100)


class LookupAnswer(Document):
    """The customer of each address, in the order asked; null where nobody is known by it."""

    items: list[Customer | None]


# --- channels, the key, problems -----------------------------------------------------------------------------------


class ChannelReason(Document):
    """Why a channel is as it is, and what to do."""

    code: str | None
    text: str | None
    todo: str | None


class Ledger(Document):
    """What came in since a time, and what became of it."""

    since: Time
    received: int
    stored: int
    duplicate: int
    set_aside: int
    filtered: int
    gap: int


class Channel(Document):
    """One configured account of a connector, and how it is doing."""

    id: str
    name: str
    connector: str
    network: str
    account: str
    abilities: list[str]
    desired: str = Field(description="`running` or `paused`.")
    state: str | None = Field(description="Null: it was never started.")
    since: Time | None
    next_try_at: Time | None
    lag_seconds: int | None
    reason: ChannelReason | None
    last_message_at: Time | None
    ledger: Ledger | None


class ChannelList(List):
    """A page of channels."""

    items: list[Channel]


class Limit(Document):
    """How often the key may ask."""

    requests: int
    window_seconds: int


class Feed(Document):
    """How far back the feed of changes reaches."""

    epoch: int = Field(description="1, and one more for every restore of the store.")
    oldest_at: Time | None


class Me(Document):
    """What the key is."""

    tenant: str
    key_id: str
    scopes: list[str]
    limits: dict[str, Limit]
    feed: Feed


class ProblemError(Document):
    """Where in the request it is: one of `pointer` (into the body, RFC 6901), `parameter`, `header`."""

    pointer: str | None = None
    parameter: str | None = None
    header: str | None = None
    detail: str


class ProblemDocument(BaseModel):
    """RFC 9457. Branch on `type`; some types have members of their own."""

    model_config = ConfigDict(extra="allow")
    type: str
    title: str
    status: int
    detail: str
    instance: str
    request_id: str
    errors: list[ProblemError]
    missing_scope: str | None = None
    epoch: int | None = None
    oldest_at: Time | None = None


def dumped(document: BaseModel) -> bytes:
    """The document's JSON: every field it was given, and no default."""
    return document.model_dump_json(by_alias=True, exclude_unset=True).encode()
