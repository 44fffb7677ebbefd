"""Acme Chat: a signed JSON webhook that carries messages, edits and deletions. It knows their record, and no host."""

from collections.abc import Iterable
from functools import partial
from typing import TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from onethread.connector import Connector, Raw, Rejected, Request, Wake, Webhook, signed, utc
from onethread.event import (
    Attachment,
    Body,
    Claim,
    Content,
    Event,
    Message,
    MessageDeleted,
    MessageEdited,
    Party,
    Quote,
    Unknown,
)

C = TypeVar("C", bound=Content)

OLDEST = 300
"""Seconds after which a signed delivery counts as stale: somebody may have kept it, to send it again."""


class Settings(BaseModel):
    """One shop at Acme."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    account: str = Field(description="Shop id, shown at Acme under Settings, API.")
    secrets: list[SecretStr] = Field(min_length=1, description="Webhook secret of the shop; two while you rotate it.")


class Delivery(msgspec.Struct):
    """One body: several records, left undecoded, so that a bad one stays alone."""

    items: list[msgspec.Raw]


class Item(msgspec.Struct):
    """One record. Decoding checks the types, so what is of another shape is set aside without a word of ours."""

    type: str
    id: str
    at: int  # Unix milliseconds
    chat: str = ""
    user: str = ""
    name: str = ""
    agent: str = ""  # the colleague's name, where the shop wrote it in Acme's own app
    text: str = ""
    answers: str = ""
    files: dict[str, str] = {}  # URL to name


class Acme(Connector[Settings], Webhook):
    """One shop."""

    name = network = "acme"
    answer_within = 5.0

    def authenticate(self, request: Request) -> None:
        given, at = request.headers.get("x-acme-signature", ""), request.headers.get("x-acme-timestamp", "")
        if not (at.isascii() and at.isdecimal()):
            raise Rejected("x-acme-timestamp is missing, or no number")
        if not signed(given, self.settings.secrets, at.encode() + b"." + request.body, prefix="v1="):
            raise Rejected("x-acme-signature does not match the time and the body")
        if abs(request.arrived_at - utc(int(at))).total_seconds() > OLDEST:
            raise Rejected("x-acme-timestamp is more than five minutes away")

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        for item in msgspec.json.decode(request.body, type=Delivery).items:
            yield Raw(bytes(item))

    def normalize(self, raw: Raw) -> Iterable[Event]:
        item = msgspec.json.decode(raw.data, type=Item)
        event = _event_of(item, self.account)
        match item.type:
            case "message":
                yield event(_content(item, Message))
            case "edit":
                yield event(_content(item, MessageEdited), revision=str(item.at))
            case "delete":
                yield event(MessageDeleted())
            case other if item.user and item.chat:  # somebody wrote it: people should see that there is something
                yield event(_content(item, Message, unsupported=other))
            case other:  # its id may be that of something else, so the id alone would not tell two of them apart
                yield event(Unknown(label=other), revision=f"{other} {item.at}")


def _event_of(item: Item, shop: str) -> partial[Event]:
    """Who, where and when: the same for every kind."""
    event = partial(Event, item.id, external_thread_id=item.chat, received_at=utc(item.at / 1000))
    if not item.user:
        return event
    claims = (Claim("acme_user", item.user, scope=shop, evidence="provider"),)
    customer = Party(claims=claims, name=item.name)
    if not item.agent:
        return partial(event, sender=customer)
    us = Party(name=item.agent, kind="agent", is_us=True)
    return partial(event, sender=us, recipients=(customer,), direction="outbound", echo=True)


def _content(item: Item, kind: type[C], unsupported: str = "") -> C:
    """What a message holds, whether it is new or edited."""
    return kind(
        body=Body(text=item.text),
        attachments=tuple(Attachment(filename=name, locator=url) for url, name in item.files.items()),
        quote=Quote(external_id=item.answers) if item.answers else None,
        unsupported=unsupported,
    )
