"""What Meta's products share at the entrance: signature, handshake, and the walk through a body. It knows no product.

Sources: Meta for Developers, "Webhooks from Meta: Getting Started" (verification requests, payloads, up to 1000 updates in a
body) and "WhatsApp Business Platform: Webhooks" (delivery and retries).
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import msgspec
from pydantic import SecretStr

from onethread.connector import Answer, Rejected, Request, same, signed, utc
from onethread.errors import Poison

SIGNATURE = "x-hub-signature-256"
CHALLENGE = re.compile(r"[A-Za-z0-9._~+/=-]{1,512}")
"""Meta sends a number today; whatever it sends is no markup."""

LISTS = ("changes", "messaging", "standby")
"""Where an entry keeps its items: what happened to an object, a chat, a chat that another app holds."""

Json = dict[str, msgspec.Raw]
Stamp = int | str | None
"""A Unix time; the dashboard's test button writes as text what real deliveries write as a number, and the other way round."""


class Item(NamedTuple):
    """One item of an entry, undecoded. `owner`: id of the page or account; `time`: the entry's own, as given; `kind`: its list."""

    owner: str
    time: str
    kind: str
    data: bytes


class _Delivery(msgspec.Struct):
    object: str
    entry: list[msgspec.Raw] = []


class _Entry(msgspec.Struct):
    id: str = ""
    time: Stamp = None
    changes: list[msgspec.Raw] = []
    messaging: list[msgspec.Raw] = []
    standby: list[msgspec.Raw] = []


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
    for entry in delivery.entry:
        yield from _items_of(bytes(entry))


def _items_of(data: bytes) -> Iterator[Item]:
    try:
        entry = msgspec.json.decode(data, type=_Entry)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        yield Item("", "", "entry", data)
        return
    time = "" if entry.time is None else str(entry.time)
    lists: dict[str, list[msgspec.Raw]] = {kind: getattr(entry, kind) for kind in LISTS}
    for kind, found in lists.items():
        for item in found:
            yield Item(entry.id, time, kind, bytes(item))
    if not any(lists.values()):
        yield Item(entry.id, time, "entry", data)


def moment(stamp: Stamp, *, per_second: int = 1) -> datetime | None:
    """A time of Meta's: seconds, or with `per_second` 1000 milliseconds. None where there is none; raises Poison for no time."""
    if stamp in (None, ""):
        return None
    try:
        return utc(int(stamp or 0) / per_second)
    except (ValueError, OverflowError) as error:
        raise Poison("a time was expected that is a whole number") from error
