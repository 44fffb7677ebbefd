"""A WhatsApp message as events: words, an edit, a reaction, a pressed button, a line of WhatsApp's. It knows no envelope."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import msgspec

from im_ingest.connectors.whatsapp.content import content
from im_ingest.connectors.whatsapp.said import Said
from im_ingest.connectors.whatsapp.said import System as SystemRecord
from im_ingest.connectors.whatsapp.scene import Scene
from im_ingest.connectors.whatsapp.who import NUMBER, USER_ID, phone
from onethread.errors import Poison
from onethread.event import (
    Claim,
    Content,
    Event,
    IdentityChanged,
    MessageCompleted,
    MessageDeleted,
    MessageEdited,
    Postback,
    ReactionAdded,
    ReactionRemoved,
    SessionStarted,
    System,
)
from onethread.event import Message as NewMessage
from onethread.identity import digest

C = TypeVar("C", bound=Content)

MESSAGE_ID = "wamid."


def events(here: Scene) -> Iterator[Event]:
    """The events of one message. A type that nobody knows leaves a placeholder."""
    yield from HANDLERS.get(here.message.type, _said)(here)


def completed(here: Scene) -> Event:
    """A message whose file was missing when it was imported."""
    fact = _content(here, here.message, MessageCompleted)
    return here.event(fact, revision=digest(*(file.external_id for file in fact.attachments)))


def _content(here: Scene, said: Said, kind: type[C]) -> C:
    sent = None if here.setting.imported else here.at  # a file of an old message was handed over just now
    degraded = f"of a strange form: {here.lost}" if here.lost else ""
    return msgspec.structs.replace(content(said, kind, sent, here.wrote(said.context)), degraded=degraded)


def _said(here: Scene) -> Iterator[Event]:
    fact = _content(here, here.message, NewMessage)
    yield msgspec.structs.replace(here.event(fact), channel_data=_rest(here.message, here.setting.summary))


def _rest(said: Said, summary: str) -> dict[str, Any]:
    """What has no field of its own."""
    error = said.errors[0] if said.errors else None
    product = said.context.referred_product if said.context else None
    found: Mapping[str, Any] = {
        "error_code": str(error.code) if error else None,
        "error": error.title if error else None,
        "frequently_forwarded": said.context.frequently_forwarded if said.context else None,
        "product": product.product_retailer_id if product else None,
        "referral_text": said.referral.body if said.referral else None,
        "animated": said.sticker.animated if said.sticker else None,
        "catalog_id": said.order.catalog_id if said.order else None,
        "template": said.template.name if said.template else None,
        "summary": summary,
    }
    return {name: value for name, value in found.items() if value}


def _edited(here: Scene) -> Iterator[Event]:
    edit = here.message.edit
    if edit is None:
        raise Poison("an edit without content")
    fact = _content(here, edit.message, MessageEdited)
    if fact.quote and fact.quote.external_id and not fact.quote.external_id.startswith(MESSAGE_ID):
        fact = msgspec.structs.replace(fact, quote=None)  # Meta's reference of edits has "M0" there, whatever it is
    yield here.event(fact, edit.original_message_id, here.message.id)


def _revoked(here: Scene) -> Iterator[Event]:
    if here.message.revoke is None:
        raise Poison("a deletion that names no message")
    yield here.event(MessageDeleted(), here.message.revoke.original_message_id)


def _reacted(here: Scene) -> Iterator[Event]:
    """A person has one reaction a message; a new one takes the place of the old one."""
    reaction = here.message.reaction
    if reaction is None:
        raise Poison("a reaction without content")
    target, symbol = reaction.message_id, reaction.emoji or ""
    actor = "us" if here.ours else here.known.best
    fact = ReactionAdded(target=target, symbol=symbol, replaces=True) if symbol else ReactionRemoved(target=target)
    yield here.event(fact, f"{target}:{actor}:{symbol}", here.message.id)


def _pressed(here: Scene) -> Iterator[Event]:
    """A quick reply of a template."""
    button = here.message.button
    if button is None or here.ours:
        yield from _said(here)
        return
    yield here.event(Postback(payload=button.payload or "", title=button.text or "", target=_target(here)))


def _chose(here: Scene) -> Iterator[Event]:
    """A reply button, a line of a list, a form, or a permission to call."""
    chosen = here.message.interactive
    if chosen is None or here.ours:
        yield from _said(here)
        return
    target = _target(here)
    if reply := chosen.button_reply or chosen.list_reply:
        values = {"description": reply.description} if reply.description else {}
        yield here.event(Postback(payload=reply.id or "", title=reply.title or "", target=target, values=values))
    elif form := chosen.nfm_reply:
        title = form.body or form.name or ""
        yield here.event(
            Postback(payload=form.name or "", title=title, target=target, values=_values(form.response_json))
        )
    elif permission := chosen.call_permission_reply:
        until = {"until": str(permission.expiration_timestamp)} if permission.expiration_timestamp else {}
        yield here.event(Postback(payload=chosen.type, title=permission.response, target=target, values=until))
    else:
        yield from _said(here)


def _target(here: Scene) -> str:
    return (here.message.context.id if here.message.context else None) or ""


def _values(form: str) -> dict[str, str]:
    """The fields of a form. Its token is ours to send, and nobody's to read."""
    try:
        fields: dict[str, Any] = msgspec.json.decode(form, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {"response": form}
    return {
        name: value if isinstance(value, str) else msgspec.json.encode(value).decode()
        for name, value in fields.items()
        if name != "flow_token"
    }


def _system(here: Scene) -> Iterator[Event]:
    """A person's number or id became another; or a line about encryption keys."""
    system = here.message.system or SystemRecord(type="system")
    pairs = [
        (_number(here.known.number), _number(system.wa_id or system.new_wa_id), "number"),
        (_user(system.previous_user_id or here.message.from_user_id), _user(system.user_id), "user_id"),
        (
            _parent(system.previous_parent_user_id or here.message.from_parent_user_id),
            _parent(system.parent_user_id),
            "parent_user_id",
        ),
    ]
    moved = system.type.startswith(("user_changed", "customer_changed"))  # the second is what it was called before
    changes = [(old, new, which) for old, new, which in pairs if moved and old and new and old != new]
    for old, new, which in changes:
        yield here.event(IdentityChanged(old=old, new=new), revision=which)
    if not changes:
        yield here.event(System(text=system.body or system.type))


def _number(number: str | None) -> Claim | None:
    return phone(number) if number and NUMBER.fullmatch(number) else None


def _user(user_id: str | None) -> Claim | None:
    return Claim("whatsapp_user", user_id) if user_id and USER_ID.fullmatch(user_id) else None


def _parent(user_id: str | None) -> Claim | None:
    return Claim("whatsapp_parent_user", user_id) if user_id and USER_ID.fullmatch(user_id) else None


def _opened(here: Scene) -> Iterator[Event]:
    yield here.event(SessionStarted(reason="request_welcome"))


HANDLERS: dict[str, Callable[[Scene], Iterator[Event]]] = {
    "edit": _edited,
    "revoke": _revoked,
    "reaction": _reacted,
    "button": _pressed,
    "interactive": _chose,
    "system": _system,
    "request_welcome": _opened,
}
