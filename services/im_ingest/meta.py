"""What Meta's products share at the entrance: signature, handshake, and the walk through a body. It knows no product.

Sources: Meta for Developers, "Webhooks from Meta: Getting Started" (verification requests, payloads, up to 1000 updates in a
body) and "WhatsApp Business Platform: Webhooks" (delivery and retries).
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple, TypeVar

import msgspec
from pydantic import SecretStr

from onethread.connector import Answer, Rejected, Request, same, signed, utc
from onethread.errors import Poison

T = TypeVar("T", bound=msgspec.Struct)

SIGNATURE = "x-hub-signature-256"
CHALLENGE = re.compile(r"[A-Za-z0-9._~+/=-]{1,512}")
"""Meta sends a number today; whatever it sends is no markup."""

LISTS = ("changes", "messaging", "standby")
"""Where an entry keeps its items: what happened to an object, a chat, a chat that another app holds."""

DAMAGED = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What decoding raises over what is no JSON, or of another shape."""

OLDEST = 10**8
"""Seconds (1973): a smaller number of milliseconds than this is one of seconds."""

Json = dict[str, msgspec.Raw]
Stamp = int | float | str | None
"""A Unix time; the dashboard's test button writes as text what real deliveries write as a number, and the other way round."""


class Item(NamedTuple):
    """One item of an entry, undecoded. `owner`: id of the page or account; `time`: the entry's own, as given; `kind`: its list."""

    owner: str
    time: str
    kind: str
    data: bytes


class _Delivery(msgspec.Struct):
    object: str
    entry: msgspec.Raw = msgspec.Raw(b"[]")


def authenticate(request: Request, app_secrets: Iterable[SecretStr]) -> None:
    """The signature is an HMAC of the raw bytes by the app's secret; Meta escapes what is not ASCII, and signs the escapes."""
    if not signed(request.headers.get(SIGNATURE, ""), app_secrets, request.body, prefix="sha256="):
        raise Rejected(f"{SIGNATURE} does not match the body under any of `app_secrets`")


def handshake(request: Request, verify_token: SecretStr) -> Answer | None:
    """The answer to the GET by which Meta verifies a URL; None for what is no such request."""
    if request.method != "GET" or "hub.mode" not in request.query:
        return None
    given, expected = request.query.get("hub.verify_token", ""), verify_token.get_secret_value()
    if request.query["hub.mode"] != "subscribe" or not expected or not same(given, expected):
        raise Rejected("hub.verify_token is not `verify_token`", status=403)
    challenge = request.query.get("hub.challenge", "")
    if not CHALLENGE.fullmatch(challenge):
        raise Rejected("hub.challenge is missing, or of a strange form", status=403)
    return Answer(challenge.encode())


def items(body: bytes, product: str) -> Iterator[Item]:
    """Every item of every entry, in order. One that is damaged is given as it is: whoever reads it sets it aside alone.

    Raises Poison for a body about another product, msgspec's errors for what is no body.
    """
    delivery = msgspec.json.decode(body, type=_Delivery)
    if delivery.object != product:
        raise Poison(f"the body is about another product; enter this URL under `{product}` in the app's dashboard")
    for entry in elements(delivery.entry):
        yield from _items_of(bytes(entry))


def _items_of(data: bytes) -> Iterator[Item]:
    try:
        entry = msgspec.json.decode(data, type=Json)
    except DAMAGED:
        entry = {}
    owner, time = _word(entry.get("id")), _word(entry.get("time"))
    nobodys = "id" in entry and not owner
    found = [(kind, bytes(element)) for kind in LISTS for element in elements(entry.get(kind)) if not nobodys]
    for kind, element in found or [("entry", data)]:
        yield Item(owner, time, kind, element)


def _word(part: msgspec.Raw | None) -> str:
    """An id or a time as text; "" for what is neither."""
    with suppress(*DAMAGED):
        return str(msgspec.json.decode(part or b"", type=int | str))
    return ""


def elements(part: msgspec.Raw | None) -> list[msgspec.Raw]:
    """The elements of a list, undecoded; none of null. What is no list counts as its own element: it is set aside alone."""
    if part is None:
        return []
    try:
        return msgspec.json.decode(part, type=list[msgspec.Raw] | None) or []
    except DAMAGED:
        return [part]


def readable(data: bytes | msgspec.Raw, kind: type[T]) -> tuple[T, tuple[str, ...]]:
    """A struct without those of its fields that are of another shape, and their names: one strange part hides no message.

    Raises msgspec's errors if a field without which there is none is among them.
    """
    try:
        return msgspec.json.decode(data, type=kind), ()
    except msgspec.ValidationError:
        types = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        fields = msgspec.json.decode(data, type=Json)
        kept = {name: part for name, part in fields.items() if name not in types or _is(part, types[name])}
        lost = tuple(name for name in fields if name not in kept)
        return msgspec.json.decode(msgspec.json.encode(kept), type=kind), lost


def _is(part: msgspec.Raw, kind: object) -> bool:
    try:
        msgspec.json.decode(part, type=kind)
    except DAMAGED:
        return False
    return True


def moment(stamp: Stamp, *, per_second: int = 1) -> datetime | None:
    """A time of Meta's: seconds, or with `per_second` 1000 milliseconds. None where there is none that a calendar holds.

    The dashboard's test button writes seconds throughout.
    """
    with suppress(Poison, ValueError, OverflowError):
        return None if stamp in (None, "") else _utc(float(stamp or 0), per_second)
    return None


def _utc(number: float, per_second: int) -> datetime:
    return utc(number / per_second if number >= OLDEST * per_second else number)
