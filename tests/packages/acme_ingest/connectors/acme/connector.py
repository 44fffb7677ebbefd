"""Acme Chat: a signed JSON webhook that carries messages and edits. The example of the contract, and what tests need."""

from collections.abc import Iterable
from functools import partial

import msgspec
from pydantic import BaseModel, Field, SecretStr

from onethread.connector import Answer, Connector, Raw, Rejected, Request, Wake, Webhook, fingerprint, signed, utc
from onethread.event import Attachment, Body, Claim, Event, Message, MessageEdited, Party, Unknown


class Settings(BaseModel):
    account: str = Field(description="Shop id, shown at Acme under Settings, API.")
    secrets: list[SecretStr] = Field(min_length=1, description="Webhook secret; two while you rotate it.")


class Item(msgspec.Struct):
    type: str
    id: str
    at: int  # unix milliseconds
    chat: str = ""
    user: str = ""
    text: str = ""
    ref: str = ""
    shop: str = ""
    files: dict[str, str] = {}  # URL to name


class Acme(Connector[Settings], Webhook):
    name = network = "acme"

    @property
    def app(self) -> str:
        return fingerprint(self.settings.secrets[0])

    def authenticate(self, request: Request) -> None:
        if not signed(request.headers.get("x-acme-signature", ""), self.settings.secrets, request.body):
            raise Rejected("x-acme-signature does not match the body")

    def handshake(self, request: Request) -> Answer | None:
        if request.method == "GET" and request.query.get("echo", "").isalnum():
            return Answer(request.query["echo"].encode())
        return None

    def unpack(self, request: Request) -> Iterable[Raw | Wake]:
        for item in msgspec.json.decode(request.body, type=dict[str, list[msgspec.Raw]])["items"]:
            yield Raw(bytes(item), account=msgspec.json.decode(bytes(item), type=dict).get("shop", ""))

    def normalize(self, raw: Raw) -> Iterable[Event]:
        item = msgspec.json.decode(raw.data, type=Item)
        who = Party(claims=(Claim("acme_user", item.user, scope=self.account, evidence="provider"),))
        tokens = (item.ref,) if item.ref else ()
        event = partial(
            Event, item.id, external_thread_id=item.chat, sender=who, received_at=utc(item.at / 1000), tokens=tokens
        )
        body, files = Body(text=item.text), tuple(Attachment(filename=n, locator=url) for url, n in item.files.items())
        match item.type:
            case "message":
                yield event(Message(body=body, attachments=files))
            case "edit":
                yield event(MessageEdited(body=body, attachments=files), revision=str(item.at))
            case "bug":
                raise LookupError(item.text)
            case "wrong type":
                yield event(Message(body=body), external_thread_id=7)
            case other:
                yield event(Unknown(label=other))
