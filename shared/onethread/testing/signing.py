"""Signs a recorded request for another account: it finds out how it was signed, by trying. It knows schemes, and no provider.

A fixture is signed with the sample secrets of its settings, at a time long ago. Known are a secret that is sent as it is, and
an HMAC (SHA-256, SHA-1; hex, base64) over the body, alone or behind a time that is sent beside it. A connector of another scheme, or
whose deliveries are sealed, signs its own (`SignsAnew`).
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec
from pydantic import BaseModel, SecretStr

from onethread.connector import Request
from onethread.testing.fixtures import secret_fields

_NEAR = 2 * 86400
"""Seconds between a recorded time and the arrival, within which a number is taken for that time: a delivery may be one of a late retry."""
_LONGEST_PREFIX = 12
"""Characters before a signature, such as `sha256=`."""
_BEFORE_BODY = ("", "{at}.", "v0:{at}:", "{at}", "{at}:", "{at}\n")
_HASHES = (hashlib.sha256, hashlib.sha1)


class _Scheme(NamedTuple):
    """How one value of a request comes from a secret. `digest` empty: it is the secret itself."""

    field: str
    digest: Any = None
    hexadecimal: bool = True
    before: str = ""
    prefix: str = ""

    def value(self, secret: str, at: str, body: bytes) -> str:
        """What is sent."""
        if self.digest is None:
            return self.prefix + secret
        made = hmac.new(secret.encode(), self.before.format(at=at).encode() + body, self.digest).digest()
        return self.prefix + (made.hex() if self.hexadecimal else base64.b64encode(made).decode())


@runtime_checkable
class SignsAnew(Protocol):
    """A connector that makes of a recorded request what its provider would send to this channel now. It is for trying out only."""

    def signed_anew(self, request: Request, sample: Any, now: datetime) -> Request:
        """`sample`: the same connector, with the settings the request was recorded for. Raises Poison, Rejected for what those cannot read."""


def signed_anew(
    request: Request, sample: BaseModel, ours: BaseModel, now: datetime, body: bytes | None = None
) -> tuple[Request, tuple[str, ...]]:
    """The request with today's time and the signatures of our secrets, and the names of headers and parameters that were signed.

    `body`: takes the place of the recorded one. Empty names: how it is signed is not known here, or it is not signed.
    """
    body = request.body if body is None else body
    sent = {**request.query, **request.headers}
    times = {name: new for name, value in sent.items() if (new := _renewed(value, request.arrived_at, now))}
    changed, names = dict(times), []
    for name, value in sent.items():
        found = next(_found(value, sent, times, request.body, sample), None)
        secret = _first(ours, found[0].field) if found else ""
        if found and secret:
            scheme, clock = found
            changed[name] = scheme.value(secret, times.get(clock, ""), body)
            names.append(name)
    return msgspec.structs.replace(
        request, headers=_over(request.headers, changed), query=_over(request.query, changed), body=body, arrived_at=now
    ), tuple(names)


def _over(values: Mapping[str, str], changed: Mapping[str, str]) -> dict[str, str]:
    return {name: changed.get(name, value) for name, value in values.items()}


def _renewed(value: str, arrived_at: datetime, now: datetime) -> str:
    """Now, in the same unit, if the value is about the time of arrival; "" if it is not."""
    if value.isascii() and value.isdecimal() and len(value) < 15:
        for unit in (1, 1000):
            if abs(int(value) / unit - arrived_at.timestamp()) < _NEAR:
                return str(int(now.timestamp() * unit))
    return ""


def _found(
    value: str, sent: Mapping[str, str], times: Mapping[str, str], body: bytes, sample: BaseModel
) -> Iterator[tuple[_Scheme, str]]:
    """The schemes that give this value, each with the name of the time that is in it."""
    for field in secret_fields(type(sample)):
        for secret in _secrets(sample, field):
            for scheme, clock in _schemes(field, times):
                made = scheme.value(secret, sent.get(clock, ""), body)
                prefix = value.removesuffix(made)
                if made and value.endswith(made) and len(prefix) <= _LONGEST_PREFIX:
                    yield scheme._replace(prefix=prefix), clock


def _schemes(field: str, times: Mapping[str, str]) -> Iterator[tuple[_Scheme, str]]:
    yield _Scheme(field), ""
    for digest in _HASHES:
        for before in _BEFORE_BODY:
            for clock in times if before else ("",):
                for hexadecimal in (True, False):
                    yield _Scheme(field, digest, hexadecimal, before), clock


def _first(settings: BaseModel, field: str) -> str:
    return next(iter(_secrets(settings, field)), "")


def _secrets(settings: BaseModel, field: str) -> list[str]:
    """The values of one field that are not empty."""
    held = getattr(settings, field)
    several = held if isinstance(held, list | tuple) else [held]
    return [one.get_secret_value() for one in several if isinstance(one, SecretStr) and one.get_secret_value()]
